"""The choice of perception's methods, through the command line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workflow import Project, demo_rows

SMOKE = ("--configfile", "configs/smoke.yaml")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    result = Project.copy(tmp_path / "project")
    result.write_sheet(demo_rows()[:1])
    return result


def said(project: Project, *args: str) -> str:
    done = project.run("--dry-run", *args)
    return done.stdout + done.stderr


def choose(project: Project, **perception: Any) -> tuple[str, ...]:
    (project.folder / "chosen.yaml").write_text(yaml.safe_dump({"perception": perception}))
    return (*SMOKE, "chosen.yaml")


def environments(project: Project, *args: str) -> set[str]:
    """Files of the environments that the planned jobs run in."""
    done = project.run("--list-conda-envs", *args)
    assert done.returncode == 0, done.stdout + done.stderr
    return set(re.findall(r"envs/(\w+)\.yaml", done.stdout + done.stderr))


def test_the_default_needs_one_environment(project: Project) -> None:
    assert environments(project) == {"embedded"}


def test_the_papers_models_are_planned_each_in_its_environment(project: Project) -> None:
    config = (*SMOKE, "configs/paper.yaml")
    plan = project.plan(*config)
    assert {"ground", "segment", "depth", "reconstruct", "track", "scene"} <= set(plan)
    assert environments(project, *config) == {
        "embedded", "grounding_dino", "sam2", "unidepth", "instant_mesh", "foundation_pose",
    }  # fmt: skip


def test_their_successors_are_planned_too(project: Project) -> None:
    assert environments(project, *SMOKE, "configs/modern.yaml") == {
        "embedded", "sam3", "moge", "sam3d", "foundation_pose",
    }  # fmt: skip


def test_an_unknown_method_is_refused(project: Project) -> None:
    text = said(project, *choose(project, ground="yolo"))
    assert 'perception.ground is "yolo"; choose one of embedded, grounding_dino, sam3' in text


def test_weights_of_an_unknown_model_are_refused(project: Project) -> None:
    assert "sam9" in said(project, *choose(project, weights={"sam9": "x"}))


def test_only_commercial_licences_refuses_by_name_in_one_sentence(project: Project) -> None:
    config = choose(project, depth="unidepth", track="foundation_pose", licences="commercial")
    done = project.run("--dry-run", *config)
    assert done.returncode != 0
    text = done.stdout + done.stderr
    own = [line for line in text.splitlines() if not line.startswith(("Using workflow", "Config file"))]
    assert len(own) == 1 and "UniDepth v2" in own[0] and "FoundationPose" in own[0]
    assert project.run("--dry-run", *choose(project, depth="moge", licences="commercial")).returncode == 0


def test_the_tables_of_perception_are_targets(project: Project) -> None:
    done = project.run("table4", "table5", "table6", "--dry-run", "--quiet", "rules")
    assert done.returncode == 0, done.stdout + done.stderr
    for rule in ("tabulate_failures", "tabulate_depth", "tabulate_sizes", "track"):
        assert rule in done.stdout + done.stderr
    assert "write_task" not in done.stdout


def test_policies_at_true_sizes_are_a_target(project: Project) -> None:
    plan = project.plan("true_size", "--configfile", "configs/smoke.yaml")
    assert plan["tabulate_true_size"] == 1 and plan["scene"] == 1, "the project has one clip"
    assert not {"table6", "generalist", "collect"} & set(plan)


@pytest.mark.slow
def test_absent_weights_end_the_job_with_the_line_that_gets_them(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "no_hub"))
    done = project.run("results/videos/lift_box/objects.json", *choose(project, ground="grounding_dino"))
    assert done.returncode != 0
    assert "`hf download IDEA-Research/grounding-dino-tiny`" in done.stdout + done.stderr
    assert not (project.folder / "results/videos/lift_box/objects.json").exists()


@pytest.mark.slow
def test_tiny_models_run_as_rules_in_their_own_environments(project: Project, tmp_path: Path) -> None:
    from tests.perceive.tiny import tiny_grounding_dino, tiny_sam2

    weights = {
        "grounding_dino": str(tiny_grounding_dino(tmp_path / "dino")),
        "sam2": str(tiny_sam2(tmp_path / "sam")),
    }
    config = choose(project, ground="grounding_dino", segment="sam2", weights=weights)
    done = project.run("results/videos/lift_box/masks/red_box.npz", *config)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    verdict = (project.folder / "results/videos/lift_box/masks/red_box.verdict.json").read_text()
    assert '"SAM 2.1"' in verdict


def test_a_variant_s_engine_chooses_where_it_trains_and_is_judged(project: Project) -> None:
    (project.folder / "chosen.yaml").write_text(
        yaml.safe_dump(
            {
                "variants": {
                    "v2p": {},
                    "gpu": {"simulation": {"engine": "warp"}},
                    "gym": {"simulation": {"engine": "isaacgym"}},
                }
            }
        )
    )
    video = demo_rows()[0]["video"]

    def planned(variant: str, name: str) -> set[str]:
        target = f"results/videos/{video}/{variant}/{name}"
        return environments(project, *SMOKE, "chosen.yaml", "--", target)

    assert planned("v2p", "policy/eval.json") == {"embedded"}
    assert planned("gpu", "policy/eval.json") == {"embedded", "warp"}
    assert planned("gym", "policy/eval.json") == {"embedded", "isaacgym"}


def test_an_unknown_engine_is_refused(project: Project) -> None:
    text = said(project, *SMOKE, "--config", "simulation={engine: physx}")
    assert 'simulation.engine is "physx"; choose one of mujoco, warp, isaacgym' in text
