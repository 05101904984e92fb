"""Picking: what runs first, then what fits the clip, then what a reader prefers; always with a reason."""

import pytest

from video2policy.author.picking import pick


def report(*failed: str, onset: float = 0.75, extra: int = 1, runs: bool = True) -> dict:
    names = ("loads", "success", "false_at_start", "true_at_end", "reward_rises")
    checks = [{"name": n, "passed": n not in failed, "reason": f"about {n}"} for n in names]
    return {"runs": runs, "checks": checks, "facts": {"onset": onset, "extra_observations": extra}}


BROKEN = report("success", runs=False)


@pytest.mark.parametrize(
    ("reports", "index"),
    [
        ([BROKEN, report("true_at_end", "false_at_start", "reward_rises")], 1),
        ([report("true_at_end"), report()], 1),
        ([report("reward_rises"), report(onset=1.0, extra=0)], 1),
        ([report(onset=0.1), report(onset=0.9)], 1),
        ([report(onset=1.0), report(onset=0.8)], 1),
        ([report(extra=0), report(extra=3)], 1),
        ([report(), report()], 0),
        ([report("true_at_end", onset=0.75), report(onset=0.1, extra=0)], 1),
    ],
)
def test_the_better_one_is_picked(reports: list[dict], index: int) -> None:
    chosen = pick(reports)
    assert chosen.index == index
    assert f"candidate {index} of 2" in chosen.reason and "Next best" in chosen.reason


def test_none_that_runs_is_none_picked() -> None:
    chosen = pick([BROKEN, report("loads", "success", runs=False)])
    assert chosen.index is None and "no candidate can be trained" in chosen.reason
    assert "about success" in chosen.reason


def test_the_record_for_the_report() -> None:
    data = pick([report(), BROKEN]).to_json()
    assert data["picked"] == 0
    assert [row["passed"] for row in data["candidates"]] == [True, False]
    assert data["candidates"][1]["reason"] == "success: about success."
    assert [row["rank"] for row in data["candidates"]] == [1, 2]
