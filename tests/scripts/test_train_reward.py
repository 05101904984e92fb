"""What is said of a reward whose training failed."""

import json
import logging
from pathlib import Path

import pytest

from scripts import train_reward
from scripts.stage import Input, Output
from video2policy.guard.process import WorkerError


def test_a_failure_is_told_from_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise WorkerError("the worker was ended by SIGSEGV:\n  setting up\n  RunningMeanStd: (39,)")

    monkeypatch.setattr(train_reward, "run_training", fail)
    given = [Input(tmp_path / name) for name in ("scene.json", "task.py", "reward.py")]
    left = [Output(tmp_path / name) for name in ("policy.safetensors", "log.csv", "search.json")]
    with caplog.at_level(logging.INFO, "video2policy"):
        train_reward.main(*given, *left, {}, {"seed": 0, "warm_start": False})
    assert caplog.messages == ["not trained: the worker was ended by SIGSEGV: RunningMeanStd: (39,)"]
    assert json.loads(left[2].read_text())["stopped"] == "failed"
