"""What generated code does on a batch of states, before any training: does it run, and does it fit the clip?

Used inside the check worker only (`guard.check_worker`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from video2policy.guard.leavings import MAX_COMPONENTS, MAX_NAME, printable
from video2policy.guard.load import LoadError, TaskClass, load_task
from video2policy.guard.stand_in import STAND_INS, States, clip_states, random_states, untouched
from video2policy.scene import Scene
from video2policy.task import Poses, Task, observation_keys, state_widths

N_ENVS = 64
OTHERS = (7, 33)
"""Numbers of environments, beside that one, for which the first of them must get the same."""
HARD = (
    "syntax",
    "loads",
    "reset",
    "observations",
    "success",
    "reward",
    "repeatable",
    "independent",
    "leaves_states",
)
"""Checks without which a candidate cannot be trained."""


@dataclass(frozen=True)
class Check:
    """One question about a piece of generated code; `reason` says what was wrong, or what was seen."""

    name: str
    passed: bool
    reason: str


@dataclass
class Report:
    """All checks of one candidate, and facts for picking.

    `onset` is the part of the clip's way (0 to 1) at which success first holds, `extra_observations` how many
    numbers the task adds to the observation.
    """

    checks: list[Check] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def runs(self) -> bool:
        return all(check.passed for check in self.checks if check.name in HARD)

    def to_json(self) -> dict[str, Any]:
        return {"runs": self.runs, "checks": [asdict(c) for c in self.checks], "facts": self.facts}


class _Failed(Exception):
    """A check that failed, with its reason."""


class Tables:
    """Stands in for the simulator at reset: objects at random on the table, `n_envs` environments."""

    def __init__(self, scene: Scene, n_envs: int, seed: int = 0) -> None:
        self.n_envs = n_envs
        self.object_names = scene.names
        self.object_sizes = {item.name: list(item.size) for item in scene.objects}
        self._generator = torch.Generator().manual_seed(seed)

    def sample_object_poses(self, env_ids: torch.Tensor) -> Poses:
        poses = {}
        for name in self.object_names:
            xy = 0.3 * torch.rand((len(env_ids), 2), generator=self._generator) - 0.15
            z = torch.full((len(env_ids), 1), self.object_sizes[name][2] / 2)
            still = torch.tensor([1.0, 0, 0, 0]).repeat(len(env_ids), 1)
            poses[name] = torch.cat([xy, z, still], dim=-1)
        return poses


def check_task(
    scene: Scene, task_py: Path, reward_py: Path | None = None, seed: int = 0, clip: bool = True
) -> Report:
    """All checks of one task module; those after a failure that they depend on are left out.

    Without `clip` the clip's own poses are left aside: their author did not see them.
    """
    report = Report()
    found: list[TaskClass] = []

    def run(name: str, check: Callable[[], str]) -> bool:
        try:
            report.checks.append(Check(name, True, check()))
        except _Failed as failure:
            report.checks.append(Check(name, False, printable(str(failure))))
        except Exception as error:  # generated code may raise anything; the author gets the reason
            reason = printable(f"{type(error).__name__}: {str(error)[:300]}")
            report.checks.append(Check(name, False, reason))
        return report.checks[-1].passed

    def load() -> str:
        try:
            found.append(load_task(task_py, reward_py))
        except LoadError as error:
            raise _Failed(str(error)) from error
        return f"defines the task {found[0].__name__}"

    if not run("loads", load):
        return report
    sizes = {item.name: item.size for item in scene.objects}
    tables = Tables(scene, N_ENVS, seed)
    states = random_states(sizes, N_ENVS, seed)
    actions = 2 * torch.rand((N_ENVS, 7), generator=torch.Generator().manual_seed(seed)) - 1

    def make(n_envs: int = N_ENVS) -> Task:
        return found[0](tables if n_envs == N_ENVS else Tables(scene, n_envs, seed), "")

    if not run("reset", lambda: _check_reset(make(), tables)):
        return report
    run("observations", lambda: _check_observations(make(), states, report.facts))
    succeeds = run("success", lambda: _check_success(make(), states))
    rewards = run("reward", lambda: _check_reward(make(), actions, states))
    if succeeds and rewards:
        run("repeatable", lambda: _check_repeatable(make, actions, states))
        run("independent", lambda: _check_independent(make, actions, states))
        run("leaves_states", lambda: _check_leaves_states(make, actions, states))
    if succeeds and rewards and clip:
        along = clip_states(scene)
        run("false_at_start", lambda: _check_start(make(), along))
        run("true_at_end", lambda: _check_end(make(), along, scene, report.facts))
        if STAND_INS[scene.task.family].remembers:
            run("remembers", lambda: _check_memory(make(), untouched(along, scene.task.roles["a"])))
        run("reward_rises", lambda: _check_rise(make(), along))
    return report


def _copy(states: States) -> States:
    return {key: value.clone() for key, value in states.items()}


def _with_added(task: Task, states: States) -> States:
    """States with the keys that the task's own observation function adds, as the environment gives them."""
    states = _copy(states)
    task.compute_observation_key(states)
    return states


def _check_reset(task: Task, tables: Tables) -> str:
    env_ids = torch.arange(0, tables.n_envs, 2)
    poses = task.reset_objects_states(env_ids)
    if set(poses) != set(tables.object_names):
        raise _Failed(
            f"the reset gives poses of {', '.join(sorted(poses))}, not of every object in the scene"
        )
    for name, pose in poses.items():
        if tuple(pose.shape) != (len(env_ids), 7):
            raise _Failed(f"the reset pose of {name} has shape {tuple(pose.shape)}, not ({len(env_ids)}, 7)")
        if not torch.isfinite(pose).all() or pose.abs().max() > 2:
            raise _Failed(f"the reset puts {name} at a place that is not finite or off the table")
        if (pose[:, 3:].norm(dim=-1) - 1).abs().max() > 1e-3:
            raise _Failed(f"the reset quaternion of {name} is not of length 1")
    return "gives a pose of every object"


def _check_observations(task: Task, states: States, facts: dict[str, Any]) -> str:
    states = _copy(states)
    keys = task.compute_observation_key(states)
    if not isinstance(keys, Sequence) or not all(isinstance(key, str) for key in keys):
        raise _Failed("compute_observation_key does not return a list of names")
    width = 0
    for key in keys:
        if key not in states:
            raise _Failed(f'it observes "{key}", which states do not have')
        value = states[key]
        _check_tensor(f'the observation "{key}"', value, torch.float32, max_dims=2)
        width += 1 if value.dim() == 1 else value.shape[1]
    declared = task.get_observation_space()
    if declared != width:
        raise _Failed(f"it declares {declared} observations and gives {width}")
    widths = state_widths(task.object_names)
    base = sum(widths[key] for key in observation_keys(task.object_names))
    facts["extra_observations"] = width - base
    return f"{width} numbers, {width - base} of them its own"


def _check_tensor(what: str, value: Any, dtype: torch.dtype, max_dims: int = 1) -> None:
    if not isinstance(value, torch.Tensor):
        raise _Failed(f"{what} is a {type(value).__name__}, not a tensor")
    if value.dim() not in range(1, max_dims + 1) or value.shape[0] != N_ENVS:
        raise _Failed(f"{what} has shape {tuple(value.shape)}, not ({N_ENVS},)")
    if value.dtype != dtype:
        raise _Failed(f"{what} has type {value.dtype}, not {dtype}")
    if not torch.isfinite(value).all():
        raise _Failed(f"{what} is not finite everywhere")


def _check_success(task: Task, states: States) -> str:
    success = task.compute_success(_with_added(task, states))
    _check_tensor("success", success, torch.bool)
    share = success.float().mean().item()
    if share > 0.9:
        raise _Failed(f"success holds in {share:.0%} of random states, so that it asks for nothing")
    return f"holds in {share:.0%} of random states"


def _check_reward(task: Task, actions: torch.Tensor, states: States) -> str:
    rewards, components = task.compute_reward(actions.clone(), _with_added(task, states))
    _check_tensor("the reward", rewards, torch.float32)
    if not isinstance(components, dict) or not all(isinstance(name, str) for name in components):
        raise _Failed("the reward's components are no dict by name")
    if len(components) > MAX_COMPONENTS or any(len(name) > MAX_NAME for name in components):
        raise _Failed(
            f"the reward has more than {MAX_COMPONENTS} components, or longer names than {MAX_NAME}"
        )
    for name, value in components.items():
        _check_tensor(f'the component "{name}"', value, torch.float32)
    if rewards.abs().max() > 1000:
        raise _Failed(
            f"the reward reaches {rewards.abs().max().item():.0f}, more than ten times that of success"
        )
    return f"{len(components)} components"


def _outputs(task: Task, actions: torch.Tensor, states: States) -> dict[str, torch.Tensor]:
    states = _with_added(task, states)
    success = task.compute_success(states)
    rewards, components = task.compute_reward(actions.clone(), states)
    return {"success": success, "the reward": rewards, **components}


def _check_repeatable(make: Callable[[], Task], actions: torch.Tensor, states: States) -> str:
    task = make()
    first = _outputs(task, actions, states)
    for again in (_outputs(task, actions, states), _outputs(make(), actions, states)):
        for name, value in first.items():
            if not torch.equal(value, again[name]):
                raise _Failed(f"{name} differs between two calls with the same states")
    return "the same states give the same result"


def _check_independent(make: Callable[..., Task], actions: torch.Tensor, states: States) -> str:
    """Every other environment is kept and its neighbours are replaced by others, three times as large.

    Afterwards the first few are on their own.
    """
    kept = torch.arange(0, N_ENVS, 2)
    order = torch.randperm(N_ENVS, generator=torch.Generator().manual_seed(1))
    others = {key: value[order] * (3.0 if key.endswith("_size") else 1.0) for key, value in states.items()}
    for key, value in others.items():
        value[kept] = states[key][kept]
    first, second = _outputs(make(), actions, states), _outputs(make(), actions, others)
    for name, value in first.items():
        if not torch.allclose(value[kept].float(), second[name][kept].float(), atol=1e-5):
            raise _Failed(f"{name} of one environment depends on the other environments")
    for n_envs in OTHERS:
        few = _outputs(make(n_envs), actions[:n_envs], {key: value[:n_envs] for key, value in states.items()})
        for name, value in first.items():
            alone = few.get(name)
            if (
                not isinstance(alone, torch.Tensor)
                or alone.shape != (n_envs,)
                or not torch.allclose(value[:n_envs].float(), alone.float(), atol=1e-5)
            ):
                raise _Failed(f"{name} depends on the number of environments")
    return "each environment by itself"


def _check_leaves_states(make: Callable[[int], Task], actions: torch.Tensor, states: States) -> str:
    for n_envs in (N_ENVS, *OTHERS):
        task, given = make(n_envs), {key: value[:n_envs] for key, value in states.items()}
        copied = _with_added(task, given)
        task.compute_success(copied)
        task.compute_reward(actions[:n_envs].clone(), copied)
        for key, value in given.items():
            if key not in copied or not torch.equal(copied[key], value):
                raise _Failed(f'it overwrites the state "{key}"')
    return "the simulator's states stay as they are"


def _along(task: Task, along: States) -> torch.Tensor:
    return task.compute_success(_with_added(task, along))


def _check_start(task: Task, along: States) -> str:
    if bool(_along(task, along)[0]):
        raise _Failed("success holds on the clip's first poses already")
    return "success does not hold on the clip's first poses"


def _check_end(task: Task, along: States, scene: Scene, facts: dict[str, Any]) -> str:
    success = _along(task, along)
    says = STAND_INS[scene.task.family].says
    if not bool(success[-1]):
        raise _Failed(f"success does not hold on the clip's last poses (assuming that {says})")
    first = int(success.float().argmax())
    facts["onset"] = round(first / (len(success) - 1), 3)
    return f"success holds on the clip's last poses (assuming that {says})"


def _check_memory(task: Task, idle: States) -> str:
    if bool(_along(task, idle)[-1]):
        raise _Failed(
            "success holds on the clip's last poses even where the gripper never touched the object"
        )
    return "success does not hold on the clip's last poses where the gripper never touched the object"


def _check_rise(task: Task, along: States) -> str:
    actions = torch.zeros((len(along["time_left"]), 7))
    rewards, _ = task.compute_reward(actions, _with_added(task, along))
    start, end = rewards[0].item(), rewards[-1].item()
    if not end > start:
        raise _Failed(f"the reward is {start:.3g} on the clip's first poses and {end:.3g} on its last")
    return f"the reward rises from {start:.3g} to {end:.3g} along the clip"
