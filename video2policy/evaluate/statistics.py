"""Success rates with 95% intervals that respect which episodes share a training run."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class SuccessRate:
    """A pooled success rate; `interval` is its 95% interval and `method` how that was computed."""

    successes: int
    episodes: int
    interval: tuple[float, float]
    method: str

    @property
    def rate(self) -> float:
        return self.successes / self.episodes


def wilson(successes: float, episodes: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's score interval of a binomial proportion; counts may be fractional (effective sizes).

    Raises:
        ValueError: without episodes, or with more successes than episodes.
    """
    if not episodes > 0 or not 0 <= successes <= episodes:
        raise ValueError(f"{successes} successes of {episodes} episodes are no proportion")
    z2 = float(stats.norm.ppf(0.5 + confidence / 2)) ** 2
    p = successes / episodes
    centre = (p + z2 / (2 * episodes)) / (1 + z2 / episodes)
    half = math.sqrt(z2 * (p * (1 - p) / episodes + z2 / (4 * episodes**2))) / (1 + z2 / episodes)
    return (0.0 if successes == 0 else centre - half), (1.0 if successes == episodes else centre + half)


def success_rate(runs: Sequence[tuple[int, int]], confidence: float = CONFIDENCE) -> SuccessRate:
    """Pool the episodes of several training runs of one task.

    Episodes of one trained policy are not independent draws of "a policy that this training gives": the
    spread between runs counts. The interval is Wilson's with the effective number of episodes (Korn and
    Graubard 1998): the design effect compares the variance of the runs' rates with that of independent
    episodes, and the ratio of normal to t quantiles (runs - 1 degrees of freedom) pays for estimating it
    from few runs. With a single run it is plain Wilson, which says nothing about other runs.

    Args:
        runs: (successes, episodes) of each training run.
    """
    if not runs:
        raise ValueError("no training run was evaluated")
    successes, episodes = sum(s for s, _ in runs), sum(n for _, n in runs)
    if len(runs) == 1:
        return SuccessRate(successes, episodes, wilson(successes, episodes, confidence), "wilson, one run")
    z, t = stats.norm.ppf(0.5 + confidence / 2), stats.t.ppf(0.5 + confidence / 2, len(runs) - 1)
    effective = _effective_episodes(runs) * float(z / t) ** 2
    interval = wilson(successes / episodes * effective, effective, confidence)
    return SuccessRate(successes, episodes, interval, "wilson, clustered by training run")


def _effective_episodes(runs: Sequence[tuple[int, int]]) -> float:
    """Number of independent episodes that would give the pooled rate its variance; at most all of them."""
    k, episodes = len(runs), sum(n for _, n in runs)
    p = sum(s for s, _ in runs) / episodes
    # Linearised variance of the ratio estimator over clusters of unequal size.
    between = k / (k - 1) * sum((s - p * n) ** 2 for s, n in runs) / episodes**2
    return min(float(episodes), p * (1 - p) / between) if between > 0 else float(episodes)


@dataclass(frozen=True)
class Paired:
    """The mean of paired differences, its 95% interval (Student's t) and the p of a sign-flip test.

    With a single pair there is neither interval nor p.
    """

    pairs: int
    mean: float
    interval: tuple[float, float] | None
    p: float | None


MOST_EXACT = 12
"""Pairs up to which all sign flips are tried; beyond, 20,000 of them."""


def paired(first: Sequence[float], second: Sequence[float]) -> Paired:
    """Whether `second` differs from `first` over the same clips.

    The test asks how often a mean as far from zero comes out when each pair's order is left to chance.

    Raises:
        ValueError: without pairs, or for sequences of different length.
    """
    if not first or len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} values are no pairs")
    differences = np.subtract(second, first, dtype=float)
    count, mean = len(differences), float(differences.mean())
    if count == 1:
        return Paired(1, mean, None, None)
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, count - 1) * differences.std(ddof=1) / math.sqrt(count))
    if count <= MOST_EXACT:
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=count)))
    else:
        signs = np.random.default_rng(0).choice((-1.0, 1.0), (20_000, count))
    flipped = np.abs((signs * differences).mean(axis=1))
    p = float((flipped >= abs(mean) - 1e-12).mean())
    return Paired(count, mean, (mean - half, mean + half), p)


def correlation(first: Sequence[float], second: Sequence[float]) -> tuple[float, float, float] | None:
    """Pearson's r with its 95% interval (Fisher's z); None for fewer than four pairs or without spread."""
    if len(first) < 4 or np.std(first) == 0 or np.std(second) == 0:
        return None
    found = stats.pearsonr(first, second)
    low, high = found.confidence_interval(CONFIDENCE)
    return float(found.statistic), float(low), float(high)
