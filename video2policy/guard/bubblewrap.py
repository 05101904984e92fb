"""bubblewrap around a worker, where it is installed and works: nothing is there but what the worker needs.

Standard library only.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from video2policy.guard import landlock

ROOT = Path(__file__).parents[2]
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives",
          "/etc/passwd", "/etc/localtime", "/etc/glvnd", "/sys")  # fmt: skip
DEVICES = ("/dev/dri", "/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-modeset", "/dev/nvidia-uvm")
SECONDS = 20.0
"""Given to the trial; a worker's own time limit starts afterwards."""
NOTHING = "/dev/null"


def command(module: str, folder: Path, read: Sequence[Path]) -> list[str]:
    """What to put before a worker's command line; empty where bubblewrap is absent or does not work."""
    wrapper = shutil.which("bwrap")
    return [wrapper, *_options(module, folder, read), "--"] if wrapper and works(wrapper) else []


@functools.cache
def works(wrapper: str) -> bool:
    """Whether this Python starts inside bubblewrap: containers often forbid namespaces."""
    trial = [wrapper, *_options("video2policy", None, []), "--", sys.executable, "-c", "import numpy"]
    try:
        return (
            subprocess.run(trial, capture_output=True, timeout=SECONDS, stdin=subprocess.DEVNULL).returncode
            == 0
        )
    except (OSError, subprocess.TimeoutExpired):
        return False


def _options(module: str, folder: Path | None, read: Sequence[Path]) -> list[str]:
    options = ["--die-with-parent", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
    options += ["--unshare-cgroup-try", "--cap-drop", "ALL", "--dev", "/dev", "--proc", "/proc"]
    for path in map(Path, SYSTEM):
        if path.is_symlink():
            options += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists():
            options += ["--ro-bind", str(path), str(path)]
    for name in DEVICES:
        options += ["--dev-bind-try", name, name]
    code = [ROOT / module.partition(".")[0], ROOT / "video2policy", ROOT / "schemas"]
    for path in dict.fromkeys([*_python(), *code, *read]):
        options += ["--ro-bind-try", str(path), str(path)]
    for judges in (ROOT / "video2policy").rglob("judges.py"):
        options += ["--ro-bind", NOTHING, str(judges)]
    if landlock.version():
        # numba keeps compiled functions beside the code; the lockdown closes that again.
        cache = ROOT / "video2policy" / "sim" / "__pycache__"
        cache.mkdir(exist_ok=True)
        options += ["--bind", str(cache), str(cache)]
    if folder is not None:
        options += ["--bind", str(folder), str(folder), "--chdir", str(folder)]
    return options


def _python() -> Iterator[Path]:
    """Where this Python lies, by the names it goes by and by its real place."""
    packages = [path for path in sys.path if path.rstrip("/").endswith(("site-packages", "dist-packages"))]
    for name in (sys.prefix, sys.base_prefix, *packages):
        yield Path(name)
        yield Path(name).resolve()
    link = Path(sys.executable)
    while link.is_symlink():
        link = link.parent / link.readlink()
        yield link.parent.parent
