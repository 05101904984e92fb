"""Families of what is lifted and let go: put down, moved down, dropped, thrown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from video2policy.author import library
from video2policy.author.fragments import Condition, Family, Observation, Quantity, Term
from video2policy.author.genome import Component

QUANTITIES: Mapping[str, Quantity] = {
    "lowered": Quantity(
        "how far it is below its highest place so far, m", "lowered = peak - height", ("peak", "height")
    ),
    "let_go_rise": Quantity(
        "how high over its start the gripper last touched it, m", 'let_go_rise = states["{a}_let_go_rise"]'
    ),
    "flight_rise": Quantity(
        "how far it rose over where it was let go, m", 'flight_rise = states["{a}_flight_rise"]'
    ),
    "ever_struck": Quantity("it flew and met another object", 'ever_struck = states["{a}_ever_struck"]'),
    "tumble": Quantity("how fast it turns, rad/s", 'tumble = torch.norm(states["{a}_vel_angular"], dim=-1)'),
}

CONDITIONS: Mapping[str, Condition] = {
    "lowered": Condition("well below its highest place", "(lowered > {lowered})", ("lowered",)),
    "not_flown": Condition("never let fly", "(ever_flown < 0.5)", ("ever_flown",)),
    "was_high": Condition("lifted well over where it started", "(peak > high)", ("peak", "high")),
    "let_fall": Condition("let go of in the air", "(let_go_rise > 0.03)", ("let_go_rise",)),
    "put_gently": Condition("not dropped", "(let_go_rise < 0.025)", ("let_go_rise",)),
    "landed": Condition("no higher than the table", "(bottom < {table})", ("bottom",)),
    "not_fallen": Condition("and not beside it", "(bottom > -0.02)", ("bottom",)),
    "still_body": Condition("not rolling", "(tumble < 0.5)", ("tumble",)),
    "rose": Condition("it went on rising", "(flight_rise > 0.11)", ("flight_rise",)),
    "struck": Condition("it met the other object in flight", "(ever_struck > 0.5)", ("ever_struck",)),
    # gates only
    "was_up": Condition("lifted before", "(ever_lifted > 0.5)", ("ever_lifted",)),
    "up_there": Condition("at its height", "(peak > high)", ("peak", "high")),
    "was_up_and_down": Condition(
        "lifted before and down again", "((ever_lifted > 0.5) & (bottom < 0.02))", ("ever_lifted", "bottom")
    ),
    "in_the_air": Condition(
        "high up, or let go of there",
        "((height > 0.13) | (ever_released > 0.5))",
        ("height", "ever_released"),
    ),
}

TERMS: Mapping[str, Term] = {
    "climb": Term("Lift it first.", "progress", "torch.clamp(peak, max=high + 0.02)", ("peak", "high")),
    "let_down": Term("Bring it down again.", "distance", "torch.clamp(height, min=0.0)", ("height",)),
    "sink": Term("Bring it down.", "progress", "torch.clamp(lowered, max=0.15)", ("lowered",)),
    "open": Term("Let go of it.", "flag", "loosened", ("loosened",)),
    "flight": Term("Let it fly.", "flag", "ever_flown", ("ever_flown",)),
    "rise": Term("Let it fly upwards.", "progress", "flight_rise", ("flight_rise",)),
    "speed_up": Term("Swing it upwards.", "progress", 'states["eef_vel_linear"][:, 2]'),
    "strike": Term("Let it meet the other one.", "flag", "ever_struck", ("ever_struck",)),
    "hold_on": Term("Do not let it fly.", "penalty", "ever_flown", ("ever_flown",)),
}

OBSERVATIONS: Mapping[str, Observation] = {
    "peak": Observation("how high {a} was", "{a}_was_at", 'states["{a}_peak"] * 1.0', 1),
}

_LIFT, _THROW_INTO = library.FAMILIES["lift"], library.FAMILIES["throw_into"]
_CALM = _LIFT.some("calm")
_HANDLE = _LIFT.some("align", "reach", "grasp")
_SEEN = ("tool_distance", "height", "peak", "time")

_PUT_SURFACE = Family(
    conditions=("was_released", "put_gently", "landed", "free", "slow"),
    stricter=("upright",),
    components=(
        *_HANDLE,
        Component("climb", 30.0, 8.0),
        Component("let_down", 40.0, 10.0, gate="was_up"),
        Component("open", 80.0, gate="was_up_and_down"),
        *_CALM,
    ),
    gated=("let_down",),
    gates=("was_up", None),
    observations=_SEEN,
)
"""Lifted, brought down again, and only then let go of."""

_DROP = Family(
    conditions=("was_released", "let_fall", "landed", "free"),
    stricter=("slow",),
    components=(
        *_HANDLE,
        Component("climb", 40.0, 8.0),
        Component("open", 80.0, gate="in_the_air"),
        *_CALM,
    ),
    gated=("climb",),
    gates=(None, "close_by", "held"),
    observations=_SEEN,
)

_THROW = replace(
    _DROP,
    conditions=("was_flown", "free", "landed", "not_fallen"),
    components=(
        *_HANDLE,
        Component("climb", 40.0, 6.0),
        Component("open", 60.0, gate="in_the_air"),
        Component("flight", 60.0),
        *_CALM,
    ),
)

FAMILIES: Mapping[str, Family] = {
    "put_surface": _PUT_SURFACE,
    "put_still": replace(_PUT_SURFACE, conditions=(*_PUT_SURFACE.conditions, "still_body")),
    "move_down": replace(
        _PUT_SURFACE,
        conditions=("lowered", "not_flown", "slow"),
        stricter=("steady",),
        components=(
            *_HANDLE,
            Component("climb", 40.0, 8.0),
            Component("sink", 60.0, 8.0, gate="up_there"),
            Component("hold_on", 10.0, 1.0, "linear"),
            *_CALM,
        ),
        gated=("sink",),
        gates=("up_there", None),
    ),
    "drop": _DROP,
    "lift_drop": replace(_DROP, conditions=("was_high", *_DROP.conditions)),
    "throw": replace(_THROW, conditions=("was_flown", "free", "landed")),
    "throw_surface": _THROW,
    "throw_up": replace(
        _THROW,
        conditions=("was_flown", "rose", "free"),
        components=(
            *_HANDLE,
            Component("climb", 30.0, 6.0),
            Component("speed_up", 20.0, 2.0, gate="held"),
            Component("open", 60.0, gate="in_the_air"),
            Component("rise", 60.0, 8.0),
            *_CALM,
        ),
        gated=("speed_up",),
        gates=("held", None),
    ),
    "throw_against": replace(
        _THROW_INTO,
        conditions=("was_flown", "struck", "free"),
        components=(
            *_THROW_INTO.some("align", "reach", "keep", "raise", "carry", "release"),
            Component("flight", 30.0),
            Component("strike", 60.0),
            *_CALM,
        ),
        again=library.FAMILIES["move_closer"].again,
    ),
}
