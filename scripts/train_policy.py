"""Train the best reward to its end: go on from the search's winner, and train further seeds from scratch."""

import json
import logging
import shutil
from dataclasses import replace
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

    With `warm_start`, a winner that was not stopped as solved goes on for as many steps as a round had, and
    the better policy of the two is kept. A winner learned over several rounds: a training from scratch may
    take as many steps as all of that.
    """
    folder = Path(seeds)
    winner = json.loads((best / "search.json").read_text())
    job = Job(scene, task, best / "reward.py", simulation, training)
    seed, first = int(training["seed"]), folder / "seed_0.safetensors"
    trained = []
    if training["warm_start"] and winner["stopped"] != "solved":
        log.info("going on with the best reward")
        onward = replace(job, parent=best / "policy.safetensors")
        trained.append(run_training(onward, seed, first, folder / "seed_0.csv"))
    if not trained or trained[0]["success_rate"] < winner["success_rate"]:
        shutil.copyfile(best / "policy.safetensors", first)
    shutil.copyfile(first, policy)

    if training["warm_start"]:
        rounds = int(json.loads((best / "best.json").read_text())["iter"]) + 1
        steps = (rounds + len(trained)) * int(training["max_steps"])
        job = replace(job, training={**training, "max_steps": steps})
    for k in range(1, n_seeds):
        log.info("training %d of %d with the best reward", k + 1, n_seeds)
        result = run_training(
            job, seed + SEED_STEP * k, folder / f"seed_{k}.safetensors", folder / f"seed_{k}.csv"
        )
        trained.append(result)
    (folder / "searches.json").write_text(json.dumps(trained, indent=1) + "\n")


stage(main)
