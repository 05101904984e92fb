"""Thresholds on the stages' confidence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.fit_gates import Case, threshold


def test_the_threshold_parts_right_from_wrong() -> None:
    found = [Case(str(v), v, v > 0.55) for v in (0.3, 0.4, 0.5, 0.6, 0.9)]
    assert threshold(found) == (pytest.approx(0.55), 0, 0)


def test_none_is_asked_for_where_confidence_tells_nothing() -> None:
    found = [Case("a", 0.2, True), Case("b", 0.4, True), Case("c", 0.9, False)]
    assert threshold(found) == (0.0, 1, 0)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1))
def test_it_is_never_worse_than_to_pass_all(values: list[tuple[float, bool]]) -> None:
    found = [Case("x", sure, right) for sure, right in values]
    _, passed, refused = threshold(found)
    assert passed + refused <= sum(not case.right for case in found)
