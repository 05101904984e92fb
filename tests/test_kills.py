"""The workflow killed at random moments and started again ends with the same artifacts."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.workflow import SNAKEMAKE, Project, demo_rows
from video2policy.provenance import sha256

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SNAKEMAKE.exists(), reason="no host environment .venv here: run `make setup`"),
]

COMPARED = (
    "*.safetensors",
    "scene.json",
    "task.py",
    "reward.py",
    "search.json",
    "best.json",
    "eval.json",
    "poses.json",
)


def fingerprint(project: Project) -> dict[str, str]:
    """Hashes of the artifacts that hold no times."""
    results = project.folder / "results"
    files = [path for pattern in COMPARED for path in results.rglob(pattern)]
    return {str(path.relative_to(results)): sha256(path) for path in sorted(files)}


def run_and_kill(project: Project, number: signal.Signals, seconds: float) -> bool:
    """Start the workflow, send it a signal after so many seconds; whether it was still running then."""
    log = (project.folder / "killed.log").open("a")
    process = subprocess.Popen(
        project.command(),
        cwd=project.folder,
        env=project.environ(),
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        process.wait(timeout=seconds)
        return False
    except subprocess.TimeoutExpired:
        process.send_signal(number)
        process.wait(timeout=120)
        time.sleep(2)  # orphans notice within half a second
        project.run("--unlock")
        return True


def test_killed_at_any_stage_it_completes_with_the_same_results(tmp_path: Path) -> None:
    undisturbed = Project.copy(tmp_path / "undisturbed")
    undisturbed.write_sheet(demo_rows()[:1])
    started = time.monotonic()
    done = undisturbed.run()
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    whole = time.monotonic() - started

    killed = Project.copy(tmp_path / "killed")
    killed.write_sheet(demo_rows()[:1])
    draw = random.Random(7)
    kills = 0
    for number in (
        signal.SIGKILL,
        signal.SIGKILL,
        signal.SIGTERM,
        signal.SIGKILL,
        signal.SIGINT,
        signal.SIGKILL,
    ) * 2:
        kills += run_and_kill(killed, number, draw.uniform(0.08, 0.35) * whole)
    done = killed.run()
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert kills >= 4
    assert fingerprint(killed) == fingerprint(undisturbed)
    assert not list((killed.folder / "results").rglob(".part-*"))
