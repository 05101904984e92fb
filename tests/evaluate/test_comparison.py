"""Tables of variants: averages from rows, stopped clips, pairs, and the paper's own figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from video2policy import paper
from video2policy.evaluate.comparison import Clip, Results, best_by_round, policies, save, write_csv
from video2policy.evaluate.statistics import correlation, paired

TABLE1 = paper.COMPARISONS["table1"]


def judged(successes: int, episodes: int = 10) -> dict[str, Any]:
    return {
        "success_rate": successes / episodes,
        "successes": successes,
        "episodes": episodes,
        "generated_success_rate": 0.5,
        "ci95": [0.0, 1.0],
        "per_seed": [{"successes": successes, "episodes": episodes}],
    }


def results() -> Results:
    clips = [
        Clip("x", "lift", None),
        Clip("y", "lift", None),
        Clip("z", "cover", None),
        Clip("w", "cover", "dark"),
    ]
    rates = {"code_as_policies": (0, 2, 0), "robogen": (5, 5, 5), "eureka": (9, 9, 0), "v2p": (10, 8, 3)}
    evals = {
        (clip.video, variant): judged(n)
        for variant, found in rates.items()
        for clip, n in zip(clips, found, strict=False)
    }
    return Results(TABLE1, clips, evals)


@pytest.mark.parametrize("name", paper.COMPARISONS)
def test_the_paper_s_tables_are_complete(name: str) -> None:
    it = paper.COMPARISONS[name]
    assert paper.V2P in it.variants and len(it.stated) == len(it.variants)
    for row in it.rows.values():
        assert len(row) == len(it.variants) and all(v is None or 0 <= v <= 1 for v in row)


def test_averages_are_computed_from_rows_beside_the_stated_ones() -> None:
    rows = [TABLE1.average(variant) for variant in TABLE1.variants]
    assert rows == pytest.approx([0.315, 0.443, 0.676, 0.828], abs=1e-3)
    assert TABLE1.stated == (0.34, 0.45, 0.71, 0.88)
    assert paper.COMPARISONS["table3"].average("no_visual") is None


def test_tasks_weigh_the_same_and_stopped_clips_count_nothing_over_all() -> None:
    found = results()
    assert found.families() == ["lift", "cover"]
    assert found.average("v2p") == pytest.approx((0.9 + 0.3) / 2)
    assert found.average_over_all("v2p") == pytest.approx((1.0 + 0.8 + 0.3) / 4)
    text = found.markdown("table1", {"v2p": {"search_steps": 8000, "seeds": 1, "episodes": 10, "horizon": 9}})
    assert "| Cover sth. with sth. | 1 of 2 |" in text and "- w stopped: dark" in text
    assert "| **mean of tasks** | | 0.05 (0.32; stated 0.34) |" in text
    assert "| v2p | 8,000 | 1 x 10 episodes | 9 |" in text


def test_the_csv_and_the_drawing_hold_every_clip_and_variant(tmp_path: Path) -> None:
    found = results()
    write_csv(tmp_path / "table.csv", found.lines())
    lines = (tmp_path / "table.csv").read_text().splitlines()
    assert len(lines) == 1 + 4 * 4 and lines[-1].endswith(",0.07,dark")
    save(found.draw(), tmp_path / "table.part")
    assert (tmp_path / "table.part").read_bytes().startswith(b"\x89PNG")


def test_pairs() -> None:
    same = paired([0.1, 0.5, 0.9], [0.1, 0.5, 0.9])
    assert same.mean == 0 and same.p == 1
    better = paired([0.1, 0.2, 0.3, 0.2, 0.1, 0.2], [0.6, 0.7, 0.9, 0.6, 0.5, 0.8])
    assert better.p == pytest.approx(2 / 2**6) and better.interval is not None and better.interval[0] > 0.3
    assert paired([0.0], [1.0]).p is None
    many = paired([0.0] * 20, [0.1, -0.1] * 10)
    assert many.p == 1
    with pytest.raises(ValueError, match="no pairs"):
        paired([1.0], [])


def test_correlation_needs_points_and_spread() -> None:
    assert correlation([0, 1, 2], [0, 1, 2]) is None and correlation([1] * 5, [1, 2, 3, 4, 5]) is None
    found = correlation([0, 1, 2, 3, 4], [0, 1, 2, 3, 3.5])
    assert found is not None and found[1] < found[0] < found[2] and found[0] > 0.98


def test_the_best_so_far_keeps_its_judgement_over_rounds() -> None:
    def policy(k: int, sample: int, rate: float) -> dict[str, Any]:
        return {"iter": k, "sample": sample, "success_rate": rate, "generated_success_rate": 1.0}

    rounds = [
        {"iter": 1, "best": {"iter": 0, "sample": 1}, "policies": [policy(1, 0, 0.9)]},
        {"iter": 0, "best": {"iter": 0, "sample": 1}, "policies": [policy(0, 0, 0.1), policy(0, 1, 0.4)]},
    ]
    records = [{"video": "x", "variant": "v2p", **one} for one in rounds]
    assert best_by_round(records, "v2p") == {"x": [0.4, 0.4]}
    assert policies(records, "v2p") == [(1.0, 0.9), (1.0, 0.1), (1.0, 0.4)]
    assert best_by_round(records, "eureka") == {}
