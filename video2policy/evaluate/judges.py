"""Ground-truth success, written by hand per task family, from what the simulator recorded.

The paper judges with "a ground-truth success function written by hand per task that training never sees"
(section 4.1). This module imports nothing of the project: not the author's predicates, not the task code,
not the memory states (`<obj>_ever_lifted` ...); it re-derives history from poses and contacts.

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

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

HOLD_STEPS = 10
"""Half a second at 20 Hz: longer than any object of these sizes stays in the air beside the tool."""

# Thresholds in metres (and m/s) from the project's table of families.
LIFT_RISE, LIFT_RISE_OF_HEIGHT, TOOL_NEAR = 0.10, 0.75, 0.05
PUSH_DISTANCE, PUSH_DISTANCE_OF_SIZE, CARRIED = 0.05, 0.5, 0.03
PUSH_ASIDE = 3**0.5
"""Sideways travel for each metre along the direction asked for: the tangent of 60 degrees."""
NEXT_GAP, FRONT_GAP, FRONT_OFFSET = 0.05, 0.15, 0.02
CLOSER_FRACTION, UNCOVER_STAYED = 0.30, 0.05
ON_TABLE, SLOW, MOVED, EVER_LIFTED = 0.02, 0.05, 0.02, 0.02
UPRIGHT_UP, ROUND_RATIO = 0.5, 1.15
"""Objects whose largest extent is at most 1.15 times the smallest count as round: balls and cubes tumble, and
of a ball's box the corners are not there. Others are upright within 60 degrees of rest."""
COVER_TOLERANCE, INTO_DEPTH = 0.01, 0.005
TIPPED_UP, BLOW, FLIGHT, FLYING = 0.35, 0.03, 0.10, 0.5
PUSHED_BY = 0.5
"""Share of its way that an object must have gone in touch with what it is pushed with."""

_ANGLES = np.linspace(0.0, 2.0 * np.pi, 64, endpoint=False)
_DIRECTIONS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)])  # (2, 64)


class JudgeError(ValueError):
    """The family has no judge, or a role or a recorded state is missing."""


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


@dataclass(frozen=True)
class Body:
    """One object over time: the box of its resting extents, moved rigidly with it; a sphere if it is round.

    Attributes:
        pos: (T, N, 3) centre. axes: (T, N, 3, 3), columns are the box's axes in the world.
        half: (T, N, 3) half extents along these axes. speed: (T, N) m/s.
        table: (T, N) height of the table. touches_table: (T, N) bool.
    """

    name: str
    pos: Floats
    axes: Floats
    half: Floats
    speed: Floats
    table: Floats
    touches_table: Bools

    @property
    def round(self) -> Bools:
        return self.half.max(axis=-1) <= ROUND_RATIO * self.half.min(axis=-1)

    @property
    def half_height(self) -> Floats:
        """(T, N): how far the object reaches above and below its centre."""
        box = np.sum(np.abs(self.axes[..., 2, :]) * self.half, axis=-1)
        return np.where(self.round, self.half.mean(axis=-1), box)

    @property
    def bottom(self) -> Floats:
        return self.pos[..., 2] - self.half_height

    @property
    def top(self) -> Floats:
        return self.pos[..., 2] + self.half_height

    @property
    def radius(self) -> Floats:
        """(T, N): the larger horizontal half extent at rest."""
        return self.half[..., :2].max(axis=-1)

    @property
    def rise(self) -> Floats:
        return self.pos[..., 2] - self.pos[:1, :, 2]

    @property
    def moved(self) -> Floats:
        """(T, N): horizontal distance from where the episode began."""
        return np.asarray(np.linalg.norm(self.pos[..., :2] - self.pos[:1, :, :2], axis=-1))

    @property
    def on_table(self) -> Bools:
        return (self.touches_table | (np.abs(self.bottom - self.table) < ON_TABLE)) & (
            self.pos[..., 2] > self.table
        )

    @property
    def slow(self) -> Bools:
        return self.speed < SLOW

    @property
    def upright(self) -> Bools:
        """(T, N): within 60 degrees of the resting orientation, or too round for that to mean anything."""
        return (self.axes[..., 2, 2] > UPRIGHT_UP) | self.round

    def reach(self) -> Floats:
        """(T, N, 64): support function of the object's shadow on the table along `_DIRECTIONS`."""
        generators = self.axes[..., :2, :] * self.half[..., None, :]  # (T, N, 2, 3)
        box = np.abs(np.einsum("tnik,ij->tnkj", generators, _DIRECTIONS)).sum(axis=2)
        return np.where(self.round[..., None], self.half.mean(axis=-1)[..., None], box)

    def distance_of(self, point: Floats) -> Floats:
        """(T, N): distance of a point (T, N, 3) from the surface of the box, 0 inside."""
        local = np.einsum("tnji,tnj->tni", self.axes, point - self.pos)
        return np.asarray(np.linalg.norm(np.maximum(np.abs(local) - self.half, 0.0), axis=-1))


class Record:
    """The recorded states as the judges read them."""

    def __init__(self, roles: Mapping[str, str], trajectory: Mapping[str, npt.ArrayLike]) -> None:
        self._roles = roles
        self._states = trajectory
        tool = self.state("eef_pos")
        self.shape = tool.shape[:2]
        valid = np.asarray(trajectory.get("valid", np.ones(self.shape, bool)), bool)
        # What is not finite never succeeds, and nothing after it does.
        finite = np.isfinite(tool).all(axis=-1)
        for role in roles.values():
            finite &= np.isfinite(self.state(f"{role}_pos")).all(axis=-1)
        self.valid = np.logical_and.accumulate(valid & finite, axis=0)
        self.tool = tool

    def state(self, name: str) -> Floats:
        if name not in self._states:
            raise JudgeError(
                f"the trajectory lacks the state {name!r}; it has {', '.join(sorted(self._states))}"
            )
        return np.nan_to_num(
            np.asarray(self._states[name], np.float64), nan=np.nan, posinf=np.nan, neginf=np.nan
        )

    def body(self, role: str) -> Body:
        if role not in self._roles:
            raise JudgeError(f"this family needs an object in the role {role!r}; given: {dict(self._roles)}")
        name = self._roles[role]
        size = np.broadcast_to(self.state(f"{name}_size"), (*self.shape, 3))
        return Body(
            name=name,
            pos=self.state(f"{name}_pos"),
            axes=_matrix(self.state(f"{name}_quat")),
            half=size / 2.0,
            speed=np.asarray(np.linalg.norm(self.state(f"{name}_vel_linear"), axis=-1)),
            table=np.broadcast_to(self.state("table_height"), self.shape),
            touches_table=self.state(f"{name}_contact_table") > 0.5,
        )

    def touched(self, body: Body) -> Bools:
        """(T, N): some part of the gripper touches it."""
        return self.state(f"{body.name}_contact_gripper") > 0.5

    def grasped(self, body: Body) -> Bools:
        """(T, N): both fingers touch it."""
        return self.state(f"{body.name}_grasped") > 0.5

    def ever_touched(self, body: Body) -> Bools:
        return np.logical_or.accumulate(self.touched(body), axis=0)

    def dropped(self, body: Body) -> Bools:
        """(T, N): raised by the gripper at some time, and let go of now."""
        raised = (body.rise > EVER_LIFTED) & self.touched(body)
        return np.logical_or.accumulate(raised, axis=0) & ~self.touched(body)


def _matrix(quat: Floats) -> Floats:
    """Rotation matrices (..., 3, 3) of quaternions (..., 4), wxyz."""
    w, x, y, z = np.moveaxis(quat / np.linalg.norm(quat, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def _gap(a: Body, b: Body) -> Floats:
    """(T, N): distance between the two shadows on the table; negative is the depth of overlap.

    The distance of two convex sets is the largest separation over all directions; 64 of them are within
    0.13% of it.
    """
    between = np.einsum("tni,ij->tnj", b.pos[..., :2] - a.pos[..., :2], _DIRECTIONS)
    return np.asarray((between - a.reach() - b.reach()).max(axis=-1))


def _within(inner: Body, outer: Body, tolerance: float) -> Bools:
    """(T, N): the shadow of `inner` lies inside that of `outer`."""
    offset = np.einsum("tni,ij->tnj", inner.pos[..., :2] - outer.pos[..., :2], _DIRECTIONS)
    return (offset + inner.reach() <= outer.reach() + tolerance).all(axis=-1)


def _apart(a: Body, b: Body) -> Floats:
    """(T, N): horizontal distance of the centres."""
    return np.asarray(np.linalg.norm(a.pos[..., :2] - b.pos[..., :2], axis=-1))


def _lift(record: Record) -> Bools:
    """Raised by 10 cm or 3/4 of its height, whichever is more, in touch with the tool."""
    a = record.body("a")
    high = a.rise > np.maximum(LIFT_RISE, LIFT_RISE_OF_HEIGHT * 2.0 * a.half[..., 2])
    return high & record.touched(a) & (a.distance_of(record.tool) < TOOL_NEAR)


def _push(record: Record, direction: float) -> Bools:
    """Moved by the gripper along +-y, by 5 cm or half its size, within 60 degrees of that direction.

    It stands upright on the table and was never carried: raised between the fingers.
    """
    a = record.body("a")
    travel = a.pos - a.pos[:1]
    along, across = direction * travel[..., 1], np.abs(travel[..., 0])
    far = along > np.maximum(PUSH_DISTANCE, PUSH_DISTANCE_OF_SIZE * 2.0 * a.radius)
    carried = np.logical_or.accumulate((a.rise > CARRIED) & record.grasped(a), axis=0)
    stands = a.on_table & (a.rise < CARRIED) & a.upright & ~carried
    return far & (across < PUSH_ASIDE * along) & stands & record.ever_touched(a)


def _push_left(record: Record) -> Bools:
    return _push(record, +1.0)


def _push_right(record: Record) -> Bools:
    return _push(record, -1.0)


def _brought(a: Body, b: Body) -> Bools:
    """`a` was moved to `b`, rather than `b` to `a`."""
    return (a.moved > MOVED) & (a.moved > b.moved)


def _separate(a: Body, b: Body) -> Bools:
    """Both stand on the table, neither over nor inside the other."""
    return a.on_table & b.on_table & (_apart(a, b) > np.maximum(a.radius, b.radius))


def _next(record: Record) -> Bools:
    """Beside each other on the table with a gap below 5 cm, `a` at rest."""
    a, b = record.body("a"), record.body("b")
    return (_gap(a, b) < NEXT_GAP) & _separate(a, b) & a.slow & _brought(a, b)


def _put_next(record: Record) -> Bools:
    return _next(record) & ~record.grasped(record.body("a"))


def _drop_next(record: Record) -> Bools:
    return _next(record) & record.dropped(record.body("a"))


def _front(record: Record) -> Bools:
    """On `b`'s camera side (-x), within `b`'s half width sideways, less than 15 cm away, `a` at rest."""
    a, b = record.body("a"), record.body("b")
    offset = b.pos[..., 0] - a.pos[..., 0]
    lateral = np.abs(a.pos[..., 1] - b.pos[..., 1])
    ahead = (offset > FRONT_OFFSET) & (lateral < b.radius) & (_gap(a, b) < FRONT_GAP)
    return ahead & _separate(a, b) & a.slow & _brought(a, b)


def _put_front(record: Record) -> Bools:
    return _front(record) & ~record.grasped(record.body("a"))


def _drop_front(record: Record) -> Bools:
    return _front(record) & record.dropped(record.body("a"))


def _move_closer(record: Record) -> Bools:
    """The distance of the centres fell by 30%, because of `a`; both stand on the table, apart."""
    a, b = record.body("a"), record.body("b")
    apart = _apart(a, b)
    closer = apart < (1.0 - CLOSER_FRACTION) * apart[:1]
    return closer & _separate(a, b) & _brought(a, b) & record.ever_touched(a)


def _cover(record: Record) -> Bools:
    """`b` lies under `a`: centres within `b`'s radius, `b`'s shadow inside `a`'s, `a` let go of, at rest."""
    a, b = record.body("a"), record.body("b")
    above = (a.pos[..., 2] > b.pos[..., 2]) & (a.top > b.top)
    under = (_apart(a, b) < b.radius) & _within(b, a, COVER_TOLERANCE)
    return above & under & ~record.touched(a) & a.slow & b.on_table & _brought(a, b)


def _uncover(record: Record) -> Bools:
    """The shadows overlapped at first and are disjoint now, `b` stayed within 5 cm and on the table."""
    a, b = record.body("a"), record.body("b")
    gap = _gap(a, b)
    stayed = np.linalg.norm(b.pos - b.pos[:1], axis=-1) < UNCOVER_STAYED
    return (gap[:1] < 0.0) & (gap > 0.0) & stayed & b.on_table & record.ever_touched(a)


def _put_into(record: Record) -> Bools:
    """`a` inside `b`: centre within `b`'s radius, its bottom below `b`'s rim, let go of and at rest."""
    a, b = record.body("a"), record.body("b")
    inside = (_apart(a, b) < b.radius) & (a.bottom < b.top - INTO_DEPTH) & (a.pos[..., 2] > b.bottom)
    return inside & ~record.touched(a) & a.slow & b.on_table & (a.moved > MOVED)


def _drop_into(record: Record) -> Bools:
    return _put_into(record) & record.dropped(record.body("a"))


def _throw_into(record: Record) -> Bools:
    """Inside at last, and on the way in flight: let go of, over 10 cm from the tool, faster than 0.5 m/s."""
    a = record.body("a")
    away = np.linalg.norm(a.pos - record.tool, axis=-1)
    flying = record.dropped(a) & (away > FLIGHT) & (a.speed > FLYING)
    return _put_into(record) & np.logical_or.accumulate(flying, axis=0)


def _tip_over(record: Record) -> Bools:
    """Lies on the table, more than 70 degrees from how it stood, at rest, because of the gripper."""
    a = record.body("a")
    lies = a.touches_table & (a.axes[..., 2, 2] < TIPPED_UP) & (a.pos[..., 2] > a.table)
    # A short blow falls between two recorded steps.
    near = np.logical_or.accumulate(a.distance_of(record.tool) < BLOW, axis=0)
    return lies & a.slow & (record.ever_touched(a) | near)


def _push_with(record: Record) -> Bools:
    """`b` was moved 5 cm by `a`, which the gripper moved without ever touching `b`, and stands."""
    a, b = record.body("a"), record.body("b")
    step = np.linalg.norm(np.diff(b.pos[..., :2], axis=0, prepend=b.pos[:1, :, :2]), axis=-1)
    meets = record.state(f"{a.name}_contact_{b.name}") > 0.5
    by_a = meets | np.concatenate([meets[:1], meets[:-1]])
    shoved = np.cumsum(step * by_a, axis=0) > PUSHED_BY * np.cumsum(step, axis=0)
    stands = b.on_table & b.upright & (np.abs(b.rise) < CARRIED)
    return (b.moved > PUSH_DISTANCE) & shoved & stands & record.ever_touched(a) & ~record.ever_touched(b)


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
}
"""Family (column `family` of the template table) -> condition (T, N)."""
