"""How long perception takes on one clip: `snakemake scenes` in a temporary folder, stage by stage.

    python -m bench.suite out --variants 1 --families push_next --size 640x480 --with boxes sizes
    python -m bench.phase1 out/videos.tsv --conda-prefix .snakemake/conda

Seconds and peak memory are those of the stages' provenance files, the wall time is that of the whole command.
Decoding alone, in this process, is what no change to the stages can go below.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from video2policy.clip import Source
from video2policy.sheet import read_sheet

REPO = Path(__file__).resolve().parent.parent
ASKED_SECONDS, ASKED_MB = 40.0, 3 * 1024
"""For a clip of 4 s at 640x480 on 2 cores."""
STAGES = (
    "frames",
    "ground",
    "hands",
    "segment",
    "depth",
    "reconstruct",
    "scale",
    "track",
    "collide",
    "scene",
)


@dataclass(frozen=True)
class Job:
    """One job of a run: its rule, seconds and peak memory in MB."""

    rule: str
    seconds: float
    memory: float


def jobs(results: Path) -> list[Job]:
    """The jobs that left a provenance file below ``results``, in the stages' order."""
    records = (json.loads(path.read_text()) for path in results.rglob("*provenance.json"))
    found = [Job(r["rule"], float(r["seconds"]), float(r["peak_memory_mb"])) for r in records]
    return sorted((job for job in found if job.rule in STAGES), key=lambda job: STAGES.index(job.rule))


def table(found: Sequence[Job], wall: float, decode: float, cores: int) -> str:
    """The stages' figures and the totals in Markdown."""
    lines = ["| stage | jobs | seconds, all jobs | peak memory, MB |", "|---|---|---|---|"]
    for stage in STAGES:
        same = [job for job in found if job.rule == stage]
        if same:
            seconds, memory = sum(job.seconds for job in same), max(job.memory for job in same)
            lines.append(f"| {stage} | {len(same)} | {seconds:.1f} | {memory:.0f} |")
    peak = max(job.memory for job in found)
    lines += [
        "",
        f"wall time {wall:.1f} s on {cores} cores: {wall / ASKED_SECONDS:.2f} of {ASKED_SECONDS:.0f} s asked",
        f"peak memory of a job {peak:.0f} MB: {peak / ASKED_MB:.2f} of the {ASKED_MB} MB asked",
        f"in the stages {sum(job.seconds for job in found):.1f} s, decoding alone {decode:.2f} s; "
        f"load of the machine at the end {os.getloadavg()[0]:.1f}",
    ]
    return "\n".join(lines)


def decode_seconds(clip: Path) -> tuple[float, int]:
    """Seconds that decoding a clip takes, and its number of frames."""
    start = time.perf_counter()
    count = sum(1 for _ in Source.open(clip))
    return time.perf_counter() - start, count


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sheet", type=Path, help="a sample sheet, as bench.suite writes it")
    parser.add_argument("--id", help="the clip of the sheet; else its first")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--conda-prefix", type=Path, default=REPO / ".snakemake" / "conda")
    chosen = parser.parse_args(arguments)
    row = read_sheet(chosen.sheet, ids=[chosen.id] if chosen.id else [])[0]
    decode, count = decode_seconds(Path(row.clip))
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *("snakemake", "--snakefile", str(REPO / "Snakefile"), "--directory", folder),
            *("--profile", str(REPO / "profiles" / "default"), "--configfile", str(REPO / "config.yaml")),
            *("--cores", str(chosen.cores), "--conda-prefix", str(chosen.conda_prefix.resolve())),
            *("--config", f"videos={chosen.sheet.resolve()}", f"ids=['{row.video}']", "--", "scenes"),
        ]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True)
        wall = time.perf_counter() - start
        found = jobs(Path(folder) / "results")
    if done.returncode or not found:
        print(done.stdout + done.stderr)
        return done.returncode or 1
    print(f"{row.video}: {count} frames\n\n{table(found, wall, decode, chosen.cores)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
