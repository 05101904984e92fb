"""The paper's comparisons through the command line: what they plan, and table 1 as small as it gets."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.test_workflow import demo_rows
from tests.workflow import SNAKEMAKE, Project

pytestmark = pytest.mark.skipif(
    not SNAKEMAKE.exists(), reason="no host environment .venv here: run `make setup`"
)

SMALLEST = """
author: {candidates: 1}
reward: {iterations: 1, samples: 1}
training: {start: scratch}
"""
TARGETS = ("table1", "table3", "table7", "table9", "figure4", "figure10")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The first of the demo's clips."""
    project = Project.copy(tmp_path_factory.mktemp("tables") / "project")
    project.write_sheet(demo_rows()[:1])
    (project.folder / "smallest.yaml").write_text(SMALLEST)
    return project


def test_every_comparison_can_be_planned(project: Project) -> None:
    plan = project.plan("--nolock", *TARGETS)
    assert set(TARGETS) <= set(plan) and plan["scene"] == 1


def test_table_8_wants_a_language_model(project: Project) -> None:
    done = project.run("table8", "--dry-run")
    assert done.returncode != 0
    assert "set author.name to llm or replay" in done.stdout + done.stderr


def test_a_comparison_is_no_part_of_the_main_run(project: Project) -> None:
    assert not {"act_by_code", "judge_round", "tabulate_comparison"} & set(project.plan())


@pytest.mark.slow
def test_table_1_and_figure_10_end_to_end(project: Project) -> None:
    arguments = ("table1", "figure10", "true_size", "--configfile", "configs/smoke.yaml", "smallest.yaml")
    done = project.run(*arguments, timeout=3000)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    tables = project.folder / "results" / "tables"
    text = (tables / "table1.md").read_text()
    assert "| Lift up sth. | 1 of 1 |" in text and "stated 0.88" in text
    with (tables / "table1.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["variant"] for row in rows] == ["code_as_policies", "robogen", "eureka", "v2p"]
    by_code = rows[0]
    assert float(by_code["success_rate"]) >= 0.75 and by_code["episodes"] == "8"
    assert (tables / "table1.png").read_bytes().startswith(b"\x89PNG")
    assert "| true sizes | 1 |" in (tables / "true_size.md").read_text()
    assert "| v2p | 1 |" in (tables / "figure10.md").read_text()
    assert project.plan("--nolock", *arguments) == {}
    policy = Path(project.folder, "results/videos", demo_rows()[0]["video"], "code_as_policies/policy")
    written = json.loads((policy / "programs" / "index.json").read_text())
    assert sorted({row["step"] for row in written}) == [0, 50] and len(written) == 16
    assert {row["program"] for row in written} == {path.stem for path in policy.glob("programs/*.py")}
