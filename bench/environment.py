"""How much of the bare physics speed the whole environment keeps: `python -m bench.environment`.

For every scene, robot and number of threads, blocks of environment steps (inverse kinematics, five physics
steps, states, task code, reward, reset) alternate with `mujoco.batch.Batch.step(nstep=5)` from the state at
the block's start under the joint commands that the block gave; medians of the two are compared, so that other
load on the machine weighs on both alike.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

from bench.reference import reference_environment
from video2policy import mjcf
from video2policy.sim.tabletop import POSITION, SUBSTEPS

BLOCK = 20
"""Steps between two rewinds."""
HEADER = (
    "| scene | robot | threads | environments | environment steps/s | bare steps/s | ratio |\n"
    + "|---" * 7
    + "|"
)


def measure(kind: str, robot: str, threads: int, n_envs: int, steps: int) -> tuple[float, float]:
    """Control steps per second of the environment and of the bare batch."""
    with tempfile.TemporaryDirectory() as folder:
        env = reference_environment(Path(folder), "lift", kind, robot, n_envs, threads)
        batch, ctrl = env.sim._batch, env.sim._ctrl
        env.reset()
        env.stagger(0)  # as in training
        whole, bare = [], []
        generator = torch.Generator().manual_seed(0)
        action = torch.zeros(n_envs, 7)
        for _ in range(steps // BLOCK):
            start, commands = batch.state.copy(), []
            for _ in range(BLOCK):
                # Smooth noise pressed towards the table: the hand meets table and object, as in training.
                action = 0.8 * action + 0.4 * torch.randn(n_envs, 7, generator=generator)
                action[:, 2] -= 0.02
                begin = time.perf_counter()
                env.step(action)
                whole.append(time.perf_counter() - begin)
                commands.append(ctrl.copy())
            end = batch.state.copy()
            batch.state[:] = start
            for command in commands:
                ctrl[:] = command
                begin = time.perf_counter()
                batch.step(nstep=SUBSTEPS)
                bare.append(time.perf_counter() - begin)
            batch.state[:] = end
            batch.forward(stage=POSITION)
        return n_envs / statistics.median(whole), n_envs / statistics.median(bare)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", nargs="+", default=["box", "mug"])
    parser.add_argument("--robots", nargs="+", default=list(mjcf.ROBOTS))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--envs", nargs="+", type=int, default=[64, 128])
    parser.add_argument("--steps", type=int, default=200)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(HEADER)
    for kind in arguments.scenes:
        for robot in arguments.robots:
            for threads in arguments.threads:
                for n_envs in arguments.envs:
                    whole, bare = measure(kind, robot, threads, n_envs, arguments.steps)
                    print(
                        f"| {kind} | {robot} | {threads} | {n_envs} | {whole:,.0f} | {bare:,.0f} "
                        f"| {whole / bare:.2f} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
