"""What many clips cost beside their jobs: `python -m bench.scale plan`, `batches`, `run`, `real`.

`plan` and `batches` are dry runs over a sheet of many clips at 5 rounds x 8 samples x 3 seeds, with the
project's own rules and scripts, before perception and after it (what follows is planned only then).
`run` really runs the smoke configuration over many clips, for a while, with scripts that only wait and write
empty outputs, and gives the processor time that the workflow and the starts of its jobs take: what a run
spends outside its jobs. `real` runs the smoke configuration to its end on copies of the demo's first clip,
and gives the share of two cores' time that neither its jobs nor their starts took.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from bench.kills import spent
from tests.workflow import Project, demo_rows, job_counts
from video2policy.provenance import SUFFIX

CORES = 2
LARGE = """\
reward: {iterations: 5, samples: 8}
evaluation: {seeds: 3}
"""
STAND_IN = '''\
"""Waits and writes outputs that say that all is well."""
import json
import time
from pathlib import Path

time.sleep(%g)
for name, path in snakemake.output.items():
    path = Path(path)
    if path.suffix:
        path.write_text(json.dumps({"passed": True, "outputs": {}, "inputs": {}}))
    else:
        path.mkdir(parents=True, exist_ok=True)
'''


@dataclass(frozen=True)
class Cost:
    """Wall and processor seconds of the workflow's own process, its most memory (MB), jobs planned."""

    wall: float
    cpu: float
    memory: float
    jobs: int


def many_clips(folder: Path, clips: int) -> Project:
    """A project with a sheet of so many clips of one object."""
    project = Project.copy(folder / "project")
    (project.folder / "clip.mp4").write_bytes(b"clip")
    names = (f"clip_{number:04d}" for number in range(clips))
    row = {"clip": "clip.mp4", "caption": "lifting box up", "objects": "box", "sizes": '{"box": 0.05}'}
    project.write_sheet([{"video": name, **row} for name in names])
    (project.folder / "large.yaml").write_text(LARGE)
    return project


def perceive(project: Project) -> None:
    """Put empty files where perception would put its results, so that what follows can be planned."""
    done, started = project.run("--summary", "scenes"), time.time()
    for line in done.stdout.splitlines():
        if line.startswith("results/"):
            path = project.folder / line.split("\t")[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix:
                path.write_text('{"passed": true}')
            else:
                path.mkdir(exist_ok=True)
            os.utime(path, (started, started))  # none newer than another


def measure(project: Project, *arguments: str) -> Cost:
    """Run snakemake and watch its own process; its children are not counted. Exits where it fails."""
    started = time.monotonic()
    cpu = memory = 0.0
    with tempfile.TemporaryFile("w+") as output:
        process = start(project, arguments, output)
        for times, size in watch(process):
            cpu, memory = max(cpu, times), max(memory, size)
        output.seek(0)
        text = output.read()
    if process.returncode:
        sys.exit(text[-3000:])
    return Cost(time.monotonic() - started, cpu, memory, sum(job_counts(text).values()))


def start(project: Project, arguments: Sequence[str], output: IO[str]) -> subprocess.Popen[bytes]:
    """Snakemake, saying everything to one file."""
    return subprocess.Popen(
        project.command(*arguments),
        cwd=project.folder,
        env=project.environ(),
        stdout=output,
        stderr=subprocess.STDOUT,
    )


def watch(process: subprocess.Popen[bytes]) -> Iterator[tuple[float, float]]:
    """Processor seconds and memory (MB) of a process, now and then until it ends."""
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            times, memory = watched.cpu_times(), watched.memory_info().rss
        except psutil.NoSuchProcess:
            break
        yield times.user + times.system, memory / 1e6
        time.sleep(0.05)
    process.wait()


def plan(folder: Path, clips: int, parts: int) -> None:
    """Dry runs over all clips, or over the first of so many batches of them, before and after perception."""
    project = many_clips(folder, clips)
    options = ["--configfile", "configs/smoke.yaml", "large.yaml", "--dry-run", "--quiet", "rules"]
    if parts > 1:
        options += ["--batch", f"report=1/{parts}", "results/report.html"]
    print("| clips | batches | perception | jobs planned | CPU s | wall s | MB |" + "\n" + "|---" * 7 + "|")
    for done in ("to be done", "done"):
        if done == "done":
            perceive(project)
        cost = measure(project, *options)
        numbers = f"{cost.jobs} | {cost.cpu:.1f} | {cost.wall:.1f} | {cost.memory:.0f}"
        print(f"| {clips} | {parts} | {done} | {numbers} |", flush=True)


def run(folder: Path, clips: int, wait: float, seconds: float, options: list[str]) -> None:
    """Run stand-ins for jobs of so many clips for a while; what the workflow and a job's start take.

    Counted from the first job's end on, so that planning is not in it.
    """
    project = many_clips(folder, clips)
    for script in (project.folder / "scripts").glob("*.py"):
        if script.name != "__init__.py":
            script.write_text(STAND_IN % wait)
    log = project.folder / "run.log"
    with log.open("w") as output:
        process = start(project, options, output)
        first = None
        while process.poll() is None:
            now = Progress.of(process.pid, log)
            if now is not None and first is None:
                first = now
            if now is not None and first is not None and now.wall - first.wall >= seconds:
                process.send_signal(signal.SIGINT)
                break
            time.sleep(0.5)
        process.wait()
    if now is None or first is None or now.jobs == first.jobs:
        sys.exit(log.read_text()[-3000:])
    print("| clips | jobs planned | jobs run | own CPU ms per job | CPU ms of a job's start |")
    print("|---" * 5 + "|")
    jobs = now.jobs - first.jobs
    own, all_cpu = 1000 * (now.own - first.own) / jobs, 1000 * (now.all - first.all) / jobs
    print(f"| {clips} | {now.planned} | {jobs} | {own:.0f} | {all_cpu - own:.0f} |")


def real(folder: Path, clips: int, options: list[str]) -> None:
    """Run the smoke configuration to its end; how much of two cores' time its jobs and their starts took."""
    project = Project.copy(folder / "project")
    row = demo_rows()[0]
    project.write_sheet([{**row, "video": f"clip_{number:04d}"} for number in range(clips)])
    log = project.folder / "run.log"
    before, started, own, memory = ended_cpu(), time.monotonic(), 0.0, 0.0
    with log.open("w") as output:
        process = start(project, options, output)
        for times, size in watch(process):
            own, memory = max(own, times), max(memory, size)
    wall, jobs = time.monotonic() - started, ended_cpu() - before - own
    if process.returncode:
        sys.exit(log.read_text()[-3000:])
    number = len(list((project.folder / "results").rglob(f"*{SUFFIX}")))
    print("| clips | jobs | wall s | jobs' CPU s | own CPU s | own MB | share of two cores outside jobs |")
    print("|---" * 7 + "|")
    outside = 1 - jobs / (CORES * wall)
    print(f"| {clips} | {number} | {wall:.0f} | {jobs:.0f} | {own:.0f} | {memory:.0f} | {outside:.3f} |")


def ended_cpu() -> float:
    """Processor seconds of all processes that were started from here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@dataclass(frozen=True)
class Progress:
    """How far a run is: jobs done and planned, processor seconds of its own process and with all its jobs."""

    wall: float
    jobs: int
    planned: int
    own: float
    all: float

    @classmethod
    def of(cls, workflow: int, log: Path) -> Progress | None:
        """None before the first job has ended."""
        said = re.findall(r"^(\d+) of (\d+) jobs", log.read_text(), re.MULTILINE)
        if not said:
            return None
        times = psutil.Process(workflow).cpu_times()
        jobs, planned = map(int, said[-1])
        return cls(time.monotonic(), jobs, planned, times.user + times.system, spent(workflow))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("plan", "batches", "run", "real"))
    parser.add_argument("--clips", type=int, help="default: 100; batches: 1000; real: 10")
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=300.0, help="how long a run is watched")
    parser.add_argument("--wait", type=float, default=0.5, help="seconds that a stand-in for a job waits")
    parser.add_argument("--keep", metavar="FOLDER", help="leave the project in this new folder")
    arguments, options = parser.parse_known_args()
    keep = arguments.keep
    if keep and Path(keep).exists():
        parser.error(f"--keep {keep}: there is something already; name a new folder")
    with contextlib.nullcontext(keep) if keep else tempfile.TemporaryDirectory(prefix="scale_") as name:
        if arguments.what == "plan":
            plan(Path(name), arguments.clips or 100, 1)
        elif arguments.what == "batches":
            plan(Path(name), arguments.clips or 1000, arguments.batches)
        elif arguments.what == "real":
            real(Path(name), arguments.clips or 10, options)
        else:
            run(Path(name), arguments.clips or 100, arguments.wait, arguments.seconds, options)


if __name__ == "__main__":
    main()
