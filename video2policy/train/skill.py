"""Grasping and lifting, learnt once for a clip by imitation: where every training of its task starts from.

Whatever is to be done with an object that must be held, the first part is to reach, grasp and lift it, and
most of a training from scratch goes into finding that out. A rule of thumb that sees the exact state does it
well; a policy learns it from the rule's actions on the states that the policy itself comes to (DAgger, Ross
et al. 2011). Trainings take the policy over by the names of what they observe, the handled object being "a";
what it never saw, such as what the task's code adds, starts without influence.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from video2policy.sim import robot
from video2policy.sim.base import N_ACTIONS, Simulator, States
from video2policy.sim.environment import Environment
from video2policy.task import observation_keys, state_widths
from video2policy.train.policy import CLIP, EPSILON, Policy, PolicyInfo, load_policy

log = logging.getLogger("video2policy")

Weights = dict[str, torch.Tensor]
FIRST = "a2c_network.actor_mlp.0.weight"
STATISTICS = "running_mean_std."
FRESH = ("a2c_network.value.", "value_mean_std.", "a2c_network.sigma")
"""The value of a state depends on the task's reward; the noise of exploration begins anew."""
FORGET = 20_000
"""Observations for which the skill's input statistics count, so that they follow the new task's."""

ROUNDS, STEPS, EPOCHS, BATCH = 6, 70, 15, 1024
"""Rounds of imitation, control steps in each, passes over all that was collected, and states a step."""
NOISE = 0.3
"""Standard deviation of what is added to the actions that collect."""

# The rule of thumb, in metres and radians.
ABOVE, OVER_IT, ALIGNED, DOWN = 0.04, 0.012, 0.15, 0.006
TALL, FINGER = 0.03, 0.04
CARRY_HEIGHT = 0.15
HOLD = -0.3


def rule(states: States, handled: str, grip: float = 0.0) -> torch.Tensor:
    """Actions (n, 7) that reach, grasp and lift `handled`, from the states as they are now.

    `grip` is where along its longest direction it is held: 0 at its centre, 1 at its end.
    """
    tool, size = states["eef_pos"], states[f"{handled}_size"]
    held_at = states[f"{handled}_pos"] + grip * states[f"{handled}_long"]
    turn = states[f"{handled}_grasp_turn"]
    top = held_at[:, 2] + 0.5 * size[:, 2]
    low = held_at[:, 2] + torch.clamp(0.5 * size[:, 2] - TALL, 0.0, FINGER)
    off = torch.norm(held_at[:, :2] - tool[:, :2], dim=-1)
    over = (off < OVER_IT) & (turn.abs() < ALIGNED)
    inside = (off < 2 * OVER_IT) & (tool[:, 2] < low + DOWN)
    held = states[f"{handled}_grasped"] > 0.5
    goal = held_at.clone()
    goal[:, 2] = torch.where(over | inside, low, torch.maximum(top + ABOVE, low))
    goal = torch.where(held[:, None], tool, goal)
    raised = states[f"{handled}_displacement"][:, 2]
    goal[:, 2] = torch.where(held, tool[:, 2] + torch.clamp(CARRY_HEIGHT - raised, max=0.05), goal[:, 2])
    actions = torch.zeros(len(tool), N_ACTIONS)
    actions[:, :3] = (goal - tool) / robot.POSITION_STEP
    actions[:, 5] = torch.where(held | inside, 0.0, turn / robot.YAW_STEP)
    # What holds presses gently on, so that the noise of exploration can let go.
    actions[:, 6] = torch.where(held, HOLD, torch.where(inside, -1.0, 1.0))
    return actions.clamp(-1.0, 1.0)


def learn(sim: Simulator, handled: str, units: Sequence[int], seed: int, grip: float = 0.0) -> Skill:
    """Imitate the rule in a simulation; uses up the simulation's episodes."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    keys = observation_keys(sim.object_names)
    everyone = torch.arange(sim.n_envs)
    network: torch.nn.Sequential | None = None
    seen: list[torch.Tensor] = []
    shown: list[torch.Tensor] = []
    mean, deviation = torch.zeros(1), torch.ones(1)
    for number in range(ROUNDS):
        sim.reset(everyone, sim.sample_object_poses(everyone))
        for _ in range(STEPS):
            states = sim.states()
            seen.append(_observation(states, keys))
            shown.append(rule(states, handled, grip))
            action = shown[-1]
            if network is not None:
                with torch.no_grad():
                    action = network(((seen[-1] - mean) / deviation).clamp(-CLIP, CLIP))
            sim.step(action + NOISE * torch.randn(action.shape, generator=generator))
        inputs, wanted = torch.cat(seen), torch.cat(shown)
        mean, deviation = inputs.mean(dim=0), torch.sqrt(inputs.var(dim=0) + EPSILON)
        if network is None:
            network = _network(inputs.shape[1], units)
        _fit(network, ((inputs - mean) / deviation).clamp(-CLIP, CLIP), wanted, generator)
        log.info("grasping, round %d of %d: %.2f held up", number + 1, ROUNDS, _held(sim, handled))
    assert network is not None
    names = tuple(
        f"{_by_role(key, handled, sim.object_names)}/{i}"
        for key in keys
        for i in range(state_widths(sim.object_names)[key])
    )
    info = PolicyInfo(len(names), tuple(units), seed, ROUNDS * STEPS * sim.n_envs, names)
    return Skill(Policy(info, _weights(network, mean, deviation, ROUNDS * STEPS * sim.n_envs)), names)


def held_up(sim: Simulator, skill: Skill, handled: str) -> float:
    """The part of episodes in which the skill's policy, without noise, holds the object up at the end."""
    everyone = torch.arange(sim.n_envs)
    sim.reset(everyone, sim.sample_object_poses(everyone))
    for _ in range(STEPS):
        sim.step(skill.policy.act(_observation(sim.states(), observation_keys(sim.object_names))))
    return _held(sim, handled)


def _held(sim: Simulator, handled: str) -> float:
    return float((sim.states()[f"{handled}_displacement"][:, 2] > CARRY_HEIGHT / 2).float().mean())


def _observation(states: States, keys: Sequence[str]) -> torch.Tensor:
    return torch.cat([states[key].reshape(len(states[key]), -1) for key in keys], dim=1)


def _network(width: int, units: Sequence[int]) -> torch.nn.Sequential:
    layers: list[torch.nn.Module] = []
    for inner, outer in zip([width, *units], units, strict=False):
        layers += [torch.nn.Linear(inner, outer), torch.nn.ELU()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(units[-1], N_ACTIONS))


def _fit(
    network: torch.nn.Sequential, inputs: torch.Tensor, wanted: torch.Tensor, generator: torch.Generator
) -> None:
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(EPOCHS):
        for part in torch.randperm(len(inputs), generator=generator).split(BATCH):
            loss = torch.nn.functional.mse_loss(network(inputs[part]), wanted[part])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def _weights(
    network: torch.nn.Sequential, mean: torch.Tensor, deviation: torch.Tensor, count: int
) -> Weights:
    """The network under the names that rl-games gives its parts."""
    *hidden, last = (layer for layer in network if isinstance(layer, torch.nn.Linear))
    named = {f"a2c_network.actor_mlp.{2 * i}": layer for i, layer in enumerate(hidden)}
    weights = {
        f"{name}.{part}": getattr(layer, part).detach().clone()
        for name, layer in {**named, "a2c_network.mu": last}.items()
        for part in ("weight", "bias")
    }
    return weights | {
        f"{STATISTICS}running_mean": mean.double(),
        f"{STATISTICS}running_var": deviation.double() ** 2,
        f"{STATISTICS}count": torch.tensor(float(count), dtype=torch.float64),
    }


@dataclass(frozen=True)
class Skill:
    """A policy and the name of each number that it observes."""

    policy: Policy
    inputs: tuple[str, ...]

    @classmethod
    def load(cls, path: Path) -> Skill:
        policy = load_policy(path)
        return cls(policy, policy.info.inputs)

    def start(self, weights: Mapping[str, torch.Tensor], inputs: Sequence[str]) -> Weights:
        """A new model's `weights` with what the skill knows put in; `inputs` name what the model observes.

        Raises ValueError if the networks have other sizes, or share no input.
        """
        shared = [(new, self.inputs.index(name)) for new, name in enumerate(inputs) if name in self.inputs]
        if not shared:
            raise ValueError("the task's policy observes nothing that the skill knows")
        into, out_of = (torch.tensor(column) for column in zip(*shared, strict=True))
        result = {}
        for name, fresh in weights.items():
            if name.startswith(FRESH):
                result[name] = fresh.clone()
                continue
            known = self.policy.weights[name]
            if name == FIRST:
                known = torch.zeros_like(fresh).index_copy(1, into, known[:, out_of])
            elif name.startswith(STATISTICS) and known.dim() == 1:
                known = fresh.index_copy(0, into, known[out_of])
            elif name == f"{STATISTICS}count":
                known = torch.full_like(fresh, FORGET)
            if known.shape != fresh.shape:
                raise ValueError(f"the skill's network has another size: {name} is {tuple(known.shape)}")
            result[name] = known.clone()
        return result


def observed(environment: Environment, handled: str) -> tuple[str, ...]:
    """The name of each number that the task's policy observes, `handled` being the object called "a"."""
    sim, states = environment.sim, environment.sim.states()
    widths = state_widths(sim.object_names)
    names: list[str] = []
    for key in environment.task.compute_observation_key(states):
        value = states[key]
        # What the task's code adds is called as it likes.
        name = _by_role(key, handled, sim.object_names) if key in widths else f"task/{key}"
        names += [f"{name}/{i}" for i in range(value.shape[1] if value.dim() > 1 else 1)]
    return tuple(names)


def _by_role(key: str, handled: str, objects: Sequence[str]) -> str:
    owners = [name for name in objects if key.startswith(f"{name}_")]
    if not owners:
        return key
    owner = max(owners, key=len)
    return ("a" if owner == handled else f"object/{owner}") + key[len(owner) :]
