"""What a lockdown says of itself, and what `sandbox` makes of it."""

import json
import os
import sys
from pathlib import Path

import pytest

from video2policy.guard import bubblewrap, landlock, lockdown, process, seccomp
from video2policy.guard.process import Refused, Sandbox, run_worker

WORKER = "tests.guard.attack_worker"
READS = "loot = open(path).read()"


def run(folder: Path, sandbox: Sandbox, source: str = "loot = 1", **facts: object) -> dict:
    spec = {"torch": False, "attacks": [("it", source, facts)]}
    return run_worker(WORKER, spec, folder, 30, sandbox=sandbox)


@pytest.mark.parametrize(
    ("version", "filtered", "wrapped", "level", "enough"),
    [
        (7, True, True, "full", True),
        (1, True, False, "lockdown", True),
        (0, True, True, "partial", False),
        (3, False, True, "partial", False),
        (0, False, True, "limits", False),
    ],
)
def test_levels(version: int, filtered: bool, wrapped: bool, level: str, enough: bool) -> None:
    assert lockdown.level_of(version, filtered, wrapped) == level
    assert lockdown.is_enough(level) == enough


@pytest.mark.parametrize("level", [None, "", "best", 3, ["full"]])
def test_an_unknown_level_is_not_enough(level: object) -> None:
    assert not lockdown.is_enough(level)


@pytest.mark.skipif(bool(lockdown.lacking()), reason=f"this machine lacks {lockdown.lacking()}")
def test_only_what_is_named_can_be_read(tmp_path: Path) -> None:
    given, other = tmp_path / "given.txt", tmp_path / "other.txt"
    for path in (given, other):
        path.write_text("text")
    sandbox = Sandbox("required", (given,))
    result = run(tmp_path / "a", sandbox, READS, path=str(given))
    assert result["outcomes"]["it"]["loot"] == "text"
    assert result["sandbox"]["level"] in ("lockdown", "full") and result["sandbox"]["missing"] == []
    refused = run(tmp_path / "b", sandbox, READS, path=str(other))["outcomes"]["it"]
    assert "PermissionError" in refused["raised"] or "FileNotFoundError" in refused["raised"]


def test_off_is_recorded_as_such(tmp_path: Path) -> None:
    result = run(tmp_path / "a", Sandbox("off"))
    assert result["sandbox"]["level"] == "limits"
    assert result["sandbox"]["missing"] == ["switched off in the config"]


@pytest.mark.parametrize("missing", ["landlock", "seccomp"])
def test_required_refuses_before_it_starts(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landlock, "version", lambda: 0 if missing == "landlock" else 7)
    monkeypatch.setattr(seccomp, "available", lambda: missing != "seccomp")
    with pytest.raises(Refused) as refusal:
        run(tmp_path / "a", Sandbox("required"))
    said = str(refusal.value)
    assert said.startswith("sandbox: required, but this machine lacks") and missing in said.lower()
    assert "best_effort" in said and "\n" not in said
    assert not (tmp_path / "a").exists()


def test_required_refuses_a_worker_that_does_not_lock_itself_down(tmp_path: Path) -> None:
    if lockdown.lacking():
        pytest.skip(f"this machine lacks {lockdown.lacking()}")
    with pytest.raises(Refused, match="did not lock itself down"):
        run_worker(
            "tests.guard.odd_worker", {"do": "echo", "value": 1}, tmp_path, 20, None, Sandbox("required")
        )


def test_the_first_report_counts() -> None:
    output = process._Output(None)
    output.add(b'sandbox {"level": "limits"}')
    output.add(b'sandbox {"level": "full"}')
    assert output.sandbox == {"level": "limits"}
    for line in (b"sandbox {", b"sandbox 3", b"sandbox [1]"):
        odd = process._Output(None)
        odd.add(line)
        assert odd.sandbox == {}


def test_a_bubblewrap_that_does_not_work_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert bubblewrap.command("video2policy.train.worker", tmp_path, []) == []


def test_bubblewrap_hides_the_judges_and_shows_what_is_read(tmp_path: Path) -> None:
    options = bubblewrap._options("video2policy.train.worker", tmp_path, [tmp_path / "scene.json"])
    judges = str(bubblewrap.ROOT / "video2policy" / "evaluate" / "judges.py")
    assert options[options.index(judges) - 2 : options.index(judges)] == ["--ro-bind", "/dev/null"]
    assert str(tmp_path / "scene.json") in options and "--unshare-net" in options
    bound = [options[k + 1] for k, option in enumerate(options) if option == "--bind"]
    assert all(path == str(tmp_path) or path.endswith("__pycache__") for path in bound)


@pytest.mark.parametrize("machine", seccomp.MACHINES)
@pytest.mark.parametrize("drawing", [False, True])
def test_the_filter_is_well_formed(machine: str, drawing: bool) -> None:
    lines = seccomp.program(machine, 1234, drawing)
    assert len(lines) < 4096
    for place, (code, if_true, if_false, _) in enumerate(lines):
        if code in (seccomp.EQUAL, seccomp.ABOVE, seccomp.ANY_BIT):
            assert place + 1 + max(if_true, if_false) < len(lines) and max(if_true, if_false) < 256
    assert lines[-1] == (seccomp.RETURN, 0, 0, seccomp.DENY)


def decide(machine: str, number: int, arguments: tuple[int, ...] = (), drawing: bool = False) -> int:
    """What the filter answers, by a reading of its program."""
    _, audit = seccomp.MACHINES[machine]
    data = {0: number, 4: audit}
    for place, value in enumerate((*arguments, 0, 0, 0, 0, 0, 0)[:6]):
        data[16 + 8 * place], data[20 + 8 * place] = value & 0xFFFFFFFF, value >> 32 & 0xFFFFFFFF
    lines, at, register = seccomp.program(machine, 1234, drawing), 0, 0
    while True:
        code, if_true, if_false, operand = lines[at]
        at += 1
        if code == seccomp.LOAD:
            register = data[operand]
        elif code == seccomp.RETURN:
            return operand
        else:
            holds = {
                seccomp.EQUAL: register == operand,
                seccomp.ABOVE: register >= operand,
                seccomp.ANY_BIT: bool(register & operand),
            }[code]
            at += if_true if holds else if_false


@pytest.mark.parametrize(
    ("number", "arguments", "allowed"),
    [
        (0, (), True),  # read
        (257, (), True),  # openat
        (257, (0, 0, 0x410002), False),  # O_TMPFILE
        (2, (0, 0x2), True),  # open
        (2, (0, 0x410002), False),
        (9, (0, 1, 3, 0x22), True),  # mmap, anonymous and private
        (9, (0, 1, 3, 0x01), True),  # of a file, shared
        (9, (0, 1, 3, 0x21), False),  # anonymous and shared
        (41, (), False),  # socket
        (59, (), False),  # execve
        (57, (), False),  # fork
        (62, (), False),  # kill
        (101, (), False),  # ptrace
        (56, (0x10000,), True),  # clone of a thread
        (56, (17,), False),  # clone of a process
        (234, (1234, 1, 6), True),  # tgkill of itself
        (234, (1, 1, 6), False),
        (302, (0, 7, 0, 5), True),  # prlimit, asking
        (302, (0, 7, 1 << 33, 5), False),  # and setting
        (302, (99, 7, 0, 5), False),  # of another
        (72, (3, 3), True),  # fcntl F_GETFL
        (72, (3, 8), False),  # F_SETOWN
        (16, (1, 0x5401), True),  # ioctl TCGETS
        (16, (1, 0x5412), False),  # TIOCSTI
        (157, (15,), True),  # prctl PR_SET_NAME
        (157, (1,), False),  # PR_SET_PDEATHSIG
        (0x40000000, (), False),  # x32
        (5000, (), False),
    ],
)
def test_what_the_filter_answers(number: int, arguments: tuple[int, ...], allowed: bool) -> None:
    assert (decide("x86_64", number, arguments) == seccomp.ALLOW) == allowed


def test_clone3_is_absent_so_that_libraries_use_clone() -> None:
    assert decide("x86_64", 435) == seccomp.ABSENT == decide("aarch64", 435)


def test_what_is_said_is_json() -> None:
    reached = lockdown.Lockdown("partial", False, 0, True, "the user", ("no Landlock",))
    assert json.loads(json.dumps(reached.to_json()))["missing"] == ["no Landlock"]


SYSTEM_PYTHON = Path("/usr/bin/python3")


@pytest.mark.skipif(
    os.geteuid() != 0 or bool(lockdown.lacking()) or not SYSTEM_PYTHON.exists(),
    reason="needs root and a Python that everybody may use",
)
def test_root_becomes_nobody_and_may_still_write_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(SYSTEM_PYTHON))
    source = "import os\nopen('a.txt', 'w').close()\nloot = os.getresuid()"
    result = run(tmp_path / "a", Sandbox("required"), source)
    if result["sandbox"]["user"] != "nobody":
        pytest.skip("bubblewrap took the right to change users, or nobody may not read the project")
    assert result["outcomes"]["it"]["loot"] == str((lockdown.NOBODY,) * 3)
    assert (tmp_path / "a" / "a.txt").stat().st_uid == lockdown.NOBODY
