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
from torch import Tensor

from video2policy.sim import robot
from video2policy.sim.base import N_ACTIONS, Simulator, States
from video2policy.sim.environment import Environment
from video2policy.task import observation_keys, state_widths
from video2policy.train.policy import CLIP, EPSILON, Policy, PolicyInfo, load_policy

log = logging.getLogger("video2policy")

Weights = dict[str, Tensor]
FIRST = "a2c_network.actor_mlp.0.weight"
STATISTICS = "running_mean_std."
FRESH = ("a2c_network.value.", "value_mean_std.", "a2c_network.sigma")
"""The value of a state depends on the task's reward; the noise of exploration begins anew."""
SIGMA, GRIPPER_LOG_SIGMA = "a2c_network.sigma", 0.0
"""What holds has to let go twice in a row before it opens: with less noise no training finds that out."""
FORGET = 20_000
"""Observations for which the skill's input statistics count, so that they follow the new task's."""

ROUNDS, STEPS, EPOCHS, BATCH = 8, 100, 12, 1024
"""Rounds of imitation, control steps in each, passes over all that was collected, and states a step."""
GRIPPER_COUNTS = 3.0
NOISE = 0.3
"""Standard deviation of what is added to the actions that collect."""

# The rule of thumb, in metres and radians.
ABOVE, OVER_IT, ALIGNED, DOWN = 0.04, 0.012, 0.15, 0.006
TALL, FINGER = 0.03, 0.04
CARRY_HEIGHT = 0.15
HOLD = -0.3
"""What holds presses gently on, so that the noise of exploration can let go."""
AT_GOAL, NEXT_GAP, FRONT_GAP, FREE_RISE = 0.025, 0.02, 0.055, 0.1


@dataclass(frozen=True)
class Place:
    """Where what was lifted goes, and how: seen from the other object.

    `where`: "over", "beside" (on the side it came from), "front" (towards the clip's camera) or "behind". Its
    underside passes at `clear` metres over the table, and it is let go of at `release`; both count from the
    other object's top with `from_top`.
    """

    where: str
    clear: float
    release: float
    from_top: bool = False


_PUT, _DROP = (0.04, 0.006), (0.06, 0.045)
PLACES: Mapping[str, Place] = {
    "put_next": Place("beside", *_PUT),
    "move_closer": Place("beside", *_PUT),
    "drop_next": Place("beside", *_DROP),
    "put_front": Place("front", *_PUT),
    "drop_front": Place("front", *_DROP),
    "cover": Place("over", 0.02, -1.0, from_top=True),
    "put_into": Place("over", 0.02, 0.04, from_top=True),
    "drop_into": Place("over", 0.02, 0.04, from_top=True),
    "throw_into": Place("over", 0.15, 1.0, from_top=True),
    "put_behind": Place("behind", *_PUT),
    "drop_behind": Place("behind", *_DROP),
    "put_onto": Place("over", 0.02, 0.008, from_top=True),
    "drop_onto": Place("over", 0.05, 0.035, from_top=True),
    "throw_against": Place("over", 0.15, 1.0, from_top=True),
}
"""By family; of the others only grasping and lifting is learnt. A cover is let go of on the table (-1: as low
as it gets), what is thrown as high as it is carried."""


def rule(states: States, roles: Mapping[str, str], place: Place | None = None, grip: float = 0.0) -> Tensor:
    """Actions (n, 7) that reach, grasp and lift the object in role "a", from the states as they are now.

    With a `place` it is then brought to the object in role "b" and let go of. `grip` is where along its
    longest direction it is held: 0 at its centre, 1 at its end.
    """
    a = roles["a"]
    tool, size, pos = states["eef_pos"], states[f"{a}_size"], states[f"{a}_pos"]
    held_at = pos + grip * states[f"{a}_long"]
    turn = states[f"{a}_grasp_turn"]
    top = held_at[:, 2] + 0.5 * size[:, 2]
    low = held_at[:, 2] + torch.clamp(0.5 * size[:, 2] - TALL, 0.0, FINGER)
    low = low.clamp(min=robot.LOW[2])  # what lies flat is lower than the tool can go
    off = torch.norm(held_at[:, :2] - tool[:, :2], dim=-1)
    over = (off < OVER_IT) & (turn.abs() < ALIGNED)
    inside = (off < 2 * OVER_IT) & (tool[:, 2] < low + DOWN)
    held = states[f"{a}_grasped"] > 0.5
    goal = held_at.clone()
    goal[:, 2] = torch.where(over | inside, low, torch.maximum(top + ABOVE, low))
    carried = tool.clone()
    closed = torch.where(inside, -1.0, 1.0)
    if place is None:
        raised = states[f"{a}_displacement"][:, 2]
        carried[:, 2] += torch.clamp(CARRY_HEIGHT - raised, max=0.05)
        released = torch.zeros_like(held)
    else:
        carried, released = _bring(states, a, roles["b"], place)
    goal = torch.where(held[:, None] | released[:, None], carried, goal)
    actions = torch.zeros(len(tool), N_ACTIONS)
    actions[:, :3] = (goal - tool) / robot.POSITION_STEP
    actions[:, 5] = torch.where(held | inside | released, 0.0, turn / robot.YAW_STEP)
    actions[:, 6] = torch.where(released, 1.0, torch.where(held, HOLD, closed))
    return actions.clamp(-1.0, 1.0)


def _bring(states: States, a: str, b: str, place: Place) -> tuple[Tensor, Tensor]:
    """Where the tool goes that holds `a` (n, 3), and whether it has to be open by now (n,)."""
    tool, pos, other = states["eef_pos"], states[f"{a}_pos"], states[f"{b}_pos"]
    reach = (states[f"{a}_size"][:, :2] + states[f"{b}_size"][:, :2]).mean(dim=-1) / 2
    away = pos[:, :2] - other[:, :2]
    if place.where in ("front", "behind"):
        away = torch.tensor([-1.0 if place.where == "front" else 1.0, 0.0]).expand_as(away)
    side = torch.nn.functional.normalize(away, dim=-1)
    gap = reach + (NEXT_GAP if place.where == "beside" else FRONT_GAP)
    gap = 0.0 * reach if place.where == "over" else gap
    left = other[:, :2] + side * gap[:, None] - pos[:, :2]
    half = 0.5 * states[f"{a}_size"][:, 2] * states[f"{a}_up"].abs() + states[f"{a}_long"][:, 2].abs()
    bottom = pos[:, 2] - half
    top = other[:, 2] + 0.5 * states[f"{b}_size"][:, 2]
    base = top if place.from_top else torch.zeros_like(bottom)
    # The way to its front, or behind it, may lead over the other object.
    clear = (top if place.where in ("front", "behind") else base) + place.clear
    release = base + place.release
    if place.release < 0:
        release = torch.full_like(base, 0.006)
    hanging = states[f"{a}_long"][:, 2].abs() > 0.03
    release = torch.where(hanging, base - 0.03, release)
    far = torch.norm(left, dim=-1)
    there = far < AT_GOAL
    carried = tool.clone()
    high = bottom > clear - 0.01
    carried[:, :2] += torch.where((high | there)[:, None], left, torch.zeros_like(left))
    down = (torch.minimum(release, clear) - bottom - 0.004).clamp(-0.04, 0.02)
    carried[:, 2] += torch.where(there, down, (clear + 0.01 - bottom).clamp(-0.02, 0.05))
    let_go = there & (bottom < torch.minimum(release, clear))
    if place.release >= 1:  # thrown: from as high as it is carried
        let_go = there & (high | (states[f"{a}_ever_released"] > 0.5))
    free = states[f"{a}_contact_gripper"] < 0.5
    arrived = (far < 2 * AT_GOAL) & (states[f"{a}_ever_released"] > 0.5)
    done = let_go | arrived
    rise = tool.clone()
    rise[:, 2] = torch.where(free, torch.maximum(tool[:, 2] + 0.02, base + FREE_RISE), tool[:, 2])
    return torch.where(done[:, None], rise, carried), done


def learn(
    sim: Simulator,
    roles: Mapping[str, str],
    units: Sequence[int],
    seed: int,
    place: Place | None = None,
    grip: float = 0.0,
) -> Skill:
    """Imitate the rule in a simulation; uses up the simulation's episodes."""
    handled = roles["a"]
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    keys = observation_keys(sim.object_names)
    everyone = torch.arange(sim.n_envs)
    network: torch.nn.Sequential | None = None
    seen: list[Tensor] = []
    shown: list[Tensor] = []
    mean, deviation = torch.zeros(1), torch.ones(1)
    for number in range(ROUNDS):
        sim.reset(everyone, sim.sample_object_poses(everyone))
        for _ in range(STEPS):
            states = sim.states()
            seen.append(_observation(states, keys))
            shown.append(rule(states, roles, place, grip))
            action = shown[-1]
            if network is not None:
                with torch.no_grad():
                    action = network(((seen[-1] - mean) / deviation).clamp(-CLIP, CLIP))
            sim.step(action + NOISE * torch.randn(action.shape, generator=generator))
        inputs, wanted = torch.cat(seen), torch.cat(shown)
        mean, deviation = inputs.mean(dim=0), torch.sqrt(inputs.var(dim=0) + EPSILON)
        if network is None:
            network = _network(inputs.shape[1], units)
        last = 3 if number == ROUNDS - 1 else 1
        inputs = ((inputs - mean) / deviation).clamp(-CLIP, CLIP)
        _fit(network, inputs, wanted, generator, last * EPOCHS)
        log.info("skill, round %d of %d: %.2f lifted", number + 1, ROUNDS, _lifted(sim, handled))
    assert network is not None
    names, steps = _names(sim.states(), keys, handled, sim.object_names), ROUNDS * STEPS * sim.n_envs
    info = PolicyInfo(len(names), tuple(units), seed, steps, names)
    return Skill(Policy(info, _weights(network, mean, deviation, steps)))


def lifted(sim: Simulator, skill: Skill, handled: str) -> float:
    """The part of episodes in which the skill's policy, without noise, lifts the object."""
    everyone, keys = torch.arange(sim.n_envs), observation_keys(sim.object_names)
    sim.reset(everyone, sim.sample_object_poses(everyone))
    for _ in range(STEPS):
        sim.step(skill.policy.act(_observation(sim.states(), keys)))
    return _lifted(sim, handled)


def _lifted(sim: Simulator, handled: str) -> float:
    return float(sim.states()[f"{handled}_ever_lifted"].mean())


def _observation(states: States, keys: Sequence[str]) -> Tensor:
    return torch.cat([states[key].reshape(len(states[key]), -1) for key in keys], dim=1)


def _network(width: int, units: Sequence[int]) -> torch.nn.Sequential:
    layers: list[torch.nn.Module] = []
    for inner, outer in zip([width, *units], units, strict=False):
        layers += [torch.nn.Linear(inner, outer), torch.nn.ELU()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(units[-1], N_ACTIONS))


def _fit(
    network: torch.nn.Sequential,
    inputs: Tensor,
    wanted: Tensor,
    generator: torch.Generator,
    epochs: int = EPOCHS,
) -> None:
    """Least squares, the gripper's action counting most: when it opens decides everything."""
    weight = torch.tensor([1.0] * (N_ACTIONS - 1) + [GRIPPER_COUNTS])
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    steps = epochs * -(-len(inputs) // BATCH)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=2e-3, total_steps=steps)
    for _ in range(epochs):
        for part in torch.randperm(len(inputs), generator=generator).split(BATCH):
            loss = (weight * (network(inputs[part]) - wanted[part]) ** 2).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()


def _weights(network: torch.nn.Sequential, mean: Tensor, deviation: Tensor, count: int) -> Weights:
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
    """A policy that says of each number what it is that it observes."""

    policy: Policy

    @classmethod
    def load(cls, path: Path) -> Skill:
        return cls(load_policy(path))

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.policy.info.inputs

    def start(self, weights: Mapping[str, Tensor], inputs: Sequence[str]) -> Weights:
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
                if name == SIGMA:
                    result[name][-1] = GRIPPER_LOG_SIGMA
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
    states = environment.sim.states()
    keys = environment.task.compute_observation_key(states)
    return _names(states, keys, handled, environment.sim.object_names)


def _names(states: States, keys: Sequence[str], handled: str, objects: Sequence[str]) -> tuple[str, ...]:
    widths = state_widths(objects)
    names: list[str] = []
    for key in keys:
        value = states[key]
        # What the task's code adds is called as it likes.
        name = _by_role(key, handled, objects) if key in widths else f"task/{key}"
        names += [f"{name}/{i}" for i in range(value.shape[1] if value.dim() > 1 else 1)]
    return tuple(names)


def _by_role(key: str, handled: str, objects: Sequence[str]) -> str:
    owners = [name for name in objects if key.startswith(f"{name}_")]
    if not owners:
        return key
    owner = max(owners, key=len)
    return ("a" if owner == handled else f"object/{owner}") + key[len(owner) :]
