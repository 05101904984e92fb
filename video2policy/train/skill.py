"""Grasping and lifting, learnt once for a clip: where every training of its task starts from.

Whatever is to be done with an object that must be held, the first part is to reach, grasp and lift it, and
most of a training from scratch goes into finding that out. A short training on just this (the grammar's task
for "lift") is shared by all rewards of the search. It is carried over by the names of what a policy observes,
the handled object being "a"; what it never saw, such as what the task's code adds, starts without influence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from video2policy.author import grammar
from video2policy.scene import Scene
from video2policy.sim.environment import Environment
from video2policy.task import state_widths
from video2policy.train.policy import Policy, load_policy

MAX_STEPS, SOLVED = 400_000, 0.8
"""The skill's training: environment steps at most, and the part of episodes at which it is good enough."""

FORGET = 20_000
"""Observations for which the skill's input statistics count, so that they follow the new task's."""

Weights = dict[str, torch.Tensor]
FIRST = "a2c_network.actor_mlp.0.weight"
STATISTICS = "running_mean_std."
FRESH = ("a2c_network.value.", "value_mean_std.", "a2c_network.sigma")
"""The value of a state depends on the task's reward; the noise of exploration begins anew."""


def write_task(scene: Scene) -> str:
    """Source of the task: lift what the scene's own task handles, observing only what every task does."""
    handled = scene.task.roles["a"]
    lift = replace(scene, task=replace(scene.task, family="lift", roles={"a": handled}))
    return grammar.write_task(replace(grammar.draw_task(lift, 0, 0), observations=()), lift)


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
            known = self.policy.weights[name]
            if name == FIRST:
                known = torch.zeros_like(fresh).index_copy(1, into, known[:, out_of])
            elif name.startswith(STATISTICS) and known.dim() == 1:
                known = fresh.index_copy(0, into, known[out_of])
            elif name == f"{STATISTICS}count":
                known = torch.full_like(fresh, FORGET)
            elif name.startswith(FRESH):
                known = fresh
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
