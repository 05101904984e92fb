"""Ground-truth success, written by hand per task family, from what the simulator recorded.

The paper judges with "a ground-truth success function written by hand per task that training never sees"
(section 4.1). This module imports nothing of the project but `evaluate.bodies`, which imports nothing: not
the author's predicates, not the task code, not the memory states (`<obj>_ever_lifted` ...); history is
re-derived from poses and contacts.

A trajectory is a dict of the simulator's raw states stacked over control steps, shape (T, N, ...), all in
the world frame (metres, z up, x away from the clip's camera, y to image-left). Row 0 is the state after the
reset. An optional `valid` (T, N) bool is false from where an episode broke off (its physics diverged).

An episode succeeds when its family's condition held for `HOLD_STEPS` consecutive steps and still holds at
the episode's last row: what is thrown, dropped again or swept past does not count, nor an episode that
broke off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from video2policy.evaluate.bodies import (
    CARRIED,
    MOVED_BY,
    ON_TABLE,
    UPRIGHT_UP,
    Body,
    Bools,
    Floats,
    JudgeError,
    Record,
    centres_apart,
    ever,
    gap_between,
    lies_within,
)

HOLD_STEPS = 10
"""Half a second at 20 Hz: longer than any object of these sizes stays in the air beside the tool."""

# Thresholds in metres (and m/s) from the project's table of families.
LIFT_RISE, LIFT_RISE_OF_HEIGHT = 0.10, 0.75
PUSH_DISTANCE, PUSH_DISTANCE_OF_SIZE = 0.05, 0.5
PUSH_ASIDE = 3**0.5
"""Sideways travel for each metre along the direction asked for: the tangent of 60 degrees."""
NEXT_GAP, FRONT_GAP, FRONT_OFFSET = 0.05, 0.15, 0.02
CLOSER_FRACTION, UNCOVER_STAYED = 0.30, 0.05
MOVED, NUDGED, POKED, SHIFTED = 0.02, 0.01, 0.08, 0.10
COVER_TOLERANCE, INTO_DEPTH, CONTAINS_UP = 0.01, 0.005, 0.7
TIPPED_UP, BLOW = 0.35, 0.03
UPRIGHT, ON_SIDE, INVERTED, FLAT = 0.95, 0.2, -0.9, 0.96
LEANING = (float(np.cos(np.radians(75))), float(np.cos(np.radians(15))))
STACKED, OVER_TOP, LET_FALL, THROWN_UP = 0.02, 0.05, 0.02, 0.10
ROLL_SLIP, HALF_TURN, TURNING = 0.5, float(np.pi), 0.0175
"""Slip over speed below which a thing rolls; radians; radians in a control step: 20 degrees a second."""


@dataclass(frozen=True)
class Verdicts:
    """Judgement of N episodes.

    Attributes:
        success: (N,) bool.
        first_step: (N,) int, the first row at which the condition had held for `HOLD_STEPS` rows; -1 where
            the episode did not succeed.
    """

    success: Bools
    first_step: npt.NDArray[np.int64]


def judge(family: str, roles: Mapping[str, str], trajectory: Mapping[str, npt.ArrayLike]) -> Verdicts:
    """Judge recorded episodes.

    Args:
        family: a key of `JUDGES`, such as "put_next".
        roles: the objects by role, "a" (what is handled; the cover in cover and uncover) and, in families
            of two objects, "b" (the reference; what is covered).
        trajectory: state name -> (T, N, ...) array.

    Raises:
        JudgeError: the family has no judge, or a role or a state that it reads is missing.
    """
    if family not in JUDGES:
        raise JudgeError(f"no judge for the family {family!r}; there is one for {', '.join(sorted(JUDGES))}")
    record = Record(roles, trajectory)
    condition = JUDGES[family](record) & record.valid
    held = _held(condition, HOLD_STEPS)
    success = held.any(axis=0) & condition[-1]
    return Verdicts(success, np.where(success, held.argmax(axis=0), -1))


def _held(condition: Bools, steps: int) -> Bools:
    """(T, N): true where the condition was true at this row and at the `steps` - 1 rows before it."""
    run = np.zeros(condition.shape, int)
    count = np.zeros(condition.shape[1], int)
    for t, row in enumerate(condition):
        count = np.where(row, count + 1, 0)
        run[t] = count
    return run >= steps


def _lift(record: Record) -> Bools:
    """Raised by 10 cm or 3/4 of its height, whichever is more, in touch with the tool."""
    a = record.body("a")
    return (a.rise > _lift_height(a)) & record.held(a)


def _lift_height(a: Body) -> Floats:
    return np.maximum(LIFT_RISE, LIFT_RISE_OF_HEIGHT * 2.0 * a.half[..., 2])


def _push(record: Record, direction: float) -> Bools:
    """Moved by the gripper along +-y, by 5 cm or half its size, within 60 degrees of that direction.

    It stands upright on the table and was never carried: raised between the fingers.
    """
    a = record.body("a")
    travel = a.pos - a.pos[:1]
    along, across = direction * travel[..., 1], np.abs(travel[..., 0])
    far = along > np.maximum(PUSH_DISTANCE, PUSH_DISTANCE_OF_SIZE * 2.0 * a.radius)
    stands = a.on_table & (a.rise < CARRIED) & a.upright & ~record.carried(a)
    return far & (across < PUSH_ASIDE * along) & stands & record.ever_touched(a)


def _push_left(record: Record) -> Bools:
    return _push(record, +1.0)


def _push_right(record: Record) -> Bools:
    return _push(record, -1.0)


def _brought(record: Record, a: Body, b: Body) -> Bools:
    """`a` was moved to `b` by the gripper, rather than `b` to `a`."""
    return (a.moved > MOVED) & (a.moved > b.moved) & record.ever_touched(a)


def _separate(a: Body, b: Body) -> Bools:
    """Both stand on the table, neither over nor inside the other."""
    return a.on_table & b.on_table & (centres_apart(a, b) > np.maximum(a.radius, b.radius))


def _next(record: Record) -> Bools:
    """Beside each other on the table with a gap below 5 cm, `a` at rest."""
    a, b = record.body("a"), record.body("b")
    return (gap_between(a, b) < NEXT_GAP) & _separate(a, b) & a.slow & _brought(record, a, b)


def _put_next(record: Record) -> Bools:
    return _next(record) & ~record.grasped(record.body("a"))


def _drop_next(record: Record) -> Bools:
    return _next(record) & record.dropped(record.body("a"))


def _put_front(record: Record) -> Bools:
    return _front_or_back(record, -1.0, held=False) & ~record.grasped(record.body("a"))


def _drop_front(record: Record) -> Bools:
    return _front_or_back(record, -1.0, held=False) & record.dropped(record.body("a"))


def _move_closer(record: Record) -> Bools:
    """The distance of the centres fell by 30%, because of `a`; both stand on the table, apart."""
    a, b = record.body("a"), record.body("b")
    apart = centres_apart(a, b)
    closer = apart < (1.0 - CLOSER_FRACTION) * apart[:1]
    return closer & _separate(a, b) & _brought(record, a, b)


def _cover(record: Record) -> Bools:
    """`b` lies under `a`: centres within `b`'s radius, `b`'s shadow inside `a`'s, `a` let go of, at rest."""
    a, b = record.body("a"), record.body("b")
    above = (a.pos[..., 2] > b.pos[..., 2]) & (a.top > b.top)
    under = (centres_apart(a, b) < b.radius) & lies_within(b, a, COVER_TOLERANCE)
    return above & under & ~record.touched(a) & a.slow & b.on_table & _brought(record, a, b)


def _uncover(record: Record) -> Bools:
    """The shadows overlapped at first and are disjoint now, `b` stayed within 5 cm and on the table."""
    a, b = record.body("a"), record.body("b")
    gap = gap_between(a, b)
    stayed = np.linalg.norm(b.pos - b.pos[:1], axis=-1) < UNCOVER_STAYED
    return (gap[:1] < 0.0) & (gap > 0.0) & stayed & b.on_table & record.ever_touched(a)


def _put_into(record: Record) -> Bools:
    """`a` inside `b`: centre within `b`'s radius, its bottom below `b`'s rim, let go of and at rest.

    `b` stands: on the side of one that was knocked over things lie just as low.
    """
    a, b = record.body("a"), record.body("b")
    inside = (centres_apart(a, b) < b.radius) & (a.bottom < b.top - INTO_DEPTH) & (a.pos[..., 2] > b.bottom)
    inside &= b.up > CONTAINS_UP
    moved = (a.moved > MOVED) & record.ever_touched(a)
    return inside & ~record.touched(a) & a.slow & b.on_table & moved


def _drop_into(record: Record) -> Bools:
    return _put_into(record) & record.dropped(record.body("a"))


def _throw_into(record: Record) -> Bools:
    """Inside at last, and on the way in flight: let go of, over 10 cm from the tool, faster than 0.5 m/s."""
    return _put_into(record) & record.flew(record.body("a"))


def _tip_over(record: Record) -> Bools:
    """Lies on the table, more than 70 degrees from how it stood, at rest, because of the gripper."""
    a = record.body("a")
    lies = a.touches_table & (a.up < TIPPED_UP) & (a.pos[..., 2] > a.table)
    return lies & a.slow & _struck(record, a)


def _struck(record: Record, a: Body) -> Bools:
    """The gripper touched it; a short blow falls between two recorded steps, so that close by counts."""
    return record.ever_touched(a) | ever(a.distance_of(record.tool) < BLOW)


def _push_with(record: Record) -> Bools:
    """`b` was moved 5 cm by `a`, which the gripper moved without ever touching `b`, and stands."""
    a, b = record.body("a"), record.body("b")
    meets = record.state(f"{a.name}_contact_{b.name}") > 0.5
    by_a = meets | np.concatenate([meets[:1], meets[:-1]])
    shoved = np.cumsum(b.steps * by_a, axis=0) > MOVED_BY * np.cumsum(b.steps, axis=0)
    stands = b.on_table & b.upright & (np.abs(b.rise) < CARRIED)
    return (b.moved > PUSH_DISTANCE) & shoved & stands & record.ever_touched(a) & ~record.ever_touched(b)


def _front_or_back(record: Record, side: float, held: bool) -> Bools:
    """`side` -1 on `b`'s camera side, 1 behind it; within `b`'s half width, less than 15 cm away."""
    a, b = record.body("a"), record.body("b")
    offset = side * (a.pos[..., 0] - b.pos[..., 0])
    lateral = np.abs(a.pos[..., 1] - b.pos[..., 1])
    there = (
        (offset > FRONT_OFFSET)
        & (lateral < b.radius)
        & (gap_between(a, b) < FRONT_GAP)
        & _brought(record, a, b)
    )
    return there & (_aloft(record, a) if held else _separate(a, b) & a.slow)


def _aloft(record: Record, a: Body) -> Bools:
    """In the gripper and clear of the table."""
    return record.held(a) & (a.bottom > a.table + ON_TABLE)


def _put_behind(record: Record) -> Bools:
    return _front_or_back(record, 1.0, held=False) & ~record.grasped(record.body("a"))


def _drop_behind(record: Record) -> Bools:
    return _front_or_back(record, 1.0, held=False) & record.dropped(record.body("a"))


def _hold_front(record: Record) -> Bools:
    return _front_or_back(record, -1.0, held=True)


def _hold_behind(record: Record) -> Bools:
    return _front_or_back(record, 1.0, held=True)


def _hold_next(record: Record) -> Bools:
    """In the gripper over the table, beside `b` with a gap below 5 cm."""
    a, b = record.body("a"), record.body("b")
    beside = (gap_between(a, b) < NEXT_GAP) & (centres_apart(a, b) > np.maximum(a.radius, b.radius))
    return beside & _aloft(record, a) & _brought(record, a, b)


def _hold_over(record: Record) -> Bools:
    """In the gripper, its centre within `b`'s radius and its underside 5 cm over `b`'s top."""
    a, b = record.body("a"), record.body("b")
    over = (centres_apart(a, b) < b.radius) & (a.bottom > b.top + OVER_TOP)
    return over & record.held(a) & _brought(record, a, b)


def _lies_on(a: Body, b: Body) -> Bools:
    """`a`'s centre is over `b`'s shadow and its underside at `b`'s top."""
    return (centres_apart(a, b) < b.radius) & (np.abs(a.bottom - b.top) < STACKED)


def _put_onto(record: Record) -> Bools:
    a, b = record.body("a"), record.body("b")
    return _lies_on(a, b) & a.slow & ~record.touched(a) & b.on_table & _brought(record, a, b)


def _drop_onto(record: Record) -> Bools:
    return _put_onto(record) & record.dropped(record.body("a"))


def _push_onto(record: Record) -> Bools:
    """On `b`, having slid there: never raised by more than `b`'s height and 3 cm."""
    a, b = record.body("a"), record.body("b")
    low = ~ever(a.rise > 2.0 * b.half[..., 2] + CARRIED)
    return _lies_on(a, b) & low & b.on_table & _brought(record, a, b)


def _pull_onto(record: Record) -> Bools:
    return _push_onto(record) & record.moved_in_touch(record.body("a"))


def _push_off(record: Record) -> Bools:
    """On `b` at first, and now beside it or below its top, because of the gripper."""
    a, b = record.body("a"), record.body("b")
    began = (gap_between(a, b)[:1] < 0.0) & (a.bottom[:1] > b.top[:1] - STACKED)
    off = (gap_between(a, b) > 0.0) | (a.bottom < b.top - INTO_DEPTH)
    return began & off & ~a.fallen & (a.moved > b.moved) & record.ever_touched(a)


def _take_out(record: Record) -> Bools:
    """Inside `b` at first; now beside it or over its rim, `b` still standing where it stood."""
    a, b = record.body("a"), record.body("b")
    began = (centres_apart(a, b)[:1] < b.radius[:1]) & (a.bottom[:1] < b.top[:1] - INTO_DEPTH)
    out = (gap_between(a, b) > 0.0) | (a.bottom > b.top)
    return began & out & ~a.fallen & b.on_table & (b.moved < UNCOVER_STAYED) & record.ever_touched(a)


def _lift_with(record: Record) -> Bools:
    """`a` lifted as in lift, with `b` on it all the time."""
    a, b = record.body("a"), record.body("b")
    return _lift(record) & ~ever(~_lies_on(b, a))


def _sideways(a: Body, b: Body) -> Floats:
    """(T, N): distance between the two shadows across the line of sight; negative while they overlap."""
    reach = [np.sum(np.abs(body.axes[..., 1, :]) * body.half, axis=-1) for body in (a, b)]
    return np.asarray(np.abs(a.pos[..., 1] - b.pos[..., 1]) - reach[0] - reach[1])


def _pull_from_behind(record: Record) -> Bools:
    """`b` hid `a` from the camera at first and does not now; `b` stayed within 5 cm."""
    a, b = record.body("a"), record.body("b")
    depth = a.pos[..., 0] - b.pos[..., 0]
    hidden = (depth > 0.0) & (_sideways(a, b) < 0.0)
    return hidden[:1] & ~hidden & ~a.fallen & (b.moved < UNCOVER_STAYED) & record.ever_touched(a)


def _remove_reveal(record: Record) -> Bools:
    """`a` stood before `b` at first and now neither hides nor touches it; `b` stayed within 5 cm."""
    a, b = record.body("a"), record.body("b")
    hides = (a.pos[..., 0] < b.pos[..., 0]) & (_sideways(a, b) < 0.0)
    clear = ~hides & (gap_between(a, b) > 0.0)
    return hides[:1] & clear & ~a.fallen & (b.moved < UNCOVER_STAYED) & record.ever_touched(a)


def _push_any(record: Record) -> Bools:
    """Moved 5 cm along the table by the gripper, and on it."""
    a = record.body("a")
    return (a.moved > PUSH_DISTANCE) & a.on_table & ~record.carried(a) & record.ever_touched(a)


def _poke_move(record: Record) -> Bools:
    """Moved by 1 to 8 cm, upright on the table, at rest."""
    a = record.body("a")
    little = (a.moved > NUDGED) & (a.moved < POKED)
    return little & a.upright & a.slow & a.on_table & ~record.carried(a) & record.ever_touched(a)


def _touch(record: Record) -> Bools:
    """Touched, and never moved by a centimetre."""
    a = record.body("a")
    still = ~ever(np.linalg.norm(a.pos - a.pos[:1], axis=-1) > NUDGED)
    return record.ever_touched(a) & still


def _push_off_edge(record: Record) -> Bools:
    """Below the table top because of the gripper, which did not carry it there."""
    a = record.body("a")
    return a.fallen & record.ever_touched(a) & ~record.carried(a)


def _push_near_edge(record: Record) -> Bools:
    """On the table, at rest, its centre closer to the edge than its radius."""
    a = record.body("a")
    table = np.broadcast_to(record.state("table_half"), (*record.shape, 2))
    edge = (table - np.abs(a.pos[..., :2])).min(axis=-1)
    near = (edge > 0.0) & (edge < a.radius) & a.on_table & a.slow
    return near & (a.moved > MOVED) & ~record.carried(a) & record.ever_touched(a)


def _pull_left(record: Record) -> Bools:
    return _push_left(record) & record.moved_in_touch(record.body("a"))


def _pull_right(record: Record) -> Bools:
    return _push_right(record) & record.moved_in_touch(record.body("a"))


def _move_away(record: Record) -> Bools:
    """The distance of the centres grew by 10 cm, because of `a`."""
    a, b = record.body("a"), record.body("b")
    distance = centres_apart(a, b)
    further = distance > distance[:1] + SHIFTED
    return further & ~a.fallen & (a.moved > b.moved) & record.ever_touched(a)


def _along_sight(record: Record, side: float) -> Bools:
    """Moved by 10 cm along x, within 60 degrees of that direction."""
    a = record.body("a")
    travel = a.pos - a.pos[:1]
    along, across = side * travel[..., 0], np.abs(travel[..., 1])
    return (along > SHIFTED) & (across < PUSH_ASIDE * along) & ~a.fallen & record.ever_touched(a)


def _move_to_cam(record: Record) -> Bools:
    return _along_sight(record, -1.0)


def _move_away_cam(record: Record) -> Bools:
    return _along_sight(record, 1.0)


def _move_down(record: Record) -> Bools:
    """10 cm below the highest place to which the gripper took it, never having flown, at rest."""
    a = record.body("a")
    highest = np.maximum.accumulate(np.where(record.touched(a), a.rise, 0.0), axis=0)
    return (highest - a.rise > SHIFTED) & ~record.flew(a) & ~a.fallen & a.slow


def _put_surface(record: Record) -> Bools:
    """Raised, brought down again and let go of there, at rest on the table."""
    a = record.body("a")
    gently = record.last_touched(a, a.bottom) < a.table + CARRIED
    return record.dropped(a) & gently & a.on_table & a.slow


def _put_still(record: Record) -> Bools:
    return _put_surface(record) & (record.body("a").turn_steps < TURNING)


def _drop(record: Record) -> Bools:
    """Raised, let go of in the air, and on the table now."""
    a = record.body("a")
    fell = record.last_touched(a, a.bottom) > a.table + LET_FALL
    return record.dropped(a) & fell & a.on_table


def _lift_drop(record: Record) -> Bools:
    a = record.body("a")
    return _drop(record) & ever((a.rise > _lift_height(a)) & record.touched(a))


def _throw(record: Record) -> Bools:
    """Flew and came down, on the table or beside it."""
    a = record.body("a")
    return record.flew(a) & ~record.touched(a) & (a.on_table | a.fallen)


def _throw_surface(record: Record) -> Bools:
    return _throw(record) & record.body("a").on_table


def _throw_up(record: Record) -> Bools:
    """Flew, and rose by 10 cm over where it was let go."""
    a = record.body("a")
    rose = ever(a.pos[..., 2] - record.last_touched(a, a.pos[..., 2]) > THROWN_UP)
    return record.flew(a) & rose & ~record.touched(a)


def _throw_against(record: Record) -> Bools:
    """Flew, and met `b` after it was let go."""
    a, b = record.body("a"), record.body("b")
    meets = (record.state(f"{a.name}_contact_{b.name}") > 0.5) & record.flew(a)
    return ever(meets) & ~record.touched(a)


def _upright_now(record: Record) -> Bools:
    """Lay at first, and stands by itself, at rest."""
    a = record.body("a")
    lay = np.abs(a.up[:1]) < UPRIGHT_UP
    return lay & (a.up > UPRIGHT) & a.on_table & a.slow & ~record.grasped(a) & record.ever_touched(a)


def _lay_side(record: Record) -> Bools:
    """Stood at first, and lies on its side by itself, at rest."""
    a = record.body("a")
    lies = (np.abs(a.up) < ON_SIDE) & a.touches_table & (a.pos[..., 2] > a.table)
    return (a.up[:1] > UPRIGHT_UP) & lies & a.slow & ~record.grasped(a) & _struck(record, a)


def _upside_down(record: Record) -> Bools:
    a = record.body("a")
    over = (a.up < INVERTED) & a.on_table & a.slow
    return (a.up[:1] > UPRIGHT_UP) & over & ~record.grasped(a) & record.ever_touched(a)


def _lift_end(record: Record) -> Bools:
    """Tilted by 15 to 75 degrees, its lowest point on the table, in touch with the gripper."""
    a = record.body("a")
    tilted = (a.up > LEANING[0]) & (a.up < LEANING[1])
    return tilted & (np.abs(a.bottom - a.table) < ON_TABLE) & record.touched(a)


def _lift_end_drop(record: Record) -> Bools:
    """One end raised at some time, and now flat on the table, let go of, at rest."""
    a = record.body("a")
    return ever(_lift_end(record)) & (a.up > FLAT) & a.on_table & ~record.touched(a) & a.slow


def _roll(record: Record) -> Bools:
    """Rolled 10 cm along the table by itself, hardly slipping, after the gripper had touched it."""
    a = record.body("a")
    velocity, spin = record.state(f"{a.name}_vel_linear"), record.state(f"{a.name}_vel_angular")
    # Of the point that touches the table: v + w x (0, 0, -h).
    height = a.pos[..., 2] - a.table
    slip = velocity[..., :2] + np.stack([-spin[..., 1], spin[..., 0]], axis=-1) * height[..., None]
    speed = np.linalg.norm(velocity[..., :2], axis=-1)
    rolls = (np.linalg.norm(slip, axis=-1) < ROLL_SLIP * speed) & a.on_table & ~record.touched(a)
    return (np.cumsum(a.steps * rolls, axis=0) > SHIFTED) & ~record.touched(a) & _struck(record, a)


def _turned_in_place(record: Record) -> Bools:
    """Turned by half a turn about the vertical, without leaving its place."""
    a = record.body("a")
    turned = np.abs(np.cumsum(a.yaw_steps, axis=0)) > HALF_TURN
    return turned & (a.moved < a.radius) & _struck(record, a)


def _spin(record: Record) -> Bools:
    """Turned in place, and turning still."""
    return _turned_in_place(record) & (np.abs(record.body("a").yaw_steps) > TURNING)


def _spin_stop(record: Record) -> Bools:
    return _turned_in_place(record) & (np.abs(record.body("a").yaw_steps) < TURNING)


JUDGES: dict[str, Callable[[Record], Bools]] = {
    "lift": _lift,
    "push_left": _push_left,
    "push_right": _push_right,
    "put_next": _put_next,
    "drop_next": _drop_next,
    "put_front": _put_front,
    "drop_front": _drop_front,
    "move_closer": _move_closer,
    "cover": _cover,
    "uncover": _uncover,
    "put_into": _put_into,
    "drop_into": _drop_into,
    "throw_into": _throw_into,
    "tip_over": _tip_over,
    "push_with": _push_with,
    "push_any": _push_any,
    "poke_move": _poke_move,
    "touch": _touch,
    "push_off_edge": _push_off_edge,
    "push_near_edge": _push_near_edge,
    "pull_left": _pull_left,
    "pull_right": _pull_right,
    "push_off": _push_off,
    "push_onto": _push_onto,
    "pull_onto": _pull_onto,
    "move_away": _move_away,
    "move_to_cam": _move_to_cam,
    "move_away_cam": _move_away_cam,
    "pull_from_behind": _pull_from_behind,
    "remove_reveal": _remove_reveal,
    "put_behind": _put_behind,
    "drop_behind": _drop_behind,
    "hold_next": _hold_next,
    "hold_front": _hold_front,
    "hold_behind": _hold_behind,
    "hold_over": _hold_over,
    "put_onto": _put_onto,
    "drop_onto": _drop_onto,
    "take_out": _take_out,
    "lift_with": _lift_with,
    "lay_side": _lay_side,
    "upside_down": _upside_down,
    "lift_end": _lift_end,
    "lift_end_drop": _lift_end_drop,
    "roll": _roll,
    "spin": _spin,
    "spin_stop": _spin_stop,
    "put_surface": _put_surface,
    "put_still": _put_still,
    "move_down": _move_down,
    "drop": _drop,
    "lift_drop": _lift_drop,
    "throw": _throw,
    "throw_surface": _throw_surface,
    "throw_up": _throw_up,
    "throw_against": _throw_against,
    "hold": _lift,
    "upright": _upright_now,
}
"""Family (column `family` of the template table) -> condition (T, N)."""
