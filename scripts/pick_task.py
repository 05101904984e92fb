"""Check every candidate in a process of its own and pick one, with a written reason."""

import json
import logging
import shutil
import tempfile
from pathlib import Path

from scripts.stage import Failed, Input, Output, stage
from video2policy.author.picking import pick
from video2policy.guard.process import Sandbox, run_worker

log = logging.getLogger("video2policy")

SECONDS_EACH = 30.0


def main(
    scene: Input, candidates: list[Input], task: Output, pick_json: Output, sandbox: str = "best_effort"
) -> None:
    """Copy the best of `candidates` to `task`; `pick_json` holds all checks and the reason."""
    spec = {
        "scene": str(scene.resolve()),
        "candidates": [{"task": str(path.resolve()), "reward": None} for path in candidates],
        "timeout": SECONDS_EACH,
    }
    with tempfile.TemporaryDirectory(prefix="check_") as folder:
        timeout = 60 + SECONDS_EACH * len(candidates)
        limits = Sandbox(sandbox, (scene, *candidates))
        result = run_worker("video2policy.guard.check_worker", spec, Path(folder), timeout, sandbox=limits)
    chosen = pick(result["reports"])
    record = {**chosen.to_json(), "sandbox": result.get("sandbox")}
    pick_json.write_text(json.dumps(record, indent=1) + "\n")
    if chosen.index is None:
        raise Failed(f"no task: {chosen.reason}")
    log.info("task: %s", chosen.reason)
    shutil.copyfile(candidates[chosen.index], task)


stage(main)
