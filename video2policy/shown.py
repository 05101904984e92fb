"""Whether the poses of a clip show what its caption says: the last gate before a task is written.

What was found or followed wrongly hardly ever ends up where the caption wants it. The conditions are loose
and in units of the objects' own sizes, for sizes and distances may be off by a fifth; what counts as success
in training is decided elsewhere (video2policy.author, video2policy.evaluate.judges).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from video2policy import pose
from video2policy.perceive.verdict import Verdict
from video2policy.scene import CONFIDENT, Scene, SceneObject

Array = NDArray[np.float64]

MOVED = 0.3
"""An object moved when it went this share of its longest side."""

RISE = 0.3
"""It was lifted when its centre rose by this share of its height."""

BESIDE = 1.0
"""Things are next to each other with a gap of at most this share of their summed radii, or `NEAR` metres."""

NEAR = 0.05
TIPPED = 45.0
"""It fell over when it ends at least so many degrees from how it stood."""

CLOSER = 0.9
"""It came closer when the gap between the centres shrank to this share."""


@dataclass(frozen=True)
class Ends:
    """First and last places of the object that acts, `a`, and of the one it is related to, `b`, if any."""

    a: SceneObject
    b: SceneObject | None = None

    @property
    def step(self) -> Array:
        """Way of `a` (3,), metres: x away from the camera, y to the left, z up."""
        return np.subtract(self.a.last.pos, self.a.first.pos)

    @property
    def longest(self) -> float:
        return max(self.a.size)

    @cached_property
    def rise(self) -> float:
        """Highest that the centre of `a` was over its first place, metres, a few frames that err left out."""
        heights = [
            matrix[2][3]
            for matrix, sure in zip(self.a.world_from_object, self.a.confidence, strict=True)
            if matrix is not None and sure >= CONFIDENT
        ]
        return float(np.percentile(heights, 90)) - self.a.first.pos[2] if heights else 0.0

    @property
    def moved(self) -> bool:
        return float(np.linalg.norm(self.step)) >= MOVED * self.longest

    @property
    def other(self) -> SceneObject:
        assert self.b is not None, "the family has two roles"
        return self.b

    def apart(self, at: str) -> float:
        """Horizontal distance of the centres `at` "first" or "last", metres."""
        a, b = getattr(self.a, at).pos, getattr(self.other, at).pos
        return float(np.hypot(a[0] - b[0], a[1] - b[1]))

    @property
    def radii(self) -> float:
        return _radius(self.a) + _radius(self.other)

    @property
    def beside(self) -> float:
        """Largest distance of the centres at which they are next to each other, metres."""
        return self.radii + max(BESIDE * self.radii, NEAR)


Condition = Callable[[Ends], str | None]
"""What `a` did instead of what the caption says, as the end of a sentence; None where it did that."""


def _radius(item: SceneObject) -> float:
    return float(np.mean(item.size[:2])) / 2


def _moved(condition: Condition) -> Condition:
    """A condition on what `a` did, if it moved at all."""

    def checked(ends: Ends) -> str | None:
        if not ends.moved:
            return f"moves by {_cm(float(np.linalg.norm(ends.step)))} and is {_cm(ends.longest)} long"
        return condition(ends)

    return checked


def _aside(sign: int) -> Condition:
    def condition(ends: Ends) -> str | None:
        ahead, aside = float(ends.step[0]), float(ends.step[1])
        if sign * aside >= max(MOVED * ends.longest, 0.5 * abs(ahead)):
            return None
        side = "left" if aside > 0 else "right"
        return f"went {_cm(abs(aside))} to the {side} and {_cm(abs(ahead))} along the line of sight"

    return _moved(condition)


def _within(limit: Callable[[Ends], float]) -> Condition:
    """At last the centres are no farther apart than `limit` metres."""

    def condition(ends: Ends) -> str | None:
        if ends.apart("last") > limit(ends):
            return f"ends {_cm(ends.apart('last'))} from {ends.other.label}, centre to centre"
        return None

    return _moved(condition)


def _front(ends: Ends) -> str | None:
    ahead = ends.other.last.pos[0] - ends.a.last.pos[0]
    if ahead <= 0:
        return f"ends {_cm(-ahead)} behind {ends.other.label}"
    return f"ends {_cm(ahead)} before {ends.other.label}" if ahead > 2 * ends.beside else None


def _closer(ends: Ends) -> str | None:
    if ends.apart("last") <= CLOSER * ends.apart("first"):
        return None
    return (
        f"is {_cm(ends.apart('last'))} from {ends.other.label} at last, {_cm(ends.apart('first'))} at first"
    )


def _lifted(ends: Ends) -> str | None:
    if ends.rise >= RISE * ends.a.size[2]:
        return None
    return f"rises by {_cm(ends.rise)} and is {_cm(ends.a.size[2])} high"


def _tipped(ends: Ends) -> str | None:
    up = pose.matrix_from_quat(ends.a.from_rest(ends.a.last.quat))[2, 2]
    angle = float(np.degrees(np.arccos(np.clip(up, -1, 1))))
    return None if angle >= TIPPED else f"ends {angle:.0f} degrees from how it stood"


def _shoved(ends: Ends) -> str | None:
    way = float(np.hypot(*np.subtract(ends.other.last.pos, ends.other.first.pos)[:2]))
    if way < MOVED * max(ends.other.size):
        return f"is said to push {ends.other.label}, which moves by {_cm(way)}"
    return NEXT(ends)


def _cm(metres: float) -> str:
    return f"{100 * metres:.1f} cm"


NEXT = _within(lambda ends: ends.beside)
FRONT = _moved(_front)
MEET = _within(lambda ends: ends.radii)
"""Over or into: the places that they take up on the table overlap."""

SHOWN: Mapping[str, Condition] = {
    "lift": _lifted,
    "push_left": _aside(1),
    "push_right": _aside(-1),
    "put_next": NEXT,
    "drop_next": NEXT,
    "put_front": FRONT,
    "drop_front": FRONT,
    "move_closer": _closer,
    "cover": MEET,
    "uncover": _moved(lambda ends: None),
    "put_into": MEET,
    "drop_into": MEET,
    "throw_into": MEET,
    "tip_over": _tipped,
    "push_with": _shoved,
}


def shown(scene: Scene) -> Verdict:
    """Whether first and last poses are what the caption says. A family that has no condition passes."""
    method = "relation of the first and last poses"
    condition = SHOWN.get(scene.task.family)
    if condition is None:
        return Verdict(
            "caption", True, "none", 0.5, better=f"no condition for the family {scene.task.family}"
        )
    roles = scene.task.roles
    ends = Ends(scene.object(roles["a"]), scene.object(roles["b"]) if "b" in roles else None)
    instead = condition(ends)
    if instead is None:
        return Verdict("caption", True, method, 1.0)
    return Verdict(
        "caption",
        False,
        method,
        0.0,
        f'the clip is called "{scene.task.caption}", but {ends.a.label} {instead}: look at objects.png and '
        "give boxes or points in the sheet if something else was found, or correct the caption",
    )
