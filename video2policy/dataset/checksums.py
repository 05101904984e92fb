"""SHA-256 of every file of a dataset, in the form that `sha256sum --check meta/SHA256SUMS` reads."""

from __future__ import annotations

import hashlib
from pathlib import Path

from video2policy.dataset.lerobot import DatasetError

NAME = "meta/SHA256SUMS"


def mark(root: Path) -> str:
    """What tells a sealed dataset from any other: the SHA-256 of its sums."""
    return _sum(root / NAME)


def seal(root: Path) -> None:
    """Write the sums of all files of the dataset."""
    lines = [f"{_sum(path)}  {path.relative_to(root).as_posix()}\n" for path in _files(root)]
    (root / NAME).write_text("".join(lines), "utf-8")


def verify(root: Path) -> int:
    """Check every file against its sum; how many there are.

    Raises:
        DatasetError: no sums, none that can be read, or files that changed, are absent or were added since.
    """
    if not (root / NAME).is_file():
        raise DatasetError(f"{root} has no {NAME}: it is no whole dataset of this project")
    try:
        pairs = [line.split("  ", 1) for line in (root / NAME).read_text("utf-8").splitlines()]
        known = {name: digest for digest, name in pairs}
    except ValueError as error:
        raise DatasetError(f"{root / NAME} is no list of sums: the dataset cannot be checked") from error
    present = {path.relative_to(root).as_posix(): path for path in _files(root)}
    wrong = sorted(
        name
        for name in known.keys() | present.keys()
        if name not in known or name not in present or _sum(present[name]) != known[name]
    )
    if wrong:
        raise DatasetError(f"{root} is not as it was written: {', '.join(wrong[:5])} differ from {NAME}")
    return len(known)


def _files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file() and path != root / NAME)


def _sum(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
