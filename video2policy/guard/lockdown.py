"""A worker locks itself down: after its imports, before it loads generated code, for good.

Levels, from weak to strong. Each has what those before it have:

- `limits`: cleared environment, resource limits, a time limit (`guard.process`), and nothing else;
- `partial`: seccomp or Landlock, not both;
- `lockdown`: files by Landlock, system calls by seccomp, limits on memory and threads, no privileges;
- `full`: all that inside bubblewrap, which has its own network, processes and view of the files.

Standard library only. What it protects against, and against what not: docs/containment.md.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import stat
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from video2policy.guard import landlock, seccomp

MODES = ("required", "best_effort", "off")
LEVELS = ("limits", "partial", "lockdown", "full")
ENOUGH = "lockdown"
"""What `sandbox: required` asks for; bubblewrap is welcome, not needed."""

SAYS = "sandbox "
"""How the line begins with which a worker reports its level, before any generated code runs."""

MEMORY = 4 * 2**30
"""Bytes of private memory that may be taken after the lockdown."""
THREADS = 256
"""Further threads, beside those that the user has running."""
OPEN_FILES = 256
NOBODY = 65534

NO_NEW_PRIVS, SET_PDEATHSIG, SET_DUMPABLE = 38, 1, 4
CAPABILITY_VERSION = 0x20080522
CHOWN, SETGID, SETUID = 0, 6, 7
"""Capabilities that giving up root takes."""

ROBOTS = Path(__file__).parents[1] / "robots"
"""The only part of the project that is read after the lockdown: simulators are built from it."""
DEVICES = ("/dev/null", "/dev/full", "/dev/random", "/dev/urandom")
SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/etc/localtime",
          "/usr/share/zoneinfo", "/sys/devices/system/cpu")  # fmt: skip
"""What shared libraries, clocks and counts of processors are read from."""
DRAWING = ("/usr/share", "/etc/glvnd", "/etc/drirc", "/usr/local/nvidia", "/sys/dev", "/sys/devices",
           "/sys/class/drm", "/proc/self", "/proc/driver", "/proc/modules", "/proc/cpuinfo")  # fmt: skip
DRAWING_DEVICES = ("/dev/dri", "/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-modeset", "/dev/nvidia-uvm")


@dataclass(frozen=True)
class Lockdown:
    """What was reached. `missing` says, a phrase for each, why it is not more."""

    level: str
    bubblewrap: bool
    landlock: int
    """The kernel's version of Landlock that is in force; 0 for none."""
    seccomp: bool
    user: str
    missing: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "missing": list(self.missing)}


def level_of(landlock_version: int, filtered: bool, bubblewrap: bool) -> str:
    if landlock_version and filtered:
        return "full" if bubblewrap else "lockdown"
    return "partial" if landlock_version or filtered else "limits"


def is_enough(level: Any) -> bool:
    """Whether a level is what `sandbox: required` asks for."""
    return level in LEVELS and LEVELS.index(level) >= LEVELS.index(ENOUGH)


def lacking() -> list[str]:
    """What this machine lacks for the level that `required` asks for; empty where it is all there."""
    reasons = []
    if not landlock.version():
        reasons.append("Landlock (Linux 5.13 or newer with landlock among its security modules)")
    if not seccomp.available():
        reasons.append("seccomp filters (Linux on x86-64 or 64-bit ARM)")
    return reasons


def contain(spec: Mapping[str, Any], drawing: bool = False, write: bool = True) -> None:
    """Lock this process down as its specification's `sandbox` block says, and report the level.

    The working folder stays writable, with `write`; Python's own packages, system libraries and the block's
    `read` stay readable. Call it once everything is imported and while the process has one thread: others
    would keep their access to files. `drawing` leaves OpenGL what it needs, for workers that render.

    Raises:
        SystemExit: `sandbox` is required and not reached.
    """
    block = spec["sandbox"]
    if block["mode"] == "off":
        reached = Lockdown("limits", False, 0, False, "as started", ("switched off in the config",))
    else:
        reached = _lock([Path(path) for path in block["read"]], bool(block["bubblewrap"]), drawing, write)
    print(SAYS + json.dumps(reached.to_json()), flush=True)
    if block["mode"] == "required" and not is_enough(reached.level):
        raise SystemExit(f"sandbox: required, but {'; '.join(reached.missing)}")


def _lock(read: Sequence[Path], bubblewrap: bool, drawing: bool, write: bool) -> Lockdown:
    missing = []
    packages = [Path(path) for path in {sys.prefix, sys.base_prefix, *_site_packages()}]
    # Counted while /proc can still be read
    memory, threads, alone = _data_in_use() + MEMORY, _threads_of_users() + THREADS, _thread_count() == 1
    if not alone:
        missing.append("threads that ran before the lockdown keep their access to files")
    libc = ctypes.CDLL(None, use_errno=True)
    user = _drop_privileges(libc, [ROBOTS, *packages, *read])
    libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0)
    for kind, value in (
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_NPROC, threads),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        lower(kind, value)
    restricted, filtered = 0, False
    try:
        restricted = (
            landlock.restrict(_rules([*packages, *read], drawing, write)) if landlock.version() else 0
        )
    except OSError as error:
        missing.append(str(error))
    if not restricted:
        missing.append("no Landlock in this kernel: what the user may read and write is open to the worker")
    try:
        if seccomp.available():
            seccomp.restrict(drawing)
            filtered = True
    except OSError as error:
        missing.append(str(error))
    if not filtered:
        missing.append("no seccomp filter on this machine: network and processes are open to the worker")
    level = level_of(restricted, filtered, bubblewrap)
    return Lockdown(level, bubblewrap, restricted, filtered, user, tuple(missing))


def _rules(read: Sequence[Path], drawing: bool, write: bool) -> list[tuple[Path, int]]:
    rules = [(path.resolve(), landlock.READ) for path in read]
    rules += [(Path(path).resolve(), landlock.READ) for path in (ROBOTS, *SYSTEM)]
    rules += [(Path(path), landlock.READ | landlock.DEVICE) for path in DEVICES]
    if drawing:
        rules += [(Path(path), landlock.READ) for path in DRAWING]
        rules += [(Path(path), landlock.READ | landlock.DEVICE) for path in DRAWING_DEVICES]
    # By no name: nobody may not go through the folders above.
    return [*rules, (Path(), landlock.WRITE)] if write else rules


def _site_packages() -> list[str]:
    """Folders on the import path that are no part of the project: packages may lie outside the prefix."""
    return [path for path in sys.path if path.rstrip("/").endswith(("site-packages", "dist-packages"))]


def lower(kind: int, value: int) -> None:
    """Lower a resource limit, never above what is already in force."""
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def _status(name: str) -> int:
    """A figure from /proc/self/status, 0 where there is none; capabilities are hexadecimal."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            key, _, value = line.partition(":")
            if key == name:
                return int(value.split()[0], 16 if name.startswith("Cap") else 10)
    except OSError:
        pass
    return 0


def _data_in_use() -> int:
    return 1024 * _status("VmData")


def _thread_count() -> int:
    return _status("Threads")


def _threads_of_users() -> int:
    """Threads on this machine: the limit counts all of the user's, whichever program they belong to."""
    count = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            count += sum(1 for _ in (folder / "task").iterdir())
        except OSError:
            continue
    return count


def _drop_privileges(libc: ctypes.CDLL, needed: Sequence[Path]) -> str:
    """Root becomes nobody where nobody can read what is `needed`, and else loses its capabilities."""
    parent = os.getppid()
    if os.geteuid() == 0 and _may_become_nobody() and all(_is_open(path) for path in needed):
        folder = Path.cwd()
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        # A change of user switches off the signal that ends the worker with its parent.
        libc.prctl(SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        return "nobody"
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    nothing = (ctypes.c_uint32 * 6)()
    libc.capset(header, nothing)
    return "root without capabilities" if os.geteuid() == 0 else "the user"


def _may_become_nobody() -> bool:
    held = _status("CapEff")
    try:
        whole = Path("/proc/self/uid_map").read_text().split()[-1] == str(2**32 - 1)
    except (OSError, IndexError):
        return False
    return whole and all(held >> number & 1 for number in (CHOWN, SETGID, SETUID))


def _is_open(path: Path) -> bool:
    """Whether everybody may go to and read `path`."""
    path = path.resolve()
    on_the_way = all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents)
    return on_the_way and bool(path.stat().st_mode & stat.S_IROTH)
