"""What speaks for a candidate being a named object, in numbers: of each candidate, and of two together.

Every trait is a number of order one that means the same in every clip: lengths are in sides of the objects or
in the picture's diagonals. What each is worth is not decided here (perceive/naming.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from video2policy.perceive.candidates import PERSON, Candidate
from video2policy.perceive.nouns import Noun, colour_mask

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

DIRECTIONS = {"push_left": -1.0, "push_right": 1.0}
"""Along x, where the handled object of a family goes."""
ONTO = ("cover", "uncover", "put_into", "drop_into", "put_onto", "drop_onto")
"""Families in which the two objects are at one place at the clip's end, or its start ("uncover")."""
COVERS = ("cover", "uncover")
"""Those of them in which the handled object is the one around the other."""
BEFORE = ("put_front", "drop_front", "put_behind", "drop_behind")
"""Families in which one of the two may hide the other from the camera."""
BORDER = 2
"""Pixels from the picture's border within which a box touches it."""
LEAST_TRAVEL = 0.3
"""Sides that corners go at least if a candidate goes anywhere."""
COMMON_SIDE = 0.13
"""An object's side in diagonals of the picture, as clips of hands mostly show it."""


@dataclass(frozen=True)
class Wanted:
    """A name to be given: what it says, and the object's role ("handled", "other", or "hidden" at first)."""

    name: str
    noun: Noun
    role: str


class Pool:
    """All candidates of a clip, and how they lie to one another: n candidates, boxes (n, 4) in pixels."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self.candidates = list(candidates)
        self.boxes = np.array([c.box for c in candidates], np.float64).reshape(-1, 4)
        self.kinds = np.array([c.view.kind for c in candidates])
        self.sides = np.sqrt(areas(self.boxes))
        self.shape = candidates[0].mask.shape
        self.diagonal = float(np.hypot(*self.shape))

    def __len__(self) -> int:
        return len(self.candidates)

    @cached_property
    def same_view(self) -> Flags:
        return np.asarray(self.kinds[:, None] == self.kinds)

    @cached_property
    def iou(self) -> Array:
        """(n, n) overlap of the boxes, whatever views they are on."""
        return ious(self.boxes, self.boxes)

    @cached_property
    def overlap(self) -> Array:
        """(n, n) shared area of two masks over the smaller one's."""
        coarse = [c.mask[::2, ::2].ravel() for c in self.candidates]
        masks = np.stack(coarse).astype(np.float32)
        area = np.maximum(masks.sum(axis=1), 1)
        return np.asarray(masks @ masks.T / np.minimum(area[:, None], area), np.float64)

    @cached_property
    def likeness(self) -> Array:
        """(n, n) share of two candidates' colours that they have in common."""
        looks = np.stack([c.look for c in self.candidates])
        return np.stack([np.minimum(looks, look).sum(axis=1) for look in looks])

    @cached_property
    def ends(self) -> tuple[Array, Array]:
        """Boxes (n, 4) where each candidate is at the clip's start and at its end; NaN where unknown."""
        found = {"first": np.full_like(self.boxes, np.nan), "last": np.full_like(self.boxes, np.nan)}
        for index, c in enumerate(self.candidates):
            if c.view.kind == "most":
                continue
            away = "last" if c.view.kind == "first" else "first"
            found[c.view.kind][index] = self.boxes[index]
            if c.travel is not None and (c.far or 0.0) > LEAST_TRAVEL:
                go = c.travel if away == "last" else -c.travel
            elif c.end is not None:
                go = c.end - c.centre
            else:
                continue
            found[away][index] = self.boxes[index] + np.tile(go, 2)
        return found["first"], found["last"]

    @cached_property
    def distinct(self) -> Flags:
        """(n, n) whether two candidates can be two things.

        Seen at the clip's two ends, one may be where the other was, if that has changed; but where one
        goes to or comes from there is only itself.
        """
        start, end = self.ends
        moves = ~np.isnan(start[:, 0]) & ~np.isnan(end[:, 0])
        at_ends = (
            (self.kinds[:, None] != self.kinds) & (self.kinds[:, None] != "most") & (self.kinds != "most")
        )
        changed = np.array([c.motion for c in self.candidates]) > 0.5
        other = (changed[:, None] & changed) | (self.likeness < 0.35)
        apart = (self.overlap < 0.4) | (at_ends & other)
        here = {"first": start, "last": end}
        for kind, boxes in here.items():
            # Rows: what moves and is seen at the other end; columns: what is seen at this one.
            rows = np.flatnonzero(moves & (self.kinds == ("last" if kind == "first" else "first")))
            columns = np.flatnonzero(self.kinds == kind)
            free = ious(boxes[rows], self.boxes[columns]) < 0.35
            apart[np.ix_(rows, columns)] = free
        # Where both move, both must be elsewhere than the other; where one does, only its places count.
        both = moves[:, None] & moves
        return np.asarray(np.where(both, apart & apart.T, np.where(moves[:, None], apart, apart.T)))

    @cached_property
    def plain(self) -> dict[str, Array]:
        """Traits (n,) that no name has a part in."""
        cs = self.candidates
        height, width = self.shape
        x0, y0, x1, y1 = self.boxes.T
        size = np.log(self.sides / self.diagonal / COMMON_SIDE)
        agree = self.same_view & (self.iou > 0.6)
        sources = np.array([c.source for c in cs])
        return {
            "thing": _of(cs, "thing"),
            "compact": _of(cs, "salience"),
            "contrast": _of(cs, "contrast"),
            "skin": np.minimum(1, 1.5 * _of(cs, "skin")),
            "size": size,
            "odd size": size**2,
            "border": np.asarray(
                (np.minimum(x0, y0) <= BORDER) | (x1 >= width - BORDER) | (y1 >= height - BORDER), np.float64
            ),
            "low": y1 / height,
            "aside": np.abs((x0 + x1) / 2 / width - 0.5),
            "last": np.asarray(self.kinds == "last", np.float64),
            "most": np.asarray(self.kinds == "most", np.float64),
            "detected": np.asarray(sources == "detector", np.float64),
            "agreement": np.sum(
                [(agree & (sources == source)).any(axis=1) for source in np.unique(sources)], axis=0
            )
            - 1.0,
            "stays": np.where(self.same_view, 0.0, self.iou * self.likeness).max(axis=1, initial=0.0),
            "motion": _of(cs, "motion"),
            "moved": np.array([moved(c) for c in cs]),
            "lost": np.array([float(c.travel is None) for c in cs]),
            "purity": np.array([0.5 if c.purity is None else c.purity for c in cs]),
            "whole": _of(cs, "whole"),
            "all change": _of(cs, "share"),
        }


def _of(candidates: Sequence[Candidate], name: str) -> Array:
    return np.array([getattr(c, name) for c in candidates], np.float64)


def areas(boxes: Array) -> Array:
    return np.asarray(np.prod(np.maximum(boxes[..., 2:] - boxes[..., :2], 0), axis=-1))


def shared(a: Array, b: Array) -> Array:
    """(n, m) shared areas of boxes (n, 4) and (m, 4); NaN where one is unknown."""
    low, high = np.maximum(a[:, None, :2], b[:, :2]), np.minimum(a[:, None, 2:], b[:, 2:])
    return areas(np.concatenate([low, high], axis=-1))


def ious(a: Array, b: Array) -> Array:
    """(n, m) of boxes (n, 4) and (m, 4): shared area over that of the union."""
    common = shared(a, b)
    return np.asarray(common / np.maximum(areas(a)[:, None] + areas(b) - common, 1e-6))


# -------------------------------------------------------------------------------------------- for a name


def class_fit(noun: Noun, candidate: Candidate, seeing: bool) -> float:
    """How well the detector's classes fit a noun. Without a detector (``seeing``) nothing is known."""
    if not seeing:
        return 0.75
    weights, classes = noun.weights(), candidate.classes
    match = float((weights * classes).max())
    other = float(((1 - weights) * classes).max())
    fit = (match + 0.08) / (match + 0.7 * other + 0.08) * (0.5 + 0.5 * min(1.0, match / 0.4))
    known = float(weights.max())  # of a cube the detector knows only what looks like one
    neutral = 0.6 * (1 - min(1.0, 1.5 * float(classes[PERSON])))
    return known**2 * fit + (1 - known**2) * neutral


def match(noun: Noun, candidate: Candidate) -> float:
    """How sure the detector is of a class that the noun may be: 1 from a likelihood of 0.4 on."""
    return min(1.0, float((noun.weights() * candidate.classes).max()) / 0.4)


def moved(candidate: Candidate) -> float:
    """How sure it is that a candidate is what moves, whole, in [0, 1].

    Corners that go somewhere are the best sign; that something is here at one end only is the next, unless
    its corners stay: it is then hidden or uncovered by what moves.
    """
    far = candidate.far
    if far is None:
        sure = 0.75 * candidate.motion
    elif far > 0.25:
        sure = 0.7 + 0.3 * min(1.0, far)
    else:
        sure = 0.5 * candidate.motion
    sure = max(sure, 0.35 * candidate.contact)
    for share in (candidate.coverage, candidate.purity):
        sure *= 1.0 if share is None else 0.45 + 0.55 * share
    return sure


def direction(candidate: Candidate) -> float:
    """Displacement along x from the clip's start to its end, in sides of the candidate; 0 if unknown."""
    dx = 0.0
    if candidate.travel is not None and abs(candidate.travel[0]) > 0.2 * candidate.side:
        dx = float(candidate.travel[0])
    elif candidate.end is not None:
        dx = float(candidate.end[0] - candidate.centre[0])
        dx = -dx if candidate.view.kind == "last" else dx
    return dx / max(candidate.side, 1.0)


def traits(pool: Pool, wanted: Wanted, family: str, seeing: bool) -> dict[str, Array]:
    """All traits (n,) of the candidates for one name. ``seeing``: there is a detector."""
    noun, cs = wanted.noun, pool.candidates
    found = dict(pool.plain)
    found["class"] = np.log([class_fit(noun, c, seeing) for c in cs])
    found["match"] = np.array([match(noun, c) for c in cs])
    found["colour"] = np.log(0.02 + 0.98 * np.minimum(1.0, 1.2 * colour_share(pool, noun)))
    way = DIRECTIONS.get(family, 0.0)
    found["direction"] = np.clip([2 * way * direction(c) for c in cs], -1, 1)
    hidden, covered = float(wanted.role == "hidden"), float(family == "cover")
    found["hidden: last"] = hidden * found["last"]
    found["hidden: motion"] = hidden * found["motion"]
    found["covered: motion"] = covered * found["motion"]
    return found


def colour_share(pool: Pool, noun: Noun) -> Array:
    """Share (n,) of each candidate that has the colour of the name: 1 without a colour word."""
    if noun.colour is None:
        return np.ones(len(pool))
    views = {c.view.kind: c.view.image for c in pool.candidates}
    coloured = {kind: colour_mask(image, noun.colour) for kind, image in views.items()}
    return np.array([float(coloured[c.view.kind][c.mask].mean()) for c in pool.candidates])


# ---------------------------------------------------------------------------------------------- together


def pair_traits(pool: Pool, family: str) -> dict[str, Array]:
    """Traits (n, n) of a candidate for the handled object (rows) with one for another object (columns).

    What counts is where they meet: at the clip's end, or at its start where the one uncovers the other.
    """
    start, end = pool.ends
    meet = start if family == "uncover" else end
    centres = (pool.boxes[:, :2] + pool.boxes[:, 2:]) / 2
    side = (pool.sides[:, None] + pool.sides) / 2
    distance = np.linalg.norm(_centres(meet)[:, None] - centres, axis=-1)
    before = np.linalg.norm(_centres(start)[:, None] - centres, axis=-1)
    inside = shared(meet, pool.boxes) / np.minimum(pool.sides[:, None], pool.sides) ** 2
    level = np.minimum(np.abs(meet[:, None, 3] - pool.boxes[:, 3]) / side, 3)
    onto, covers = float(family in ONTO), 1.0 if family in COVERS else -1.0
    found = {
        "beside: distance": (1 - onto) * np.minimum(distance / side, 4),
        "distance": distance / pool.diagonal,
        "onto: overlap": onto * inside,
        "beside: overlap": float(family not in ONTO + BEFORE) * inside,
        "onto: level": onto * level,
        "beside: level": (1 - onto) * level,
        "nearer": float(family != "uncover") * (before - distance) / pool.diagonal,
        "onto: size": onto * covers * np.log(pool.sides[:, None] / pool.sides),
    }
    # Where it is not known where they meet, nothing speaks for or against it.
    return {name: np.where(np.isnan(values), _mean(values), values) for name, values in found.items()}


def _mean(values: Array) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else 0.0


def _centres(boxes: Array) -> Array:
    return np.asarray((boxes[:, :2] + boxes[:, 2:]) / 2)
