"""A copy of the project in which a test runs `snakemake` as a user would."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from video2policy.reach import MEMORY

REPO = Path(__file__).resolve().parent.parent
PARTS = (
    "Snakefile",
    "config.yaml",
    "configs",
    "envs",
    "profiles",
    "prompts",
    "rules",
    "schemas",
    "scripts",
    "tools",
    "video2policy",
)
SNAKEMAKE = REPO / ".venv" / "bin" / "snakemake"


@dataclass
class Project:
    """A folder with the project's files and a sample sheet of its own."""

    folder: Path

    @classmethod
    def copy(cls, folder: Path) -> Project:
        folder.mkdir(parents=True)
        for part in PARTS:
            source, target = REPO / part, folder / part
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"), symlinks=True)
            else:
                shutil.copy2(source, target)
        if (REPO / MEMORY).exists():  # else every copy would parse the whole project once
            (folder / MEMORY).parent.mkdir(parents=True)
            shutil.copy2(REPO / MEMORY, folder / MEMORY)
        return cls(folder)

    def clone(self, folder: Path) -> Project:
        """The same project with its results and snakemake's records, file times kept."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder)

    def command(self, *args: str) -> list[str]:
        prefix = [
            "--conda-prefix",
            str(REPO / ".snakemake" / "conda"),
        ]  # all tests share one set of environments
        return [str(SNAKEMAKE), "--cores", "2", "--configfile", "configs/smoke.yaml", *prefix, *args]

    def environ(self) -> dict[str, str]:
        return {**os.environ, "PATH": f"{REPO / '.venv' / 'bin'}:{os.environ['PATH']}"}

    def run(self, *args: str, timeout: float = 3600) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*args),
            cwd=self.folder,
            env=self.environ(),
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def plan(self, *args: str) -> dict[str, int]:
        """Jobs that snakemake would run, by rule."""
        done = self.run("--dry-run", "--quiet=rules", *args)
        assert done.returncode == 0, done.stdout + done.stderr
        return job_counts(done.stdout + done.stderr)

    def write_sheet(self, rows: Sequence[dict[str, str]]) -> None:
        columns = list(dict.fromkeys(key for row in rows for key in row))
        lines = ["\t".join(columns)] + ["\t".join(row.get(c, "") for c in columns) for row in rows]
        (self.folder / "videos.tsv").write_text("\n".join(lines) + "\n")


def demo_rows() -> list[dict[str, str]]:
    lines = (REPO / "videos.tsv").read_text().splitlines()
    columns = lines[0].split("\t")
    return [dict(zip(columns, line.split("\t"), strict=False)) for line in lines[1:] if line]


def job_counts(text: str) -> dict[str, int]:
    """The table "Job stats" that snakemake prints."""
    counts = dict(re.findall(r"^(\w+) +(\d+)$", text, re.MULTILINE))
    counts.pop("total", None)
    return {rule: int(count) for rule, count in counts.items()}
