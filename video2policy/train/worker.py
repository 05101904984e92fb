"""Trains one policy on generated task and reward code; started by `guard.process.run_worker`.

The specification, spec.json: scene, task, reward (paths), robot, environments, horizon, fit_gripper,
randomise, threads, seed, success_weight, training (fields of `ppo.Training`), parent (a policy to go on from,
or null). It leaves policy.safetensors, log.csv, rl-games' TensorBoard logs and result.json, which is
search.json: measured by the generated success alone.
"""

import csv
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from video2policy.guard.load import load_task
from video2policy.scene import Scene
from video2policy.sim.environment import Environment
from video2policy.sim.mujoco import MujocoSim
from video2policy.sim.randomise import Randomisation
from video2policy.train.policy import load_policy, save_policy
from video2policy.train.ppo import Training, train

EVERY = 3.0
"""Seconds between two lines of progress."""


def main(spec: Mapping[str, Any]) -> None:
    torch.set_num_threads(1)
    scene = Path(spec["scene"])
    sim = MujocoSim(
        Scene.load(scene),
        scene.parent,
        int(spec["environments"]),
        robot=spec["robot"],
        threads=int(spec["threads"]),
        seed=int(spec["seed"]),
        horizon=int(spec["horizon"]),
        fit_gripper=bool(spec["fit_gripper"]),
        randomise=Randomisation.of(spec.get("randomise", "none")),
    )
    task = load_task(Path(spec["task"]), Path(spec["reward"]))(sim, str(scene.parent))
    environment = Environment(sim, task, float(spec["success_weight"]))
    training = Training(**spec["training"])
    parent = load_policy(Path(spec["parent"])) if spec["parent"] else None
    outcome = train(
        environment, training, int(spec["seed"]), Path("tensorboard"), _Progress(training), parent
    )
    save_policy(Path("policy.safetensors"), outcome.policy)
    write_log(Path("log.csv"), outcome.log)
    result = {
        "success_rate": round(outcome.success_rate, 4),
        "steps": outcome.steps,
        "stopped": outcome.stopped,
        "seed": int(spec["seed"]),
        "horizon": sim.horizon,
        **outcome.episodes.summary(),
    }
    Path("result.json").write_text(json.dumps(result))


class _Progress:
    """Prints a row of the log now and then, with the steps that are left."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self.last = time.monotonic()

    def __call__(self, row: dict[str, Any]) -> None:
        now = time.monotonic()
        if now - self.last >= EVERY:
            self.last = now
            left = (self.training.max_steps - row["steps"]) / max(row["steps_per_second"], 1)
            shown = {k: row[k] for k in ("steps", "success_rate", "steps_per_second")}
            print("progress " + json.dumps(shown | {"seconds_left": round(left)}), flush=True)


def write_log(path: Path, rows: list[dict[str, Any]]) -> None:
    """The rows as CSV; a component that appears late has empty cells before."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
