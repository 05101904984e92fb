"""The best so far is kept, by generated success, then by fewer steps, then by order."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from video2policy.train.search import ancestor, describe, order, select
from video2policy.workflow import schedule


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


def test_a_rate_on_fresh_seeds_counts_more_than_the_training_s_own() -> None:
    lucky, steady = search(1.0) | {"confirmed": 0.4}, search(0.9) | {"confirmed": 0.8}
    assert select([lucky, steady], None) == 1
    best = describe(0, 1, steady, None)
    assert select([search(0.95) | {"confirmed": 0.7}], best) is None


def test_without_success_at_the_end_successes_on_the_way_decide() -> None:
    samples = [search(0.0) | {"learning": 0.01}, search(0.0, 9, "screened"), search(0.0) | {"learning": 0.2}]
    assert order(samples) == [2, 0]


@given(st.integers(0, 40), st.integers(1, 20), st.integers(1, 20))
def test_every_sample_has_an_ancestor_among_the_members(sample: int, going_on: int, members: int) -> None:
    came = ancestor(sample, going_on, members)
    assert 0 <= came.rank < members
    assert came.goes_on == (sample < min(going_on, members))


@given(st.integers(1, 8), st.integers(1, 16), st.integers(1000, 10**7))
def test_both_searches_may_take_the_same_number_of_steps(count: int, samples: int, steps: int) -> None:
    settings = {"iterations": count, "samples": samples}
    budget = {
        how: sum(r.samples * r.steps for r in schedule({**settings, "search": how}, steps))
        for how in ("rounds", "halving")
    }
    assert budget["rounds"] == count * samples * steps
    assert budget["rounds"] * 0.99 < budget["halving"] <= budget["rounds"]


def test_halving_trains_half_as_many_twice_as_long_and_half_of_them_go_on() -> None:
    rounds = schedule({"iterations": 3, "samples": 4, "search": "halving"}, 1000)
    assert [(r.samples, r.steps, r.going_on) for r in rounds] == [(16, 250, 0), (8, 500, 4), (4, 1000, 2)]
