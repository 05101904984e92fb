"""The base class that generated task code derives from, and the contract of `states`.

Only torch and math are needed: the same file runs under every simulator and inside the contained worker.
The interface is that of the paper's figure 7 (section 3.2): `Task(envs, urdf_assets_root, scene_info)`.

All states are float32 tensors with leading dimension n_envs, in the world ("table") frame: metres, radians,
seconds, z up, z = 0 on the table, x away from the clip's camera, y to the left of the image. Quaternions are
wxyz and relative to the object's resting orientation, so identity means "standing as in the clip".
"""

from __future__ import annotations

import math
import sys
import types
from collections.abc import Mapping, Sequence
from typing import Any, Dict, Protocol  # noqa: UP035 - Python 3.8

import torch

Poses = Dict[str, torch.Tensor]  # noqa: UP006
"""Per object (k, 7): position (3, metres) and quaternion (4, wxyz, relative to the resting orientation)."""

ROBOT_STATES = {
    "eef_pos": 3,  # tool centre between the finger tips
    "eef_quat": 4,  # (0, 1, 0, 0) when the tool points straight down
    "eef_rot6d": 6,  # first two columns of the tool's rotation matrix
    "eef_vel_linear": 3,  # mean over the last control step
    "target_error": 3,  # commanded minus reached tool position
    "gripper_opening": 1,  # distance between the finger tips, 0 to 0.08
    "gripper_command": 1,  # commanded distance, 0 to 0.08
    "table_height": 1,  # always 0
    "table_half": 2,  # half extents of the table top in x and y; its middle is the origin
    "time_left": 1,  # 1 at the start of an episode, 0 at its end
}
"""Width of every robot state; width 1 means shape (n_envs,)."""

OBJECT_STATES = {
    "pos": 3,  # centre
    "quat": 4,
    "rot6d": 6,
    "vel_linear": 3,
    "vel_angular": 3,
    "size": 3,  # extents at rest
    "init_pos": 3,  # pose right after the reset
    "init_quat": 4,
    "from_eef": 3,  # centre minus tool centre, in the tool's frame
    "grasp_turn": 1,  # yaw from the line between the fingers to the nearest narrow width; 0 for what is round
    "displacement": 3,  # pos - init_pos
    "long": 3,  # from the centre to its end, along what is its longest horizontal direction at rest
    "up": 1,  # z of the body's axis that points up at rest
    "contact_gripper": 1,
    "contact_table": 1,
    "grasped": 1,  # both fingers touch it
    "ever_lifted": 1,  # was over 2 cm above where it started, while grasped
    "ever_released": 1,  # was lifted and afterwards out of the gripper's reach of contact
    "ever_flown": 1,  # was lifted and afterwards over 10 cm from the tool, faster than 0.5 m/s
    "ever_struck": 1,  # has flown and afterwards touched another object
    "ever_touched": 1,  # the gripper touched it
    "ever_tilted": 1,  # leant by 15 to 75 degrees on the table, the gripper touching it
    "peak": 1,  # highest that it was over where it started
    "let_go_rise": 1,  # how high over its start the gripper last touched it
    "flight_rise": 1,  # most that it rose over where the gripper let go of it, once it was lifted
    "rolled": 1,  # way that it rolled on the table, hardly slipping, free of the gripper
    "turn": 1,  # yaw accumulated since the reset
}
"""Width of every object state, named `<object>_<state>`; contacts and memory are 0 or 1."""

ROBOT_OBSERVATIONS = ("eef_pos", "eef_rot6d", "gripper_opening", "gripper_command", "target_error")
OBJECT_OBSERVATIONS = (
    "from_eef",
    "grasp_turn",
    "pos",
    "rot6d",
    "displacement",
    "vel_linear",
    "grasped",
    "ever_lifted",
    "ever_released",
)


def state_widths(object_names: Sequence[str]) -> dict[str, int]:
    """Every key of `states` that a simulator provides, with its width (1 means shape (n_envs,))."""
    widths = dict(ROBOT_STATES)
    for name in object_names:
        widths.update({f"{name}_{state}": width for state, width in OBJECT_STATES.items()})
    for a in object_names:
        widths.update({f"{a}_contact_{b}": 1 for b in object_names if b != a})
    return widths


def observation_keys(object_names: Sequence[str]) -> list[str]:
    """The states that every policy observes."""
    keys = list(ROBOT_OBSERVATIONS)
    keys += [f"{name}_{state}" for name in object_names for state in OBJECT_OBSERVATIONS]
    return keys


class Envs(Protocol):
    """What a task may ask of the simulator that runs it."""

    n_envs: int
    object_names: Sequence[str]
    object_sizes: Mapping[str, Sequence[float]]
    """Extents at rest per object, metres."""

    def sample_object_poses(self, env_ids: torch.Tensor) -> Poses:
        """Random, collision-free poses on the table for the given environments."""


class Task:
    """One task: reset, observations, success and reward over a batch of environments.

    Generated code overrides `compute_success` and `compute_reward` and may extend the other methods.
    `scene_info["objects"]` names the objects: names, dicts with a "name", or a dict by name.
    """

    def __init__(self, envs: Envs, urdf_assets_root: str, scene_info: Mapping[str, Any]) -> None:
        self.envs = envs
        self.urdf_assets_root = urdf_assets_root
        self.scene_info = scene_info
        self.task_description = str(scene_info.get("task_description", ""))
        objects = scene_info.get("objects", [])
        self.object_names = [o["name"] if isinstance(o, Mapping) else str(o) for o in objects]

    # ---------------------------------------------------------------- what generated code overrides

    def reset_objects_states(self, env_ids: torch.Tensor) -> Poses:
        """Poses at the start of an episode for `env_ids` (k,): per object (k, 7).

        Default: at random on the table, apart from each other, in any yaw (the clip is not retargeted).
        """
        return self.envs.sample_object_poses(env_ids)

    def compute_observation_key(self, states: dict[str, torch.Tensor]) -> list[str]:
        """Names of the states that form the observation; code may add keys to `states` and append them."""
        return observation_keys(self.object_names)

    def get_observation_space(self) -> int:
        """Total width of the observation."""
        widths = state_widths(self.object_names)
        return sum(widths[key] for key in observation_keys(self.object_names))

    def compute_success(self, states: dict[str, torch.Tensor]) -> torch.Tensor:
        """Whether the task is done, (n_envs,) bool."""
        raise NotImplementedError(f"{type(self).__name__} does not define compute_success")

    def compute_reward(
        self, actions: torch.Tensor, states: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Reward (n_envs,) and its named components, (n_envs,) each; actions are (n_envs, 7)."""
        raise NotImplementedError(f"{type(self).__name__} does not define compute_reward")

    # ---------------------------------------------------------------- relations at reset

    def place_over(self, poses: Poses, a: str, b: str) -> Poses:
        """`a` centred over `b`, standing on the table if it is hollow enough to cover `b`.

        The simulator raises `a` to the first height at which the two do not penetrate and lets it settle.
        """
        moved = poses[a].clone()
        moved[:, :2] = poses[b][:, :2]
        return {**poses, a: moved}

    def place_in(self, poses: Poses, a: str, b: str) -> Poses:
        """`a` inside the container `b`: dropped in from its rim, centred."""
        return self.place_on(poses, a, b)

    def place_on(self, poses: Poses, a: str, b: str) -> Poses:
        """`a` on top of `b`, centred; the simulator lets it settle."""
        moved = self.place_over(poses, a, b)[a]
        moved[:, 2] = poses[b][:, 2] + self._half(b, 2) + self._half(a, 2) + 0.002
        return {**poses, a: moved}

    def place_beside(self, poses: Poses, a: str, b: str, direction: Sequence[float], gap: float) -> Poses:
        """`a` beside `b` along the world `direction` (x, y), their outlines `gap` metres apart."""
        length = math.hypot(direction[0], direction[1])
        if length == 0:
            raise ValueError("place_beside needs a direction that is not zero")
        reach = [
            math.hypot(self._half(name, 0), self._half(name, 1)) for name in (a, b)
        ]  # half diagonals: yaw is arbitrary
        distance = sum(reach) + gap
        moved = poses[a].clone()
        moved[:, 0] = poses[b][:, 0] + direction[0] / length * distance
        moved[:, 1] = poses[b][:, 1] + direction[1] / length * distance
        return {**poses, a: moved}

    def place_behind(self, poses: Poses, a: str, b: str, gap: float = 0.02) -> Poses:
        """`a` behind `b` as the clip's camera sees it (away from the camera)."""
        return self.place_beside(poses, a, b, (1.0, 0.0), gap)

    def place_in_front(self, poses: Poses, a: str, b: str, gap: float = 0.02) -> Poses:
        """`a` between `b` and the clip's camera."""
        return self.place_beside(poses, a, b, (-1.0, 0.0), gap)

    def place_lying(self, poses: Poses, a: str) -> Poses:
        """`a` on its side: turned by 90 degrees about its own x axis, at the place and yaw that it has."""
        w, x, y, z = poses[a][:, 3:].unbind(dim=-1)
        half = math.sqrt(0.5)
        moved = poses[a].clone()
        moved[:, 2] = self._half(a, 1) + 0.001
        moved[:, 3:] = half * torch.stack([w - x, w + x, y + z, z - y], dim=-1)
        return {**poses, a: moved}

    def _half(self, name: str, axis: int) -> float:
        return float(self.envs.object_sizes[name][axis]) / 2


def install_alias() -> None:
    """Make `from factory.tasks.task import Task` work, as the paper's generated code writes it (figure 7)."""
    this = sys.modules[__name__]
    for name in ("factory", "factory.tasks"):
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["factory.tasks.task"] = this
    sys.modules["factory.tasks"].task = this  # type: ignore[attr-defined]
    sys.modules["factory"].tasks = sys.modules["factory.tasks"]  # type: ignore[attr-defined]
