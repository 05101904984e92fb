"""PPO on one reward, in a worker process; only the generated success is measured."""

import json
import logging

from scripts.stage import Input, Output, stage
from video2policy.guard.process import WorkerError
from video2policy.train.run import Job, failed_training, run_training


def main(
    scene: Input,
    task: Input,
    reward: Input,
    policy: Output,
    log_csv: Output,
    search: Output,
    simulation: dict,
    training: dict,
    previous: Input | None = None,
    skill: Input | None = None,
    sandbox: str = "best_effort",
) -> None:
    """With `warm_start`, training goes on from the best policy of the rounds before; else from the `skill`.

    A reward that fails is a result of the search: search.json says why, and it is never selected."""
    seed = int(training["seed"])
    parent = previous / "policy.safetensors" if previous and training["warm_start"] else None
    try:
        job = Job(scene, task, reward, simulation, training, parent, skill, sandbox)
        result = run_training(job, seed, policy, log_csv, policy.with_name("training"))
    except WorkerError as error:
        logging.getLogger("video2policy").info("the reward failed: %s", str(error).splitlines()[-1].strip())
        result = failed_training(error, seed)
        for path in (policy, log_csv):
            path.write_text("failed: see search.json\n")
    search.write_text(json.dumps(result, indent=1) + "\n")


stage(main)
