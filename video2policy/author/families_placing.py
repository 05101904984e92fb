"""Families of what is held somewhere, put or dropped behind or onto another object, or taken out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from video2policy.author import library
from video2policy.author.fragments import Condition, Family, Quantity, Term
from video2policy.author.genome import Component

QUANTITIES: Mapping[str, Quantity] = {
    "bottom_was": Quantity(
        "height of its underside over the other one's top at the reset, m",
        'bottom_was = states["{a}_init_pos"][:, 2] - 0.5 * states["{a}_size"][:, 2]\n'
        'bottom_was = bottom_was - states["{b}_init_pos"][:, 2] - 0.5 * states["{b}_size"][:, 2]',
    ),
    "load_gap": Quantity(
        "height of the load's underside over the object's top, m",
        'load_gap = states["{b}_pos"][:, 2] - 0.5 * states["{b}_size"][:, 2] * torch.abs(states["{b}_up"])\n'
        'load_gap = load_gap - states["{a}_pos"][:, 2] - 0.5 * states["{a}_size"][:, 2]',
    ),
}

CONDITIONS: Mapping[str, Condition] = {
    "beyond": Condition("further from the camera", "(beyond > {ahead})", ("beyond",)),
    "in_line": Condition("behind it, not beside it", "(lateral < reach_b)", ("lateral", "reach_b")),
    "back_near": Condition("and close to it", "(back_gap < {front_near})", ("back_gap",)),
    "aloft": Condition("clear of the table", "(bottom > 0.03)", ("bottom",)),
    "well_over": Condition(
        "more than 5 cm over the other one", "(bottom > top_b + 0.055)", ("bottom", "top_b")
    ),
    "began_inside": Condition(
        "it began in the other one",
        "((start_distance < reach_b) & (bottom_was < 0.0))",
        ("start_distance", "reach_b", "bottom_was"),
    ),
    "out": Condition(
        "beside the other one or over its rim", "((gap > 0.005) | (on_b > 0.01))", ("gap", "on_b")
    ),
    "loaded": Condition(
        "the other one still stands on it",
        "((torch.abs(load_gap) < 0.02) & (distance < reach_a))",
        ("load_gap", "distance", "reach_a"),
    ),
}

TERMS: Mapping[str, Term] = {
    "hoist": Term(
        "Carry it at its height.", "flag", "torch.clamp(bottom / clear, 0.0, 1.0)", ("bottom", "clear")
    ),
    "set_down": Term(
        "Bring it down onto the other one.", "distance", "torch.clamp(on_b, min=0.0)", ("on_b",)
    ),
    "load": Term(
        "Keep the other one on it.",
        "flag",
        "((torch.abs(load_gap) < 0.02) & (distance < reach_a)).float()",
        ("load_gap", "distance", "reach_a"),
    ),
}

WELL_OVER = Quantity(
    "how high over the table its underside is held over the other object, m",
    "clear = top_b + 0.08",
    ("top_b",),
)

GO_BEHIND = {
    **library.GO_TO_FRONT,
    "beyond": Quantity(
        "how far the object stands further from the camera than the other one (x points away from it), m",
        "beyond = -b_from_a[:, 0]",
        ("b_from_a",),
    ),
    "back_gap": Quantity(
        "between the two outlines along the line of sight, m",
        "back_gap = beyond - reach_a - reach_b",
        ("beyond", "reach_a", "reach_b"),
    ),
    "goal_distance": Quantity(
        "to the place behind the other object, m",
        "goal_distance = torch.sqrt((back_gap - {aim}) ** 2 + lateral**2)",
        ("back_gap", "lateral"),
    ),
}

_PUT_NEXT, _DROP_NEXT = library.FAMILIES["put_next"], library.FAMILIES["drop_next"]
_PUT_INTO, _LIFT = library.FAMILIES["put_into"], library.FAMILIES["lift"]
_HANDLE = _LIFT.some("align", "reach", "grasp")
_NEAR = "torch.norm(pos_a[:, :2] - pos_b[:, :2], dim=-1) < {apart_at_start}"
_NOT_BEHIND = f"(pos_a[:, 0] - pos_b[:, 0] > 0.0) | ({_NEAR})"

_BEHIND = ("beyond", "in_line", "back_near", "on_table", "b_still")

_HOLD_NEXT = replace(
    _DROP_NEXT,
    conditions=("near", "aloft", "held", "b_still"),
    stricter=("steady", "in_hand"),
    components=(
        *_HANDLE,
        Component("hoist", 30.0, gate="held"),
        Component("carry", 40.0, 5.0, gate="raised"),
        *_LIFT.some("calm"),
    ),
    gated=("carry",),
    gates=("raised", "held"),
)
"""Carried to a place beside the other object and kept there, over the table."""

_PUT_ONTO = replace(
    _PUT_INTO,
    quantities=library.GO_OVER_B,
    observations=_DROP_NEXT.observations,
    conditions=("over", "lies_on", "free"),
    stricter=("slow", "b_still"),
    components=(
        *_PUT_INTO.some("align", "reach", "keep", "raise", "carry"),
        Component("set_down", 20.0, 15.0, gate="arrived"),
        *_PUT_INTO.some("release", "calm"),
    ),
    again=library.FAMILIES["move_closer"].again,
)

_TAKE_OUT = replace(
    library.FAMILIES["uncover"],
    conditions=("began_inside", "out", "b_still", "was_touched"),
    place='poses = self.place_in(poses, "{a}", "{b}")',
)

FAMILIES: Mapping[str, Family] = {
    "put_behind": replace(_PUT_NEXT, conditions=(*_BEHIND, "loose"), quantities=GO_BEHIND, again=_NOT_BEHIND),
    "drop_behind": replace(
        _DROP_NEXT, conditions=(*_BEHIND, "was_released", "free"), quantities=GO_BEHIND, again=_NOT_BEHIND
    ),
    "hold": _LIFT,
    "hold_next": _HOLD_NEXT,
    "hold_front": replace(
        _HOLD_NEXT,
        conditions=("ahead", "aligned", "front_near", "aloft", "held", "b_still"),
        quantities=library.GO_TO_FRONT,
        again=library.FAMILIES["put_front"].again,
    ),
    "hold_behind": replace(
        _HOLD_NEXT,
        conditions=("beyond", "in_line", "back_near", "aloft", "held", "b_still"),
        quantities=GO_BEHIND,
        again=_NOT_BEHIND,
    ),
    "hold_over": replace(
        _HOLD_NEXT,
        conditions=("over", "well_over", "held"),
        quantities={**library.GO_OVER_B, "clear": WELL_OVER},
        gates=("clear", "raised", "held"),
    ),
    "put_onto": _PUT_ONTO,
    "drop_onto": replace(_PUT_ONTO, conditions=("over", "lies_on", "was_released", "free")),
    "take_out": _TAKE_OUT,
    "lift_with": replace(
        _LIFT,
        conditions=("high", "held", "loaded"),
        components=(*_HANDLE, Component("lift", 40.0, 10.0), Component("load", 30.0), *_LIFT.some("calm")),
        observations=("offset", "distance", "tool_distance", "height"),
        place='poses = self.place_on(poses, "{b}", "{a}")',
    ),
}
