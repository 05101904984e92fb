"""Landlock: from `restrict` on, this thread and those it starts reach the named files alone, no network.

The kernel's interface (linux/landlock.h, Linux 5.13 and newer) through ctypes; what an older one lacks
is left out. Standard library only.
"""

from __future__ import annotations

import ctypes
import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""System calls, the same numbers on every processor."""
VERSION = 1
PATH_BENEATH = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << k for k in range(6))
MAKE_REG, REFER, TRUNCATE, IOCTL_DEV = 1 << 8, 1 << 13, 1 << 14, 1 << 15
ALL_BY_VERSION = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""Every right on files that a version can take away; versions between two have those of the earlier one."""
ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
"""Rights that a rule on something other than a folder may give."""

READ = READ_FILE | READ_DIR
WRITE = READ | WRITE_FILE | TRUNCATE | MAKE_REG | REMOVE_FILE
"""In a worker's folder; no folders, links or special files can be made."""
DEVICE = READ_FILE | WRITE_FILE | IOCTL_DEV

TCP, TCP_VERSION = 0b11, 4
SCOPES, SCOPES_VERSION = 0b11, 6
"""Abstract sockets of, and signals to, processes outside."""


class _RulesetAttr(ctypes.Structure):
    _fields_ = [("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def version() -> int:
    """The kernel's version of Landlock; 0 where there is none."""
    if not sys.platform.startswith("linux"):
        return 0
    found = ctypes.CDLL(None).syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION)
    return max(int(found), 0)


def restrict(rules: Iterable[tuple[Path, int]]) -> int:
    """Give up all rights on files but `rules` (path, rights below it), and TCP; the version that was used.

    A path that is not there is left out. Needs `no_new_privs` or the privilege to administrate. Threads that
    run already are not restricted.

    Raises:
        OSError: the kernel refused.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    known = version()
    rights = max(value for first, value in ALL_BY_VERSION.items() if first <= max(known, 1))
    attr = _RulesetAttr(rights, TCP if known >= TCP_VERSION else 0, SCOPES if known >= SCOPES_VERSION else 0)
    # Older kernels refuse a longer structure than theirs only if what is beyond is not zero.
    ruleset = _checked(libc.syscall(CREATE_RULESET, ctypes.byref(attr), ctypes.sizeof(attr), 0))
    try:
        for path, wanted in rules:
            _allow(libc, ruleset, path, wanted & rights)
        _checked(libc.syscall(RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)
    return known


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            rights &= ON_FILES
        rule = _PathBeneath(rights, handle)
        _checked(libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, ctypes.byref(rule), 0))
    finally:
        os.close(handle)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"Landlock: {os.strerror(number)}")
    return result
