"""A smoke run killed again and again at random moments: `python -m bench.kills --kills 50`.

Runs the first of the demo's clips undisturbed, then again while a random process is sent SIGKILL, SIGTERM or
SIGINT: the workflow itself, one of its jobs, or a worker that runs generated code. After each kill the same
command is given again; a run that finished is compared with the undisturbed one, and a new one begun until
there were enough kills. Prints who was killed by what. Ends with status 1 where an artifact differs.

The time between two kills is drawn in processor seconds of the run, so that on a machine with other work it
comes as far between them as on an idle one.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.workflow import Project, demo_rows
from video2policy.provenance import SUFFIX, read_record, sha256

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
TIMED = re.compile(r"log\.csv$|policy/seeds$|report\.html$|^results/report/")
"""Names of artifacts that hold times, and so differ between any two runs."""
WORKFLOW, JOB = "workflow", "job"


def fingerprint(project: Project) -> dict[str, str]:
    """Hash of every artifact that a job recorded and that holds no times, as it is now."""
    records = [read_record(path) for path in (project.folder / "results").rglob(f"*{SUFFIX}")]
    names = {name for record in records if record for name in record["outputs"] if not TIMED.search(name)}
    return {name: sha256(project.folder / name) for name in sorted(names)}


def differences(project: Project, reference: Project) -> list[str]:
    """Artifacts that one has and the other has not, or has otherwise; and half-written ones."""
    ours, theirs = fingerprint(project), fingerprint(reference)
    other = [name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)]
    return sorted(other) + [str(part) for part in (project.folder / "results").rglob(".part-*")]


def processes(workflow: int) -> Iterator[tuple[str, psutil.Process]]:
    """The workflow and those below it that can be killed on their own, each with what it is."""
    top = psutil.Process(workflow)
    yield WORKFLOW, top
    for process in top.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            line = " ".join(process.cmdline())
            worker = re.search(r"-m (video2policy\.[\w.]+)", line)
            if worker and "bwrap" not in process.name():
                yield worker[1], process
            elif ".snakemake/scripts/" in line and "python" in process.name():
                yield JOB, process


def kill_one(workflow: int, draw: random.Random) -> tuple[str, str]:
    """Send a random signal to a random process, each kind alike; its kind and the signal's name."""
    found: dict[str, list[psutil.Process]] = {}
    for kind, process in processes(workflow):
        found.setdefault(kind, []).append(process)
    kind, number = draw.choice(sorted(found)), draw.choice(SIGNALS)
    with contextlib.suppress(psutil.NoSuchProcess):  # it ended by itself meanwhile
        draw.choice(found[kind]).send_signal(number)
    return kind, number.name


def spent(workflow: int) -> float:
    """Processor seconds of the workflow and of all that it started, those that ended included."""
    top, seconds = psutil.Process(workflow), 0.0
    for process in [top, *top.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


def work_on(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait until the run used so many processor seconds more; False where it ended before."""
    enough = None
    while process.poll() is None:
        so_far = spent(process.pid)
        enough = so_far + seconds if enough is None else enough
        if so_far >= enough:
            return True
        time.sleep(0.2)
    return False


def hear_interrupts() -> None:
    """Undo what a shell does to the processes that it starts in the background: it has them ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run_with_kills(
    project: Project, draw: random.Random, pause: float, limit: int
) -> Counter[tuple[str, str]]:
    """Run to the end through at most `limit` kills, on average `pause` processor seconds apart."""
    kills: Counter[tuple[str, str]] = Counter()
    log = project.folder / "killed.log"
    while True:
        with log.open("a") as output:
            process = subprocess.Popen(
                project.command(),
                cwd=project.folder,
                env=project.environ(),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=hear_interrupts,
            )
            killed = 0
            while kills.total() < limit and work_on(process, draw.expovariate(1 / pause)):
                kind, number = kill_one(process.pid, draw)
                kills[kind, number] += 1
                print(f"{kills.total()}: {number} to {kind}", file=sys.stderr, flush=True)
                killed += 1
                if kind == WORKFLOW:
                    process.wait()
            process.wait()
        if process.returncode == 0:
            return kills
        if not killed:
            raise RuntimeError(f"failed without having been killed: {log.read_text()[-3000:]}")
        time.sleep(2)  # jobs notice within half a second that their workflow is gone
        if any((project.folder / ".snakemake" / "locks").glob("*")):
            project.run("--unlock")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pause", type=float, default=10.0, help="mean processor seconds between two kills")
    parser.add_argument("--reference", type=Path, help="folder of an undisturbed run, instead of making one")
    arguments = parser.parse_args()
    draw, total, different = random.Random(arguments.seed), Counter[tuple[str, str]](), 0
    with tempfile.TemporaryDirectory(prefix="kills_") as folder:
        reference = Project(arguments.reference) if arguments.reference else None
        if reference is None:
            reference = Project.copy(Path(folder) / "undisturbed")
            reference.write_sheet(demo_rows()[:1])
            done = reference.run(timeout=7200)
            if done.returncode:
                sys.exit(done.stdout + done.stderr)
        for number in range(arguments.kills):
            if total.total() >= arguments.kills:
                break
            project = Project.copy(Path(folder) / f"run_{number}")
            project.write_sheet(demo_rows()[:1])
            kills = run_with_kills(project, draw, arguments.pause, arguments.kills - total.total())
            total += kills
            wrong = differences(project, reference)
            different += len(wrong)
            same = len(fingerprint(project))
            print(
                f"run {number}: {kills.total()} kills; {same} artifacts, {len(wrong)} differ {wrong}",
                flush=True,
            )
    print("\n| killed | signal | times |\n|---|---|---|")
    for (kind, name), count in sorted(total.items()):
        print(f"| {kind} | {name} | {count} |")
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
