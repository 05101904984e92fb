"""How long the reference tasks take to train: `python -m bench.training`.

Each run is what the workflow's training worker does, without the process around it. Wall time means little
while other work shares the machine, so the process's CPU seconds stand beside it (all threads together).
"""

import argparse
import contextlib
import io
import tempfile
import time
from pathlib import Path

import torch

from bench.reference import TASKS, reference_environment
from video2policy import mjcf
from video2policy.train.ppo import Outcome, Training, train

HEADER = (
    "| task | object | robot | seed | environments | threads | steps | stopped | success | CPU s | wall s |\n"
    + "|---" * 11
    + "|"
)


def measure(
    task: str, kind: str, robot: str, seed: int, n_envs: int, threads: int, cap: int
) -> tuple[Outcome, float, float]:
    """The outcome of one training, its CPU seconds and its wall seconds."""
    with tempfile.TemporaryDirectory() as folder:
        environment = reference_environment(Path(folder), task, kind, robot, n_envs, threads, seed)
        cpu, wall = time.process_time(), time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):  # rl-games prints what it builds
            outcome = train(environment, Training(max_steps=cap), seed, Path(folder) / "tensorboard")
        return outcome, time.process_time() - cpu, time.perf_counter() - wall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--objects", nargs="+", default=["box"], help="kinds of tests/scenes.py")
    parser.add_argument("--robots", nargs="+", default=list(mjcf.ROBOTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--envs", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cap", type=int, default=600_000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(HEADER)
    for task in arguments.tasks:
        for kind in arguments.objects:
            for robot in arguments.robots:
                for seed in arguments.seeds:
                    outcome, cpu, wall = measure(
                        task, kind, robot, seed, arguments.envs, arguments.threads, arguments.cap
                    )
                    print(
                        f"| {task} | {kind} | {robot} | {seed} | {arguments.envs} | {arguments.threads} "
                        f"| {outcome.steps:,} | {outcome.stopped} | {outcome.success_rate:.2f} "
                        f"| {cpu:.0f} | {wall:.0f} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
