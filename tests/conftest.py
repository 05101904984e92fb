"""Fixtures that several parts of the tests share."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.workflow import Project, demo_rows

hypothesis.settings.register_profile("untimed", deadline=None)  # other work on a machine fails no test
hypothesis.settings.load_profile("untimed")

SHARED = Path(__file__).parents[2] / "shared"
"""Real clips and data; beside the project, never in it."""


@dataclass(frozen=True)
class RenderedClip:
    """A clip with the truth about it (see ``video2policy.demo.render_demo``)."""

    path: Path
    truth_path: Path
    name: str
    objects: tuple[str, ...]
    truth: dict[str, NDArray[Any]]

    def images(self) -> list[NDArray[np.uint8]]:
        from video2policy.clip import Source

        return [frame.image for frame in Source.open(self.path)]

    def masks(self, obj: str) -> NDArray[np.bool_]:
        from video2policy.demo import true_masks

        return true_masks(self.truth, obj)

    def first_box(self, obj: str, margin: int = 1) -> tuple[int, int, int, int]:
        from video2policy.mask import bounding_box

        box = bounding_box(self.masks(obj)[0])
        assert box is not None
        return box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin


def render(folder: Path, name: str, camera: str, seed: int) -> RenderedClip:
    from video2policy.demo import render_demo

    clip, truth = folder / f"{name}.mp4", folder / f"{name}.npz"
    render_demo(name, clip, truth, camera, seed, width=320, height=240, fps=12)
    with np.load(truth) as data:
        content = dict(data)
    return RenderedClip(clip, truth, name, tuple(content["names"].tolist()), content)


@pytest.fixture(scope="session")
def rendered_clip(tmp_path_factory: pytest.TempPathFactory) -> RenderedClip:
    """One object, red_box, lifted by a hand; 72 frames of SSv2's size and rate."""
    return render(tmp_path_factory.mktemp("rendered"), "lift_box", "front", 0)


@pytest.fixture(scope="session")
def rendered_pair(tmp_path_factory: pytest.TempPathFactory) -> RenderedClip:
    """Two objects: orange_cup is put over yellow_ball; 84 frames of SSv2's size and rate."""
    return render(tmp_path_factory.mktemp("rendered"), "cover_ball", "left", 1)


@pytest.fixture(scope="session")
def real_clips() -> Path:
    """The folder of real clips, which is not part of the project."""
    folder = SHARED / "clips"
    if not folder.is_dir():
        pytest.skip(f"no real clips in {folder}")
    return folder


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The first of the demo's clips, run to the end at smoke size; once for all of xdist's workers."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, failed = base / "smoke", base / "smoke.failed"
    with (base / "smoke.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert not failed.exists(), failed.read_text()
        if not folder.exists():
            project = Project.copy(folder)
            project.write_sheet(demo_rows()[:1])
            done = project.run()
            if done.returncode != 0:
                failed.write_text(done.stdout[-4000:] + done.stderr[-4000:])
                pytest.fail(failed.read_text())
    return Project(folder)


@pytest.fixture
def finished(smoke: Project, tmp_path: Path) -> Project:
    """A copy of the finished smoke run that a test may edit."""
    return smoke.clone(tmp_path / "project")
