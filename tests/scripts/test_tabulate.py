"""The scripts that tabulate comparisons, on files as the rules leave them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from scripts import correlate_success, tabulate_hallucination, tabulate_rounds
from scripts.stage import Failed, Input, Output


def outputs(folder: Path) -> list[Output]:
    return [Output(folder / f"out.{suffix}") for suffix in ("csv", "md", "png")]


def candidates(folder: Path, picked: int, ends: list[tuple[str, str, float]]) -> tuple[Input, list[Input]]:
    searches = []
    for k, (stopped, reason, rate) in enumerate(ends):
        path = folder / f"candidate_{k}" / "search.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"stopped": stopped, "reason": reason, "success_rate": rate}))
        searches.append(Input(path))
    (folder / "pick.json").write_text(json.dumps({"picked": picked}))
    return Input(folder / "pick.json"), searches


def test_programs_that_do_not_run_and_those_that_never_succeed_are_told_apart(tmp_path: Path) -> None:
    ranks = "not worth training: reward_rises: the reward is 3 first and 2 last"
    ends = [
        ("screened", "loads: no class", 0.0),
        ("screened", ranks, 0.0),
        ("cap", "", 0.0),
        ("solved", "", 1.0),
    ]
    pick, searches = candidates(tmp_path / "a", 3, ends)
    other, more = candidates(tmp_path / "b", 2, ends)
    table, markdown, _ = outputs(tmp_path)
    tabulate_hallucination.main([pick, other], [*searches, *more], table, markdown)
    with table.open() as file:
        rows = {
            row[""]: (row["without picking"], row["picked"], row["paper"]) for row in csv.DictReader(file)
        }
    assert rows == {
        "hallucination": ("0.75", "0.5", "0.4"),
        "does not run": ("0.25", "0.0", "0.25"),
        "runs, never succeeds": ("0.5", "0.5", "0.15"),
    }
    assert "8 programs, asked for once each, of which 2 were picked" in markdown.read_text()


def judged(folder: Path, variant: str, rates: list[tuple[float, float]]) -> Input:
    policies = [
        {"iter": 0, "sample": k, "episodes": 10, "success_rate": j, "generated_success_rate": g}
        for k, (g, j) in enumerate(rates)
    ]
    record = {"video": "x", "variant": variant, "iter": 0, "best": {"iter": 0, "sample": 1}}
    path = folder / f"{variant}.json"
    path.write_text(json.dumps(record | {"policies": policies}))
    return Input(path)


def test_figures_count_every_policy_and_follow_the_best(tmp_path: Path) -> None:
    files = [
        judged(tmp_path, "v2p", [(0.1, 0.0), (0.9, 0.7), (0.5, 0.5), (0.6, 0.4)]),
        judged(tmp_path, "eureka", [(0.2, 0.3), (0.4, 0.4)]),
    ]
    correlate_success.main(files, *outputs(tmp_path), ["v2p", "eureka"])
    text = (tmp_path / "out.md").read_text()
    assert "| v2p | 4 | 0.9" in text and "| 0.83 | 3 | 0 |" in text and "| eureka | 2 | - |" in text
    budgets = {name: {"search_steps": 4000} for name in ("v2p", "eureka")}
    tabulate_rounds.main(files, *outputs(tmp_path), ["v2p", "eureka"], budgets)
    assert "| v2p | 4,000 | 1 | 0.70 |" in (tmp_path / "out.md").read_text()
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(Failed, match="no clip passed"):
        correlate_success.main([], *outputs(tmp_path), ["v2p"])
