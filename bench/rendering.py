"""How fast one core draws: `python -m bench.rendering`.

Pairs of an RGB image and a segmentation of the same view, of environments that move on between them, per
second of the processor's time: a software rasteriser may use several threads, and they are all counted.
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch

from tests.scenes import primitive_scene
from video2policy import mjcf
from video2policy.scene import Scene
from video2policy.sim.base import CAMERAS
from video2policy.sim.mujoco import MujocoSim
from video2policy.sim.randomise import PRESETS, Randomisation

GOAL = 60
"""Pairs a second and core at 256 x 256."""


def measure(sim: MujocoSim, camera: str, side: int, pairs: int) -> tuple[float, float]:
    """Pairs per second of processor time, and per second."""
    ids = torch.arange(sim.n_envs)
    sim.reset(ids, sim.sample_object_poses(ids))
    sim.images(0, camera, side, side, ("rgb", "segmentation"))  # the first one makes the graphics context
    cpu = wall = 0.0
    for k in range(pairs):
        sim.step(torch.zeros(sim.n_envs, 7))
        cpu, wall = cpu - time.process_time(), wall - time.perf_counter()
        sim.images(k % sim.n_envs, camera, side, side, ("rgb", "segmentation"))
        cpu, wall = cpu + time.process_time(), wall + time.perf_counter()
    return pairs / cpu, pairs / wall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--robots", nargs="+", default=list(mjcf.ROBOTS), choices=list(mjcf.ROBOTS))
    parser.add_argument("--cameras", nargs="+", default=list(CAMERAS), choices=CAMERAS)
    parser.add_argument("--randomise", default="none", choices=list(PRESETS))
    parser.add_argument("--side", type=int, default=256, help="pixels")
    parser.add_argument("--pairs", type=int, default=100)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| robot | camera | randomise | pixels | pairs/s and core | pairs/s |\n" + "|---" * 6 + "|")
    slow = []
    with tempfile.TemporaryDirectory() as folder:
        path = primitive_scene(Path(folder), "uncover", objects={"cup": "cup", "ball": "ball"})
        for robot in arguments.robots:
            sim = MujocoSim(
                Scene.load(path), path.parent, 4, robot, randomise=Randomisation.of(arguments.randomise)
            )
            for camera in arguments.cameras:
                core, wall = measure(sim, camera, arguments.side, arguments.pairs)
                slow += [f"{robot} {camera}"] * (core < GOAL)
                print(
                    f"| {robot} | {camera} | {arguments.randomise} | {arguments.side} | {core:.0f} "
                    f"| {wall:.0f} |",
                    flush=True,
                )
            sim.close()
    print(f"\nBelow {GOAL} pairs/s and core: {', '.join(slow) or 'none'}.")


if __name__ == "__main__":
    main()
