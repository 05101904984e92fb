"""Attacks by generated code: refused by the syntax check, and blocked where that check is left out."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.guard.attacks import ENDINGS, ESCAPES, FACTS, Attack
from video2policy.guard import lockdown, process
from video2policy.guard.process import Sandbox, WorkerError, run_worker
from video2policy.guard.syntax import check_syntax

ROOT = Path(__file__).parents[2]
WORKER = "tests.guard.attack_worker"
TOKEN = "the-secret-of-this-test"
NAMES = [attack.name for attack in ESCAPES]

contained = pytest.mark.skipif(bool(lockdown.lacking()), reason=f"this machine lacks {lockdown.lacking()}")


@dataclass
class Target:
    """A small world to attack: files, listeners and a process, outside of the worker's folder."""

    outside: Path
    facts: dict[str, Any]
    heard: list[str]
    victim: subprocess.Popen[bytes]

    def canary(self, attack: str) -> Path:
        return self.outside / f"{attack}.txt"

    def run(self, mode: str, attacks: list[Attack]) -> dict[str, Any]:
        for attack in attacks:
            self.canary(attack.name).write_text("untouched")
        spec = {
            "torch": True,
            "attacks": [
                (attack.name, attack.source, {**self.facts, "canary": str(self.canary(attack.name))})
                for attack in attacks
            ],
        }
        return run_worker(WORKER, spec, self.outside / "work", 400, sandbox=Sandbox(mode))


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.txt").write_text(TOKEN)
    torch.save([1], outside / "tensor.pt")
    torch.jit.save(torch.jit.trace(torch.neg, torch.zeros(1)), str(outside / "script.pt"))
    heard: list[str] = []
    tcp = socket.create_server(("127.0.0.1", 0))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(outside / "unix.sock"))
    unix.listen()

    def answer(listener: socket.socket, name: str) -> None:
        while True:
            try:
                if name == "udp":
                    listener.recv(64)
                    heard.append(name)
                    continue
                connection, _ = listener.accept()
                heard.append(name)
                with connection:
                    if name == "tcp":
                        connection.settimeout(0.2)
                        try:
                            connection.recv(4096)
                            connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
                        except OSError:
                            pass
            except OSError:
                return

    for listener, name in ((tcp, "tcp"), (udp, "udp"), (unix, "unix")):
        threading.Thread(target=answer, args=(listener, name), daemon=True).start()
    victim = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True)
    facts = {
        "secret": str(outside / "secret.txt"),
        "canary": "",
        "outside": str(outside),
        "home": str(Path.home()),
        "judge": str(ROOT / "video2policy" / "evaluate" / "judges.py"),
        "root": str(ROOT),
        "port": tcp.getsockname()[1],
        "udp": udp.getsockname()[1],
        "unix": str(outside / "unix.sock"),
        "victim": victim.pid,
        "parent": os.getpid(),
    }
    assert set(facts) == set(FACTS)
    yield Target(outside, facts, heard, victim)
    victim.kill()
    victim.wait()
    for listener in (tcp, udp, unix):
        listener.close()


@pytest.fixture(scope="module")
def locked(target: Target) -> dict[str, Any]:
    """Every attack, one after the other in one locked-down worker; what the world looks like afterwards."""
    before = sorted(path.name for path in target.outside.iterdir())
    result = target.run("required", ESCAPES)
    result["new"] = sorted(
        {path.name for path in target.outside.iterdir()}
        - set(before)
        - {target.canary(name).name for name in NAMES}
    )
    result["touched"] = [
        name
        for name in NAMES
        if not target.canary(name).exists() or target.canary(name).read_text() != "untouched"
    ]
    result["heard"] = list(target.heard)
    result["victim"] = target.victim.poll()
    return result


def test_there_are_many_attacks() -> None:
    assert len(set(NAMES)) == len(NAMES) and len(NAMES) + len(ENDINGS) >= 60


@pytest.mark.parametrize("attack", ESCAPES, ids=NAMES)
def test_the_syntax_check_refuses(attack: Attack) -> None:
    assert bool(check_syntax(attack.source)) == attack.refused


@contained
@pytest.mark.parametrize("name", NAMES)
def test_blocked_without_the_syntax_check(locked: dict[str, Any], name: str) -> None:
    outcome = locked["outcomes"][name]
    assert outcome["loot"] == "", outcome
    assert TOKEN not in outcome["raised"]
    assert name not in locked["touched"]


@contained
def test_the_world_outside_is_as_before(locked: dict[str, Any]) -> None:
    assert locked["sandbox"]["level"] in ("lockdown", "full") and locked["sandbox"]["seccomp"]
    assert locked["touched"] == [] and locked["new"] == ["work"]
    assert locked["heard"] == [] and locked["victim"] is None


@contained
def test_the_attacks_work_on_an_open_machine(target: Target, locked: dict[str, Any]) -> None:
    """Else their failure in the locked-down worker would prove nothing. They run after it: they do harm."""
    outcomes = target.run("off", [attack for attack in ESCAPES if attack.harmless])["outcomes"]
    failed = {name: outcome["raised"] for name, outcome in outcomes.items() if not outcome["loot"]}
    assert failed == {}
    assert set(target.heard) == {"tcp", "udp", "unix"}


@pytest.mark.parametrize("name", ENDINGS)
def test_the_parent_survives(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "MAX_OUTPUT", 2**20)
    source, words = ENDINGS[name]
    spec = {"torch": False, "attacks": [(name, source, {})]}
    timeout = 2.0 if "not end" in words else 30.0
    if words:
        with pytest.raises(WorkerError, match=words):
            run_worker(WORKER, spec, tmp_path / "work", timeout)
    else:  # such a file cannot be made: the program fails and the worker goes on
        outcome = run_worker(WORKER, spec, tmp_path / "work", timeout)["outcomes"][name]
        assert "Error" in outcome["raised"]
