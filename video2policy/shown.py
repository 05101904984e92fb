"""Whether the poses of a clip show what its caption says: the last gate before a task is written.

What was found or followed wrongly hardly ever ends up where the caption wants it. The conditions are loose
and in units of the objects' own sizes, for sizes and distances may be off by a fifth; what counts as success
in training is decided elsewhere (video2policy.author, video2policy.evaluate.judges).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
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

TURNED_OVER = 120.0
LEANT = 10.0
"""It was turned over, or raised at one end, when it was turned by at least so many degrees."""

NUDGED, POKED = 0.1, 1.5
"""What is poked goes at least, and what is touched, poked or spun at most, so many times its longest side."""

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
    def way(self) -> float:
        """Metres from the first place to the last."""
        return float(np.linalg.norm(self.step))

    @cached_property
    def matrices(self) -> Array:
        """world_from_object of `a` in its confident frames, (n, 4, 4)."""
        sure = [
            matrix
            for matrix, sure in zip(self.a.world_from_object, self.a.confidence, strict=True)
            if matrix is not None and sure >= CONFIDENT
        ]
        return np.reshape(np.array(sure, dtype=float), (-1, 4, 4))

    @cached_property
    def highest(self) -> float:
        """Highest that the centre of `a` was, metres, a few frames that err left out."""
        heights = self.matrices[:, 2, 3]
        return float(np.percentile(heights, 90)) if len(heights) else self.a.first.pos[2]

    @property
    def rise(self) -> float:
        """Highest that the centre of `a` was over its first place, metres."""
        return self.highest - self.a.first.pos[2]

    @property
    def sink(self) -> float:
        """How far the centre of `a` ends below its highest place, metres."""
        return self.highest - self.a.last.pos[2]

    def tilt(self, at: str) -> float:
        """Degrees between the axis of `a` that points up at rest and the vertical, `at` "first" or "last"."""
        return _degrees(pose.matrix_from_quat(self.a.from_rest(getattr(self.a, at).quat)))

    @property
    def steepest(self) -> float:
        """The same where it was largest, a few frames that err left out."""
        rest = pose.matrix_from_quat(self.a.rest_quat)
        tilts = [_degrees(matrix[:3, :3] @ rest.T) for matrix in self.matrices]
        return float(np.percentile(tilts, 90)) if tilts else 0.0

    @property
    def moved(self) -> bool:
        return self.way >= MOVED * self.longest

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


def _degrees(rotation: Array) -> float:
    return float(np.degrees(np.arccos(np.clip(rotation[2, 2], -1, 1))))


def _radius(item: SceneObject) -> float:
    return float(np.mean(item.size[:2])) / 2


def _moved(condition: Condition) -> Condition:
    """A condition on what `a` did, if it moved at all."""

    def checked(ends: Ends) -> str | None:
        if not ends.moved:
            return f"moves by {_cm(ends.way)} and is {_cm(ends.longest)} long"
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


def _there(limit: Callable[[Ends], float]) -> Condition:
    """At last the centres are no farther apart than `limit` metres."""

    def condition(ends: Ends) -> str | None:
        if ends.apart("last") > limit(ends):
            return f"ends {_cm(ends.apart('last'))} from {ends.other.label}, centre to centre"
        return None

    return condition


def _within(limit: Callable[[Ends], float]) -> Condition:
    """The same, for what moved there in the clip."""
    return _moved(_there(limit))


def _in_depth(side: int) -> Condition:
    """At last on the camera's `side` (1) of the other object, or behind it (-1), and not far from it."""

    def condition(ends: Ends) -> str | None:
        ahead = ends.other.last.pos[0] - ends.a.last.pos[0]
        if 0 < side * ahead <= 2 * ends.beside:
            return None
        return f"ends {_cm(abs(ahead))} {'before' if ahead > 0 else 'behind'} {ends.other.label}"

    return condition


def _along_sight(sign: int) -> Condition:
    """Moved away from the camera (1) or towards it (-1)."""

    def condition(ends: Ends) -> str | None:
        ahead, aside = float(ends.step[0]), float(ends.step[1])
        if sign * ahead >= max(MOVED * ends.longest, 0.5 * abs(aside)):
            return None
        where = "away from" if ahead > 0 else "towards"
        return f"went {_cm(abs(ahead))} {where} the camera and {_cm(abs(aside))} sideways"

    return _moved(condition)


def _away(ends: Ends) -> str | None:
    if ends.apart("last") * CLOSER >= ends.apart("first"):
        return None
    return (
        f"is {_cm(ends.apart('last'))} from {ends.other.label} at last, {_cm(ends.apart('first'))} at first"
    )


def _from(condition: Condition) -> Condition:
    """At first over or in the other object."""

    def checked(ends: Ends) -> str | None:
        if ends.apart("first") > ends.radii:
            return f"begins {_cm(ends.apart('first'))} from {ends.other.label}, centre to centre"
        return condition(ends)

    return checked


def _from_behind(ends: Ends) -> str | None:
    depth = ends.a.first.pos[0] - ends.other.first.pos[0]
    return None if depth > 0 else f"begins {_cm(-depth)} before {ends.other.label}"


def _aloft(ends: Ends) -> str | None:
    under = ends.a.last.pos[2] - ends.a.size[2] / 2
    if under >= RISE * ends.a.size[2] or _lifted(ends) is None:
        return None
    return f"ends {_cm(max(under, 0.0))} over the table and is {_cm(ends.a.size[2])} high"


def _stays(ends: Ends) -> str | None:
    if ends.way <= POKED * ends.longest:
        return None
    return f"moves by {_cm(ends.way)} and is {_cm(ends.longest)} long"


def _nudged(ends: Ends) -> str | None:
    if ends.way < NUDGED * ends.longest:
        return f"moves by {_cm(ends.way)} and is {_cm(ends.longest)} long"
    return _stays(ends)


def _sinks(ends: Ends) -> str | None:
    if ends.sink >= RISE * ends.a.size[2]:
        return None
    return f"ends {_cm(ends.sink)} below its highest place and is {_cm(ends.a.size[2])} high"


def _down(ends: Ends) -> str | None:
    under = ends.a.last.pos[2] - ends.a.size[2] / 2
    return None if under <= ends.a.size[2] else f"ends {_cm(under)} over the table"


def _flung(ends: Ends) -> str | None:
    return None if ends.moved or _lifted(ends) is None else f"moves by {_cm(ends.way)} and hardly rises"


def _stood_up(ends: Ends) -> str | None:
    first, last = ends.tilt("first"), ends.tilt("last")
    if first >= TIPPED > last:
        return None
    return f"begins {first:.0f} and ends {last:.0f} degrees from how it is taken to stand"


def _turned_over(ends: Ends) -> str | None:
    angle = abs(ends.tilt("last") - ends.tilt("first"))
    return None if angle >= TURNED_OVER else f"is turned over by {angle:.0f} degrees"


def _leant(ends: Ends) -> str | None:
    return None if ends.steepest >= LEANT else f"is never tilted by more than {ends.steepest:.0f} degrees"


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
    angle = ends.tilt("last")
    return None if angle >= TIPPED else f"ends {angle:.0f} degrees from how it stood"


def _shoved(ends: Ends) -> str | None:
    way = float(np.hypot(*np.subtract(ends.other.last.pos, ends.other.first.pos)[:2]))
    if way < MOVED * max(ends.other.size):
        return f"is said to push {ends.other.label}, which moves by {_cm(way)}"
    return NEXT(ends)


def _cm(metres: float) -> str:
    return f"{100 * metres:.1f} cm"


MOVES = _moved(lambda ends: None)
NEXT = _within(lambda ends: ends.beside)
FRONT = _moved(_in_depth(1))
BEHIND = _moved(_in_depth(-1))
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
    "uncover": MOVES,
    "put_into": MEET,
    "drop_into": MEET,
    "throw_into": MEET,
    "tip_over": _tipped,
    "push_with": _shoved,
    "push_any": MOVES,
    "poke_move": _nudged,
    "touch": _stays,
    "push_off_edge": MOVES,
    "push_near_edge": MOVES,
    "pull_left": _aside(1),
    "pull_right": _aside(-1),
    "push_off": _from(MOVES),
    "push_onto": MEET,
    "pull_onto": MEET,
    "move_away": _moved(_away),
    "move_to_cam": _along_sight(-1),
    "move_away_cam": _along_sight(1),
    "pull_from_behind": _moved(_from_behind),
    "remove_reveal": MOVES,
    "put_behind": BEHIND,
    "drop_behind": BEHIND,
    "hold": _aloft,
    "hold_next": _there(lambda ends: ends.beside),
    "hold_front": _in_depth(1),
    "hold_behind": _in_depth(-1),
    "hold_over": _there(lambda ends: ends.radii),
    "put_onto": MEET,
    "drop_onto": MEET,
    "take_out": _from(MOVES),
    "lift_with": _lifted,
    "lay_side": _tipped,
    "upright": _stood_up,
    "upside_down": _turned_over,
    "lift_end": _leant,
    "lift_end_drop": _leant,
    "roll": MOVES,
    "spin": _stays,
    "spin_stop": _stays,
    "put_surface": _down,
    "put_still": _down,
    "move_down": _sinks,
    "drop": _sinks,
    "lift_drop": _sinks,
    "throw": _flung,
    "throw_surface": _flung,
    "throw_up": _lifted,
    "throw_against": NEXT,
}


def _ends(scene: Scene) -> Ends:
    roles = scene.task.roles
    return Ends(scene.object(roles["a"]), scene.object(roles["b"]) if "b" in roles else None)


def flips(scene: Scene, family: str) -> bool:
    """Whether the clip does what `family` says, and would not if all objects had stayed where they were."""
    ends = _ends(scene)
    still = replace(ends, a=_at_first(ends.a), b=_at_first(ends.b) if ends.b is not None else None)
    return SHOWN[family](ends) is None and SHOWN[family](still) is not None


def _at_first(item: SceneObject) -> SceneObject:
    matrices = [None if matrix is None else item.first.matrix().tolist() for matrix in item.world_from_object]
    return replace(item, last=item.first, world_from_object=matrices)


def choose(scene: Scene, alternatives: Sequence[str]) -> Scene:
    """`scene` with the first family that its clip shows: the caption's own, or one of `alternatives`.

    Where it shows none of them, it is the first one that is true of both ends, such as a thing that was only
    touched; else the caption's own stays.
    """
    families = (scene.task.family, *alternatives)
    shows = [family for family in families if flips(scene, family)]
    fits = [family for family in families if SHOWN[family](_ends(scene)) is None]
    family = next(iter(shows + fits), scene.task.family)
    return replace(scene, task=replace(scene.task, family=family))


def shown(scene: Scene) -> Verdict:
    """Whether first and last poses are what the caption says. A family that has no condition passes."""
    method = "relation of the first and last poses"
    condition = SHOWN.get(scene.task.family)
    if condition is None:
        return Verdict(
            "caption", True, "none", 0.5, better=f"no condition for the family {scene.task.family}"
        )
    ends = _ends(scene)
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
