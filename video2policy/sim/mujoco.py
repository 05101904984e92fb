"""The CPU engine: MuJoCo's batch of simulations (mujoco.batch), a thread pool over identical scenes.

Bit-identical at any number of threads.
"""

from pathlib import Path

from mujoco.batch import Batch

from video2policy.scene import Scene
from video2policy.sim.tabletop import Tabletop


class MujocoSim(Tabletop):
    """See `video2policy.sim.tabletop.Tabletop`; `threads` of the pool change no result."""

    def __init__(
        self,
        scene: Scene,
        scene_root: Path,
        n_envs: int,
        robot: str = "panda",
        threads: int = 1,
        seed: int = 0,
        horizon: int = 100,
        fit_gripper: bool = True,
    ) -> None:
        super().__init__(
            scene,
            scene_root,
            n_envs,
            robot,
            seed,
            horizon,
            fit_gripper,
            start=lambda model: Batch(model, n_envs, threads),
        )
