"""Scripted hands do in the simulator what a family asks for: its judge and its generated success both say so.

Pushes, pokes and throws by hand-written controllers without any learning, whose aim is rough: what counts is
that a good part of the episodes succeeds, that both predicates agree, and that without a hand none does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.scenes import OBJECTS, primitive_scene
from video2policy.author import grammar
from video2policy.evaluate.judges import judge
from video2policy.guard.load import load_task
from video2policy.scene import Scene
from video2policy.sim.base import States
from video2policy.sim.environment import Environment
from video2policy.sim.mujoco import MujocoSim
from video2policy.sim.robot import POSITION_STEP
from video2policy.train import skill

pytestmark = pytest.mark.slow

N, STEPS = 8, 99
Hand = Callable[[int, States, dict[str, str]], Tensor]


def towards(states: States, target: Tensor, gripper: float, speed: float = 1.0) -> Tensor:
    """Actions (n, 7) that bring the tool straight to `target` (n, 3)."""
    actions = torch.zeros(len(target), 7)
    actions[:, :3] = ((target - states["eef_pos"]) / POSITION_STEP).clamp(-speed, speed)
    actions[:, 6] = gripper
    return actions


def push(
    way: float,
    direction: Callable[[States, dict[str, str]], Tensor],
    speed: float = 0.5,
    height: float = 0.5,
) -> Hand:
    """Down behind the object, closed, `way` metres along `direction` (n, 2), and up again."""

    def hand(step: int, states: States, roles: dict[str, str]) -> Tensor:
        a = roles["a"]
        start, along = states[f"{a}_init_pos"], direction(states, roles)
        reach = 0.5 * states[f"{a}_size"][:, :2].max(dim=-1).values + 0.012
        if step < 40:
            back = reach + 0.04
        elif step < 80:
            back = reach - way
        else:
            back = reach - way + 0.02
        target = torch.cat([start[:, :2] - along * back[:, None], torch.full((len(start), 1), 0.25)], dim=1)
        if 24 <= step < 84:
            target[:, 2] = start[:, 2] + (height - 0.5) * states[f"{a}_size"][:, 2]
        return towards(states, target, -1.0, 1.0 if step < 40 else speed)

    return hand


def fixed(x: float, y: float) -> Callable[[States, dict[str, str]], Tensor]:
    return lambda states, roles: torch.tensor([[x, y]]).repeat(len(states["eef_pos"]), 1)


def outwards(states: States, roles: dict[str, str]) -> Tensor:
    side = torch.sign(states[f"{roles['a']}_init_pos"][:, 1])
    return torch.stack([torch.zeros_like(side), side], dim=-1)


def rule(family: str) -> Hand:
    """The rule of thumb that trainings start from, with its family's place."""
    return lambda step, states, roles: skill.rule(states, roles, skill.PLACES.get(family))


def lift_then(after: Callable[[int, States, dict[str, str]], Tensor], begin: int = 60) -> Hand:
    """Grasped and lifted by the rule, then what `after` does with it."""

    def hand(step: int, states: States, roles: dict[str, str]) -> Tensor:
        return skill.rule(states, roles) if step < begin else after(step - begin, states, roles)

    return hand


def let_go(step: int, states: States, roles: dict[str, str]) -> Tensor:
    return towards(states, states["eef_pos"], 1.0)


def fling(step: int, states: States, roles: dict[str, str]) -> Tensor:
    """Raised further, then let go of: it falls far enough to count as flown."""
    if step < 12:
        return towards(states, states["eef_pos"] + torch.tensor([0, 0, 0.015]), -0.3)
    return let_go(step, states, roles)


def lower(release: bool) -> Callable[[int, States, dict[str, str]], Tensor]:
    def hand(step: int, states: States, roles: dict[str, str]) -> Tensor:
        a = roles["a"]
        down = states["eef_pos"].clone()
        down[:, 2] -= states[f"{a}_displacement"][:, 2].clamp(min=0.0)
        if release and step >= 22:
            return towards(states, states["eef_pos"] + torch.tensor([0, 0, 0.02]), 1.0)
        return towards(states, down, -0.3, 0.6)

    return hand


def aside(x: float, y: float) -> Callable[[int, States, dict[str, str]], Tensor]:
    """Carried by (x, y) towards the middle from where it began, and kept there."""

    def hand(step: int, states: States, roles: dict[str, str]) -> Tensor:
        target, start = states["eef_pos"].clone(), states[f"{roles['a']}_init_pos"][:, :2]
        inwards = torch.where(start[:, 1:] > 0, -1.0, 1.0)
        target[:, :2] += start + inwards * torch.tensor([x, y])
        target[:, :2] -= states[f"{roles['a']}_pos"][:, :2]
        return towards(states, target, -0.3)

    return hand


HANDS: dict[str, Hand] = {
    "push_any": push(0.08, fixed(0.7, 0.7)),
    "poke_move": push(0.035, fixed(0, 1), height=0.3),
    "push_off_edge": push(0.3, outwards, speed=0.8),
    "move_to_cam": push(0.17, fixed(-1, 0)),
    "move_away_cam": push(0.17, fixed(1, 0)),
    "lay_side": push(0.12, fixed(0, 1), height=0.9),
    "roll": push(0.22, fixed(0, 1), speed=1.0, height=0.6),  # lower it is caught between hand and table
    "hold": rule("hold"),
    "put_onto": rule("put_onto"),
    "drop_onto": rule("drop_onto"),
    "drop_behind": rule("drop_behind"),
    "lift_drop": lift_then(let_go),
    "drop": lift_then(let_go),
    "throw_surface": lift_then(fling),
    "throw": lift_then(fling),
    "put_surface": lift_then(lower(release=True)),
    "move_down": lift_then(lower(release=False)),
    "remove_reveal": lift_then(aside(0.0, 0.17)),
    "pull_from_behind": lift_then(aside(0.0, 0.17)),
}


def played(folder: Path, family: str, hand: Hand) -> tuple[np.ndarray, np.ndarray]:
    """(judged, generated) success of `N` episodes, (N,) each."""
    path = primitive_scene(folder / "scene", family, objects=OBJECTS[family])
    scene = Scene.load(path)
    code = folder / "task.py"
    code.write_text(grammar.write_task(grammar.draw_task(scene, 0, 0), scene))
    sim = MujocoSim(scene, path.parent, N, robot="floating", seed=3)
    environment = Environment(sim, load_task(code)(sim, ""), record=True)
    environment.reset()
    rows, roles = [sim.arrays()], scene.task.roles
    for step in range(STEPS):
        _, _, _, info = environment.step(hand(step, sim.states(), roles).clamp(-1, 1))
        rows.append(info["raw_states"])
    record = {key: np.stack([row[key] for row in rows]) for key in rows[0]}
    return judge(family, roles, record).success, info["success"].numpy()


@pytest.mark.parametrize("family", HANDS)
def test_what_a_hand_does_is_judged_and_generated_success(family: str, tmp_path: Path) -> None:
    judged, generated = played(tmp_path, family, HANDS[family])
    assert judged.sum() >= 3 and generated.sum() >= 3, (judged, generated)
    assert (judged == generated).mean() >= 0.7, (judged, generated)


@pytest.mark.parametrize("family", ["touch", "push_off", "take_out", "upright", "spin", "put_surface"])
def test_without_a_hand_nothing_succeeds(family: str, tmp_path: Path) -> None:
    judged, generated = played(tmp_path, family, lambda step, states, roles: torch.zeros(N, 7))
    assert not judged.any() and not generated.any()
