"""Train the best reward to its end: go on from the search's winner, and train further seeds from scratch."""

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts.stage import Input, Output, stage
from video2policy.train.run import Job, run_training, with_patience

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
    skill: Input | None = None,
    sandbox: str = "best_effort",
    sees: str = "clip",
    config: dict[str, Any] | None = None,
) -> None:
    """`best` is the folder of the best reward; `n_seeds` counts the search's own training.

    With `warm_start`, a winner that was not stopped as solved goes on, in at most `legs` trainings as long as
    those of a round, each from the best policy so far. A winner learned over several rounds: a training from
    scratch may take as many steps as all of that.
    """
    folder = Path(seeds)
    winner = json.loads((best / "search.json").read_text())
    training = with_patience(training, config)
    job = Job(scene, task, best / "reward.py", simulation, training, None, skill, sandbox, sees == "clip")
    seed, first = int(training["seed"]), folder / "seed_0.safetensors"
    shutil.copyfile(best / "policy.safetensors", first)
    trained: list[dict[str, Any]] = []
    if training["warm_start"]:
        course = policy.with_name("training")
        trained = _go_on(job, winner, seed, first, int(training["legs"]), course)
    shutil.copyfile(first, policy)

    if training["warm_start"]:
        rounds = int(json.loads((best / "best.json").read_text())["iter"]) + 1
        steps = (rounds + len(trained)) * int(training["max_steps"])
        job = replace(job, training={**training, "max_steps": steps})
    for k in range(1, n_seeds):
        log.info("training %d of %d with the best reward", k + 1, n_seeds)
        result = run_training(
            job,
            seed + SEED_STEP * k,
            folder / f"seed_{k}.safetensors",
            folder / f"seed_{k}.csv",
            policy.with_name("training") / f"seed_{k}",
        )
        trained.append(result)
    (folder / "searches.json").write_text(json.dumps(trained, indent=1) + "\n")


def _go_on(
    job: Job, winner: dict[str, Any], seed: int, policy: Path, legs: int, course: Path
) -> list[dict[str, Any]]:
    """Train the policy on in place until it is solved; how those ended. `course`: see run_training."""
    trained: list[dict[str, Any]] = []
    best, leg = winner, policy.with_name("leg.safetensors")
    while len(trained) < legs and best["stopped"] != "solved":
        log.info("going on with the best reward, %d of at most %d", len(trained) + 1, legs)
        log_csv = policy.with_name(f"{policy.stem}_{len(trained)}.csv")
        leg_job, leg_course = replace(job, parent=policy), course / f"leg_{len(trained)}"
        trained.append(run_training(leg_job, seed + len(trained), leg, log_csv, leg_course))
        if trained[-1]["success_rate"] >= best["success_rate"]:
            best = trained[-1]
            leg.replace(policy)
    leg.unlink(missing_ok=True)
    return trained


stage(main)
