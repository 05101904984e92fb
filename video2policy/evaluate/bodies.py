"""What the judges see of a recorded episode: objects as boxes or balls over time, and what touched them.

Like `evaluate.judges` it imports nothing of the project and reads no memory state: history is derived from
poses and contacts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# Metres and m/s.
ON_TABLE, SLOW, EVER_LIFTED, BELOW = 0.02, 0.05, 0.02, 0.05
UPRIGHT_UP, ROUND_RATIO = 0.5, 1.15
"""Objects whose largest extent is at most 1.15 times the smallest count as round: balls and cubes tumble, and
of a ball's box the corners are not there. Others are upright within 60 degrees of rest."""
TOOL_NEAR, CARRIED, FLIGHT, FLYING = 0.05, 0.03, 0.10, 0.5
MOVED_BY = 0.5
"""Share of its way that an object must have gone in touch with what moves it."""

ANGLES = np.linspace(0.0, 2.0 * np.pi, 64, endpoint=False)
DIRECTIONS = np.stack([np.cos(ANGLES), np.sin(ANGLES)])  # (2, 64)


class JudgeError(ValueError):
    """The family has no judge, or a role or a recorded state is missing."""


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
    def fallen(self) -> Bools:
        """(T, N): its centre is more than 5 cm below the table top."""
        return self.pos[..., 2] < self.table - BELOW

    @property
    def slow(self) -> Bools:
        return self.speed < SLOW

    @property
    def up(self) -> Floats:
        """(T, N): z of the axis that points up at rest."""
        return self.axes[..., 2, 2]

    @property
    def yaw_steps(self) -> Floats:
        """(T, N): radians turned about the vertical since the row before; 0 in row 0."""
        heading = np.arctan2(self.axes[..., 1, 0], self.axes[..., 0, 0])
        step = np.diff(heading, axis=0, prepend=heading[:1])
        return np.asarray((step + np.pi) % (2 * np.pi) - np.pi)

    @property
    def turn_steps(self) -> Floats:
        """(T, N): radians turned about any axis since the row before; 0 in row 0."""
        before = np.concatenate([self.axes[:1], self.axes[:-1]])
        trace = np.einsum("tnij,tnij->tn", self.axes, before)
        return np.asarray(np.arccos(np.clip((trace - 1) / 2, -1.0, 1.0)))

    @property
    def steps(self) -> Floats:
        """(T, N): metres gone along the table since the row before; 0 in row 0."""
        return np.asarray(
            np.linalg.norm(np.diff(self.pos[..., :2], axis=0, prepend=self.pos[:1, :, :2]), axis=-1)
        )

    @property
    def upright(self) -> Bools:
        """(T, N): within 60 degrees of the resting orientation, or too round for that to mean anything."""
        return (self.axes[..., 2, 2] > UPRIGHT_UP) | self.round

    def reach(self) -> Floats:
        """(T, N, 64): support function of the object's shadow on the table along `DIRECTIONS`."""
        generators = self.axes[..., :2, :] * self.half[..., None, :]  # (T, N, 2, 3)
        box = np.abs(np.einsum("tnik,ij->tnkj", generators, DIRECTIONS)).sum(axis=2)
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
        return ever(self.touched(body))

    def held(self, body: Body) -> Bools:
        """(T, N): touched, with the tool at it."""
        return self.touched(body) & (body.distance_of(self.tool) < TOOL_NEAR)

    def carried(self, body: Body) -> Bools:
        """(T, N): at some time raised by 3 cm between the fingers."""
        return ever((body.rise > CARRIED) & self.grasped(body))

    def flew(self, body: Body) -> Bools:
        """(T, N): at some time let go of after it was raised, over 10 cm from the tool, above 0.5 m/s."""
        away = np.linalg.norm(body.pos - self.tool, axis=-1)
        return ever(self.dropped(body) & (away > FLIGHT) & (body.speed > FLYING))

    def last_touched(self, body: Body, values: Floats) -> Floats:
        """(T, N): `values` (T, N) as they were in the last row in which the gripper touched the object.

        Before it ever did, those of row 0.
        """
        rows = np.arange(len(values))[:, None]
        last = np.maximum.accumulate(np.where(self.touched(body), rows, 0), axis=0)
        return np.asarray(np.take_along_axis(values, last, axis=0))

    def moved_in_touch(self, body: Body) -> Bools:
        """(T, N): at least half of its way so far was gone in the gripper's touch."""
        touched = self.touched(body)
        near = touched | np.concatenate([touched[:1], touched[:-1]])
        return np.cumsum(body.steps * near, axis=0) >= MOVED_BY * np.cumsum(body.steps, axis=0)

    def dropped(self, body: Body) -> Bools:
        """(T, N): raised by the gripper at some time, and let go of now."""
        raised = (body.rise > EVER_LIFTED) & self.touched(body)
        return ever(raised) & ~self.touched(body)


def ever(condition: Bools) -> Bools:
    """(T, N): it held in this row or in one before."""
    return np.logical_or.accumulate(condition, axis=0)


def _matrix(quat: Floats) -> Floats:
    """Rotation matrices (..., 3, 3) of quaternions (..., 4), wxyz."""
    w, x, y, z = np.moveaxis(quat / np.linalg.norm(quat, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def gap_between(a: Body, b: Body) -> Floats:
    """(T, N): distance between the two shadows on the table; negative is the depth of overlap.

    The distance of two convex sets is the largest separation over all directions; 64 of them are within
    0.13% of it.
    """
    between = np.einsum("tni,ij->tnj", b.pos[..., :2] - a.pos[..., :2], DIRECTIONS)
    return np.asarray((between - a.reach() - b.reach()).max(axis=-1))


def lies_within(inner: Body, outer: Body, tolerance: float) -> Bools:
    """(T, N): the shadow of `inner` lies inside that of `outer`."""
    offset = np.einsum("tni,ij->tnj", inner.pos[..., :2] - outer.pos[..., :2], DIRECTIONS)
    return (offset + inner.reach() <= outer.reach() + tolerance).all(axis=-1)


def centres_apart(a: Body, b: Body) -> Floats:
    """(T, N): horizontal distance of the centres."""
    return np.asarray(np.linalg.norm(a.pos[..., :2] - b.pos[..., :2], axis=-1))
