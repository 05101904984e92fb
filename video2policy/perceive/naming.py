"""Which candidate is which named object: one probability from all evidence, and all names decided together.

The traits of a choice (perceive/traits.py), each times its weight, add up to log-odds: one candidate for each
name, together, is as probable as the exponential of its sum is large among those of all such choices. Given
where the handled object is, the others do not depend on each other, so that no choice needs to be tried out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from video2policy.perceive.candidates import Candidate
from video2policy.perceive.traits import Pool, Wanted, colour_share, match, moved, pair_traits, traits

Array = NDArray[np.float64]

# Fitted by `python -m bench.fit_naming SHEET` on the suite's seeds 0 to 9 (docs/grounding.md).
WEIGHTS: dict[str, dict[str, float]] = {
    "handled": {
        "class": 0.84,
        "match": 3.63,
        "thing": 3.72,
        "colour": 0.5,
        "compact": 0.9,
        "skin": -1.93,
        "size": 0.57,
        "odd size": -1.15,
        "border": -0.71,
        "low": 2.92,
        "aside": -2.59,
        "most": -1.24,
        "detected": 2.22,
        "agreement": 0.25,
        "stays": -3.02,
        "motion": 1.58,
        "moved": 1.52,
        "purity": 1.02,
        "whole": 3.26,
        "all change": 1.04,
        "direction": 2.0,
    },
    "other": {
        "class": 1.42,
        "match": 4.41,
        "thing": 2.7,
        "colour": 0.5,
        "compact": -0.01,
        "contrast": 2.92,
        "size": 0.48,
        "odd size": -0.35,
        "border": -0.88,
        "low": 3.59,
        "aside": -2.3,
        "last": -0.84,
        "detected": 2.57,
        "agreement": 0.99,
        "stays": 0.84,
        "motion": 0.96,
        "moved": -0.1,
        "lost": -0.86,
        "purity": -1.4,
        "all change": -2.14,
        "hidden: last": 0.93,
        "hidden: motion": 1.79,
        "covered: motion": 2.88,
    },
    "together": {
        "beside: distance": -0.42,
        "distance": -2.02,
        "onto: overlap": 3.55,
        "beside: overlap": -1.65,
        "onto: level": -0.3,
        "beside: level": -1.17,
        "nearer": 2.02,
        "onto: size": -0.25,
    },
}
"""What each trait adds to the log-odds: of a candidate for the handled object, for another, and of both."""
CERTAINTY = (0.53, 2.15)
"""Offset and slope from the log-odds of a place to those of its being right, fitted likewise."""
MOST_SURE = 0.99
"""Those that were measured allow no higher probability."""
VIEWS = {
    "handled": {"first": 1.0, "last": 0.8, "most": 0.6},
    "held": {"first": 1.0, "last": 0.1, "most": 0.6},
    "other": {"first": 1.0, "last": 0.8, "most": 0.9},
    "hidden": {"first": 1.0, "last": 1.0, "most": 1.0},
}
"""What a view is worth where the object is on several: later stages do best from the clip's start on.

What is lifted is held by the hand at last, which hides a part of it.
"""
SAME_PLACE = 0.5
"""Candidates whose boxes share more of their union are at one place."""
IMPOSSIBLE = -1e9


@dataclass(frozen=True)
class Choice:
    """A candidate for a name, how likely it is right if any is, and the evidence that tells it from others.

    `odds` is what speaks for it by itself: low where the clip does not show what is named.
    """

    candidate: Candidate
    score: float
    method: str
    odds: float


def log_odds(found: Mapping[str, Array], kind: str) -> Array:
    """Weighted sum of traits: ``kind`` is a key of WEIGHTS."""
    return np.asarray(sum(weight * found[name] for name, weight in WEIGHTS[kind].items()), np.float64)


def placed(pool: Pool, wanted: Wanted, odds: Array) -> Array:
    """The log-odds (n,) weighed by words of place and size, among those that are otherwise likely."""
    likely = odds > odds.max() - 3.0
    for axis, target in wanted.noun.places:
        values = {"x": pool.boxes[:, ::2].mean(axis=1), "y": pool.boxes[:, 1::2].mean(axis=1)}.get(
            axis, pool.sides
        )
        low, spread = values[likely].min(), float(np.ptp(values[likely]))
        if spread > 0.5 * float(np.median(pool.sides[likely])):
            rank = 2 * (values - low) / spread - 1
            odds = odds + 4 * np.log(0.3 + 0.7 * (1 - np.clip(np.abs(rank - target) / 2, 0, 1)))
    return odds


def assign(
    pool: Pool,
    wanted: Sequence[Wanted],
    handled: str,
    taken: Mapping[str, int],
    family: str = "",
    seeing: bool = True,
) -> dict[str, Choice]:
    """The candidate for each name; {} where no two things can be told apart.

    Args:
        handled: the name that the hand moves; of none if it is neither wanted nor taken.
        taken: candidates (their indices in the pool) of names that the sheet has placed already.
        family: task family, for the direction of a push and where the objects meet.
        seeing: there was a detector.
    """
    odds: dict[str, Array] = {}
    for w in wanted:
        found = traits(pool, w, family, seeing)
        odds[w.name] = placed(pool, w, log_odds(found, "handled" if w.name == handled else "other"))
        odds[w.name][list(taken.values())] = IMPOSSIBLE
    for name, index in taken.items():
        odds[name] = np.full(len(pool), IMPOSSIBLE)
        odds[name][index] = 0.0
    others = [name for name in odds if name != handled]
    together = np.where(pool.distinct, 0.0, IMPOSSIBLE)
    first = odds.get(handled)
    if first is None:
        # Nothing is handled: all choices of the first are alike.
        first, together = np.zeros(len(pool)), np.zeros_like(together)
    else:
        together = together + log_odds(pair_traits(pool, family), "together")
    given: dict[str, Array] = {}
    for name in others:
        joint = odds[name] + together
        total = np.logaddexp.reduce(joint, axis=1)
        first = first + total
        given[name] = np.exp(joint - total[:, None])
    if first.max() < IMPOSSIBLE / 2:
        return {}
    chances = np.exp(first - np.logaddexp.reduce(first))
    same = pool.iou * pool.same_view
    by_name = {w.name: w for w in wanted}
    chosen: dict[str, Choice] = {}
    free = np.ones(len(pool), bool)
    if handled in odds:
        index = int((same @ chances * _views(pool, "held" if family == "lift" else "handled")).argmax())
        free = ~pool.same_view[index] | pool.distinct[index]
        if handled in by_name:
            there = chances[pool.same_view[index]]
            sure = chances[same[index] >= SAME_PLACE].sum() / there.sum()
            chosen[handled] = _choice(pool, by_name[handled], index, sure, odds[handled])
    for name in sorted(others, key=lambda name: name not in taken):
        chance = chances @ given[name] * free
        if chance.sum() < 1e-9:
            return {}
        role = by_name[name].role if name in by_name else "other"
        index = int((pool.iou @ chance * free * _views(pool, role)).argmax())
        free &= pool.distinct[index]
        if name in by_name:
            sure = chance[pool.iou[index] >= SAME_PLACE].sum() / chance.sum()
            chosen[name] = _choice(pool, by_name[name], index, sure, odds[name])
    return chosen


def _views(pool: Pool, role: str) -> Array:
    return np.array([VIEWS[role][kind] for kind in pool.kinds])


def _choice(pool: Pool, wanted: Wanted, index: int, sure: float, odds: Array) -> Choice:
    candidate = pool.candidates[index]
    offset, slope = CERTAINTY
    clipped = float(np.clip(sure, 1e-6, 1 - 1e-6))
    score = 1 / (1 + np.exp(-offset - slope * np.log(clipped / (1 - clipped))))
    told = {"detector": match(wanted.noun, candidate)}
    if wanted.noun.colour:
        told["colour"] = 1.2 * float(colour_share(pool, wanted.noun)[index])
    if wanted.role == "handled":
        told |= {"motion": moved(candidate), "contact": 0.6 * candidate.contact}
    strong = sorted((name for name in told if told[name] > 0.3), key=lambda name: -told[name])
    method = ", ".join(strong[:2]) or "salience"
    return Choice(candidate, min(MOST_SURE, float(score)), method, float(odds[index]))
