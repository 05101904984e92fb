"""Run a module in a process of its own: own session, cleared environment, limits, a time-out, no survivors.

Everything that runs generated code goes through `run_worker`; workers lock themselves down
(`guard.lockdown`). Standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from video2policy import provenance
from video2policy.guard import bubblewrap, leavings, lockdown
from video2policy.perceive.verdict import Unavailable

ROOT = Path(__file__).parents[2]
PROGRESS = "progress "
"""Lines of a worker's output that start so are handed on while it runs."""

MAX_OUTPUT = 32 * 2**20
"""Bytes that a worker may print before it is ended."""
MAX_RESULT = 64 * 2**20
MAX_FILE = 2**30
MAX_FOLDER = 2 * 2**30
MAX_ENTRIES = 1000
"""Bytes and files that a worker may have in its folder."""
MIN_FREE = 2**24
"""Bytes: with less left on the disk, a worker that failed is not to blame."""
MAX_MEMORY = 64 * 2**30
"""Bytes of address space; torch and MuJoCo reserve far more than they use."""
TAIL_LINES = 12
OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""How the system or a person ends a worker; code that is locked down cannot send signals to others."""
MEASURE_EVERY = 1.0
"""Seconds between two looks at how much a worker has written."""

PR_SET_PDEATHSIG = 1


class WorkerError(Exception):
    """How a worker failed, in one sentence, followed by the last lines it printed."""


class Ended(Unavailable):
    """A worker was ended from outside or had no disk left: that says nothing about the code that it ran."""


class Refused(Unavailable):
    """Generated code may not run here: the config asks for more containment than there is."""


@dataclass(frozen=True)
class Sandbox:
    """How a worker is contained.

    Attributes:
        mode: "required", "best_effort" or "off", the config's `sandbox`.
        read: files and folders that the worker may read, beside Python's packages and the system's libraries.
    """

    mode: str = "best_effort"
    read: tuple[Path, ...] = ()


BEST_EFFORT = Sandbox()


def run_worker(
    module: str,
    spec: Mapping[str, Any],
    folder: Path,
    timeout: float,
    on_line: Callable[[str], None] | None = None,
    sandbox: Sandbox = BEST_EFFORT,
) -> dict[str, Any]:
    """Run `python -m module spec.json` in `folder` and return the result.json that it writes there.

    `timeout` in seconds. `on_line` gets what follows "progress " on such lines, whoever in the worker printed
    them; a LeavingsError of its ends the worker. The result's `sandbox` is
    what the worker reached by `lockdown.contain`, as it said before any generated code ran. The worker's
    whole process group has ended when this returns or raises.

    Raises:
        WorkerError: the worker failed.
        Ended: something else ended it.
        Refused: the sandbox is required, and this machine does not have it.
    """
    required = sandbox.mode == "required"
    if required and lockdown.lacking():
        raise Refused(_refusal("this machine lacks " + " and ".join(lockdown.lacking())))
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").unlink(missing_ok=True)
    read = [path.resolve() for path in sandbox.read]
    wrapper = bubblewrap.command(module, folder, read) if sandbox.mode != "off" else []
    block = {"mode": sandbox.mode, "read": read, "bubblewrap": bool(wrapper)}
    (folder / "spec.json").write_text(json.dumps({**spec, "sandbox": block}, default=str))
    parent = os.getpid()
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def prepare() -> None:
        lockdown.lower(resource.RLIMIT_CORE, 0)
        lockdown.lower(resource.RLIMIT_FSIZE, MAX_FILE)
        lockdown.lower(resource.RLIMIT_AS, MAX_MEMORY)
        lockdown.lower(resource.RLIMIT_CPU, int(timeout * (os.cpu_count() or 1)) + 10)
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # the parent died before the line above
                os._exit(1)

    process = subprocess.Popen(
        [*wrapper, sys.executable, "-m", module, "spec.json"],
        cwd=folder,
        env=_environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=prepare,
    )
    output = _Output(on_line)
    try:
        problem = _follow(process, timeout, output, folder)
    except leavings.LeavingsError as error:
        raise WorkerError(_sentence(module, str(error), output.tail)) from error
    finally:
        _end_group(process)
    reached = output.sandbox
    provenance.notes["sandbox"] = reached or {"mode": sandbox.mode, "level": None}
    if required and reached and not lockdown.is_enough(reached.get("level")):
        raise Refused(_refusal("; ".join(map(str, reached.get("missing", [])))))
    if problem is None and process.returncode != 0:
        code = _signal_or_status(process.returncode, bool(wrapper))
        if -code in OUTSIDE:
            raise Ended(
                f"the worker {module} was ended from outside by {signal.Signals(-code).name}, "
                "as happens when memory runs out: run the same command again"
            )
        problem = _ending(code)
    if problem is not None and shutil.disk_usage(folder).free < MIN_FREE:
        raise Ended(f"the worker {module} had no disk left in {folder.parent}: free space and run again")
    if problem is not None:
        raise WorkerError(_sentence(module, problem, output.tail))
    if required and not reached:
        raise Refused(_refusal(f"the worker {module} did not lock itself down"))
    try:
        result = leavings.read_json(folder, "result.json", MAX_RESULT)
    except leavings.LeavingsError as error:
        raise WorkerError(_sentence(module, str(error), output.tail)) from error
    return {**result, "sandbox": reached} if reached else result


def _refusal(reason: str) -> str:
    return f"sandbox: required, but {reason}; use another machine, or set sandbox: best_effort in the config"


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
        "OPENBLAS_NUM_THREADS": "1",
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": str(folder),
    }


class _Output:
    """What a worker prints, line by line: its last lines, its first report on the sandbox, progress."""

    def __init__(self, on_line: Callable[[str], None] | None) -> None:
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.sandbox: dict[str, Any] = {}
        self._on_line = on_line

    def add(self, raw: bytes) -> None:
        line = raw[-4096:].decode("utf-8", "replace")
        if line.startswith(lockdown.SAYS):
            if not self.sandbox:  # only the first was surely written before generated code ran
                with contextlib.suppress(ValueError, TypeError):
                    self.sandbox = dict(json.loads(line.removeprefix(lockdown.SAYS)))
        elif line.startswith(PROGRESS):
            if self._on_line is not None:
                self._hand_on(self._on_line, line.removeprefix(PROGRESS))
        elif line.strip():
            self.tail.append(line)

    @staticmethod
    def _hand_on(on_line: Callable[[str], None], line: str) -> None:
        """Raises LeavingsError for a line that its reader cannot take: generated code may have printed it."""
        try:
            on_line(line)
        except leavings.LeavingsError:
            raise
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            kind = type(error).__name__
            raise leavings.LeavingsError(f"printed progress that cannot be read ({kind})") from error


def _follow(process: subprocess.Popen[bytes], timeout: float, output: _Output, folder: Path) -> str | None:
    """Read the worker's output until it ends; what went wrong, or None."""
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    deadline = time.monotonic() + timeout
    rest, total, measured = b"", 0, time.monotonic()
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            return f"did not end within {timeout:g} s"
        ready, _, _ = select.select([descriptor], [], [], min(left, 0.5))
        if time.monotonic() - measured > MEASURE_EVERY:
            measured = time.monotonic()
            if not leavings.fits(folder, MAX_FOLDER - _unnamed(process.pid), MAX_ENTRIES):
                return "wrote more files than it may"
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
            output.add(raw)
    if rest:
        output.add(rest)
    try:
        process.wait(max(deadline - time.monotonic(), 0.01))
    except subprocess.TimeoutExpired:
        return f"did not end within {timeout:g} s"
    return None


def _unnamed(pid: int) -> int:
    """Bytes in files that a process or its children hold open after they took away their names."""
    sizes: dict[tuple[int, int], int] = {}
    todo = [pid]
    for process in todo:
        folder = Path(f"/proc/{process}")
        with contextlib.suppress(OSError):  # it has ended
            for children in folder.glob("task/*/children"):
                todo += map(int, children.read_text().split())
            for handle in (folder / "fd").iterdir():
                with contextlib.suppress(OSError):
                    status = handle.stat()
                    if stat.S_ISREG(status.st_mode) and status.st_nlink == 0:
                        sizes[status.st_dev, status.st_ino] = status.st_size
    return sum(sizes.values())


def _end_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _signal_or_status(code: int, wrapped: bool) -> int:
    """How a process ended, minus the number for a signal; bubblewrap tells of signals as shells do."""
    return 128 - code if wrapped and 128 < code <= 128 + signal.SIGRTMAX else code


def _ending(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"


def _sentence(module: str, problem: str, tail: deque[str]) -> str:
    lines = [leavings.printable(line)[:300] for line in tail]
    text = f"the worker {module} {problem}"
    return text + (":\n" + "\n".join(f"  {line}" for line in lines) if lines else "")
