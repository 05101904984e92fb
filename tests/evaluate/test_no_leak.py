"""No path leads from the judges to anything that writes, trains or selects."""

from __future__ import annotations

from pathlib import Path

import pytest

from video2policy import reach

ROOT = Path(reach.ROOT)
JUDGES = ROOT / "video2policy" / "evaluate" / "judges.py"
BODIES = JUDGES.with_name("bodies.py")
LEAVES = {
    *("evaluate", "judge_round", "judge_true_size", "act_by_code", "replay"),
    *("collect", "collect_code", "train_bc", "evaluate_bc", "clone", "judge_clones", "evaluate_lerobot"),
}
"""Scripts of leaf rules: what they make is read by nothing that trains or selects a state policy."""


def reaches_judges(path: Path) -> bool:
    """Whether a module imports the judges, or names a worker module that does, over any number of steps."""
    return JUDGES in reach.reached(path)


def modules(*packages: str) -> list[Path]:
    return [path for package in packages for path in sorted((ROOT / "video2policy" / package).rglob("*.py"))]


@pytest.mark.parametrize("path", modules("perceive", "sim", "author", "guard", "train"), ids=str)
def test_modules_of_the_search_do_not_reach_the_judges(path):
    assert not reaches_judges(path)


@pytest.mark.parametrize(
    "path", [p for p in sorted((ROOT / "scripts").glob("*.py")) if p.stem not in LEAVES], ids=lambda p: p.stem
)
def test_scripts_of_other_rules_do_not_reach_the_judges(path):
    assert not reaches_judges(path)


def test_the_workers_that_run_generated_code_do_not_hold_the_judges():
    assert not reaches_judges(ROOT / "video2policy" / "evaluate" / "worker.py")
    assert not reaches_judges(ROOT / "video2policy" / "policy" / "worker.py")


def test_the_walk_sees_the_judges_where_they_are_used():
    assert reaches_judges(ROOT / "scripts" / "evaluate.py")


def test_the_judges_import_nothing_of_the_project_but_what_they_see():
    assert {p for p in reach.reached(JUDGES) if p.stem != "__init__"} == {JUDGES, BODIES}
