"""Which candidate is which named object: one score from all evidence, and all names decided together.

A candidate's score for a name is a product of factors in (0, 1], one for each kind of evidence: class,
colour, how it moves (the handled object moves, the other rests), shape. No factor is zero for lack of
evidence, so that what one kind of evidence misses another can carry. Names are then given out jointly: no two
take the same thing, and where the handled object ends up speaks for the object that it is brought to.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from video2policy.mask import area, box_iou
from video2policy.perceive.candidates import PERSON, Candidate
from video2policy.perceive.nouns import Noun, colour_mask

SHORTLIST = 10
"""Candidates for each name that are tried with those of the other names."""
DIRECTIONS = {"push_left": -1.0, "push_right": 1.0}
"""Along x, where the handled object of a family goes."""
VIEW_WEIGHT = {
    "handled": {"first": 1.0, "last": 0.65, "most": 0.5},
    "other": {"first": 1.0, "last": 0.75, "most": 0.9},
    "hidden": {"first": 0.4, "last": 1.0, "most": 0.7},
}
"""How much a view is worth for an object of a role: where it is plainly seen."""


BORDER = 2
"""Pixels from the picture's border within which a box touches it."""
SLIVER, CUT_OFF = 0.35, 0.2
"""A box that touches the border is a sliver when it is narrower than this share of its length; its factor."""


@dataclass(frozen=True)
class Wanted:
    """A name to be given: what it says, and the object's role ("handled", "other", or "hidden" at first)."""

    name: str
    noun: Noun
    role: str


@dataclass
class Choice:
    """A candidate for a name: the score, and each kind of evidence's factor."""

    candidate: Candidate
    score: float
    factors: dict[str, float] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """The kind of evidence that told this candidate from others, the strongest first."""
        told = [(v, k) for k, v in self.factors.items() if k in ("detector", "colour", "motion", "contact")]
        strong = [k for v, k in sorted(told, reverse=True) if v > 0.3]
        return ", ".join(strong[:2]) or "salience"


def class_factor(noun: Noun, candidate: Candidate, seeing: bool) -> float:
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


def colour_factor(noun: Noun, candidate: Candidate) -> float:
    """Whether a region has the colour that the name says: 1 without a colour word."""
    if noun.colour is None:
        return 1.0
    share = float(colour_mask(candidate.view.image, noun.colour)[candidate.mask].mean())
    return 0.02 + 0.98 * min(1.0, 1.2 * share) if share > 0.2 else 0.02


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


def direction(candidate: Candidate) -> float | None:
    """Displacement along x from the clip's start to its end, in sides of the candidate; None if unknown."""
    if candidate.travel is not None and abs(candidate.travel[0]) > 0.2 * candidate.side:
        dx = float(candidate.travel[0])
    elif candidate.end is not None:
        dx = float(candidate.end[0] - candidate.centre[0])
        dx = -dx if candidate.view.kind == "last" else dx
    else:
        return None
    return dx / max(candidate.side, 1.0)


def role_factor(role: str, candidate: Candidate, family: str) -> float:
    """Whether a candidate moves as its role has it."""
    if role == "handled":
        value = 0.1 + 0.9 * moved(candidate)
        wanted = DIRECTIONS.get(family)
        if wanted:
            dx = direction(candidate)
            value *= 0.75 if dx is None else 1.0 if wanted * dx > 0.2 else 0.25
        return value
    if role == "hidden" and candidate.view.kind == "last":
        return 0.4 + 0.6 * candidate.motion
    # What rests may be hidden by what is brought to it; that looks like having gone.
    far = candidate.far or 0.0
    return (1 - 0.35 * candidate.motion) * (1 - 0.7 * min(1.0, max(0.0, far - 0.1) / 0.4))


def shape_factor(candidate: Candidate, shape: tuple[int, int]) -> float:
    """Whether it looks like one thing of a plausible size, apart from hands."""
    share = candidate.side**2 / (shape[0] * shape[1])
    size = min(1.0, share / 0.01) ** 0.3 if share < 0.12 else max(0.15, 1 - (share - 0.12) / 0.2)
    fit = 0.3 + 0.7 * max(candidate.thing, 0.85 * candidate.salience)
    fit *= 0.4 + 0.6 * min(1.0, candidate.contrast / 0.7)
    fit *= CUT_OFF if is_cut_off(candidate.box, shape) else 1.0
    return size * fit * (1 - min(1.0, 1.5 * candidate.skin))


def is_cut_off(box: Sequence[float], shape: tuple[int, int]) -> bool:
    """Whether a box (x0, y0, x1, y1) is a sliver along the picture's border (rows, columns): what comes in
    there, an arm above all, or most of it is outside."""
    x0, y0, x1, y1 = box
    wide, high = max(x1 - x0, 1e-6), max(y1 - y0, 1e-6)
    beside = x0 <= BORDER or x1 >= shape[1] - BORDER
    across = y0 <= BORDER or y1 >= shape[0] - BORDER
    return (beside and wide < SLIVER * high) or (across and high < SLIVER * wide)


def choices(wanted: Wanted, candidates: Sequence[Candidate], family: str, seeing: bool) -> list[Choice]:
    """All candidates with their scores for one name, best first."""
    found = []
    for candidate in candidates:
        factors = {
            "class": class_factor(wanted.noun, candidate, seeing),
            "colour word": colour_factor(wanted.noun, candidate),
            "role": role_factor(wanted.role, candidate, family),
            "shape": shape_factor(candidate, candidate.mask.shape),
            "view": VIEW_WEIGHT[wanted.role][candidate.view.kind],
        }
        score = float(np.prod(list(factors.values())))
        told = {
            "detector": min(1.0, float((wanted.noun.weights() * candidate.classes).max()) / 0.35),
            "colour": 1.2 * factors["colour word"] if wanted.noun.colour else 0.0,
            "motion": moved(candidate) if wanted.role == "handled" else 0.0,
            "contact": 0.6 * candidate.contact if wanted.role == "handled" else 0.0,
        }
        found.append(Choice(candidate, score, factors | told))
    whole(found)
    placed(wanted.noun, found)
    return sorted(found, key=lambda c: -c.score)


def whole(found: Sequence[Choice]) -> None:
    """Prefer a thing to its parts: what lies in something that fits nearly as well is worth less, the more so
    when both move alike."""
    boxes = np.array([c.candidate.box for c in found]).reshape(-1, 4)
    scores = np.array([c.score for c in found])
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    for index, choice in enumerate(found):
        part, box = choice.candidate, boxes[index]
        shared = np.clip(np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2]), 0, None)
        around = (np.prod(shared, axis=1) > 0.9 * areas[index]) & (areas > 1.6 * areas[index])
        around &= (areas < 5 * areas[index]) & (scores > 0.6 * scores[index])
        for other in np.flatnonzero(around).tolist():
            larger = found[other].candidate
            alike = larger.view.kind == part.view.kind and (
                scores[other] > 0.75 * scores[index] or carried_alike(part, larger)
            )
            if alike:
                choice.score = 0.55 * scores[index]
                break


def carried_alike(a: Candidate, b: Candidate) -> bool:
    """Whether two candidates go the same way, far enough to tell."""
    if a.travel is None or b.travel is None or (a.far or 0.0) < 0.3:
        return False
    return float(np.linalg.norm(a.travel - b.travel)) < 0.2 * float(np.linalg.norm(a.travel))


def placed(noun: Noun, found: Sequence[Choice]) -> None:
    """Weigh the choices by words of place and size, among those that are otherwise likely."""
    best = max((c.score for c in found), default=0.0)
    likely = [c for c in found if c.score > 0.4 * best]
    for axis, target in noun.places:
        values = np.array([_coordinate(c.candidate, axis) for c in likely])
        spread = float(np.ptp(values))
        if spread < 0.5 * float(np.median([c.candidate.side for c in likely])):
            continue
        for choice in found:
            rank = 2 * (_coordinate(choice.candidate, axis) - values.min()) / spread - 1
            choice.score *= 0.3 + 0.7 * (1 - min(1.0, abs(rank - target) / 2))


def _coordinate(candidate: Candidate, axis: str) -> float:
    x, y = candidate.centre
    return {"x": float(x), "y": float(y), "size": candidate.side}[axis]


# ------------------------------------------------------------------------------------------------ jointly


def overlap(a: Candidate, b: Candidate) -> float:
    """Shared area over the smaller of the two areas."""
    return area(a.mask & b.mask) / max(1, min(area(a.mask), area(b.mask)))


def compatible(a: Candidate, b: Candidate) -> bool:
    """Whether two candidates can be two things.

    Seen at the clip's two ends, one may be where the other was; but where one goes to or comes from there is
    only itself.
    """
    if {a.view.kind, b.view.kind} != {"first", "last"}:
        return overlap(a, b) < 0.4
    first, last = (a, b) if a.view.kind == "first" else (b, a)
    moves = [c.travel for c in (first, last) if c.travel is not None and (c.far or 0.0) > 0.3]
    if not moves:
        return overlap(a, b) < 0.4
    starts, ends = np.array(first.box), last.box
    return all(box_iou((starts + np.tile(travel, 2)).tolist(), ends) < 0.35 for travel in moves)


def closeness(goal: NDArray[np.float64], candidate: Candidate) -> float:
    """1 at the goal (x, y), falling with the distance over the frame's diagonal."""
    distance = float(np.linalg.norm(candidate.centre - goal)) / float(np.hypot(*candidate.mask.shape))
    return float(np.exp(-0.5 * (distance / 0.17) ** 2))


def arrival(candidate: Candidate) -> NDArray[np.float64] | None:
    """Where (x, y) a handled candidate is when the clip ends."""
    if candidate.view.kind == "last":
        return candidate.centre
    if candidate.travel is not None and candidate.far is not None and candidate.far > 0.3:
        return np.asarray(candidate.centre + candidate.travel)
    return candidate.end


def assign(
    listed: Mapping[str, Sequence[Choice]], handled: str, taken: Mapping[str, Candidate]
) -> dict[str, Choice]:
    """The choice for each name under which all fit together best; {} if there is none.

    Args:
        listed: the names' choices, best first.
        handled: the name that the hand moves.
        taken: what the sheet has placed already.
    """
    names = list(listed)
    fixed = dict(taken)
    best: tuple[float, dict[str, Choice]] = (0.0, {})
    for combination in itertools.product(*(listed[name][:SHORTLIST] for name in names)):
        chosen = dict(zip(names, combination, strict=True))
        things = {name: choice.candidate for name, choice in chosen.items()} | fixed
        total = float(np.prod([choice.score for choice in combination]))
        if total <= best[0] or not all(
            compatible(a, b) for a, b in itertools.combinations(things.values(), 2)
        ):
            continue
        goal = arrival(things[handled]) if handled in things else None
        if goal is not None:
            for name, choice in chosen.items():
                if name != handled:
                    total *= 0.25 + 0.75 * closeness(goal, choice.candidate)
        if total > best[0]:
            best = (total, chosen)
    return best[1]
