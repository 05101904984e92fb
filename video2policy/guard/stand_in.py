"""States to try generated code on before any simulation: random ones, and the clip's own poses.

A clip shows objects but no gripper, contacts or memory, and its heights are uncertain. What stands in for
them is stated per family in `STAND_INS`, and goes into the report of the check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from video2policy import pose
from video2policy.scene import ObjectPose, Scene, SceneObject, goes_in_on_end
from video2policy.task import OBJECT_STATES, state_widths

HOME = (-0.1, 0.0, 0.2)
"""Tool centre at the start of an episode, metres."""
RETREAT = 0.15
"""How far over the object the tool stands after a release, metres."""
BELOW = 0.2
"""How far under the table top what fell from it lies, metres."""
FAR_EDGES = (0.4, 0.5)
"""Half extents of a table whose edges do not matter, metres."""
MEMORY = (
    *(name for name in OBJECT_STATES if name.startswith("ever_")),
    *("peak", "let_go_rise", "flight_rise", "rolled", "turn"),
)
"""States of an object that tell what happened before."""
HEIGHT_TOLERANCE = 0.06
"""A track's height is taken to be the table's when it is no further from it than this, metres."""

States = dict[str, torch.Tensor]


@dataclass(frozen=True)
class StandIn:
    """What is assumed about the last frame of a clip: where the gripper is, and what happened before.

    `gripper`: "grasping" (around the object), "pushing" (beside it, touching) or "away" (over it, open).
    `lifted`: the object was carried on the way. `on_table`: it stands on the table or in the other object.
    `flown`: it was let go of far from its goal. `turns`: it need not stand as at first; the clip says how.
    `memory`: further states of the object at the end, by name. `rolls`: it rolled all its way. `falls`: it
    lies below the table top. `edge`: the table ends just behind its last place. `remembers`: the last poses
    alone do not tell success from failure, so that it must not hold where nothing ever touched the object.
    """

    gripper: str
    lifted: bool
    on_table: bool
    says: str
    flown: bool = False
    turns: bool = False
    memory: Mapping[str, float | tuple[float, ...]] = field(default_factory=dict)
    rolls: bool = False
    falls: bool = False
    edge: bool = False
    remembers: bool = False


_HELD = StandIn("grasping", True, False, "the object is in the gripper")
_PUSHED = StandIn("pushing", False, True, "the gripper touches the object, which stands on the table")
_LEFT = StandIn("away", True, True, "the object was carried, let go and stands on the table")
_DROPPED = replace(_LEFT, remembers=True)
_TAKEN = StandIn("away", True, True, "the cover was carried, let go and stands on the table")
_INSIDE = StandIn("away", True, False, "the object was carried, let go and lies in the container")
_THROWN = StandIn(
    "away", True, False, "the object was carried, flew and lies in the container", flown=True, remembers=True
)
_TIPPED = StandIn(
    "pushing", False, False, "the gripper touches the object, which lies on the table", turns=True
)
_SHOVER = StandIn("pushing", False, True, "the gripper touches the object that pushes, and nothing else")
_DRAWN = StandIn("grasping", False, True, "the object is in the gripper and stands on the table")
_SLID = StandIn("pushing", False, False, "the gripper touches the object, which slid onto the other one")
_LAID = StandIn("away", True, False, "the object was carried, let go and lies on the other one")
_OVER_EDGE = StandIn("away", False, False, "the object was pushed and lies below the table top", falls=True)
_AT_EDGE = StandIn(
    "pushing", False, True, "the gripper touches the object, and the table ends just behind it", edge=True
)
_TURNED = StandIn("away", True, True, "the object was turned, let go and stands on the table", turns=True)
_ONE_END = StandIn(
    "grasping", False, False, "one end of the object is in the gripper, the other on the table", turns=True
)
_ONE_END_DROPPED = StandIn(
    "away",
    False,
    True,
    "one end of the object was raised and let go",
    memory={"ever_tilted": 1.0},
    remembers=True,
)
_ROLLED = StandIn(
    "away", False, True, "the object was let go and rolled all its way", rolls=True, remembers=True
)
_SPUN = StandIn(
    "pushing", False, True, "the object turned by 230 degrees", memory={"turn": 4.0}, remembers=True
)
_FELL = StandIn(
    "away",
    True,
    True,
    "the object was carried high, let go in the air and lies on the table",
    flown=True,
    memory={"peak": 0.3, "let_go_rise": 0.2},
    remembers=True,
)

STAND_INS: Mapping[str, StandIn] = {
    **dict.fromkeys(("lift", "hold", "hold_next", "hold_front", "hold_behind", "hold_over"), _HELD),
    **dict.fromkeys(("take_out", "lift_with", "move_down"), _HELD),
    **dict.fromkeys(("push_left", "push_right", "push_any", "poke_move", "move_closer"), _PUSHED),
    **dict.fromkeys(("move_away", "move_to_cam", "move_away_cam", "push_off"), _PUSHED),
    "touch": replace(_PUSHED, remembers=True),
    **dict.fromkeys(("pull_left", "pull_right"), _DRAWN),
    "push_onto": _SLID,
    "pull_onto": replace(
        _DRAWN, on_table=False, says="the object is in the gripper and lies on the other one"
    ),
    "push_off_edge": _OVER_EDGE,
    "push_near_edge": _AT_EDGE,
    **dict.fromkeys(("put_next", "put_front", "put_behind", "cover"), _LEFT),
    **dict.fromkeys(("drop_next", "drop_front", "drop_behind", "put_surface", "put_still"), _DROPPED),
    **dict.fromkeys(("uncover", "remove_reveal", "pull_from_behind"), _TAKEN),
    "put_into": _INSIDE,
    "drop_into": replace(_INSIDE, remembers=True),
    "put_onto": _LAID,
    "drop_onto": replace(_LAID, remembers=True),
    "throw_into": _THROWN,
    "tip_over": _TIPPED,
    "lay_side": replace(_TIPPED, gripper="away", says="the object was let go and lies on the table"),
    "upright": _TURNED,
    "upside_down": _TURNED,
    "push_with": _SHOVER,
    "lift_end": _ONE_END,
    "lift_end_drop": _ONE_END_DROPPED,
    "roll": _ROLLED,
    "spin": replace(
        _SPUN, says="the object turned and turns", memory={"turn": 4.0, "vel_angular": (0, 0, 2.0)}
    ),
    "spin_stop": _SPUN,
    **dict.fromkeys(("drop", "lift_drop", "throw", "throw_surface"), _FELL),
    "throw_up": replace(_FELL, memory={**_FELL.memory, "flight_rise": 0.2}),
    "throw_against": replace(
        _FELL,
        says="the object was carried, flew, met the other one and lies on the table",
        memory={**_FELL.memory, "ever_struck": 1.0},
    ),
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
        elif "_contact_" in key or "_ever_" in key or key.endswith("_grasped"):
            states[key] = (torch.rand(shape, generator=generator) < 0.5).float()
        elif key.startswith("gripper_"):
            states[key] = uniform(shape, 0.0, 0.08)
        elif key == "time_left":
            states[key] = uniform(shape, 0.0, 1.0)
        elif key == "table_height":
            states[key] = torch.zeros(shape)
        elif key == "table_half":
            states[key] = uniform(shape, 0.2, 0.4)
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
    on_end = goes_in_on_end(scene)
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
        if stand_in.falls and item.name == a:
            last[2] = -BELOW
        pos = torch.tensor(first) + way[:, None] * torch.tensor(last - first)
        states[f"{item.name}_pos"] = pos.float()
        states[f"{item.name}_init_pos"] = pos[:1].float().repeat(steps, 1)
        states[f"{item.name}_displacement"] = states[f"{item.name}_pos"] - states[f"{item.name}_init_pos"]
        states[f"{item.name}_size"] = torch.tensor(item.size, dtype=torch.float32).repeat(steps, 1)
        along = int(item.size[1] > item.size[0])
        long = torch.eye(3)[along] * item.size[along] / 2
        states[f"{item.name}_long"] = long.repeat(steps, 1)
        states[f"{item.name}_quat"][:, 0] = 1.0
        states[f"{item.name}_init_quat"][:, 0] = 1.0
        states[f"{item.name}_rot6d"] = torch.tensor([1.0, 0, 0, 0, 1, 0]).repeat(steps, 1)
        states[f"{item.name}_up"] += 1.0
        states[f"{item.name}_contact_table"] += 1.0
        if item.name == a and (stand_in.turns or on_end):
            turn = _raised(along, way) if on_end else _seen_turning(item, way)
            states[f"{a}_up"] = turn[:, 2, 2]
            states[f"{a}_rot6d"] = torch.cat([turn[:, :, 0], turn[:, :, 1]], dim=1)
            states[f"{a}_long"] = turn @ long
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
    states[f"{a}_ever_released"] = end * float(stand_in.gripper == "away" and stand_in.lifted)
    states[f"{a}_ever_touched"] = later
    states[f"{a}_peak"] = torch.cummax(states[f"{a}_displacement"][:, 2].clamp(min=0.0), dim=0).values
    if stand_in.rolls:
        states[f"{a}_rolled"] = torch.norm(states[f"{a}_displacement"][:, :2], dim=-1)
    for name, value in stand_in.memory.items():
        end_value = torch.tensor(value, dtype=torch.float32)
        states[f"{a}_{name}"] = end * end_value if end_value.dim() == 0 else end[:, None] * end_value
    states["table_half"] += torch.tensor(FAR_EDGES)
    if stand_in.edge:
        states["table_half"] = _ending_behind(states[f"{a}_pos"], states[f"{a}_size"])
    width = torch.minimum(half[:, 1], torch.tensor(0.08))
    states[f"{a}_ever_flown"] = end * float(stand_in.flown)
    states["gripper_opening"] = torch.where(states[f"{a}_grasped"] > 0, width, torch.tensor(0.08))
    states["gripper_command"] = states["gripper_opening"].clone()
    states["time_left"] = 1 - way
    return states


def untouched(states: States, a: str) -> States:
    """The same poses, but nobody ever touched the object `a` nor saw it move: a failure to tell apart."""
    states = {key: value.clone() for key, value in states.items()}
    states["eef_pos"][:] = torch.tensor(HOME)
    for name in ("contact_gripper", "grasped", *MEMORY):
        states[f"{a}_{name}"].zero_()
    return states


def _ending_behind(pos: torch.Tensor, size: torch.Tensor) -> torch.Tensor:
    """Half extents (steps, 2) of a table that ends 0.4 of the object's radius behind its last place."""
    half = torch.tensor(FAR_EDGES)
    axis = int(torch.argmax(torch.abs(pos[-1, :2] - pos[0, :2])))
    half[axis] = torch.abs(pos[-1, axis]) + 0.1 * (size[0, 0] + size[0, 1])
    return half.repeat(len(pos), 1)


def _seen_turning(item: SceneObject, way: torch.Tensor) -> torch.Tensor:
    """Rotations (steps, 3, 3) from how the object rests, from that on the first frame to that on the last."""
    first, last = (
        torch.tensor(pose.matrix_from_quat(item.from_rest(end.quat))).float()
        for end in (item.first, item.last)
    )
    return first + way[:, None, None] * (last - first)


def _raised(along: int, way: torch.Tensor) -> torch.Tensor:
    """Rotations (steps, 3, 3) that stand an object on end whose longest direction is x (0) or y (1)."""
    axis = [0.0, -1.0, 0.0] if along == 0 else [1.0, 0.0, 0.0]
    return torch.tensor(np.stack([pose.rotation_about(axis, 90.0 * share) for share in way.tolist()])).float()


def _upright(item: SceneObject, end: ObjectPose, on_table: bool) -> NDArray[np.float64]:
    """A pose's position (3,); no lower than at rest, and at rest where it must stand and nearly does."""
    pos = np.array(end.pos, dtype=float)
    rest = item.size[2] / 2
    if (on_table and abs(pos[2] - rest) < HEIGHT_TOLERANCE) or pos[2] < rest:
        pos[2] = rest
    return pos
