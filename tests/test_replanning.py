"""What an edit of code, config or sample sheet makes run again, and nothing else: tables of dry runs.

What follows the scene is planned only once the scene is known: where it has to be made again, the plan holds
what comes before it and the jobs that close the run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.workflow import SNAKEMAKE, Project, demo_rows

pytestmark = pytest.mark.skipif(
    not SNAKEMAKE.exists(), reason="no host environment .venv here: run `make setup`"
)

NOTHING: set[str] = set()
TABLES = {"summarise", "all"}
PAGES = {"draw", "report"} | TABLES
OUTCOME = {"outcome"} | PAGES
JUDGED = {"evaluate"} | OUTCOME
COLLECTED = {"collect"} | OUTCOME
TRAINED = {"train_policy"} | JUDGED | COLLECTED
SELECTED = {"select_reward"} | TRAINED
SEARCHED = {"write_reward", "train_reward"} | SELECTED
PICKED = {"pick_task"} | SEARCHED
SCENE = {"scene"} | OUTCOME
SIZED = {"scale", "track", "collide"} | SCENE
SHAPED = {"reconstruct"} | SIZED
DEEP = {"depth"} | SHAPED
SEGMENTED = {"segment"} | DEEP
FRAMES = {"frames", "ground"} | SEGMENTED


def slow(edit: str, reruns: set[str]) -> object:
    return pytest.param(edit, reruns, marks=pytest.mark.slow)


CODE = [
    slow("scripts/frames.py", FRAMES),
    slow("video2policy/clip.py", FRAMES),
    slow("video2policy/perceive/footage.py", SEGMENTED),
    slow("video2policy/mesh.py", DEEP),
    ("video2policy/perceive/track.py", {"track"} | SCENE),
    slow("video2policy/perceive/collide.py", {"collide"} | SCENE),
    slow("video2policy/scene.py", SCENE),
    slow("video2policy/author/library.py", {"train_skill", "write_task"} | PICKED),
    ("video2policy/author/feedback.py", SEARCHED),
    slow("video2policy/guard/process.py", {"write_task"} | PICKED),
    slow("video2policy/sim/mujoco.py", {"train_skill"} | SEARCHED),
    slow("video2policy/train/ppo.py", {"train_skill"} | SEARCHED),
    ("video2policy/evaluate/judges.py", JUDGED | COLLECTED),
    slow("scripts/collect.py", COLLECTED),
    slow("scripts/stage.py", FRAMES | {"demo_clip"}),
    ("video2policy/report/page.py", PAGES),
    # of another engine, a chosen one's vendor, language models, other targets, and of the workflow itself
    slow("video2policy/sim/warp.py", NOTHING),
    slow("video2policy/perceive/sam2.py", NOTHING),
    slow("video2policy/policy/deploy.py", NOTHING),
    slow("video2policy/verification.py", NOTHING),
    slow("prompts/task.md", NOTHING),
    ("video2policy/live.py", NOTHING),
    slow("video2policy/imported_by_nothing.py", NOTHING),
]

CONFIG = [
    slow("frames: {max_frames: 30}", FRAMES),
    slow("frames: {quality: {max_cuts: 2}}", FRAMES),
    ("perception: {segment: sam2}", SEGMENTED),
    slow("perception: {depth: moge}", DEEP),
    slow("perception: {track: foundation_pose}", {"track"} | SCENE),
    slow("perception: {device: cpu}", NOTHING),
    slow("perception: {download: true, licences: commercial}", NOTHING),
    slow("sandbox: required", PICKED),
    slow("author: {candidates: 4}", PICKED),
    slow("author: {seed: 1}", {"write_task"} | PICKED),
    slow("author: {timeout: 9, retries: 1, concurrency: 1, budget_usd: 1.0}", NOTHING),
    slow("author: {replies: elsewhere}", {"report"} | TABLES),
    ("reward: {iterations: 3}", SEARCHED),
    slow("reward: {samples: 3}", SEARCHED),
    slow("simulation: {horizon: 40}", {"train_skill"} | SEARCHED),
    slow("simulation: {engine: warp}", {"train_skill"} | SEARCHED),
    ("training: {max_steps: 4096}", SEARCHED),
    slow("training: {seed: 1}", {"train_skill"} | SEARCHED),
    slow("training: {legs: 2}", TRAINED),
    ("training: {timeout: 60}", NOTHING),
    slow("evaluation: {seeds: 2}", TRAINED),
    ("evaluation: {episodes: 9}", JUDGED),
    slow("variants: {v2p: {evaluation: {episodes: 9}}}", JUDGED),
    slow("comparisons: {no_picking: {author: {candidates: 2}}}", NOTHING),
    slow("trajectories: {episodes: 3}", COLLECTED),
    slow("trajectories: {formats: [zarr]}", NOTHING),
    slow("generalist: {seed: 3}", NOTHING),
    slow("report: {clip_pixels: false}", PAGES),
]


@pytest.fixture(scope="module")
def project(smoke: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the finished smoke run; each test leaves it as it was."""
    return smoke.clone(tmp_path_factory.mktemp("replanning") / "project")


@contextmanager
def edited(project: Project, file: str, text: str) -> Iterator[None]:
    """A file of the project with a line more; afterwards as before, its time included."""
    path = project.folder / file
    before, times = (path.read_bytes(), path.stat()) if path.exists() else (None, None)
    path.write_bytes((before or b"") + text.encode())
    yield
    if before is None or times is None:
        path.unlink()
    else:
        path.write_bytes(before)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize(("file", "reruns"), CODE)
def test_edited_code(project: Project, file: str, reruns: set[str]) -> None:
    with edited(project, file, "\n# edited\n"):
        assert set(project.plan()) == reruns


@pytest.mark.parametrize(("setting", "reruns"), CONFIG)
def test_an_edited_config(project: Project, setting: str, reruns: set[str]) -> None:
    (project.folder / "more.yaml").write_text(setting + "\n")
    assert set(project.plan("--configfile", "configs/smoke.yaml", "more.yaml")) == reruns


def test_one_more_iteration_plans_only_the_new_round(project: Project) -> None:
    (project.folder / "more.yaml").write_text("reward: {iterations: 3}\n")
    plan = project.plan("--configfile", "configs/smoke.yaml", "more.yaml")
    assert [plan[rule] for rule in ("write_reward", "train_reward", "select_reward")] == [2, 2, 1]


def test_another_size_in_the_sheet(project: Project) -> None:
    row = demo_rows()[0]
    sizes = json.loads(row["sizes"])
    larger = {k: [1.2 * side for side in v] if isinstance(v, list) else 1.2 * v for k, v in sizes.items()}
    project.write_sheet([{**row, "sizes": json.dumps(larger)}])
    try:
        assert set(project.plan()) == SIZED
    finally:
        project.write_sheet(demo_rows()[:1])
