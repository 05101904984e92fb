"""Which reward the search goes on from: the best so far, by the generated success."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def select(searches: Sequence[Mapping[str, Any]], best: Mapping[str, Any] | None) -> int | None:
    """Index of the sample that becomes the best; None keeps the best of the rounds before.

    The highest success rate wins, among equals the one that needed fewer steps, then the earlier one. A round
    that is no better never replaces the best, so that a noisy later round loses nothing (paper, section 3.2:
    the sample with the highest success rate is the next base).

    Args:
        searches: search.json of every sample of the round.
        best: best.json of the round before, None in the first.
    """
    ranked = [
        (-float(search["success_rate"]), int(search["steps"]), index)
        for index, search in enumerate(searches)
        if search["stopped"] not in ("failed", "screened")
    ]
    if not ranked:
        return None
    rate, steps, index = min(ranked)
    if best is not None and (rate, steps) >= (-float(best["success_rate"]), int(best["steps"])):
        return None
    return index


def describe(
    iteration: int, sample: int, search: Mapping[str, Any], best: Mapping[str, Any] | None
) -> dict[str, Any]:
    """best.json: where the best reward comes from and the line of bests that led to it."""
    entry = {
        "iter": iteration,
        "sample": sample,
        "success_rate": search["success_rate"],
        "steps": search["steps"],
    }
    lineage = list(best["lineage"]) if best else []
    parent = {k: best[k] for k in ("iter", "sample")} if best else None
    return {**entry, "parent": parent, "lineage": [*lineage, entry]}
