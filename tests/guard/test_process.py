"""Worker processes: results, failures in one sentence, limits, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from video2policy.guard import process
from video2policy.guard.leavings import LeavingsError, printable
from video2policy.guard.process import WorkerError, run_worker

ROOT = Path(__file__).parents[2]
WORKER = "tests.guard.odd_worker"


def run(folder: Path, timeout: float = 20.0, **spec: object) -> dict:
    return run_worker(WORKER, spec, folder, timeout)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_dead(pid: int, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not alive(pid)


def test_a_result_and_progress(tmp_path: Path) -> None:
    lines: list[str] = []
    result = run_worker(WORKER, {"do": "echo", "value": [1, "é"]}, tmp_path, 20, lines.append)
    assert result == {"value": [1, "é"]}
    assert lines == ["half way", "done"]


def test_progress_that_its_reader_cannot_take_ends_the_worker(tmp_path: Path) -> None:
    def answer(line: str) -> None:
        raise LeavingsError("asked for nothing")

    with pytest.raises(WorkerError, match=f"{WORKER} asked for nothing"):
        run_worker(WORKER, {"do": "echo", "value": 1}, tmp_path, 20, answer)


@pytest.mark.parametrize(
    "read", [lambda line: int(float("inf")), lambda line: int(line), lambda line: {}[line]]
)
def test_odd_progress_is_a_worker_s_fault(read: Callable[[str], object]) -> None:
    with pytest.raises(LeavingsError, match="progress that cannot be read"):
        process._Output(read).add(b"progress odd")


def test_what_a_terminal_would_obey_is_not_shown() -> None:
    text = "a\x1b]0;owned\x07\ud800 b\n   c"
    assert printable(text) == "a?]0;owned?? b c"


def test_the_environment_is_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("PYTHONSTARTUP", "/nowhere")
    seen = run(tmp_path, do="environment")
    assert "OPENAI_API_KEY" not in seen["environment"] and "PYTHONSTARTUP" not in seen["environment"]
    assert seen["environment"]["HOME"] == str(tmp_path)
    assert seen["environment"]["OMP_NUM_THREADS"] == "1"
    assert seen["session"] == seen["pid"] != os.getsid(0)
    assert seen["cwd"] == str(tmp_path)


def test_files_in_its_folder_are_not_imported(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('shadowed')")
    assert run(tmp_path, do="echo", value=1) == {"value": 1}


@pytest.mark.parametrize(
    ("do", "words"),
    [
        ("raise", ["exit status 1", "ValueError: on purpose"]),
        ("exit", ["exit status 3"]),
        ("abort", ["SIGABRT"]),
        ("nothing", ["wrote no result"]),
        ("broken", ["not JSON"]),
        ("list", ["no JSON object"]),
        ("symlink", ["wrote no result"]),
        ("flood", ["printed more than"]),
        ("memory", ["exit status 1", "MemoryError"]),
    ],
)
def test_failures_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, do: str, words: list[str]
) -> None:
    monkeypatch.setattr(process, "MAX_OUTPUT", 2**20)
    monkeypatch.setattr(process, "MAX_MEMORY", 2 * 2**30)
    with pytest.raises(WorkerError) as error:
        run(tmp_path, do=do)
    assert all(word in str(error.value) for word in words), str(error.value)
    assert str(error.value).startswith(f"the worker {WORKER} ")


def test_files_without_a_name_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "MAX_FOLDER", 2**20)
    monkeypatch.setattr(process, "MEASURE_EVERY", 0.0)
    with pytest.raises(WorkerError, match="wrote more files than it may"):
        run(tmp_path, do="unnamed")


def test_an_old_result_is_not_taken_for_new(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text('{"old": 1}')
    with pytest.raises(WorkerError, match="no result"):
        run(tmp_path, do="nothing")


@pytest.mark.parametrize("do", ["spin", "ignore_signals", "grandchild"])
def test_a_time_out_ends_the_whole_group(tmp_path: Path, do: str) -> None:
    start = time.monotonic()
    with pytest.raises(WorkerError, match="did not end within 4 s"):
        run(tmp_path, timeout=4, do=do)
    assert time.monotonic() - start < 20
    for line in (tmp_path / "pids").read_text().split():
        assert wait_until_dead(int(line))


def test_a_grandchild_does_not_outlive_a_worker_that_ends(tmp_path: Path) -> None:
    assert run(tmp_path, do="orphan") == {"left": 1}
    for line in (tmp_path / "pids").read_text().split():
        assert wait_until_dead(int(line))


def test_a_worker_dies_with_its_parent(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from video2policy.guard.process import run_worker\n"
        f"run_worker({WORKER!r}, {{'do': 'sleep'}}, Path({str(tmp_path)!r}), 60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    pids = tmp_path / "pids"
    end = time.monotonic() + 60
    while not (pids.exists() and pids.read_text().strip()) and time.monotonic() < end:
        time.sleep(0.05)
    worker = int(pids.read_text())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert wait_until_dead(worker)
