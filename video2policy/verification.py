"""Whether a results folder holds what its jobs wrote. Standard library only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from video2policy.provenance import SUFFIX, read_record, sha256


@dataclass(frozen=True)
class Problem:
    """An artifact that is not what it should be.

    Attributes:
        path: as the job named it, from the folder where the workflow ran.
        what: follows the path in a sentence.
        rebuild: the artifacts to be made again; none where only the user can mend it.
    """

    path: str
    what: str
    rebuild: tuple[str, ...]


@dataclass(frozen=True)
class Verification:
    """How many artifacts of how many jobs were checked, in how many bytes, and what is wrong with them."""

    jobs: int
    artifacts: int
    size: int
    problems: tuple[Problem, ...]

    def rebuild(self) -> list[str]:
        """All artifacts to be made again, once each."""
        return list(dict.fromkeys(path for problem in self.problems for path in problem.rebuild))


def verify(results: Path, threads: int | None = None) -> Verification:
    """Check every artifact below `results` against the record of the job that made it.

    An artifact is right when it is what its job wrote, and when that job read what is there now: other
    artifacts as their own jobs recorded them, files that no job made (clips, weights) as they are on disk.
    Paths in records are relative to the current folder.
    """
    records = {path: read_record(path) for path in sorted(results.rglob(f"*{SUFFIX}"))}
    known = [record for record in records.values() if record is not None]
    recorded = {name: sha for record in known for name, sha in record["outputs"].items()}
    given = {name for record in known for name in record["inputs"] if name not in recorded}
    names = [*recorded, *sorted(given)]
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:  # hashing leaves Python's lock
        found = dict(zip(names, pool.map(_hash, names), strict=True))
    problems = [
        Problem(str(path), "is no record that can be read: what its job made is unknown", (str(path),))
        for path, record in records.items()
        if record is None
    ]
    for record in known:
        problems += _problems(record, recorded, found)
    size = sum(_size(Path(name)) for name in names)
    return Verification(len(known), len(recorded), size, tuple(problems))


def _problems(
    record: dict[str, Any], recorded: dict[str, str], found: dict[str, str | None]
) -> Iterator[Problem]:
    rule, outputs = record["rule"], tuple(record["outputs"])
    for name, sha in record["outputs"].items():
        if found[name] is None:
            yield Problem(name, f"is gone, which {rule} made", (name,))
        elif found[name] != sha:
            yield Problem(name, f"changed since {rule} made it", (name,))
    for name, sha in record["inputs"].items():
        if name in recorded:
            if recorded[name] != sha:
                yield Problem(
                    outputs[0], f"was made by {rule} from another {name} than there is now", outputs
                )
        elif found[name] is None:
            yield Problem(name, f"is gone, which {rule} read", ())
        elif found[name] != sha:
            yield Problem(outputs[0], f"was made by {rule} from {name}, which changed since", outputs)


def _hash(name: str) -> str | None:
    path = Path(name)
    return sha256(path) if path.exists() else None


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
