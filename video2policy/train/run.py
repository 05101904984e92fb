"""One training, seen from outside its worker process."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from video2policy.files import written
from video2policy.guard.leavings import LeavingsError, copy_file, printable
from video2policy.guard.process import Sandbox, WorkerError, run_worker
from video2policy.reach import code_digest
from video2policy.sim import engines
from video2policy.train.record import check_search, check_weights
from video2policy.train.tensorboard import SummaryWriter

log = logging.getLogger("video2policy")

MODULE = "video2policy.train.worker"
FILE = "video2policy/train/worker.py"
MEASURING = "video2policy.train.measuring_worker"
CHECKPOINT = "checkpoint.safetensors"
"""Name of `train.checkpoint`'s file in the worker's folder."""
SAY_EVERY = 20.0
"""Seconds between two lines to the user."""
MAX_TAG = 200
"""Characters of a name in TensorBoard."""
MAX_FILE = 256 * 2**20
"""Bytes of a policy or a log."""
OURS = ("threads", "seed", "success_weight", "timeout", "warm_start", "legs", "start")
"""Names in the config's `training` block that are not hyper-parameters of PPO."""


class Screened(WorkerError):
    """A reward that was not trained, since it cannot rank what happens; says why."""


@dataclass(frozen=True)
class Job:
    """What is trained, and how: paths, and the config's `simulation` and `training` blocks.

    Attributes:
        parent: a policy of the same task to go on from, instead of from scratch.
        skill: where to start without a parent: what `train.skill` learnt of the scene.
        sandbox: the config's `sandbox`.
        clip: whether the reward must rank the clip's own way (its author saw it).
    """

    scene: Path
    task: Path
    reward: Path
    simulation: Mapping[str, Any]
    training: Mapping[str, Any]
    parent: Path | None = None
    skill: Path | None = None
    sandbox: str = "best_effort"
    clip: bool = True

    def readable(self) -> tuple[Path, ...]:
        """What the worker has to read."""
        given = (self.scene, self.scene.parent / "objects", self.task, self.reward)
        return given + tuple(path for path in (self.parent, self.skill) if path is not None)

    def identity(self, seed: int) -> str:
        """Hash of all that decides the result: what is trained on, how, and the code that does it."""
        spec = {**self.spec(seed), "threads": None}
        for name in ("scene", "task", "reward", "parent", "skill"):
            spec[name] = spec[name] and hashlib.sha256(Path(spec[name]).read_bytes()).hexdigest()
        code = code_digest(FILE, engines.module(self.simulation))
        objects = sorted(p for p in (self.scene.parent / "objects").rglob("*") if p.is_file())
        digest = hashlib.sha256(json.dumps([spec, code], sort_keys=True, default=str).encode())
        for path in objects:
            digest.update(path.read_bytes())
        return digest.hexdigest()[:16]

    def spec(self, seed: int) -> dict[str, Any]:
        hyper = {k: v for k, v in self.training.items() if k not in OURS}
        return {
            "scene": str(self.scene.resolve()),
            "task": str(self.task.resolve()),
            "reward": str(self.reward.resolve()),
            **self.simulation,
            "threads": self.training["threads"],
            "seed": seed,
            "success_weight": self.training["success_weight"],
            "training": hyper,
            "parent": str(self.parent.resolve()) if self.parent else None,
            "skill": str(self.skill.resolve()) if self.skill else None,
            "clip": self.clip,
        }


def with_patience(training: Mapping[str, Any], config: Mapping[str, Any] | None) -> dict[str, Any]:
    """The `training` block with its `timeout`, which decides no result: a rule's job finds it in `config`."""
    return {**training, "timeout": config["training"]["timeout"]} if config else dict(training)


def run_training(
    job: Job, seed: int, policy: Path, log_csv: Path | None = None, course: Path | None = None
) -> dict[str, Any]:
    """Train in a worker and keep its policy (and log) under the given names; search.json's content.

    The folder `course` gets its TensorBoard log while it runs, and the last checkpoint until it ends: the
    same training (`Job.identity`) that was killed goes on from there, to the same policy.

    Raises:
        Screened: the reward cannot rank what happens, so that it was not trained.
        WorkerError: the generated code or the training failed, or what is left of it is none.
        Refused: the sandbox is required, and this machine does not have it.
    """
    with tempfile.TemporaryDirectory(prefix="train_") as folder, _Course(job, seed, course) as kept:
        kept.hand_out(Path(folder))
        limits = Sandbox(job.sandbox, job.readable())
        result = run_worker(MODULE, job.spec(seed), Path(folder), job.training["timeout"], kept.tell, limits)
        if result.get("stopped") == "screened":
            raise Screened(f"not worth training: {printable(str(result.get('reason')))[:1000]}")
        try:
            check_search(result, seed)
            copy_file(Path(folder), "policy.safetensors", policy, MAX_FILE)
            check_weights(policy)
            if log_csv is not None:
                copy_file(Path(folder), "log.csv", log_csv, MAX_FILE)
        except LeavingsError as error:
            policy.unlink(missing_ok=True)
            raise WorkerError(f"the worker {MODULE} {error}") from error
    log.info(
        "%s after %d steps: generated success %.2f",
        result["stopped"],
        result["steps"],
        result["success_rate"],
    )
    return result


def measure_again(job: Job, policy: Path, seed: int) -> float:
    """Generated success of a policy of the job on episodes that no training saw, without noise.

    Raises:
        WorkerError: the generated code failed, or what is left of it is no rate.
    """
    limits = Sandbox(job.sandbox, (*job.readable(), policy))
    spec = {**job.spec(seed), "policy": str(policy.resolve())}
    with tempfile.TemporaryDirectory(prefix="measure_") as folder:
        result = run_worker(MEASURING, spec, Path(folder), job.training["timeout"], sandbox=limits)
    rate = result.get("success_rate")
    if not isinstance(rate, int | float) or not 0 <= rate <= 1:
        raise WorkerError(f"the worker {MEASURING} wrote a success rate that cannot be")
    return float(rate)


class _Course:
    """What is seen and kept of a training while it runs: lines to the user, TensorBoard, its checkpoint."""

    def __init__(self, job: Job, seed: int, folder: Path | None) -> None:
        self._max_steps = job.training["max_steps"]
        self._said = time.monotonic()
        self._folder = folder
        self._kept = folder / f"checkpoint_{job.identity(seed)}.safetensors" if folder else None
        self._writer: SummaryWriter | None = None
        self._copied = 0
        """When the worker wrote what is kept, in nanoseconds."""

    def __enter__(self) -> _Course:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        """Close the log; a training that ended needs no checkpoint any more."""
        if self._writer is not None:
            self._writer.close()
        if self._kept is not None and kind is None:
            self._kept.unlink(missing_ok=True)

    def hand_out(self, folder: Path) -> None:
        """Give the worker in `folder` the checkpoint of the same training, and forget any other training."""
        self._worker = folder
        if self._folder is None or self._kept is None:
            return
        if self._kept.is_file():
            shutil.copyfile(self._kept, folder / CHECKPOINT)
            log.info("going on from the checkpoint of a training that was interrupted")
        elif self._folder.is_dir():
            shutil.rmtree(self._folder)
        self._writer = SummaryWriter(str(self._folder), flush_secs=5)

    def tell(self, line: str) -> None:
        """Take one line of the worker's progress, which anybody in it may have printed."""
        odd = (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError)
        with contextlib.suppress(*odd):
            row = {str(key)[:MAX_TAG]: float(value) for key, value in json.loads(line).items()}
            steps = int(row["steps"])
            if self._writer is not None:
                for name, value in row.items():
                    self._writer.add_scalar(name, value, steps)
            self._keep()
            if time.monotonic() - self._said >= SAY_EVERY:
                self._said = time.monotonic()
                log.info(
                    "%d of at most %d steps, success %.2f, %d steps/s, at most %d s left",
                    steps,
                    self._max_steps,
                    row["success_rate"],
                    row["steps_per_second"],
                    row["seconds_left"],
                )

    def _keep(self) -> None:
        """Copy the worker's checkpoint where it wrote a new one."""
        if self._kept is None:
            return
        with contextlib.suppress(OSError, LeavingsError):
            changed = (self._worker / CHECKPOINT).lstat().st_mtime_ns
            if changed != self._copied:
                with written(self._kept) as part:
                    copy_file(self._worker, CHECKPOINT, part, MAX_FILE)
                self._copied = changed


def failed_training(error: WorkerError, seed: int) -> dict[str, Any]:
    """search.json of a reward whose training failed: it is never selected, and its reason is kept."""
    return {
        "success_rate": 0.0,
        "steps": 0,
        "stopped": "screened" if isinstance(error, Screened) else "failed",
        "reason": str(error),
        "seed": seed,
        "components": {},
        "return": {"success": None, "failure": None},
    }
