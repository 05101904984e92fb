"""The workflow through its command line: one smoke run, then what edits and bad input change."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.workflow import SNAKEMAKE, Project, demo_rows

pytestmark = pytest.mark.skipif(
    not SNAKEMAKE.exists(), reason="no host environment .venv here: run `make setup`"
)


def video() -> str:
    return demo_rows()[0]["video"]


def test_every_artifact_of_the_contract_is_there(smoke: Project) -> None:
    clip = smoke.folder / "results" / "videos" / video()
    obj = json.loads((clip / "objects.json").read_text())["objects"][0]["name"]
    task, seeds = clip / "v2p", ["0/0", "0/1", "1/0", "1/1"]
    expected = [
        *(
            clip / name
            for name in ("clip.json", "frames", "objects.json", "depth", "camera.json", "scene.json")
        ),
        clip / "masks" / f"{obj}.npz",
        *(
            clip / "objects" / obj / name
            for name in ("mesh.obj", "size.json", "poses.json", "collision", "object.urdf")
        ),
        *(task / "task" / f"candidate_{n}.py" for n in range(8)),
        *(task / "task" / name for name in ("pick.json", "task.py")),
        *(
            task / "reward" / seed / name
            for seed in seeds
            for name in (
                "request.json",
                "reply.json",
                "reward.py",
                "policy.safetensors",
                "log.csv",
                "search.json",
            )
        ),
        *(
            task / "reward" / k / "best" / n
            for k in "01"
            for n in ("reward.py", "policy.safetensors", "best.json")
        ),
        *(task / "reward" / k / "feedback.md" for k in "01"),
        *(task / "policy" / name for name in ("policy.safetensors", "eval.json", "rollout.mp4")),
        task / "trajectories",
        smoke.folder / "results" / "report.html",
        smoke.folder / "results" / "report" / video() / "index.html",
        smoke.folder / "results" / "live.html",
        smoke.folder / "results" / "tables" / "summary.csv",
    ]
    missing = [str(path.relative_to(smoke.folder)) for path in expected if not path.exists()]
    assert not missing
    assert not [p for p in (smoke.folder / "results").rglob(".part-*")]


def test_eval_json_holds_the_contract(smoke: Project) -> None:
    judged = json.loads(
        (smoke.folder / "results" / "videos" / video() / "v2p" / "policy" / "eval.json").read_text()
    )
    names = "video variant task judge simulator robot training_seeds episodes successes"
    assert {*names.split(), "success_rate", "ci95", "per_seed"} <= set(judged)
    assert judged["successes"] == sum(seed["successes"] for seed in judged["per_seed"])
    low, high = judged["ci95"]
    assert 0 <= low <= judged["success_rate"] <= high <= 1


def test_the_live_page_shows_that_all_is_done(smoke: Project) -> None:
    page = (smoke.folder / "results" / "live.html").read_text()
    cells = re.findall(r'<td class="(\w+)"', page)
    assert len(cells) == 15 and set(cells) == {"done"}
    assert "Video2Policy, finished" in page and f"report/{video()}/index.html" in page


def test_a_finished_run_has_nothing_to_do(smoke: Project) -> None:
    assert smoke.plan() == {}


def test_two_clips_share_nothing(finished: Project) -> None:
    finished.write_sheet(demo_rows()[:2])
    plan = finished.plan()
    assert plan["frames"] == plan["scene"] == 1
    assert plan["outcome"] == 1


@pytest.mark.slow
def test_the_same_seed_gives_the_same_evaluation(finished: Project) -> None:
    task = finished.folder / "results" / "videos" / video() / "v2p"
    before = (task / "policy" / "eval.json").read_bytes()
    done = finished.run("--forcerun", "train_reward", "--until", "evaluate")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert (task / "policy" / "eval.json").read_bytes() == before


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"video": "a", "clip": "none.mp4", "caption": "lifting box", "objects": "box"}], "none.mp4"),
        ([{"video": "a.b", "clip": "c.mp4", "caption": "lifting box", "objects": "box"}], "a.b"),
        ([{"video": "../a", "clip": "c.mp4", "caption": "lifting box", "objects": "box"}], "../a"),
        (
            [{"video": "a", "clip": "c.mp4", "caption": "tearing paper into two pieces", "objects": "paper"}],
            "a",
        ),
    ],
)
def test_a_bad_sheet_aborts_in_one_sentence_before_any_work(
    tmp_path: Path, rows: list[dict], says: str
) -> None:
    project = Project.copy(tmp_path / "project")
    (project.folder / "c.mp4").write_bytes(b"")
    project.write_sheet(rows)
    done = project.run()
    assert done.returncode != 0
    text = (done.stdout + done.stderr).strip()
    assert says in text and "Traceback" not in text
    own = [line for line in text.splitlines() if not line.startswith(("Using workflow", "Config file"))]
    assert len(own) == 1
    assert not (project.folder / "results").exists()


def test_an_unknown_clip_is_named(tmp_path: Path) -> None:
    project = Project.copy(tmp_path / "project")
    project.write_sheet(demo_rows()[:1])
    done = project.run("--dry-run", "results/videos/nosuch/scene.json")
    assert done.returncode != 0
    assert 'no clip "nosuch" in videos.tsv, or ids' in done.stdout + done.stderr


def test_an_unknown_config_name_is_refused(tmp_path: Path) -> None:
    project = Project.copy(tmp_path / "project")
    project.write_sheet(demo_rows()[:1])
    done = project.run("--config", "vidoes=my.tsv")
    assert done.returncode != 0
    assert 'there is no "vidoes"; did you mean "videos"' in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_profile_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    project = Project.copy(tmp_path / "project")
    project.write_sheet(demo_rows()[:1])
    done = project.run("--dry-run", "--workflow-profile", "profiles/slrum")
    assert done.returncode != 0
    assert "correct what --workflow-profile names" in done.stdout + done.stderr


def test_a_broken_clip_is_a_verdict_and_the_others_go_on(smoke: Project, tmp_path: Path) -> None:
    project = smoke.clone(tmp_path / "project")
    (project.folder / "broken.mp4").write_bytes(b"\0" * 1000)
    broken = {"video": "broken", "clip": "broken.mp4", "caption": "lifting box", "objects": "box"}
    project.write_sheet([*demo_rows()[:1], broken])
    done = project.run()
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    outcome = json.loads((project.folder / "results/videos/broken/v2p/outcome.json").read_text())
    assert outcome["passed"] is False and "broken.mp4" in outcome["reason"]
    for page in ("report.html", "live.html", "report/broken/index.html"):
        assert "broken.mp4" in (project.folder / "results" / page).read_text()
    assert not (project.folder / "results/videos/broken/v2p/policy").exists()


@pytest.mark.slow
def test_no_clip_that_finishes_is_a_failure_with_a_report(tmp_path: Path) -> None:
    project = Project.copy(tmp_path / "project")
    (project.folder / "broken.mp4").write_bytes(b"\0" * 1000)
    project.write_sheet(
        [{"video": "broken", "clip": "broken.mp4", "caption": "lifting box", "objects": "box"}]
    )
    done = project.run()
    assert done.returncode != 0
    assert "no clip reached a policy" in done.stdout + done.stderr
    assert (project.folder / "results" / "report.html").exists()
