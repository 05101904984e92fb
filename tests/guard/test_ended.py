"""A worker that something else ends says nothing about the code that it ran."""

import os
import signal
import threading
import time
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guard.test_process import WORKER
from video2policy.guard import process
from video2policy.guard.process import Ended, WorkerError, run_worker


@pytest.fixture
def heard() -> Iterator[None]:
    """Processes started here hear SIGINT, also where these tests run in a shell's background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_signal_from_outside(number: signal.Signals, tmp_path: Path) -> None:
    def end_it() -> None:
        pids = tmp_path / "pids"
        while not (pids.exists() and pids.read_text().endswith("\n")):
            time.sleep(0.02)
        os.kill(int(pids.read_text()), number)

    killer = threading.Thread(target=end_it)
    killer.start()
    with pytest.raises(Ended, match=f"ended from outside by {number.name}.* run the same command again"):
        run_worker(WORKER, {"do": "sleep"}, tmp_path, 30)
    killer.join()
    assert not issubclass(Ended, WorkerError)


def test_no_disk_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(process.shutil, "disk_usage", lambda folder: usage(1000))
    with pytest.raises(Ended, match=r"had no disk left in .*: free space and run again"):
        run_worker(WORKER, {"do": "raise"}, tmp_path, 30)
    assert run_worker(WORKER, {"do": "echo", "value": 1}, tmp_path, 30) == {"value": 1}
