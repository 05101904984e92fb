"""Grasping and lifting, learnt once for a clip by imitation: where every training of its task starts from.

Whatever is to be done with an object that must be held, the first part is to reach, grasp and lift it, and
most of a training from scratch goes into finding that out. A rule of thumb that sees the exact state does it
well; a policy learns it from the rule's actions on the states that the policy itself comes to (DAgger, Ross
et al. 2011). Trainings take the policy over by the names of what they observe, the handled object being "a";
what it never saw, such as what the task's code adds, starts without influence.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from video2policy.sim.base import N_ACTIONS, Simulator, States
from video2policy.sim.environment import Environment
from video2policy.task import observation_keys, state_widths
from video2policy.train.policy import CLIP, EPSILON, Policy, PolicyInfo, load_policy
from video2policy.train.rule import PLACES as PLACES
from video2policy.train.rule import Place, rule

log = logging.getLogger("video2policy")

Weights = dict[str, Tensor]
FIRST = "a2c_network.actor_mlp.0.weight"
STATISTICS = "running_mean_std."
FRESH = ("a2c_network.value.", "value_mean_std.")
"""The value of a state depends on the task's reward."""
SIGMA = "a2c_network.sigma"
LOG_SIGMA, WIDE_LOG_SIGMA, GRIPPER_LOG_SIGMA = -1.6, -0.9, 0.0
"""Logarithm of the first noise of exploration: small where the skill knows the whole task, which more would
spoil. Where it ends with what it holds, the gripper's is large: it has to let go twice in a row before it
opens, and with less noise no training finds that out."""
FORGET = 200_000
"""Observations for which the skill's input statistics count, so that they follow the new task's."""

ROUNDS, STEPS, EPOCHS, BATCH = 8, 100, 12, 1024
"""Rounds of imitation, control steps in each, passes over all that was collected, and states a step."""
SIMULATIONS = 64
"""Episodes of a round; how many a training runs at once is its own matter."""
LONGER = 2
"""How many times as many rounds it takes to stand something on end on its way, or to push with it."""
LAST = 4
"""How many times as long the last round is fitted."""
GRIPPER_COUNTS = 2.0
LEFT_TO_RULE = 4
"""Every so many-th simulation goes on following the rule, so that the end of the task is always seen."""
NOISE, CALM = 0.3, 0.05
"""Standard deviation of what is added to the actions that collect, in the first round and in the last."""
CLOSE_SCALE, CLOSE = 0.02, (-1.0, 0.0, 1.0)
"""Metres that the first hidden units tell apart, and where they bend, in that unit."""
BETA = 0.2
"""Of an action: errors count squared up to it, linearly beyond. Where the rule jumps, means fit nothing."""


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
    follows = torch.arange(sim.n_envs) % LEFT_TO_RULE == 0
    network: torch.nn.Sequential | None = None
    seen: list[Tensor] = []
    shown: list[Tensor] = []
    mean, deviation = torch.zeros(1), torch.ones(1)
    hard = place is not None and (grip > 0 or place.where == "push")
    rounds = ROUNDS * (LONGER if hard else 1)
    for number in range(rounds):
        noise = NOISE + (CALM - NOISE) * number / (rounds - 1)
        _restart(sim, roles, place)
        for _ in range(STEPS):
            states = sim.states()
            seen.append(_observation(states, keys))
            shown.append(rule(states, roles, place, grip))
            action = shown[-1]
            if network is not None:
                with torch.no_grad():
                    learnt = network(((seen[-1] - mean) / deviation).clamp(-CLIP, CLIP))
                action = torch.where(follows[:, None], action, learnt.clamp(-1.0, 1.0))
            sim.step(action + noise * torch.randn(action.shape, generator=generator))
        inputs, wanted = torch.cat(seen), torch.cat(shown)
        mean, deviation = inputs.mean(dim=0), torch.sqrt(inputs.var(dim=0) + EPSILON)
        if network is None:
            network = _network(inputs.shape[1], units)
            _look_closely(network[0], sim.states(), keys, roles, mean, deviation)
        last = LAST if number == rounds - 1 else 1
        inputs = ((inputs - mean) / deviation).clamp(-CLIP, CLIP)
        _fit(network, inputs, wanted, generator, last * EPOCHS)
        log.info("skill, round %d of %d: %.2f lifted", number + 1, rounds, _lifted(sim, handled))
    assert network is not None
    names, steps = _names(sim.states(), keys, handled, sim.object_names), rounds * STEPS * sim.n_envs
    info = PolicyInfo(len(names), tuple(units), seed, steps, names)
    sigma = torch.full((N_ACTIONS,), LOG_SIGMA if place else WIDE_LOG_SIGMA)
    if place is None:
        sigma[-1] = GRIPPER_LOG_SIGMA
    return Skill(Policy(info, {**_weights(network, mean, deviation, steps), SIGMA: sigma}))


def _restart(sim: Simulator, roles: Mapping[str, str], place: Place | None) -> None:
    """Start all episodes as the family's tasks do: what is to be taken away covers the other object."""
    everyone = torch.arange(sim.n_envs)
    poses = sim.sample_object_poses(everyone)
    if place is not None and place.where == "away":
        poses[roles["a"]][:, :2] = poses[roles["b"]][:, :2]
    sim.reset(everyone, poses)


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


def _look_closely(
    layer: torch.nn.Module,
    states: States,
    keys: Sequence[str],
    roles: Mapping[str, str],
    mean: Tensor,
    deviation: Tensor,
) -> None:
    """Begin with hidden units that tell centimetres: where the object is from the tool and the other one.

    Both are differences of numbers ten times as large; left to itself the network learns them to two
    centimetres, in as many steps.
    """
    assert isinstance(layer, torch.nn.Linear)
    widths = [states[key].reshape(len(states[key]), -1).shape[1] for key in keys]
    starts = {key: sum(widths[:number]) for number, key in enumerate(keys)}
    pairs: list[tuple[int, int | None]] = [
        (starts[f"{roles['a']}_from_eef"] + axis, None) for axis in range(3)
    ]
    if "b" in roles:
        first, second = (starts[f"{roles[role]}_pos"] for role in "ab")
        pairs += [(first + axis, second + axis) for axis in range(3)]
    units = itertools.product(pairs, (1.0, -1.0), CLOSE)
    with torch.no_grad():
        for row, ((plus, minus), sign, edge) in zip(range(len(layer.weight)), units, strict=False):
            layer.weight[row] *= 0.3
            layer.weight[row, plus] = sign * deviation[plus] / CLOSE_SCALE
            layer.bias[row] = sign * mean[plus] / CLOSE_SCALE + edge
            if minus is not None:
                layer.weight[row, minus] = -sign * deviation[minus] / CLOSE_SCALE
                layer.bias[row] -= sign * mean[minus] / CLOSE_SCALE


def _fit(
    network: torch.nn.Sequential,
    inputs: Tensor,
    wanted: Tensor,
    generator: torch.Generator,
    epochs: int = EPOCHS,
) -> None:
    """Huber's loss, the gripper's action counting most: when it opens decides everything."""
    weight = torch.tensor([1.0] * (N_ACTIONS - 1) + [GRIPPER_COUNTS])
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    steps = epochs * -(-len(inputs) // BATCH)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=2e-3, total_steps=steps)
    for _ in range(epochs):
        for part in torch.randperm(len(inputs), generator=generator).split(BATCH):
            shown, tried = wanted[part], network(inputs[part])
            # More than the most is done as the most: it need not be hit.
            tried = torch.where(shown >= 1.0, tried.clamp(max=1.0), tried)
            tried = torch.where(shown <= -1.0, tried.clamp(min=-1.0), tried)
            errors = torch.nn.functional.smooth_l1_loss(tried, shown, reduction="none", beta=BETA)
            loss = (weight * errors).mean()
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
