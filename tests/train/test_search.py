"""The best so far is kept, by generated success, then by fewer steps, then by order."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from video2policy.train.search import describe, select


def search(rate: float, steps: int = 1000, stopped: str = "cap") -> dict[str, Any]:
    return {"success_rate": rate, "steps": steps, "stopped": stopped}


def test_the_highest_success_rate_wins() -> None:
    assert select([search(0.2), search(0.7), search(0.5)], None) == 1


def test_among_equals_the_one_with_fewer_steps_then_the_first() -> None:
    assert select([search(0.9, 300), search(0.9, 200), search(0.9, 200)], None) == 1


def test_a_round_that_is_no_better_changes_nothing() -> None:
    best = describe(0, 1, search(0.8, 500), None)
    assert select([search(0.8, 500), search(0.79, 10)], best) is None
    assert select([search(0.8, 400)], best) == 0


def test_a_failed_training_is_never_selected() -> None:
    assert select([search(1.0, 0, "failed")], None) is None
    assert select([search(1.0, 0, "failed"), search(0.0)], None) == 1


samples = st.tuples(st.floats(0, 1), st.integers(1, 9))


@given(st.lists(st.lists(samples, min_size=1, max_size=4), min_size=1, max_size=5))
def test_the_best_never_gets_worse_and_its_lineage_rises(rounds: list[list[tuple[float, int]]]) -> None:
    best: dict[str, Any] | None = None
    for k, drawn in enumerate(rounds):
        searches = [search(rate, steps) for rate, steps in drawn]
        chosen = select(searches, best)
        if chosen is not None:
            best = describe(k, chosen, searches[chosen], best)
        assert best is not None
        assert best["success_rate"] == max(rate for part in rounds[: k + 1] for rate, _ in part)
    assert best is not None
    rates = [entry["success_rate"] for entry in best["lineage"]]
    assert rates == sorted(rates)
    assert best["lineage"][-1]["iter"] == best["iter"]
