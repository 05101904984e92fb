"""Image policies on unseen clips through the command line: what is planned, and all of it, very small."""

from __future__ import annotations

import csv
import json

import pytest

from tests.workflow import SNAKEMAKE, Project, demo_rows

pytestmark = pytest.mark.skipif(
    not SNAKEMAKE.exists(), reason="no host environment .venv here: run `make setup`"
)

SMALLEST = """
author: {candidates: 1}
reward: {iterations: 1, samples: 1}
simulation: {horizon: 100}
training: {max_steps: 4096}
evaluation: {seeds: 1, episodes: 2}
comparisons: {code_as_policies: {simulation: {horizon: 150}}}
generalist: {seeds: 1, scaling: [1], episodes: 2, evaluation_episodes: 2}
"""
TARGETS = ("figure5", "figure6", "table2")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The first of the demo's clips."""
    project = Project.copy(tmp_path_factory.mktemp("unseen") / "project")
    project.write_sheet(demo_rows()[:1])
    (project.folder / "smallest.yaml").write_text(SMALLEST)
    return project


def test_every_target_can_be_planned(project: Project) -> None:
    plan = project.plan("--nolock", *TARGETS)
    assert set(TARGETS) <= set(plan) and plan["clone_transfer"] == 4 and plan["judge_real"] == 4
    assert plan["clone_few"] == 3, "one for each of generalist.scaling"
    assert not {"train_bc", "evaluate_bc"} & set(plan)


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_the_figures_and_the_table_end_to_end(project: Project) -> None:
    arguments = (*TARGETS, "--configfile", "configs/smoke.yaml", "smallest.yaml")
    done = project.run(*arguments, timeout=2900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    results = project.folder / "results"
    rows = {name: list(csv.DictReader((results / "tables" / f"{name}.csv").open())) for name in TARGETS}
    assert [row["policy"] for row in rows["figure5"]] == ["BC-V2P", "CoP", "BC-CoP"]
    assert [row["training_clips"] for row in rows["figure6"]] == ["1"]
    assert [row["policy"] for row in rows["table2"]] == [
        f"{policy}, {world}"
        for policy in ("rgb", "mask", "rgb_varied", "mask_varied")
        for world in ("simulation", "real")
    ]
    for name in TARGETS:
        assert (results / "tables" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    served = json.loads((results / "generalist" / "bc" / "transfer" / "mask" / "real.json").read_text())
    assert served["served"] and served["randomise"] == "real"
    clip = results / "videos" / demo_rows()[0]["video"]
    kept = json.loads((clip / "v2p/demonstrations_varied/meta/collection.json").read_text())
    assert kept["randomise"] == "wide" and kept["settings"]["masks"] and kept["episodes"] == 2
    by_code = json.loads((clip / "code_as_policies/demonstrations/meta/collection.json").read_text())
    assert by_code["episodes"] == 2
    assert project.plan("--nolock", *arguments) == {}
