"""What an artifact was made from: hashes of files, and jobs' records.

Standard library only: the Snakefile imports it in the lean host environment.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SUFFIX = ".provenance.json"
"""How the names of jobs' records end."""

TIMESTAMP = ".snakemake_timestamp"
"""What snakemake puts into every directory that a job wrote, after the job."""

notes: dict[str, Any] = {}
"""What this process found out about how it works, such as the sandbox that its workers reached."""


def sha256(path: Path) -> str:
    """Hash of a file, or of a directory's file names and contents. Raises OSError where there is none."""
    digest = hashlib.sha256()
    if path.is_dir():
        for file in sorted(p for p in path.rglob("*") if p.is_file() and p.name != TIMESTAMP):
            digest.update(f"{file.relative_to(path)}\0{sha256(file)}\n".encode())
        return digest.hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def producer(path: Path) -> dict[str, Any] | None:
    """The record of the job that made an artifact; None for a file that no job made."""
    for folder in path.parents:
        for record in sorted(folder.glob(f"*{SUFFIX}")):
            content = read_record(record)
            if content and str(path) in content["outputs"]:
                return content
    return None


def read_record(path: Path) -> dict[str, Any] | None:
    """A job's record; None for one that cannot be read or holds no hashes."""
    try:
        content = json.loads(path.read_text())
        return (
            content if isinstance(content["outputs"], dict) and isinstance(content["inputs"], dict) else None
        )
    except (ValueError, KeyError, TypeError):
        return None


def altered(paths: Iterable[Path]) -> list[str]:
    """Those of these artifacts that are not what their jobs wrote: truncated, edited or gone since."""
    found = []
    for path in paths:
        made = producer(path)
        if made and not (path.exists() and sha256(path) == made["outputs"][str(path)]):
            found.append(str(path))
    return found
