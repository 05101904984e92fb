"""Fitting finds the trait that tells the right candidates, on drawn pools of which the truth is known."""

import numpy as np
import pytest

from bench.fit_naming import Example, certainty, choose, fit
from tests.perceive.test_naming import candidate
from video2policy.perceive.nouns import parse_noun
from video2policy.perceive.traits import Pool, Wanted

PLACES = [(20, 100, 60, 150), (140, 100, 180, 150), (260, 100, 300, 150)]


def example(seed: int) -> Example:
    """Of three candidates one changes and is handled; another, with more contrast, is right for the other."""
    a, b = np.random.default_rng(seed).permutation(3)[:2]
    evidence = [{"motion": float(i == a), "contrast": 0.8 if i == b else 0.3} for i in range(3)]
    pool = Pool([candidate(box, **e) for box, e in zip(PLACES, evidence, strict=True)])
    wanted = [Wanted(n, parse_noun("cube"), role) for n, role in (("a", "handled"), ("b", "other"))]
    found = Example(f"clip_{seed}", "put_next", "a", pool, wanted, {"a": np.eye(3)[a], "b": np.eye(3)[b]})
    found.prepare()
    return found


def test_the_traits_that_tell_are_weighed() -> None:
    weights = fit([example(seed) for seed in range(12)])
    assert weights["handled"]["motion"] > 1 and weights["other"]["contrast"] > 1
    assert weights["handled"]["size"] == pytest.approx(0, abs=1e-6), "it is the same everywhere"
    assert weights["handled"]["colour"] == 0.5, "given, not fitted"
    rows = choose([example(seed) for seed in range(100, 106)], weights)
    assert len(rows) == 12 and all(overlap == 1 and sure > 0 for _, _, overlap, sure in rows)


def test_certainty_is_that_of_what_was_right() -> None:
    rng = np.random.default_rng(0)
    sure = rng.normal(1, 2, 4000)
    right = (rng.random(4000) < 1 / (1 + np.exp(-(0.5 + 0.7 * sure)))).astype(np.float64)
    np.testing.assert_allclose(certainty(sure, right), (0.5, 0.7), atol=0.12)
