"""States to try generated code on before any simulation: random ones, and the clip's own poses.

A clip shows objects but no gripper, contacts or memory, and its heights are uncertain. What stands in for
them is stated per family in `STAND_INS`, and goes into the report of the check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from video2policy import pose
from video2policy.scene import ObjectPose, Scene, SceneObject
from video2policy.task import state_widths

HOME = (-0.1, 0.0, 0.2)
"""Tool centre at the start of an episode, metres."""
RETREAT = 0.15
"""How far over the object the tool stands after a release, metres."""
HEIGHT_TOLERANCE = 0.06
"""A track's height is taken to be the table's when it is no further from it than this, metres."""

States = dict[str, torch.Tensor]


@dataclass(frozen=True)
class StandIn:
    """What is assumed about the last frame of a clip: where the gripper is, and what happened before.

    `gripper`: "grasping" (around the object), "pushing" (beside it, touching) or "away" (over it, open).
    `lifted`: the object was carried on the way. `on_table`: it stands on the table or in the other object.
    `flown`: it was let go of far from its goal. `turns`: it need not stand as at first; the clip says how.
    """

    gripper: str
    lifted: bool
    on_table: bool
    says: str
    flown: bool = False
    turns: bool = False


_HELD = StandIn("grasping", True, False, "the object is in the gripper")
_PUSHED = StandIn("pushing", False, True, "the gripper touches the object, which stands on the table")
_LEFT = StandIn("away", True, True, "the object was carried, let go and stands on the table")
_TAKEN = StandIn("away", True, True, "the cover was carried, let go and stands on the table")
_INSIDE = StandIn("away", True, False, "the object was carried, let go and lies in the container")
_THROWN = StandIn("away", True, False, "the object was carried, flew and lies in the container", flown=True)
_TIPPED = StandIn(
    "pushing", False, False, "the gripper touches the object, which lies on the table", turns=True
)
_SHOVER = StandIn("pushing", False, True, "the gripper touches the object that pushes, and nothing else")

STAND_INS: Mapping[str, StandIn] = {
    "lift": _HELD,
    "push_left": _PUSHED,
    "push_right": _PUSHED,
    "move_closer": _PUSHED,
    "put_next": _LEFT,
    "drop_next": _LEFT,
    "put_front": _LEFT,
    "drop_front": _LEFT,
    "cover": _LEFT,
    "uncover": _TAKEN,
    "put_into": _INSIDE,
    "drop_into": _INSIDE,
    "throw_into": _THROWN,
    "tip_over": _TIPPED,
    "push_with": _SHOVER,
}


def random_states(
    sizes: Mapping[str, Sequence[float]], n_envs: int, seed: int, vary_sizes: bool = True
) -> States:
    """States of a crowd of unlike environments: poses, contacts, memory and (`vary_sizes`) sizes differ.

    The same keys, shapes and ranges as a simulator's; each quaternion has norm 1.
    """
    generator = torch.Generator().manual_seed(seed)

    def uniform(shape: tuple[int, ...], low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(shape, generator=generator)

    low = torch.tensor([-0.22, -0.28, 0.02])
    high = torch.tensor([0.22, 0.28, 0.3])
    states: States = {}
    for key, width in state_widths(list(sizes)).items():
        shape = (n_envs, width) if width > 1 else (n_envs,)
        if key.endswith("_pos"):
            states[key] = low + (high - low) * torch.rand(shape, generator=generator)
        elif key.endswith("_quat"):
            states[key] = torch.nn.functional.normalize(torch.randn(shape, generator=generator), dim=-1)
        elif "_contact_" in key or key.endswith(
            ("_grasped", "_ever_lifted", "_ever_released", "_ever_flown")
        ):
            states[key] = (torch.rand(shape, generator=generator) < 0.5).float()
        elif key.startswith("gripper_"):
            states[key] = uniform(shape, 0.0, 0.08)
        elif key == "time_left":
            states[key] = uniform(shape, 0.0, 1.0)
        elif key == "table_height":
            states[key] = torch.zeros(shape)
        else:
            states[key] = uniform(shape, -0.3, 0.3)
    for name, size in sizes.items():
        scale = uniform((n_envs, 1), 0.9, 1.1) if vary_sizes else torch.ones(n_envs, 1)
        states[f"{name}_size"] = torch.tensor(list(size), dtype=torch.float32) * scale
        half = 0.5 * states[f"{name}_size"][:, 2]
        for key in ("init_pos", "pos"):
            states[f"{name}_{key}"][:, 2] = half
        states[f"{name}_pos"][: n_envs // 2, 2] += 0.2 * torch.rand(n_envs // 2, generator=generator)
        states[f"{name}_displacement"] = states[f"{name}_pos"] - states[f"{name}_init_pos"]
        states[f"{name}_vel_linear"] *= 0.5
    return states


def clip_states(scene: Scene, steps: int = 11) -> States:
    """States along the clip, shape (steps, ...): first poses, a straight way, last poses.

    The first row has the gripper at home and nothing touched, the others the family's stand-in.
    """
    stand_in = STAND_INS[scene.task.family]
    a = scene.task.roles["a"]
    way = torch.linspace(0, 1, steps)
    later = (way > 0).float()
    states: States = {
        key: torch.zeros((steps, width) if width > 1 else (steps,))
        for key, width in state_widths(scene.names).items()
    }
    for item in scene.objects:
        # What the robot handles may be in the person's hand already when the clip begins.
        first = _upright(item, item.first, on_table=item.name != a)
        last = _upright(item, item.last, on_table=item.name != a or stand_in.on_table)
        pos = torch.tensor(first) + way[:, None] * torch.tensor(last - first)
        states[f"{item.name}_pos"] = pos.float()
        states[f"{item.name}_init_pos"] = pos[:1].float().repeat(steps, 1)
        states[f"{item.name}_displacement"] = states[f"{item.name}_pos"] - states[f"{item.name}_init_pos"]
        states[f"{item.name}_size"] = torch.tensor(item.size, dtype=torch.float32).repeat(steps, 1)
        states[f"{item.name}_quat"][:, 0] = 1.0
        states[f"{item.name}_init_quat"][:, 0] = 1.0
        states[f"{item.name}_rot6d"] = torch.tensor([1.0, 0, 0, 0, 1, 0]).repeat(steps, 1)
        states[f"{item.name}_up"] += 1.0
        states[f"{item.name}_contact_table"] += 1.0
        if stand_in.turns and item.name == a:
            states[f"{a}_up"] += way * (_up(item, item.last) - 1.0)
    end = (way == 1).float()
    tool = states[f"{a}_pos"].clone()
    half = states[f"{a}_size"]
    if stand_in.gripper == "grasping":
        tool[:, 2] += torch.clamp(half[:, 2] / 2 - 0.03, 0.0, 0.04)
    elif stand_in.gripper == "pushing":
        step = states[f"{a}_displacement"]
        back = torch.nn.functional.normalize(step, dim=-1)
        tool -= back * (half[:, :2].max(dim=1).values / 2 + 0.01)[:, None]
    carried = later * (1 - end) if stand_in.gripper == "away" else later
    gripper = carried if stand_in.gripper != "pushing" else later
    tool[:, 2] += torch.where((end > 0) & (stand_in.gripper == "away"), RETREAT, 0.0)
    tool[0] = torch.tensor(HOME)
    states["eef_pos"] = tool
    states["eef_quat"][:, 1] = 1.0
    states["eef_rot6d"] = torch.tensor([1.0, 0, 0, 0, -1, 0]).repeat(steps, 1)
    states[f"{a}_from_eef"] = (states[f"{a}_pos"] - tool) * torch.tensor([1.0, -1.0, -1.0])
    states[f"{a}_contact_gripper"] = gripper
    states[f"{a}_grasped"] = gripper * float(stand_in.gripper != "pushing")
    states[f"{a}_contact_table"] = 1 - later if stand_in.lifted else torch.ones(steps)
    if stand_in.on_table:
        states[f"{a}_contact_table"] = torch.maximum(states[f"{a}_contact_table"], end)
    states[f"{a}_ever_lifted"] = later * float(stand_in.lifted)
    states[f"{a}_ever_released"] = end * float(stand_in.gripper == "away")
    width = torch.minimum(half[:, 1], torch.tensor(0.08))
    states[f"{a}_ever_flown"] = end * float(stand_in.flown)
    states["gripper_opening"] = torch.where(states[f"{a}_grasped"] > 0, width, torch.tensor(0.08))
    states["gripper_command"] = states["gripper_opening"].clone()
    states["time_left"] = 1 - way
    return states


def _up(item: SceneObject, end: ObjectPose) -> float:
    """z of the axis that points up at rest."""
    return float(pose.matrix_from_quat(item.from_rest(end.quat))[2, 2])


def _upright(item: SceneObject, end: ObjectPose, on_table: bool) -> NDArray[np.float64]:
    """A pose's position (3,); no lower than at rest, and at rest where it must stand and nearly does."""
    pos = np.array(end.pos, dtype=float)
    rest = item.size[2] / 2
    if (on_table and abs(pos[2] - rest) < HEIGHT_TOLERANCE) or pos[2] < rest:
        pos[2] = rest
    return pos
