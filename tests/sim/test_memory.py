"""What `states` remember of an episode, on motions whose outcome is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.scenes import OBJECTS, primitive_scene
from video2policy.scene import Scene
from video2policy.shape import SMALL_TABLE, TABLE
from video2policy.sim.mujoco import MujocoSim
from video2policy.task import Task

N = 3
IDS = torch.arange(N)
Make = Callable[[str], MujocoSim]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def simulation(family: str) -> MujocoSim:
        path = primitive_scene(tmp_path / family, family, objects=OBJECTS[family])
        sim = MujocoSim(Scene.load(path), path.parent, N, robot="floating", seed=0)
        sim.reset(IDS, sim.sample_object_poses(IDS))
        return sim

    return simulation


def set_motion(
    sim: MujocoSim, linear: tuple, angular: tuple = (0, 0, 0), height: float | None = None
) -> None:
    """The first object's velocity, and its centre's height."""
    first = sim._joints.robot
    if height is not None:
        sim._qpos[:, first + 2] = height
    sim._qvel[:, first : first + 6] = [*linear, *angular]


def wait(sim: MujocoSim, steps: int) -> dict[str, torch.Tensor]:
    for _ in range(steps):
        sim.step(torch.zeros(N, 7))
    return sim.states()


def test_a_ball_that_rolls_is_told_from_a_box_that_slides(make: Make) -> None:
    sim = make("roll")
    set_motion(sim, (0, 0.4, 0), (-0.4 / 0.02, 0, 0))
    states = wait(sim, 10)
    way = torch.norm(states["ball_displacement"][:, :2], dim=-1)
    # Where it hops by a fraction of a millimetre, it does not roll.
    assert (way > 0.05).all() and torch.allclose(states["ball_rolled"], way, atol=0.03)
    assert (states["ball_ever_touched"] == 0).all()
    box = make("push_any")
    set_motion(box, (0, 0.6, 0))
    states = wait(box, 10)
    assert (states["cube_displacement"][:, 1] > 0.02).all() and (states["cube_rolled"] < 0.005).all()


def test_a_box_that_is_spun_turns_on_the_spot(make: Make) -> None:
    sim = make("spin")
    set_motion(sim, (0, 0, 0), (0, 0, 12))
    states = wait(sim, 20)
    assert (states["cube_turn"] > 0.1).all()
    assert (torch.norm(states["cube_displacement"][:, :2], dim=-1) < 0.03).all()


def test_the_peak_stays_after_a_fall(make: Make) -> None:
    sim = make("drop")
    set_motion(sim, (0, 0, 0), height=0.1)
    states = wait(sim, 15)
    assert (states["cube_peak"] > 0.06).all() and (states["cube_displacement"][:, 2].abs() < 0.01).all()
    # The gripper never had it, so that it was neither lifted nor thrown.
    for name in ("ever_lifted", "ever_flown", "ever_struck", "flight_rise", "let_go_rise"):
        assert (states[f"cube_{name}"] == 0).all(), name
    sim.reset(IDS, sim.sample_object_poses(IDS))
    assert (sim.states()["cube_peak"] == 0).all()


def test_what_was_lifted_and_thrown_up_is_remembered(make: Make) -> None:
    sim = make("throw_against")
    sim._memory.lifted[:, 0] = True
    set_motion(sim, (0, 0, 1.5), height=0.25)
    sim._memory.let_go[:, 0] = 0.25
    states = wait(sim, 4)
    assert ((states["ball_flight_rise"] > 0.06) & (states["ball_flight_rise"] < 0.12)).all()
    assert (states["ball_ever_flown"] == 1).all() and (states["ball_ever_struck"] == 0).all()
    first = sim._joints.robot
    sim._qpos[:, first : first + 2] = sim._qpos[:, first + 7 : first + 9]  # over the other one
    set_motion(sim, (0, 0, 0), height=0.2)
    assert (wait(sim, 8)["ball_ever_struck"] == 1).all()


def test_a_tool_that_comes_down_on_a_thing_has_touched_it(make: Make) -> None:
    sim = make("touch")
    target = torch.zeros(N, 7)
    for _ in range(40):
        states = sim.states()
        target[:, :3] = (states["tin_pos"] - states["eef_pos"]) / 0.015
        target[:, 6] = -1.0
        sim.step(target.clamp(-1, 1))
    assert (sim.states()["tin_ever_touched"] == 1).all()


@pytest.mark.parametrize(("family", "table"), [("push_off_edge", SMALL_TABLE), ("push_any", TABLE)])
def test_the_table_ends_where_it_says(make: Make, family: str, table: tuple[float, float]) -> None:
    sim = make(family)
    assert np.allclose(sim.states()["table_half"], table)
    sim._qpos[:, sim._joints.robot + 1] = SMALL_TABLE[1] + 0.04
    states = wait(sim, 12)
    assert (states["cube_pos"][:, 2] < -0.05).all() == (table == SMALL_TABLE)


def test_a_thing_is_laid_on_its_side(make: Make) -> None:
    sim = make("upright")
    task = Task(sim, "", {"objects": ["tin"]})
    sim.reset(IDS, task.place_lying(sim.sample_object_poses(IDS), "tin"))
    states = wait(sim, 5)
    assert (states["tin_up"].abs() < 0.05).all() and (states["tin_contact_table"] == 1).all()
    assert torch.allclose(states["tin_pos"][:, 2], states["tin_size"][:, 1] / 2, atol=0.005)
