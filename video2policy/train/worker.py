"""Trains one policy on generated task and reward code; started by `guard.process.run_worker`.

The specification, spec.json: what `sim.engines.make` reads (scene, engine, robot, ...), task, reward (paths),
environments, seed, success_weight, training (fields of `ppo.Training`), parent (a policy to go on from, or
null), skill (a policy of `train.skill` to start from, or null), clip (whether the reward must rank the clip's
own way). Where checkpoint.safetensors lies beside it, training goes on from there. It leaves
policy.safetensors, log.csv and result.json, which is search.json: measured by the generated success alone.
Of a reward that is not worth training (`guard.screening`) it leaves the reason only.
"""

import csv
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from video2policy.guard import screening
from video2policy.guard.load import SimulatorView, load_task
from video2policy.guard.lockdown import contain
from video2policy.guard.rehearsal import rehearse
from video2policy.scene import Scene
from video2policy.sim import engines
from video2policy.sim.base import Simulator
from video2policy.sim.environment import Environment
from video2policy.train.checkpoint import CHECKPOINT
from video2policy.train.episodes import Finished
from video2policy.train.policy import load_policy, save_policy
from video2policy.train.ppo import Training, prepare, train
from video2policy.train.skill import Skill

LONGEST = 4000
"""Characters of a line of progress: of a longer one its reader keeps the end. Its components are left out."""


def main(spec: Mapping[str, Any]) -> None:
    torch.set_num_threads(1)
    root = Path(spec["scene"]).parent
    scene = Scene.load(Path(spec["scene"]))

    def simulate(environments: int, threads: int) -> Simulator:
        return engines.make({**spec, "threads": threads}, environments, int(spec["seed"]))

    training = Training(**spec["training"])
    parent = load_policy(Path(spec["parent"])) if spec["parent"] else None
    skill = Skill.load(Path(spec["skill"])) if spec["skill"] else None
    folder = Path("rl_games")
    prepare(folder)
    rehearse(simulate, [int(spec["environments"])])
    contain(spec)

    reason = screening.why_not(scene, Path(spec["task"]), Path(spec["reward"]), bool(spec["clip"]))
    if reason is not None:
        Path("result.json").write_text(json.dumps({"stopped": "screened", "reason": reason}))
        return
    sim = simulate(int(spec["environments"]), int(spec["threads"]))
    task = load_task(Path(spec["task"]), Path(spec["reward"]))(SimulatorView(sim), str(root))
    environment = Environment(sim, task, float(spec["success_weight"]))
    outcome = train(
        environment,
        training,
        int(spec["seed"]),
        folder,
        _Progress(training),
        parent,
        skill,
        scene.task.roles["a"],
        Path(CHECKPOINT),
    )
    save_policy(Path("policy.safetensors"), outcome.policy)
    write_log(Path("log.csv"), outcome.log)
    result = {
        "success_rate": round(outcome.success_rate, 4),
        "steps": outcome.steps,
        "stopped": outcome.stopped,
        "learning": _share(outcome.episodes.finished),
        "seed": int(spec["seed"]),
        "horizon": sim.horizon,
        **outcome.episodes.summary(),
    }
    Path("result.json").write_text(json.dumps(result))


def _share(episodes: Sequence[Finished]) -> float:
    """The part of all training's episodes that succeeded, exploration included."""
    return round(sum(episode.success for episode in episodes) / max(len(episodes), 1), 4)


class _Progress:
    """Prints the rows of the log, with the seconds that are left."""

    def __init__(self, training: Training) -> None:
        self.training = training

    def __call__(self, row: dict[str, Any]) -> None:
        left = (self.training.max_steps - row["steps"]) / max(row["steps_per_second"], 1)
        shown = {k: v for k, v in row.items() if v != ""}
        shown |= {"seconds_left": round(left), "cpu_seconds": round(time.process_time(), 3)}
        line = json.dumps(shown)
        if len(line) > LONGEST:
            line = json.dumps({k: v for k, v in shown.items() if "/" not in k})
        print("progress " + line, flush=True)


def write_log(path: Path, rows: list[dict[str, Any]]) -> None:
    """The rows as CSV; a component that appears late has empty cells before."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
