"""Families of what is stood up, laid down, turned over, lifted by one end, rolled or spun."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from video2policy.author import library
from video2policy.author.fragments import Condition, Family, Observation, Quantity, Term
from video2policy.author.genome import Component

QUANTITIES: Mapping[str, Quantity] = {
    "up": Quantity("1 as at rest, 0 on its side, -1 upside down", 'up = states["{a}_up"]'),
    "ever_tilted": Quantity("one end of it was raised before", 'ever_tilted = states["{a}_ever_tilted"]'),
    "rolled": Quantity("how far it has rolled by itself, m", 'rolled = states["{a}_rolled"]'),
    "turned": Quantity("yaw since the start, rad, either way", 'turned = torch.abs(states["{a}_turn"])'),
    "spin": Quantity(
        "how fast it turns about the vertical, rad/s", 'spin = torch.abs(states["{a}_vel_angular"][:, 2])'
    ),
    "axis": Quantity(
        "the object's own vertical axis, which points along the table while it lies",
        'axis = torch.cross(states["{a}_rot6d"][:, :3], states["{a}_rot6d"][:, 3:], dim=-1)',
    ),
}

CONDITIONS: Mapping[str, Condition] = {
    "stands": Condition("stands upright", "(up > 0.96)", ("up",)),
    "lies": Condition("lies on its side", "(torch.abs(up) < 0.17)", ("up",)),
    "inverted": Condition("upside down", "(up < -0.92)", ("up",)),
    "leans": Condition("one end is raised, the other on the table", "((up > 0.35) & (up < 0.94))", ("up",)),
    "flat": Condition("flat again", "(up > 0.97)", ("up",)),
    "was_tilted": Condition("one end was raised before", "(ever_tilted > 0.5)", ("ever_tilted",)),
    "rolled": Condition("it rolled far enough", "(rolled > {rolled})", ("rolled",)),
    "turned": Condition("turned by more than half a turn", "(turned > 3.3)", ("turned",)),
    "in_place": Condition("and stayed in its place", "(way < reach_a)", ("way", "reach_a")),
    "spinning": Condition("still turning", "(spin > 0.4)", ("spin",)),
    "no_spin": Condition("no longer turning", "(spin < 0.25)", ("spin",)),
    # gates only
    "held_or_up": Condition(
        "between both fingers, or upright", "((grasped > 0.5) | (up > 0.96))", ("grasped", "up")
    ),
    "not_tilted": Condition("before one end was raised", "(ever_tilted < 0.5)", ("ever_tilted",)),
}

TERMS: Mapping[str, Term] = {
    "erect": Term("Stand it up.", "progress", "up", ("up",)),
    "invert": Term("Turn it over.", "progress", "-up", ("up",)),
    "lean": Term("Raise one end.", "distance", "torch.abs(up - 0.8)", ("up",)),
    "leant": Term("Have raised one end.", "flag", "ever_tilted", ("ever_tilted",)),
    "put_flat": Term(
        "Lay it flat again and let go.", "flag", "ever_tilted * loosened", ("ever_tilted", "loosened")
    ),
    "roll": Term("Let it roll.", "progress", "rolled", ("rolled",)),
    "get_going": Term("Set it in motion.", "progress", "speed", ("speed",)),
    "spin": Term("Turn it.", "progress", "torch.clamp(turned, max=3.6)", ("turned",)),
    "stay": Term("Keep it in its place.", "penalty", "way", ("way",)),
    "down_free": Term(
        "Let go of it where it stands.", "flag", "loosened * (bottom < 0.02)", ("loosened", "bottom")
    ),
}

OBSERVATIONS: Mapping[str, Observation] = {
    "axis": Observation(
        "where the upright axis of {a} points",
        "{a}_axis",
        'torch.cross(states["{a}_rot6d"][:, :3], states["{a}_rot6d"][:, 3:], dim=-1)',
        3,
    ),
    "turn": Observation("yaw of {a} since the start", "{a}_yaw", 'states["{a}_turn"] * 1.0', 1),
    "spin": Observation("how {a} turns", "{a}_spin", 'states["{a}_vel_angular"] * 1.0', 3),
}

BY_ITS_TOP = {
    "held_at": Quantity(
        "where the object is held: near its top, from which it hangs upright",
        'held_at = states["{a}_pos"] + 0.3 * states["{a}_size"][:, 2:] * axis',
        ("axis",),
    ),
    "misalignment": Quantity(
        "how far the fingers are from closing across its axis, rad; any way will do once it stands",
        'misalignment = torch.abs(torch.sum(states["eef_rot6d"][:, :2] * axis[:, :2], dim=-1))',
        ("axis",),
    ),
}

_LIFT, _TIP_OVER = library.FAMILIES["lift"], library.FAMILIES["tip_over"]
_PUSH = library.FAMILIES["push_left"]
_CALM = _LIFT.some("calm")
_HANDLE = _LIFT.some("align", "reach", "grasp")

_LAY_SIDE = replace(
    _TIP_OVER,
    conditions=("lies", "touches_table", "slow", "free"),
    components=(*_TIP_OVER.components, Component("down_free", 20.0, gate="lies")),
)

_UPRIGHT = Family(
    conditions=("stands", "on_table", "slow", "free"),
    stricter=("steady",),
    components=(
        *_HANDLE,
        Component("erect", 60.0, 1.0, gate="held_or_up"),
        Component("down_free", 60.0, gate="stands"),
        *_CALM,
    ),
    gated=("erect",),
    gates=("held_or_up", None, "close_by"),
    observations=("tool_distance", "height", "axis"),
    quantities=BY_ITS_TOP,
    place='poses = self.place_lying(poses, "{a}")',
)

_UPSIDE_DOWN = Family(
    conditions=("inverted", "on_table", "slow", "free"),
    stricter=("steady",),
    components=(
        *_HANDLE,
        Component("invert", 60.0, 1.0),
        Component("down_free", 60.0, gate="inverted"),
        *_CALM,
    ),
    gated=("invert",),
    gates=(None, "close_by", "held"),
    observations=("tool_distance", "height", "axis"),
)

_LIFT_END = Family(
    conditions=("leans", "touches_table", "in_touch"),
    stricter=("steady",),
    components=(*_HANDLE, Component("lean", 60.0, 4.0), *_CALM),
    gated=("lean",),
    gates=(None, "held", "close_by"),
    observations=("tool_distance", "height", "end"),
    quantities={"held_at": library.BY_ITS_END["held_at"]},
)

_ROLL = Family(
    conditions=("rolled", "free"),
    components=(
        Component("near_side", 15.0, 8.0),
        Component("get_going", 10.0, 2.0),
        Component("roll", 60.0, 5.0),
        *_PUSH.some("calm"),
    ),
    gated=("get_going",),
    gates=(None, "close_by"),
    observations=("tool_distance", "time", "spin"),
)

_SPIN = Family(
    conditions=("turned", "in_place", "spinning"),
    components=(*_HANDLE, Component("spin", 80.0, 0.28), Component("stay", 10.0, 8.0), *_CALM),
    gated=("spin",),
    gates=(None, "close_by", "held"),
    observations=("tool_distance", "time", "turn", "spin"),
)

FAMILIES: Mapping[str, Family] = {
    "lay_side": _LAY_SIDE,
    "upright": _UPRIGHT,
    "upside_down": _UPSIDE_DOWN,
    "lift_end": _LIFT_END,
    "lift_end_drop": replace(
        _LIFT_END,
        conditions=("was_tilted", "flat", "on_table", "free", "slow"),
        components=(
            *_HANDLE,
            Component("lean", 40.0, 4.0, gate="not_tilted"),
            Component("leant", 40.0),
            Component("put_flat", 80.0, gate="on_table"),
            *_CALM,
        ),
        gated=("put_flat",),
        gates=("on_table", None),
    ),
    "roll": _ROLL,
    "spin": _SPIN,
    "spin_stop": replace(_SPIN, conditions=("turned", "in_place", "no_spin")),
}
