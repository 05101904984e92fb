"""Families of what is moved along the table: pushed, pulled, poked, over an edge, onto or off a thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from video2policy.author import library
from video2policy.author.fragments import Condition, Family, Quantity, Term, number
from video2policy.author.genome import Component

QUANTITIES: Mapping[str, Quantity] = {
    "ever_touched": Quantity("the gripper touched it before", 'ever_touched = states["{a}_ever_touched"]'),
    "peak": Quantity("highest that it was over where it started, m", 'peak = states["{a}_peak"]'),
    "way": Quantity(
        "how far it was displaced along the table, m",
        'way = torch.norm(states["{a}_displacement"][:, :2], dim=-1)',
    ),
    "side_distance": Quantity(
        "from the tool to the object's side at the height of its middle, m",
        "side_distance = torch.clamp(sideways_off - reach_a - 0.01, min=0.0) + torch.abs(\n"
        '    states["eef_pos"][:, 2] - states["{a}_pos"][:, 2])',
        ("sideways_off", "reach_a"),
    ),
    "edge": Quantity(
        "how far its centre is inside the table's nearest edge, m; negative beyond it",
        'edge = torch.min(states["table_half"] - torch.abs(states["{a}_pos"][:, :2]), dim=-1).values',
    ),
    "parted": Quantity(
        "by how much the distance of the two has grown, m",
        "parted = distance - start_distance",
        ("distance", "start_distance"),
    ),
    "on_b": Quantity(
        "height of the object's underside over the other one's top, m",
        "on_b = bottom - top_b",
        ("bottom", "top_b"),
    ),
    "started_apart": Quantity(
        "between the two outlines at the reset, m; negative where they overlapped",
        "started_apart = start_distance - reach_a - reach_b",
        ("start_distance", "reach_a", "reach_b"),
    ),
    "aside": Quantity(
        "offset of the two across the line of sight, less their outlines, m; above 0 both are in view",
        "aside = torch.abs(b_from_a[:, 1]) - reach_a - reach_b",
        ("b_from_a", "reach_a", "reach_b"),
    ),
    "start_depth": Quantity(
        "how far behind the other object it stood at the reset, seen from the camera, m",
        'start_depth = states["{a}_init_pos"][:, 0] - states["{b}_init_pos"][:, 0]',
    ),
}

CONDITIONS: Mapping[str, Condition] = {
    "was_touched": Condition("the gripper touched it", "(ever_touched > 0.5)", ("ever_touched",)),
    "in_touch": Condition("in the gripper's touch", "(free < 0.5)", ("free",)),
    "gone": Condition("moved far enough", "(way > {way})", ("way",)),
    "nudged": Condition("moved a little", "((way > 0.012) & (way < 0.07))", ("way",)),
    "unmoved": Condition("hardly moved", "(way < 0.008)", ("way",)),
    "fallen": Condition("below the table top", "(height < -0.06)", ("height",)),
    "at_edge": Condition(
        "closer to the edge than its own radius, and not over it",
        "((edge > 0.0) & (edge < 0.9 * reach_a))",
        ("edge", "reach_a"),
    ),
    "started_on": Condition("it was on or in the other one", "(started_apart < 0.0)", ("started_apart",)),
    "off_b": Condition(
        "beside the other one or below its top", "((gap > 0.005) | (on_b < -0.01))", ("gap", "on_b")
    ),
    "lies_on": Condition("its underside is at the other one's top", "(torch.abs(on_b) < 0.015)", ("on_b",)),
    "slid": Condition("it was never carried high", "(peak < top_b + 0.025)", ("peak", "top_b")),
    "parted": Condition("further away than at the start", "(parted > {parted})", ("parted",)),
    "shifted": Condition("moved far enough", "(moved > {shift})", ("moved",)),
    "was_behind": Condition("it began behind the other one", "(start_depth > 0.02)", ("start_depth",)),
    "was_before": Condition("it began before the other one", "(start_depth < -0.02)", ("start_depth",)),
    "in_view": Condition(
        "the other one no longer hides it",
        "((aside > 0.005) | (b_from_a[:, 0] > 0.02))",
        ("aside", "b_from_a"),
    ),
    "revealed": Condition("it no longer hides the other one", "(aside > 0.005)", ("aside",)),
}

TERMS: Mapping[str, Term] = {
    "near_side": Term("Bring the tool to its side.", "distance", "side_distance", ("side_distance",)),
    "go": Term("Move it along the table.", "progress", "way", ("way",)),
    "nudge": Term("Move it by a few centimetres.", "distance", "torch.abs(way - 0.035)", ("way",)),
    "touch": Term("Touch it.", "flag", "ever_touched", ("ever_touched",)),
    "leave": Term("Leave it where it is.", "penalty", "way", ("way",)),
    "still": Term("Let it come to rest.", "penalty", "speed", ("speed",)),
    "outwards": Term("Move it to the edge.", "distance", "torch.clamp(edge + 0.02, min=0.0)", ("edge",)),
    "fall": Term("Let it fall.", "flag", "(height < -0.03).float()", ("height",)),
    "to_edge": Term(
        "Move it until it nearly falls.", "distance", "torch.abs(edge - 0.5 * reach_a)", ("edge", "reach_a")
    ),
    "off": Term("Move it off the other one.", "progress", "torch.clamp(gap + 0.05, -0.1, 0.06)", ("gap",)),
    "part": Term("Take it away from the other one.", "progress", "parted", ("parted",)),
    "sidestep": Term(
        "Move it sideways out of the line of sight.", "progress", "torch.clamp(aside, -0.2, 0.05)", ("aside",)
    ),
}

_PUSH, _LIFT = library.FAMILIES["push_left"], library.FAMILIES["lift"]
_NEAR = Component("near_side", 15.0, 8.0)
_QUIET = Component("still", 10.0, 4.0, "linear")
_UNDISTURBED = Component("undisturbed", 10.0, 15.0)


def _towards_camera(sign: float) -> dict[str, Quantity]:
    """A push along the line of sight: `sign` 1 away from the camera, -1 towards it."""
    return {
        "moved": Quantity(
            "displacement " + ("away from" if sign > 0 else "towards") + " the camera (x points away), m",
            f'moved = {number(sign)} * states["{{a}}_displacement"][:, 0]',
        ),
        "sideways": Quantity(
            "displacement across that direction, m", 'sideways = torch.abs(states["{a}_displacement"][:, 1])'
        ),
        "push_distance": Quantity(
            "from the tool to the place behind the object from which it is pushed, m",
            f'behind = states["{{a}}_pos"] - {number(sign)} * torch.stack(\n'
            "    [reach_a + 0.03, torch.zeros_like(reach_a), torch.zeros_like(reach_a)], dim=-1)\n"
            'push_distance = torch.norm(behind - states["eef_pos"], dim=-1)',
            ("reach_a",),
        ),
    }


OUTWARDS = {
    "push_distance": Quantity(
        "from the tool to the place behind the object, seen from the nearer side edge, m",
        'side = torch.where(states["{a}_init_pos"][:, 1] > 0.0, 1.0, -1.0)\n'
        'behind = states["{a}_init_pos"].clone()\n'
        'behind[:, 0] = states["{a}_pos"][:, 0]\n'
        'behind[:, 1] = states["{a}_pos"][:, 1] - side * (reach_a + 0.03)\n'
        'push_distance = torch.norm(behind - states["eef_pos"], dim=-1)',
        ("reach_a",),
    ),
}

AWAY_FROM_B = {
    "push_distance": Quantity(
        "from the tool to the place between the two objects from which it is pushed away, m",
        "towards_b = b_from_a / torch.clamp(distance, min=0.01).unsqueeze(-1)\n"
        'between = states["{a}_pos"][:, :2] + towards_b * (reach_a + 0.025).unsqueeze(-1)\n'
        'push_distance = torch.norm(between - states["eef_pos"][:, :2], dim=-1)\n'
        'push_distance = push_distance + torch.abs(states["eef_pos"][:, 2] - states["{a}_pos"][:, 2])',
        ("b_from_a", "distance", "reach_a"),
    ),
}

ONTO_B = {
    "push_distance": library.PUSH_WITH["push_distance"],
    "goal_distance": Quantity(
        "horizontal distance of the centres, m", "goal_distance = distance", ("distance",)
    ),
}

_PUSH_ANY = Family(
    conditions=("gone", "low", "was_touched"),
    stricter=("slow", "upright"),
    components=(_NEAR, Component("go", 40.0, 4.0), *_PUSH.some("stand", "calm")),
    gated=("go",),
    gates=(None, "close_by"),
    observations=("tool_distance", "time"),
)

_POKE_MOVE = replace(
    _PUSH_ANY,
    conditions=("nudged", "upright", "slow", "low", "was_touched"),
    stricter=(),
    components=(_NEAR, Component("nudge", 40.0, 25.0), _QUIET, *_PUSH.some("stand", "calm")),
    gated=("nudge",),
)

_TOUCH = replace(
    _PUSH_ANY,
    conditions=("was_touched", "unmoved"),
    stricter=("slow",),
    components=(
        _NEAR,
        Component("touch", 40.0),
        Component("leave", 40.0, 40.0),
        *_PUSH.some("calm"),
    ),
    gated=(),
    gates=(None,),
)

_PUSH_OFF_EDGE = replace(
    _PUSH_ANY,
    conditions=("fallen", "was_touched"),
    stricter=(),
    components=(
        Component("line_up", 15.0, 6.0),
        Component("outwards", 40.0, 5.0),
        Component("fall", 60.0),
        *_PUSH.some("calm"),
    ),
    gated=("outwards",),
    quantities=OUTWARDS,
)

_PUSH_NEAR_EDGE = replace(
    _PUSH_OFF_EDGE,
    conditions=("at_edge", "low", "slow", "was_touched"),
    components=(
        Component("line_up", 15.0, 6.0),
        Component("to_edge", 40.0, 8.0),
        _QUIET,
        *_PUSH.some("stand", "calm"),
    ),
    gated=("to_edge",),
)

_PULL = replace(
    _PUSH,
    conditions=(*_PUSH.conditions, "in_touch"),
    components=(
        *_LIFT.some("align", "reach", "grasp"),
        *_PUSH.some("push", "straight", "stand", "calm"),
    ),
    gates=(None, "close_by", "held"),
)
"""Held between the fingers and drawn along the table."""

_PUSH_OFF = Family(
    conditions=("started_on", "off_b", "was_touched"),
    stricter=("slow", "b_still"),
    components=(_NEAR, Component("off", 60.0, 8.0), _UNDISTURBED, *_PUSH.some("calm")),
    gated=("off",),
    gates=(None, "close_by"),
    observations=("offset", "distance", "tool_distance", "b_displacement"),
    place='poses = self.place_on(poses, "{a}", "{b}")',
)

_PUSH_ONTO = Family(
    conditions=("over", "lies_on", "slid", "was_touched"),
    stricter=("slow",),
    components=(
        Component("line_up", 20.0, 8.0),
        Component("carry", 40.0, 6.0),
        _UNDISTURBED,
        *_PUSH.some("calm"),
    ),
    gated=("carry",),
    gates=(None, "close_by"),
    observations=("offset", "distance", "tool_distance", "b_displacement"),
    quantities=ONTO_B,
    again=library.FAMILIES["move_closer"].again,
)

_MOVE_AWAY = Family(
    conditions=("parted", "low", "b_still", "was_touched"),
    stricter=("steady", "slow"),
    components=(
        Component("line_up", 15.0, 6.0),
        Component("part", 60.0, 5.0),
        _UNDISTURBED,
        *_PUSH.some("stand", "calm"),
    ),
    gated=("part",),
    gates=(None, "close_by"),
    observations=("offset", "distance", "tool_distance"),
    quantities=AWAY_FROM_B,
)

_ALONG_SIGHT = replace(_PUSH, conditions=("shifted", "on_course", "low", "was_touched"))

_PULL_FROM_BEHIND = Family(
    conditions=("was_behind", "in_view", "b_still", "was_touched"),
    stricter=("slow", "on_table"),
    components=(
        *_LIFT.some("align", "reach", "grasp"),
        Component("sidestep", 40.0, 6.0, gate="held"),
        _UNDISTURBED,
        *_LIFT.some("calm"),
    ),
    gated=("sidestep",),
    gates=("held", "close_by", None),
    observations=("offset", "distance", "tool_distance", "b_displacement"),
    place='poses = self.place_behind(poses, "{a}", "{b}")',
)

FAMILIES: Mapping[str, Family] = {
    "push_any": _PUSH_ANY,
    "poke_move": _POKE_MOVE,
    "touch": _TOUCH,
    "push_off_edge": _PUSH_OFF_EDGE,
    "push_near_edge": _PUSH_NEAR_EDGE,
    "pull_left": _PULL,
    "pull_right": replace(_PULL, quantities=library.FAMILIES["push_right"].quantities),
    "push_off": _PUSH_OFF,
    "push_onto": _PUSH_ONTO,
    "pull_onto": replace(
        _PUSH_ONTO,
        conditions=(*_PUSH_ONTO.conditions, "in_touch"),
        components=(
            *_LIFT.some("align", "reach", "grasp"),
            Component("carry", 40.0, 6.0, gate="held"),
            *_LIFT.some("calm"),
        ),
        gates=("held", "close_by", None),
    ),
    "move_away": _MOVE_AWAY,
    "move_to_cam": replace(_ALONG_SIGHT, quantities=_towards_camera(-1.0)),
    "move_away_cam": replace(_ALONG_SIGHT, quantities=_towards_camera(1.0)),
    "pull_from_behind": _PULL_FROM_BEHIND,
    "remove_reveal": replace(
        _PULL_FROM_BEHIND,
        conditions=("was_before", "revealed", "b_still", "was_touched"),
        place='poses = self.place_in_front(poses, "{a}", "{b}")',
    ),
}
