"""The base class of generated tasks: figure 7's usage, observation widths, relations at reset."""

import re
import sys
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from video2policy import task as task_module
from video2policy.task import (
    OBJECT_STATES,
    ROBOT_STATES,
    Task,
    install_alias,
    observation_keys,
    state_widths,
)


class Table:
    """A stand-in for the simulator: two objects at known places."""

    n_envs = 4
    object_names = ("cup", "ball")
    object_sizes: ClassVar = {"cup": (0.08, 0.06, 0.1), "ball": (0.04, 0.04, 0.04)}

    def sample_object_poses(self, env_ids: torch.Tensor) -> dict[str, torch.Tensor]:
        k = len(env_ids)
        still = torch.tensor([1.0, 0, 0, 0]).repeat(k, 1)
        cup = torch.cat([torch.tensor([[0.1, 0.1, 0.05]]).repeat(k, 1), still], 1)
        ball = torch.cat([torch.tensor([[-0.1, 0.05, 0.02]]).repeat(k, 1), still], 1)
        return {"cup": cup, "ball": ball}


FIGURE_7 = """
import torch
from factory.tasks.task import Task

scene_info = {"task_class_name": "CoverBall", "objects": [{"name": "cup"}, {"name": "ball"}]}

class CoverBall(Task):
    def __init__(self, envs, urdf_assets_root) -> None:
        super().__init__(envs, urdf_assets_root, scene_info)
        self.task_description = "cover the ball with the cup"

    def reset_objects_states(self, env_ids):
        return super().reset_objects_states(env_ids)

    def compute_observation_key(self, states):
        obs_keys = super().compute_observation_key(states)
        states["dist"] = torch.norm(states["cup_pos"] - states["ball_pos"], dim=-1)
        obs_keys.append("dist")
        return obs_keys

    def get_observation_space(self):
        return super().get_observation_space() + 1
"""


def states_of(n: int = 4) -> dict[str, torch.Tensor]:
    widths = state_widths(Table.object_names)
    return {key: torch.rand((n, width) if width > 1 else (n,)) for key, width in widths.items()}


def test_figure_7_style_code_runs_through_the_alias() -> None:
    install_alias()
    assert sys.modules["factory.tasks.task"] is task_module
    space: dict = {}
    exec(FIGURE_7, space)
    task = space["CoverBall"](Table(), "")
    states = states_of()
    keys = task.compute_observation_key(states)
    width = sum(states[key].reshape(4, -1).shape[1] for key in keys)
    assert keys[-1] == "dist"
    assert width == task.get_observation_space()


@pytest.mark.parametrize(
    "objects", [["cup", "ball"], [{"name": "cup"}, {"name": "ball"}], {"cup": {}, "ball": {}}]
)
def test_objects_are_named_in_any_of_three_forms(objects: object) -> None:
    assert Task(Table(), "", {"objects": objects}).object_names == ["cup", "ball"]


def test_every_observation_is_a_state() -> None:
    assert set(observation_keys(Table.object_names)) <= set(state_widths(Table.object_names))


def test_a_task_without_success_says_so() -> None:
    with pytest.raises(NotImplementedError, match="compute_success"):
        Task(Table(), "", {"objects": ["cup"]}).compute_success({})


def test_place_over_keeps_the_height_and_leaves_the_input_alone() -> None:
    task = Task(Table(), "", {"objects": ["cup", "ball"]})
    poses = task.reset_objects_states(torch.arange(3))
    before = poses["cup"].clone()
    placed = task.place_over(poses, "cup", "ball")
    assert torch.equal(placed["cup"][:, :2], poses["ball"][:, :2])
    assert torch.equal(placed["cup"][:, 2:], before[:, 2:])
    assert torch.equal(poses["cup"], before)


def test_place_on_stands_on_top() -> None:
    task = Task(Table(), "", {"objects": ["cup", "ball"]})
    placed = task.place_on(task.reset_objects_states(torch.arange(1)), "ball", "cup")
    assert placed["ball"][0, 2].item() == pytest.approx(0.05 + 0.05 + 0.02 + 0.002)


@pytest.mark.parametrize(("place", "sign"), [("place_behind", 1), ("place_in_front", -1)])
def test_behind_is_away_from_the_camera(place: str, sign: int) -> None:
    task = Task(Table(), "", {"objects": ["cup", "ball"]})
    poses = task.reset_objects_states(torch.arange(2))
    placed = getattr(task, place)(poses, "ball", "cup", 0.03)
    offset = placed["ball"][:, :2] - poses["cup"][:, :2]
    reach = (0.04**2 + 0.03**2) ** 0.5 + (2 * 0.02**2) ** 0.5 + 0.03
    assert offset[0].tolist() == pytest.approx([sign * reach, 0.0])


def test_beside_refuses_no_direction() -> None:
    task = Task(Table(), "", {"objects": ["cup", "ball"]})
    with pytest.raises(ValueError, match="direction"):
        task.place_beside(task.reset_objects_states(torch.arange(1)), "ball", "cup", (0, 0), 0.01)


def test_every_state_is_documented() -> None:
    page = (Path(__file__).parents[1] / "docs" / "simulation.md").read_text()
    table = page.split("## States")[1].split("\n## ")[0]
    told: dict[str, str] = {}
    for row in re.findall(r"^\| (`[^|]*) \| ([^|]*) \|", table, re.MULTILINE):
        names = re.findall(r"`([^`]*)`", row[0])
        widths = row[1].split(", ")
        told |= dict(zip(names, widths if len(widths) > 1 else widths * len(names), strict=True))
    told = {f"<obj>{name}" if name.startswith("_") else name: width for name, width in told.items()}
    wanted = {**ROBOT_STATES, **{f"<obj>_{name}": width for name, width in OBJECT_STATES.items()}}
    assert {name: int(width) for name, width in told.items()} == {**wanted, "<a>_contact_<b>": 1}
