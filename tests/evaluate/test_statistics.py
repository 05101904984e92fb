"""Intervals against published values, and their coverage where training runs differ."""

from __future__ import annotations

import numpy as np
import pytest

from video2policy.evaluate.statistics import success_rate, wilson


def test_wilson_matches_published_values():
    # Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20 (method 3, score).
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)


@pytest.mark.parametrize(("successes", "episodes"), [(1, 0), (3, 2), (-1, 5)])
def test_what_is_no_proportion_is_refused(successes, episodes):
    with pytest.raises(ValueError, match="no proportion"):
        wilson(successes, episodes)


def test_one_run_is_plain_wilson():
    one = success_rate([(9, 10)])
    assert one.interval == wilson(9, 10) and one.rate == 0.9


def test_runs_that_differ_widen_the_interval():
    equal, spread = success_rate([(80, 100)] * 3), success_rate([(100, 100), (100, 100), (40, 100)])
    assert equal.rate == spread.rate == 0.8
    assert equal.interval[1] - equal.interval[0] < spread.interval[1] - spread.interval[0]
    assert 0.0 <= spread.interval[0] < 0.8 < spread.interval[1] <= 1.0


def test_three_perfect_runs_are_not_certainty():
    low, high = success_rate([(100, 100)] * 3).interval
    assert high == 1.0 and 0.9 < low < 0.96


def test_coverage_where_runs_differ():
    """Rates of runs drawn from Beta(8, 2), three runs of 100 episodes: .8 is inside about 95% of times.

    Wilson over the pooled episodes would cover it only about half as often as it says.
    """
    rng = np.random.default_rng(0)
    clustered = pooled = 0
    for rates in rng.beta(8, 2, size=(400, 3)):
        counts = rng.binomial(100, rates)
        low, high = success_rate([(int(s), 100) for s in counts]).interval
        clustered += low <= 0.8 <= high
        low, high = wilson(int(counts.sum()), 300)
        pooled += low <= 0.8 <= high
    assert clustered / 400 > 0.9
    assert pooled / 400 < 0.7
