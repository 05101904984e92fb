"""A seccomp filter: from `restrict` on, all threads of this process may make the listed system calls only.

No sockets, no processes, no execution of programs, no signals to others, no change of owners or modes. What
is not listed fails with "operation not permitted"; the process lives on. Classic BPF through ctypes: no
system library is needed. Standard library only.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterable, Sequence

MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Processor -> column of `CALLS` and audit number; both little-endian."""

# Most frequent first: the filter reads from the top (the kernel remembers the answer where it can).
_CALLS = """
futex 202 98, read 0 63, write 1 64, clock_gettime 228 113, sched_yield 24 124, munmap 11
215, madvise 28 233, mprotect 10 226, brk 12 214, gettimeofday 96 169, clock_nanosleep 230 115,
nanosleep 35 101, readv 19 65, writev 20 66, pread64 17 67, pwrite64 18 68, preadv 295 69, pwritev 296
70, lseek 8 62, close 3 57, close_range 436 436, fstat 5 80, newfstatat 262 79, stat 4 -, lstat 6 -,
statx 332 291, access 21 -, faccessat 269 48, faccessat2 439 439, fstatfs 138 44, statfs 137 43,
readlink 89 -, readlinkat 267 78, getdents64 217 61, getcwd 79 17, ftruncate 77
46, fsync 74 82, fdatasync 75 83, fadvise64 221 223, rename 82 -, renameat 264 38, renameat2 316 276,
unlink 87 -, unlinkat 263 35, dup 32 23, dup2 33 -, dup3 292 24, pipe 22 -, pipe2 293 59, poll 7 -,
ppoll 271 73, select 23 -, pselect6 270 72, epoll_create1 291 20, epoll_ctl 233 21, epoll_wait 232 -,
epoll_pwait 281 22, eventfd2 290 19, mremap 25 216, mincore 27 232, msync 26 227, rt_sigaction 13 134,
rt_sigprocmask 14 135, rt_sigreturn 15 139, rt_sigtimedwait 128 137, sigaltstack 131 132,
restart_syscall 219 128, clock_getres 229 114, times 100 153, time 201 -, getrusage 98 165, sysinfo 99
179, uname 63 160, getpid 39 172, gettid 186 178, getppid 110 173, getuid 102 174, geteuid 107 175,
getgid 104 176, getegid 108 177, getgroups 115 158, getpgrp 111 -, getpgid 121 155, getsid 124 156,
getresuid 118 148, getresgid 120 150, capget 125 90, getrlimit 97 163, sched_getaffinity 204 123,
sched_getparam 143 121, sched_getscheduler 145 120, sched_get_priority_max 146 125,
sched_get_priority_min 147 126, getpriority 140 141, getcpu 309 168, set_robust_list 273 99,
get_robust_list 274 100, set_tid_address 218 96, rseq 334 293, membarrier 324 283, getrandom 318 278,
arch_prctl 158 -, exit 60 93, exit_group 231 94, umask 95 166
"""
CALLS = {name: tuple(numbers) for name, *numbers in (call.split() for call in _CALLS.split(","))}
"""Allowed whatever their arguments: name -> numbers by processor, "-" where it does not exist."""

MMAP, OPENAT, CLONE, CLONE3, TGKILL, PRCTL, IOCTL, PRLIMIT, FCNTL = (
    (9, 222), (257, 56), (56, 220), (435, 435), (234, 131), (157, 167), (16, 29), (302, 261), (72, 25)
)  # fmt: skip
OPEN = 2
"""On x86-64 only."""
DRAWING = (("sched_setaffinity", 203, 122), ("memfd_create", 319, 279))
"""What OpenGL drivers want besides."""

MAP_SHARED, MAP_ANONYMOUS = 0x01, 0x20
"""Together: memory that no limit counts."""
O_TMPFILE = 0x400000
"""A file without a name, which no look at the folder finds."""
CLONE_THREAD = 0x10000
PRCTL_ALLOWED = (15, 16, 0x53564D41)
"""Names of threads and of memory."""
IOCTL_ALLOWED = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""Questions about a terminal, bytes to read, blocking, closing on execution."""
FCNTL_ALLOWED = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032)
"""Duplicates, flags, locks; not the owner of signals."""

LOAD, EQUAL, ABOVE, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL_PROCESS = 0x7FFF0000, 0x80000000
DENY, ABSENT = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
NUMBER, MACHINE, ARGUMENTS = 0, 4, 16
"""Offsets in seccomp_data; arguments are 8 bytes each, their lower half first."""
X32 = 0x40000000

PR_SET_SECCOMP, MODE_FILTER = 22, 2
SET_MODE_FILTER, ALL_THREADS = 1, 1
SECCOMP = {"x86_64": 317, "aarch64": 277}

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, operand."""


def available() -> bool:
    """Whether this processor's system calls are known and the kernel has seccomp filters."""
    if (
        not sys.platform.startswith("linux")
        or platform.machine() not in MACHINES
        or sys.byteorder != "little"
    ):
        return False
    # With no filter given, a kernel that has them complains about the address.
    libc = ctypes.CDLL(None, use_errno=True)
    ctypes.set_errno(0)
    libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(MODE_FILTER), None, 0, 0)
    return ctypes.get_errno() == errno.EFAULT


def restrict(drawing: bool = False) -> None:
    """Put the filter on every thread of this process, for good. Needs `no_new_privs`.

    With `drawing`, what OpenGL drivers need is allowed as well.

    Raises:
        OSError: the kernel refused.
    """
    code = b"".join(struct.pack("HBBI", *line) for line in program(platform.machine(), os.getpid(), drawing))
    buffer = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: a count, and a pointer at its own alignment
    header = struct.pack("HP", len(code) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(SECCOMP[platform.machine()], SET_MODE_FILTER, ALL_THREADS, header) != 0:
        number = ctypes.get_errno() or errno.EPERM
        raise OSError(number, f"seccomp: {os.strerror(number)}")


def program(machine: str, pid: int, drawing: bool = False) -> list[Instruction]:
    """The filter for one processor and for the process `pid`."""
    column, audit = MACHINES[machine]
    lines: list[Instruction] = [(LOAD, 0, 0, MACHINE), (EQUAL, 1, 0, audit), (RETURN, 0, 0, KILL_PROCESS)]
    lines.append((LOAD, 0, 0, NUMBER))
    if machine == "x86_64":
        lines += [(ABOVE, 0, 1, X32), (RETURN, 0, 0, DENY)]
    names = [numbers[column] for numbers in CALLS.values()]
    extra = [str(numbers[column]) for _, *numbers in DRAWING] if drawing else []
    for number in (int(text) for text in [*names, *extra] if text != "-"):
        lines += [(EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOW)]
    lines += _when(MMAP[column], [_ALLOWED[0]] if drawing else _unless(3, MAP_ANONYMOUS, MAP_SHARED))
    lines += _when(OPENAT[column], _unless(2, O_TMPFILE))
    if machine == "x86_64":
        lines += _when(OPEN, _unless(1, O_TMPFILE))
    lines += _when(
        CLONE3[column], [(RETURN, 0, 0, ABSENT)]
    )  # its flags cannot be read: clone is used instead
    lines += _when(CLONE[column], [(LOAD, 0, 0, ARGUMENTS), (ANY_BIT, 0, 1, CLONE_THREAD), *_ALLOWED])
    lines += _when(TGKILL[column], _one_of(0, [pid]))
    lines += _when(PRCTL[column], _one_of(0, PRCTL_ALLOWED))
    lines += _when(IOCTL[column], [_ALLOWED[0]] if drawing else _one_of(1, IOCTL_ALLOWED))
    lines += _when(FCNTL[column], _one_of(1, FCNTL_ALLOWED))
    lines += _when(PRLIMIT[column], _only_asked())
    lines.append((RETURN, 0, 0, DENY))
    return lines


_ALLOWED: tuple[Instruction, ...] = ((RETURN, 0, 0, ALLOW),)


def _when(number: int, body: Sequence[Instruction]) -> list[Instruction]:
    """`body` for this call, which is denied where `body` does not return."""
    body = [*body, (RETURN, 0, 0, DENY)]
    return [(EQUAL, 0, len(body), number), *body]


def _unless(argument: int, *bits: int) -> list[Instruction]:
    """Denied where the argument has all of these bits."""
    lines: list[Instruction] = [(LOAD, 0, 0, ARGUMENTS + 8 * argument)]
    for bit in bits:
        lines += [(ANY_BIT, 1, 0, bit), *_ALLOWED]
    return lines


def _one_of(argument: int, values: Iterable[int]) -> list[Instruction]:
    lines: list[Instruction] = [(LOAD, 0, 0, ARGUMENTS + 8 * argument)]
    for value in values:
        lines += [(EQUAL, 0, 1, value), *_ALLOWED]
    return lines


def _only_asked() -> list[Instruction]:
    """prlimit of this process, without a new limit: both halves of the third argument are zero."""
    lines: list[Instruction] = []
    for offset in (ARGUMENTS, ARGUMENTS + 16, ARGUMENTS + 20):
        lines += [(LOAD, 0, 0, offset), (EQUAL, 1, 0, 0), (RETURN, 0, 0, DENY)]
    return [*lines, *_ALLOWED]
