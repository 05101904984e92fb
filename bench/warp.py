"""How fast MuJoCo Warp steps whole scenes on the device at hand: `python -m bench.warp`.

For every number of environments: control steps per second of the whole simulator (inverse kinematics, states)
and of the physics alone (five substeps, copies to and from the device included), while the hand presses on
the object. Lost contacts end the run with a sentence, so that a row says that the memory for them sufficed;
the last column is how full it was.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

from tests.scenes import primitive_scene
from video2policy.scene import Scene
from video2policy.sim.tabletop import SUBSTEPS
from video2policy.sim.warp import WarpSim, choose_device

HEADER = "| device | scene | environments | steps/s | physics alone | memory used |\n" + "|---" * 6 + "|"
WARM = 3
"""Steps before the clock starts: kernels are compiled and the graph is captured."""


def measure(path: Path, n_envs: int, steps: int, device: str) -> tuple[float, float, float]:
    """Control steps per second of the simulator and of its physics, and the share of the memory in use."""
    sim = WarpSim(Scene.load(path), path.parent, n_envs, device=device)
    ids = torch.arange(n_envs)
    sim.reset(ids, sim.sample_object_poses(ids))
    batch = sim._batch
    generator = torch.Generator().manual_seed(0)
    whole, bare, used = [], [], 0.0
    for step in range(WARM + steps):
        states = sim.states()
        action = 0.3 * torch.randn(n_envs, 7, generator=generator)
        action[:, :3] += 100 * (states["cube_pos"] - states["eef_pos"])
        begin = time.perf_counter()
        sim.step(action)
        middle = time.perf_counter()
        batch.step(nstep=SUBSTEPS)
        end = time.perf_counter()
        used = max(used, batch.used())
        if step >= WARM:
            whole.append(middle - begin)
            bare.append(end - middle)
    return n_envs / statistics.median(whole), n_envs / statistics.median(bare), used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--scenes", nargs="+", default=["box", "mug"])
    parser.add_argument("--envs", nargs="+", type=int, help="default: up to 8192 on a GPU, up to 32 without")
    parser.add_argument("--steps", type=int, default=40)
    arguments = parser.parse_args()
    device = choose_device(arguments.device)
    sizes = arguments.envs or ([8, 32] if device == "cpu" else [64, 1024, 8192])
    print(HEADER)
    with tempfile.TemporaryDirectory() as folder:
        for kind in arguments.scenes:
            path = primitive_scene(Path(folder) / kind, objects={"cube": kind})
            for n_envs in sizes:
                whole, bare, used = measure(path, n_envs, arguments.steps, arguments.device)
                print(
                    f"| {device} | {kind} | {n_envs} | {whole:,.0f} | {bare:,.0f} | {used:.0%} |", flush=True
                )


if __name__ == "__main__":
    main()
