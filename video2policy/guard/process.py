"""Run a module in a process of its own: own session, cleared environment, limits, a time-out, no survivors.

Everything that runs generated code goes through `run_worker`. Standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import resource
import select
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROGRESS = "progress "
"""Lines of a worker's output that start so are handed on while it runs."""

MAX_OUTPUT = 32 * 2**20
"""Bytes that a worker may print before it is ended."""
MAX_RESULT = 64 * 2**20
MAX_FILE = 4 * 2**30
MAX_MEMORY = 64 * 2**30
"""Bytes of address space; torch and MuJoCo reserve far more than they use."""
TAIL_LINES = 12

PR_SET_PDEATHSIG = 1


class WorkerError(Exception):
    """How a worker failed, in one sentence, followed by the last lines it printed."""


def run_worker(
    module: str,
    spec: Mapping[str, Any],
    folder: Path,
    timeout: float,
    on_line: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Run `python -m module spec.json` in `folder` and return the result.json that it writes there.

    `timeout` in seconds. `on_line` gets what follows "progress " on such lines. Raises WorkerError; the
    worker's whole process group has ended when this returns or raises.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    result = folder / "result.json"
    result.unlink(missing_ok=True)
    (folder / "spec.json").write_text(json.dumps(spec, default=str))
    parent = os.getpid()
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def prepare() -> None:
        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_FSIZE, MAX_FILE)
        _limit(resource.RLIMIT_AS, MAX_MEMORY)
        _limit(resource.RLIMIT_CPU, int(timeout * (os.cpu_count() or 1)) + 10)
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # the parent died before the line above
                os._exit(1)

    process = subprocess.Popen(
        [sys.executable, "-m", module, "spec.json"],
        cwd=folder,
        env=_environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=prepare,
    )
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    try:
        problem = _follow(process, timeout, tail, on_line)
    finally:
        _end_group(process)
    if problem is None and process.returncode != 0:
        code = process.returncode
        problem = (
            f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"
        )
    if problem is not None:
        raise WorkerError(_sentence(module, problem, tail))
    return _read_result(module, result, tail)


def _limit(kind: int, value: int) -> None:
    """Lower a limit, never above what is already in force."""
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def _environment(folder: Path) -> dict[str, str]:
    """What a worker sees of the environment: no keys, no home, no settings of the user's Python."""
    kept = {
        name: os.environ[name]
        for name in ("MUJOCO_GL", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")
        if name in os.environ
    }
    return kept | {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "PYTHONPATH": str(ROOT),
        "PYTHONSAFEPATH": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": str(folder),
    }


def _follow(
    process: subprocess.Popen[bytes], timeout: float, tail: deque[str], on_line: Callable[[str], None] | None
) -> str | None:
    """Read the worker's output until it ends; what went wrong, or None. Keeps the last lines in `tail`."""
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    deadline = time.monotonic() + timeout
    rest, total = b"", 0
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            return f"did not end within {timeout:g} s"
        ready, _, _ = select.select([descriptor], [], [], min(left, 0.5))
        if not ready:
            # A grandchild may hold the pipe open after the worker itself has ended.
            if process.poll() is not None:
                return None
            continue
        data = os.read(descriptor, 65536)
        if not data:
            break
        total += len(data)
        if total > MAX_OUTPUT:
            return f"printed more than {MAX_OUTPUT // 2**20} MB"
        *lines, rest = (rest + data).split(b"\n")
        rest = rest[-4096:]
        for raw in lines:
            line = raw[-4096:].decode("utf-8", "replace")
            if line.startswith(PROGRESS):
                if on_line is not None:
                    on_line(line.removeprefix(PROGRESS))
            elif line.strip():
                tail.append(line)
    if rest:
        tail.append(rest.decode("utf-8", "replace"))
    try:
        process.wait(max(deadline - time.monotonic(), 0.01))
    except subprocess.TimeoutExpired:
        return f"did not end within {timeout:g} s"
    return None


def _end_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _read_result(module: str, path: Path, tail: deque[str]) -> dict[str, Any]:
    if path.is_symlink() or not path.is_file():
        raise WorkerError(_sentence(module, "wrote no result", tail))
    if path.stat().st_size > MAX_RESULT:
        raise WorkerError(_sentence(module, "wrote a result that is too large", tail))
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise WorkerError(_sentence(module, f"wrote a result that is not JSON ({error})", tail)) from error
    if not isinstance(result, dict):
        raise WorkerError(_sentence(module, "wrote a result that is no JSON object", tail))
    return result


def _sentence(module: str, problem: str, tail: deque[str]) -> str:
    lines = [re.sub(r"[^\x20-\x7e]", "?", line)[:300] for line in tail]
    text = f"the worker {module} {problem}"
    return text + (":\n" + "\n".join(f"  {line}" for line in lines) if lines else "")
