"""Scenes and reference tasks that the benchmarks share."""

from pathlib import Path

from tests.scenes import primitive_scene
from video2policy.guard.load import load_task
from video2policy.scene import Scene
from video2policy.sim.environment import Environment
from video2policy.sim.mujoco import MujocoSim

TASKS = {name: Path(__file__).parent / "tasks" / f"{name}.py" for name in ("push_right", "lift")}
"""Tasks with a reward written once by hand, over one object called thing."""


def reference_environment(
    folder: Path, task: str, kind: str, robot: str, n_envs: int, threads: int, seed: int = 0
) -> Environment:
    """An environment over one solid ("box", "mug", ...; see tests.scenes) with a reference task."""
    path = primitive_scene(folder, task, objects={"thing": kind})
    sim = MujocoSim(Scene.load(path), path.parent, n_envs, robot, threads, seed)
    return Environment(sim, load_task(TASKS[task])(sim, ""))
