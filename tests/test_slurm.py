"""The SLURM profile on a real node: a clip's perception, jobs short of memory or time, a cancelled one."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator

import psutil
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
        timeout=3600,
    )


def test_a_clips_perception_is_one_job(node: Node, finished: Project) -> None:
    (finished.folder / CLIP / "scene.json").unlink()
    done = submit(finished, "--forcerun", "ground", "--until", "scene", "scenes")
    assert done.returncode == 0, done.stderr[-3000:]
    assert (finished.folder / CLIP / "scene.json").exists()
    assert node.ended().count("JobState=COMPLETED Partition=cpu") == 1
    assert finished.run("verify").returncode == 0


def test_memory_grows_with_attempts(node: Node, finished: Project) -> None:
    before = node.ended().count("JobId=")
    target = f"{CLIP}/v2p/policy/eval.json"
    grow = ("--set-resources", "evaluate:mem_mb=250 * attempt * attempt")
    done = submit(finished, "--force", target, *grow)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = node.ended().splitlines()[before:]
    assert "JobState=COMPLETED" in lines[-1] and len(lines) > 1, lines
    assert finished.run("verify").returncode == 0


def cancel(node: Node, project: Project) -> None:
    node.ask("scancel", *node.ask("squeue", "-h", "-t", "running", "-o", "%i").split())


def hang(node: Node, project: Project) -> None:
    """Halt the job's own process, so that its time runs out."""
    while not (found := [p for p in psutil.process_iter() if runs_a_script_of(project, p)]):
        time.sleep(0.1)
    for process in found:
        process.suspend()


def runs_a_script_of(project: Project, process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return any(f"{project.folder}/.snakemake/scripts/" in part for part in process.cmdline()[1:2])
    return False


@pytest.mark.parametrize(("end", "state"), [(cancel, "CANCELLED"), (hang, "TIMEOUT")])
def test_a_job_that_slurm_ends_leaves_nothing_and_is_done_again(
    node: Node, finished: Project, end: Callable[[Node, Project], None], state: str
) -> None:
    before = node.ended().count("JobId=")
    target = finished.folder / CLIP / "v2p" / "policy" / "rollout.mp4"
    outputs = str(target.relative_to(finished.folder))
    with (finished.folder / "ended.log").open("w") as log:
        running = subprocess.Popen(
            command(finished, "--force", outputs, "--retries", "0", "--set-resources", "evaluate:runtime=1"),
            cwd=finished.folder,
            env=finished.environ(),
            stdout=log,
            stderr=log,
        )
        while running.poll() is None and not node.ask("squeue", "-h", "-t", "running", "-o", "%i"):
            time.sleep(0.5)
        end(node, finished)
        assert running.wait(timeout=900) != 0
    assert f"JobState={state}" in node.ended().splitlines()[before]
    assert not target.exists()
    assert set(finished.plan(outputs)) == {"evaluate"}
    done = submit(finished, outputs)
    assert done.returncode == 0, done.stderr[-3000:]
    assert target.exists() and finished.run("verify").returncode == 0
