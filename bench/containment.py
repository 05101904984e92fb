"""What containment costs: `python -m bench.containment`.

Trains the reference task in the workflow's own worker, locked down and not, in turns within one run, and
compares the processor time between the first and the last progress line: start and imports are left out.
Prints each training and the ratio; the goal is a loss of at most 3%.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import timeit
from pathlib import Path
from typing import Any

import torch
import yaml

from bench.reference import TASKS
from tests.scenes import primitive_scene
from video2policy.guard.load import SimulatorView, load_task
from video2policy.guard.process import ROOT, Sandbox, run_worker
from video2policy.scene import Scene
from video2policy.sim.base import N_ACTIONS
from video2policy.sim.environment import Environment
from video2policy.sim.mujoco import MujocoSim
from video2policy.train.run import MODULE, Job

GOAL = 0.03


def measure(job: Job, mode: str, seed: int) -> tuple[float, dict[str, Any]]:
    """Environment steps per processor second of the training itself, and the sandbox reached."""
    rows: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(mode, job.readable())
        result = run_worker(
            MODULE,
            job.spec(seed),
            Path(folder),
            3600,
            lambda line: rows.append(json.loads(line)),
            sandbox,
        )
    steps, seconds = (rows[-1][key] - rows[0][key] for key in ("steps", "cpu_seconds"))
    return steps / seconds, result["sandbox"]


def copying(scene: Path, robot: str, environments: int) -> float:
    """The share of an environment's step that goes into the copy of states that success and reward get."""
    sim = MujocoSim(Scene.load(scene), scene.parent, environments, robot)
    environment = Environment(sim, load_task(TASKS["lift"])(SimulatorView(sim), ""))
    environment.reset()
    actions = torch.zeros(environments, N_ACTIONS)
    steps = timeit.repeat(lambda: environment.step(actions), number=50, repeat=5, timer=time.process_time)
    copies = timeit.repeat(lambda: {**sim.states()}, number=50, repeat=5, timer=time.process_time)
    return min(copies) / min(steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", default="lift", choices=list(TASKS))
    parser.add_argument("--robot", default="panda")
    parser.add_argument("--steps", type=int, default=150_000)
    parser.add_argument("--pairs", type=int, default=3)
    arguments = parser.parse_args()
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    training = {**config["training"], "max_steps": arguments.steps, "timeout": 3600}
    simulation = {**config["simulation"], "robot": arguments.robot}
    ratios = []
    print("| pair | sandbox | steps/s |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        scene = primitive_scene(Path(folder), arguments.task, objects={"cube": "box"})
        reward = Path(folder) / "reward.py"
        reward.write_text(TASKS[arguments.task].read_text())
        job = Job(scene, TASKS[arguments.task], reward, simulation, training)
        for pair in range(arguments.pairs):
            speeds = {}
            # In turns, so that whatever else the machine does meets both alike.
            for mode in ("off", "best_effort") if pair % 2 else ("best_effort", "off"):
                speeds[mode], reached = measure(job, mode, pair)
                print(f"| {pair} | {reached['level']} | {speeds[mode]:,.0f} |", flush=True)
            ratios.append(speeds["best_effort"] / speeds["off"])
        share = copying(scene, arguments.robot, int(simulation["environments"]))
    loss = 1 - statistics.median(ratios)
    print(f"\nlocked down / open: {', '.join(f'{ratio:.3f}' for ratio in ratios)}")
    print(f"loss (median): {loss:.1%}; the goal of {GOAL:.0%} is {'met' if loss <= GOAL else 'missed'}")
    print(f"the further copy of states, in both: {share:.1%} of an environment's step")


if __name__ == "__main__":
    main()
