"""Which files are images; writing beside a file and renaming, so that under its own name it is whole or not
there.

Standard library only: the Snakefile imports it in the lean host environment.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


def is_image(name: str) -> bool:
    """Whether a file of this name is a frame of an image folder; macOS' hidden `._000.jpg` are none."""
    return not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES


def truth_files(clip: Path) -> tuple[Path, Path]:
    """Where the truth about a rendered clip may lie: beside it, or in `truth/` beside the clip's folder."""
    return clip.with_suffix(".npz"), clip.parent.parent / "truth" / f"{clip.stem}.npz"


def part_of(path: Path, writer: str = "") -> Path:
    """The temporary sibling that a file or directory is written to; a `writer` has one of its own."""
    return path.with_name(f".part-{writer}{path.name}")


def remove(path: Path) -> None:
    """Take away a file, a link or a directory with all in it; nothing where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def written(path: Path, shared: bool = False) -> Iterator[Path]:
    """The temporary sibling, renamed to `path` when the block ends, removed where it raises.

    With `shared`, several processes may write `path` at the same time: the last to end gives it its content.
    """
    part = part_of(path, f"{os.getpid()}-" if shared else "")
    remove(part)
    try:
        yield part
        part.replace(path)
    finally:
        remove(part)
