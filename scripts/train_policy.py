"""Train the search's best reward with further seeds; the first policy is the search's own."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

from scripts.stage import Input, Output, stage
from video2policy.train.run import Job, run_training

log = logging.getLogger("video2policy")

SEED_STEP = 1000
"""Between the seeds of further trainings; those of the search lie closer together."""


def main(
    scene: Input,
    task: Input,
    best: Input,
    policy: Output,
    seeds: Output,
    n_seeds: int,
    simulation: dict[str, Any],
    training: dict[str, Any],
) -> None:
    """`best` is the folder of the best reward; `n_seeds` counts the search's own training.

    A warm-started winner learned over several rounds; a training from scratch may take as many steps.
    """
    folder = Path(seeds)
    shutil.copyfile(best / "policy.safetensors", folder / "seed_0.safetensors")
    shutil.copyfile(best / "policy.safetensors", policy)
    if training["warm_start"]:
        rounds = int(json.loads((best / "best.json").read_text())["iter"]) + 1
        training = {**training, "max_steps": rounds * int(training["max_steps"])}
    job = Job(scene, task, best / "reward.py", simulation, training)
    trained = []
    for k in range(1, n_seeds):
        log.info("training %d of %d with the best reward", k + 1, n_seeds)
        result = run_training(
            job,
            int(training["seed"]) + SEED_STEP * k,
            folder / f"seed_{k}.safetensors",
            folder / f"seed_{k}.csv",
        )
        trained.append(result)
    (folder / "searches.json").write_text(json.dumps(trained, indent=1) + "\n")


stage(main)
