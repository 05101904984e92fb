"""What a worker leaves in its folder: read without following links, waiting for pipes or trusting sizes.

Everything in that folder may have been written by generated code. Standard library only.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import stat
from pathlib import Path
from typing import Any, BinaryIO

MAX_COMPONENTS, MAX_NAME = 100, 200
"""Of a reward, and characters in the name of one."""
MAX_DEPTH = 20
MAX_VALUES = 200_000
MAX_TEXT = 100_000
MAX_INTEGER = 2**63


class LeavingsError(ValueError):
    """What is wrong with a file that a worker left, to be read after "the worker ..."."""


def printable(text: str) -> str:
    """`text` in one line, without what a terminal takes for a command and a file cannot hold."""
    return re.sub(r"[^\x20-\x7e]", "?", re.sub(r"\s*\n\s*", " ", text))


def open_file(folder: Path, name: str, limit: int) -> BinaryIO:
    """A regular file of at most `limit` bytes, opened to read.

    Raises:
        LeavingsError: it is absent, a link, a pipe or a device, or too large.
    """
    what = "result" if name == "result.json" else name
    try:
        handle = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise LeavingsError(f"wrote no {what}") from error
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(handle)
        raise LeavingsError(f"wrote no {what}")
    if status.st_size > limit:
        os.close(handle)
        raise LeavingsError(f"wrote a {what} that is too large")
    return os.fdopen(handle, "rb")


def copy_file(folder: Path, name: str, target: Path, limit: int) -> None:
    """Copy such a file out of the folder. Raises LeavingsError."""
    with open_file(folder, name, limit) as source, target.open("wb") as copy:
        shutil.copyfileobj(source, copy)


def read_json(folder: Path, name: str, limit: int) -> dict[str, Any]:
    """An object of finite, moderate numbers, texts and lists, neither deep nor huge.

    Raises:
        LeavingsError: it is none.
    """
    with open_file(folder, name, limit) as file:
        try:
            value = json.loads(file.read(limit + 1).decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise LeavingsError(f"wrote a result that is not JSON ({error})") from error
    if not isinstance(value, dict):
        raise LeavingsError("wrote a result that is no JSON object")
    left = MAX_VALUES
    todo: list[tuple[Any, int]] = [(value, 0)]
    while todo:
        item, depth = todo.pop()
        left -= 1
        if left < 0 or depth > MAX_DEPTH or (isinstance(item, str) and len(item) > MAX_TEXT):
            raise LeavingsError("wrote a result that is too large")
        if isinstance(item, float) and not math.isfinite(item):
            raise LeavingsError("wrote a result with a number that is not finite")
        if isinstance(item, int) and abs(item) > MAX_INTEGER:
            raise LeavingsError("wrote a result with a number that is too large")
        if isinstance(item, dict):
            todo += [(part, depth + 1) for pair in item.items() for part in pair]
        elif isinstance(item, list):
            todo += [(part, depth + 1) for part in item]
    return value


def fits(folder: Path, max_bytes: int, max_entries: int) -> bool:
    """Whether all in `folder` together is no more than that."""
    size = entries = 0
    todo = [str(folder)]
    while todo:
        try:
            with os.scandir(todo.pop()) as found:
                for entry in found:
                    entries += 1
                    if entries > max_entries:
                        return False
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
                    else:
                        size += entry.stat(follow_symlinks=False).st_size
        except OSError:  # gone since, or closed by the worker
            continue
    return size <= max_bytes
