"""What many clips cost beside their jobs: `python -m bench.scale plan`, `batches`, `run`.

`plan` and `batches` are dry runs over a sheet of many clips at 5 rounds x 8 samples x 3 seeds, with the
project's own rules and scripts, before perception and after it (what follows is planned only then).
`run` really runs the smoke configuration over many clips with scripts that only wait and write empty outputs,
and gives the processor time that the workflow itself used: what a run spends outside its jobs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.workflow import Project, job_counts

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
        process = subprocess.Popen(
            project.command(*arguments),
            cwd=project.folder,
            env=project.environ(),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        for times, size in watch(process):
            cpu, memory = max(cpu, times), max(memory, size)
        output.seek(0)
        text = output.read()
    if process.returncode:
        sys.exit(text[-3000:])
    return Cost(time.monotonic() - started, cpu, memory, sum(job_counts(text).values()))


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
    """Dry runs over all clips, or over the last of so many batches of them, before and after perception."""
    project = many_clips(folder, clips)
    options = ["--configfile", "configs/smoke.yaml", "large.yaml", "--dry-run", "--quiet", "rules"]
    if parts > 1:
        options += ["--batch", f"report={parts}/{parts}"]
    print("| clips | batches | perception | jobs planned | CPU s | wall s | MB |" + "\n" + "|---" * 7 + "|")
    for done in ("to be done", "done"):
        if done == "done":
            perceive(project)
        cost = measure(project, *options)
        numbers = f"{cost.jobs} | {cost.cpu:.1f} | {cost.wall:.1f} | {cost.memory:.0f}"
        print(f"| {clips} | {parts} | {done} | {numbers} |", flush=True)


def run(folder: Path, clips: int, wait: float, options: list[str]) -> None:
    """Run stand-ins for all jobs of so many clips; the workflow's own share."""
    project = many_clips(folder, clips)
    for script in (project.folder / "scripts").glob("*.py"):
        if script.name != "__init__.py":
            script.write_text(STAND_IN % wait)
    cost = measure(project, *options)
    print(
        "| clips | jobs | seconds each | options | own CPU s | wall s | own CPU ms per job | MB |"
        + "\n"
        + "|---" * 8
        + "|"
    )
    each = 1000 * cost.cpu / cost.jobs
    numbers = f"{cost.cpu:.1f} | {cost.wall:.1f} | {each:.0f} | {cost.memory:.0f}"
    print(f"| {clips} | {cost.jobs} | {wait:g} | {' '.join(options) or 'the profile'} | {numbers} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("plan", "batches", "run"))
    parser.add_argument("--clips", type=int, help="default: 100, 1000, 20")
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--wait", type=float, default=0.5, help="seconds that a stand-in for a job waits")
    arguments, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="scale_") as name:
        if arguments.what == "plan":
            plan(Path(name), arguments.clips or 100, 1)
        elif arguments.what == "batches":
            plan(Path(name), arguments.clips or 1000, arguments.batches)
        else:
            run(Path(name), arguments.clips or 20, arguments.wait, options)


if __name__ == "__main__":
    main()
