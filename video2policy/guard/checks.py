"""All checks of task programs from outside: `guard.check_worker` in a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from video2policy.guard.process import Sandbox, run_worker

WORKER = "video2policy.guard.check_worker"
SECONDS_EACH = 30.0


def check_files(
    scene: Path,
    candidates: Sequence[tuple[Path, Path | None]],
    sandbox: str = "best_effort",
    clip: bool = True,
) -> tuple[list[dict[str, Any]], str | None]:
    """A report (`behaviour.Report.to_json`) for each task module and the reward that replaces its own.

    `sandbox` is the config's; the level of containment that was reached comes second. Without `clip` nothing
    is asked of them about the clip's own poses. Raises WorkerError.
    """
    spec = {
        "scene": str(scene.resolve()),
        "candidates": [
            {"task": str(task.resolve()), "reward": str(reward.resolve()) if reward else None}
            for task, reward in candidates
        ],
        "timeout": SECONDS_EACH,
        "clip": clip,
    }
    with tempfile.TemporaryDirectory(prefix="check_") as folder:
        timeout = 60 + SECONDS_EACH * len(candidates)
        read = (scene, *(path for pair in candidates for path in pair if path is not None))
        result = run_worker(WORKER, spec, Path(folder), timeout, sandbox=Sandbox(sandbox, read))
    return list(result["reports"]), result.get("sandbox")


def check_source(
    scene: Path, task: str, reward: str | None = None, sandbox: str = "best_effort", clip: bool = True
) -> dict[str, Any]:
    """The report on one program that is no file yet. Raises WorkerError."""
    with tempfile.TemporaryDirectory(prefix="source_") as folder:
        names = {"task.py": task, "reward.py": reward}
        for name, source in names.items():
            if source is not None:
                (Path(folder) / name).write_text(source, encoding="utf-8")
        pair = (Path(folder) / "task.py", Path(folder) / "reward.py" if reward is not None else None)
        return check_files(scene, [pair], sandbox, clip)[0][0]
