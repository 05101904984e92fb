"""Which rewards the search goes on from, by the generated success: the paper's rounds, or successive halving.

In the paper's rounds (section 3.2) every reward of a round comes from the best so far. With halving a round
leaves its best rewards as members, best first; in the next one some of its samples go on training with a
member's reward, and the others try a new reward written from a member's, from that member's policy on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NOT_TRAINED = ("failed", "screened", "spared")
"""How a sample ends that has no policy."""
SOLVED = 0.95
"""Success on fresh seeds from which on a search by halving trains no further."""
WORTH = 0.02
"""Success below which a new reward does not start from its parent's policy, which learnt nothing."""


@dataclass(frozen=True)
class Ancestor:
    """Where a sample comes from: the member's rank, and whether it keeps that member's reward."""

    rank: int
    goes_on: bool


def ancestor(sample: int, going_on: int, members: int) -> Ancestor:
    """Of `members` that the round before left, the first `going_on` samples keep the reward of one each."""
    if sample < min(going_on, members):
        return Ancestor(sample, True)
    return Ancestor((sample - going_on) % max(min(going_on, members), 1), False)


def order(searches: Sequence[Mapping[str, Any]]) -> list[int]:
    """Indices of the samples that were trained, best first: the highest success rate, the highest share of
    successes while it learnt, fewer steps, the earlier one."""
    ranked = [
        (-float(search["success_rate"]), -float(search.get("learning", 0.0)), int(search["steps"]), index)
        for index, search in enumerate(searches)
        if search["stopped"] not in NOT_TRAINED
    ]
    return [index for *_, index in sorted(ranked)]


def select(searches: Sequence[Mapping[str, Any]], best: Mapping[str, Any] | None) -> int | None:
    """Index of the sample that becomes the best; None keeps the best of the rounds before.

    The highest success rate wins, among equals the one that needed fewer steps, then the earlier one. A round
    that is no better never replaces the best, so that a noisy later round loses nothing (paper, section 3.2:
    the sample with the highest success rate is the next base). Where the winners were measured again on fresh
    seeds ("confirmed"), that counts.

    Args:
        searches: search.json of every sample of the round.
        best: best.json of the round before, None in the first.
    """
    ranked = [
        (-_rate(search), int(search["steps"]), index)
        for index, search in enumerate(searches)
        if search["stopped"] not in NOT_TRAINED
    ]
    if not ranked:
        return None
    rate, steps, index = min(ranked)
    if best is not None and (rate, steps) >= (-_rate(best), int(best["steps"])):
        return None
    return index


def _rate(record: Mapping[str, Any]) -> float:
    return float(record.get("confirmed", record["success_rate"]))


def describe(
    iteration: int, sample: int, search: Mapping[str, Any], parent: Mapping[str, Any] | None
) -> dict[str, Any]:
    """best.json, or a member's: where a reward comes from and the line of rewards that led to it.

    `parent` is the record of the one that it was written from, None in the first round.
    """
    entry = {"iter": iteration, "sample": sample}
    entry |= {name: search[name] for name in ("success_rate", "confirmed", "steps") if name in search}
    lineage = list(parent["lineage"]) if parent else []
    origin = {k: parent[k] for k in ("iter", "sample")} if parent else None
    return {**entry, "parent": origin, "lineage": [*lineage, entry]}
