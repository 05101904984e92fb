"""One training, seen from outside its worker process."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from video2policy.guard.process import WorkerError, run_worker

log = logging.getLogger("video2policy")

MODULE = "video2policy.train.worker"
SAY_EVERY = 20.0
"""Seconds between two lines to the user."""
OURS = ("threads", "seed", "success_weight", "timeout", "warm_start", "legs")
"""Names in the config's `training` block that are not hyper-parameters of PPO."""


@dataclass(frozen=True)
class Job:
    """What is trained, and how: paths, and the config's `simulation` and `training` blocks.

    Attributes:
        parent: a policy of the same task to go on from, instead of from scratch.
    """

    scene: Path
    task: Path
    reward: Path
    simulation: Mapping[str, Any]
    training: Mapping[str, Any]
    parent: Path | None = None

    def spec(self, seed: int) -> dict[str, Any]:
        hyper = {k: v for k, v in self.training.items() if k not in OURS}
        return {
            "scene": str(self.scene.resolve()),
            "task": str(self.task.resolve()),
            "reward": str(self.reward.resolve()),
            **{k: self.simulation[k] for k in ("robot", "environments", "horizon", "fit_gripper")},
            "randomise": self.simulation.get("randomise", "none"),
            "threads": self.training["threads"],
            "seed": seed,
            "success_weight": self.training["success_weight"],
            "training": hyper,
            "parent": str(self.parent.resolve()) if self.parent else None,
        }


def run_training(job: Job, seed: int, policy: Path, log_csv: Path | None = None) -> dict[str, Any]:
    """Train in a worker and keep its policy (and log) under the given names; search.json's content.

    Raises WorkerError when the generated code or the training failed.
    """
    said = time.monotonic()

    def tell(line: str) -> None:
        nonlocal said
        if time.monotonic() - said >= SAY_EVERY:
            said = time.monotonic()
            row = json.loads(line)
            log.info(
                "%d of at most %d steps, success %.2f, %d steps/s, at most %d s left",
                row["steps"],
                job.training["max_steps"],
                row["success_rate"],
                row["steps_per_second"],
                row["seconds_left"],
            )

    with tempfile.TemporaryDirectory(prefix="train_") as folder:
        result = run_worker(MODULE, job.spec(seed), Path(folder), float(job.training["timeout"]), tell)
        shutil.copyfile(Path(folder) / "policy.safetensors", policy)
        if log_csv is not None:
            shutil.copyfile(Path(folder) / "log.csv", log_csv)
    log.info(
        "%s after %d steps: generated success %.2f",
        result["stopped"],
        result["steps"],
        result["success_rate"],
    )
    return result


def failed_training(error: WorkerError, seed: int) -> dict[str, Any]:
    """search.json of a reward whose training failed: it is never selected, and its reason is kept."""
    return {
        "success_rate": 0.0,
        "steps": 0,
        "stopped": "failed",
        "reason": str(error),
        "seed": seed,
        "components": {},
        "return": {"success": None, "failure": None},
    }
