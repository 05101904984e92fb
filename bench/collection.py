"""How fast trajectories are drawn and encoded: `python -m bench.collection`.

Pictures a second of the processor's time, all threads counted, from a recorded configuration to the encoded
frame: what `dataset.collection` does for every camera of every step.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from tests.scenes import primitive_scene
from video2policy.dataset.collection import Wish, _add, _Shards
from video2policy.evaluate.evaluation import Rollouts
from video2policy.evaluate.recording import Recording
from video2policy.scene import Scene
from video2policy.sim.mujoco import MujocoSim

GOAL = 20
"""Pictures a second and core at 256 x 256."""


def recorded(sim: MujocoSim, steps: int) -> Recording:
    """One episode of small random actions."""
    sim.reset(torch.arange(1), sim.sample_object_poses(torch.arange(1)))
    generator = torch.Generator().manual_seed(0)
    rows, configuration, actions = [sim.states()], [], []
    for _ in range(steps):
        configuration.append(sim.configuration())
        actions.append(torch.rand(1, 7, generator=generator) - 0.5)
        sim.step(actions[-1])
        rows.append(sim.states())
    return Recording(
        {name: np.stack([row[name].numpy() for row in rows]) for name in rows[0]},
        np.stack([action.numpy() for action in actions]),
        np.ones((steps, 1), bool),
        np.ones((steps + 1, 1), bool),
        np.stack(configuration),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--robot", default="panda")
    parser.add_argument("--side", type=int, default=256, help="pixels")
    parser.add_argument("--steps", type=int, default=60, help="of the episode")
    arguments = parser.parse_args()
    print("| cameras | masks | depth | pixels | pictures/s and core | pictures/s |\n" + "|---" * 6 + "|")
    with tempfile.TemporaryDirectory() as folder:
        path = primitive_scene(Path(folder) / "scene")
        scene, rollouts = Scene.load(path), Rollouts(path, path, arguments.robot)
        sim = rollouts.simulator()
        recording = recorded(sim, arguments.steps)
        for masks, depth in ((False, False), (True, False), (True, True)):
            wish = Wish(1, arguments.side, ("front", "wrist"), masks=masks, depth=depth)
            shards = _Shards(Path(folder) / f"{masks}{depth}", "")
            cpu, wall = time.process_time(), time.perf_counter()
            with shards.writer(0, rollouts, wish, scene, sim) as writer:
                _add(writer, sim, scene, recording, 0, arguments.steps, wish)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            count = arguments.steps * len(wish.cameras) * (1 + masks + depth)
            print(
                f"| {len(wish.cameras)} | {masks} | {depth} | {arguments.side} | {count / cpu:.0f} "
                f"| {count / wall:.0f} |",
                flush=True,
            )
        sim.close()
    print(f"\nThe goal is {GOAL} pictures a second and core.")


if __name__ == "__main__":
    main()
