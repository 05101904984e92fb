"""What goes wrong around the workflow ends in a sentence for the user; the same command then completes."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.kills import fingerprint
from tests.author.two_clips import REPLIES
from tests.llm_server import Script, Server
from tests.test_workflow_llm import configure
from tests.workflow import SNAKEMAKE, Project, demo_rows
from video2policy.files import written
from video2policy.provenance import read_record

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SNAKEMAKE.exists(), reason="no host environment .venv here: run `make setup`"),
]

CLIP = "results/videos/lift_box"
DEMO = "results/demo/lift_box.mp4"
FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


@pytest.fixture
def fresh(tmp_path: Path) -> Project:
    project = Project.copy(tmp_path / "project")
    project.write_sheet(demo_rows()[:1])
    return project


def verify(project: Project) -> subprocess.CompletedProcess[str]:
    return project.run("verify")


@pytest.fixture
def small_disk(fresh: Project) -> Iterator[Path]:
    """results/ as a file system of its own, too small for anything."""
    folder = fresh.folder / "results"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "none", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


def test_a_full_and_a_read_only_disk(fresh: Project, small_disk: Path) -> None:
    done = fresh.run(DEMO)
    assert done.returncode != 0
    assert "demo_clip lift_box: the disk is full: free space" in done.stderr
    assert {path.name for path in small_disk.rglob("*") if path.is_file()} <= {"live.html"}

    remount(small_disk, "size=100m,ro")
    done = fresh.run(DEMO)
    assert done.returncode != 0 and "Read-only file system" in done.stderr
    assert "Traceback" not in done.stderr

    remount(small_disk, "rw")
    done = fresh.run(DEMO)
    assert done.returncode == 0, done.stderr[-3000:]
    assert verify(fresh).returncode == 0


def test_an_artifact_that_was_damaged_is_named_and_rebuilt(finished: Project) -> None:
    mesh = f"{CLIP}/objects/red_box/mesh.obj"
    path = finished.folder / mesh
    path.write_bytes(path.read_bytes()[:100])
    (finished.folder / CLIP / "frames" / "000003.jpg").write_bytes(b"")
    done = verify(finished)
    assert done.returncode != 0
    assert f"{mesh} changed since reconstruct made it" in done.stdout
    assert f"{CLIP}/frames changed since frames made it" in done.stdout
    command = next(line for line in done.stdout.splitlines() if "--force" in line)
    assert set(command.split("--force ")[1].split()) == {mesh, f"{CLIP}/frames"}

    done = finished.run("--force", mesh, f"{CLIP}/frames")
    assert done.returncode == 0, done.stderr[-3000:]
    assert verify(finished).returncode == 0


def test_two_workflows_in_one_folder(fresh: Project) -> None:
    with (fresh.folder / "first.log").open("w") as log:
        first = subprocess.Popen(
            fresh.command(DEMO), cwd=fresh.folder, env=fresh.environ(), stdout=log, stderr=log
        )
        locks = fresh.folder / ".snakemake" / "locks"
        while first.poll() is None and not (locks.is_dir() and any(locks.iterdir())):
            time.sleep(0.05)
        second = fresh.run(DEMO)
        assert first.wait() == 0
    assert second.returncode != 0
    assert "Directory cannot be locked" in second.stderr and "--unlock" in second.stderr
    assert "Traceback" not in second.stderr
    assert verify(fresh).returncode == 0


def test_an_endpoint_that_dies(finished: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRIPTED_KEY", "key")
    target = f"{CLIP}/v2p/task/task.py"
    options = {"retries": 2, "curriculum": []}
    with Server(Script.read(REPLIES), slow=15.0) as server:
        address = server.base_url
        done = finished.run(f"{CLIP}/v2p/task/candidate_0.py", *configure(finished, address, **options))
        assert done.returncode == 0, done.stderr[-3000:]
        asked = len(server.asked)
    done = finished.run(target, *configure(finished, address, **options))
    assert done.returncode != 0
    (sentence, *_) = [line for line in done.stderr.splitlines() if line.startswith("write_task lift_box")]
    assert "127.0.0.1" in sentence and "Traceback" not in done.stderr
    with Server(Script.read(REPLIES), slow=15.0) as server:
        done = finished.run(target, *configure(finished, server.base_url, **options))
        assert done.returncode == 0, done.stderr[-3000:]
        assert asked and server.asked, "only what was not answered is asked again"


def test_an_environment_that_cannot_be_built(fresh: Project, tmp_path: Path) -> None:
    environment = fresh.folder / "envs" / "embedded.yaml"
    sound = environment.read_text()
    environment.write_text(sound.replace("scipy==", "scipy==99."))
    done = fresh.run(DEMO, "--conda-prefix", str(tmp_path / "environments"))
    assert done.returncode != 0
    assert "envs/embedded.yaml" in done.stderr and "there is no version of scipy==99." in done.stderr
    assert "Traceback" not in done.stderr
    environment.write_text(sound)
    done = fresh.run(DEMO)
    assert done.returncode == 0, done.stderr[-3000:]


@contextmanager
def jumping(clock: Path) -> Iterator[None]:
    """Write another offset, a year back or ahead, into the file that libfaketime reads, thrice a second."""
    over = threading.Event()

    def jump() -> None:
        for offset in itertools.cycle(("+400d", "-400d", "+0d")):
            with written(clock) as part:
                part.write_text(offset)
            if over.wait(0.3):
                return

    thread = threading.Thread(target=jump)
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.mark.skipif(not FAKETIME, reason="no libfaketime here: apt-get install libfaketime")
def test_a_clock_that_jumps_while_jobs_run(fresh: Project, smoke: Project, tmp_path: Path) -> None:
    """The jobs' clock: under libfaketime snakemake itself hangs, before any job."""
    clock = tmp_path / "clock"
    preload = f"LD_PRELOAD={FAKETIME[0]} FAKETIME_TIMESTAMP_FILE={clock} FAKETIME_NO_CACHE=1"
    with (fresh.folder / "Snakefile").open("a") as snakefile:
        snakefile.write(f'\n\nshell.prefix("{preload} DONT_FAKE_MONOTONIC=1 ")\n')
    with jumping(clock):
        done = fresh.run(f"{CLIP}/scene.json")
    assert done.returncode == 0, done.stderr[-3000:]
    record = read_record(fresh.folder / CLIP / "frames.provenance.json")
    assert record is not None and 0 < record["seconds"] < 86_400
    made, undisturbed = fingerprint(fresh), fingerprint(smoke)
    assert made and made == {name: undisturbed[name] for name in made}
    assert verify(fresh).returncode == 0


def test_file_times_that_jumped(finished: Project) -> None:
    """Whatever the clock did, the next run completes with the same results."""
    results = finished.folder / "results"
    before = (results / "videos/lift_box/v2p/policy/eval.json").read_bytes()
    draw, now = random.Random(0), time.time()
    small = [path for path in sorted(results.rglob("*.json")) if "provenance" not in path.name]
    for path in small:
        moment = now + draw.choice((-400, 0, 400)) * 86_400
        os.utime(path, (moment, moment))
    done = finished.run()
    assert done.returncode == 0, done.stderr[-3000:]
    assert (results / "videos/lift_box/v2p/policy/eval.json").read_bytes() == before
    assert verify(finished).returncode == 0
