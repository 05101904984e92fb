"""The SLURM profile on a real node: a clip's perception is one job."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.slurm_node import Node, lacking
from tests.workflow import SNAKEMAKE, Project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SNAKEMAKE.exists(), reason="no host environment .venv here: run `make setup`"),
]

CLIP = "results/videos/lift_box"
QUICK = ("--latency-wait", "5", "--slurm-init-seconds-before-status-checks", "1")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    if reason := lacking():
        pytest.skip(f"no SLURM: {reason}")
    with Node(tmp_path_factory.mktemp("node")) as running:
        yield running


def command(project: Project, *arguments: str) -> list[str]:
    """The command of a user on a cluster; without --cores, which is for local runs."""
    whole = project.command("--workflow-profile", "profiles/slurm", *QUICK, *arguments)
    cores = whole.index("--cores")
    return whole[:cores] + whole[cores + 2 :]


def submit(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(project, *arguments),
        cwd=project.folder,
        env=project.environ(),
        capture_output=True,
        text=True,
        timeout=900,
    )


def test_a_clips_perception_is_one_job(node: Node, finished: Project) -> None:
    (finished.folder / CLIP / "scene.json").unlink()
    done = submit(finished, "--forcerun", "ground", "--until", "scene", "scenes")
    assert done.returncode == 0, done.stderr[-3000:]
    assert (finished.folder / CLIP / "scene.json").exists()
    assert node.ended().count("JobState=COMPLETED Partition=cpu") == 1
    assert finished.run("verify").returncode == 0
