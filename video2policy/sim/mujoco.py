"""The CPU engine: MuJoCo's batch of simulations (mujoco.batch), a thread pool over identical scenes.

Bit-identical at any number of threads.
"""

from pathlib import Path

import mujoco
from mujoco.batch import Batch

from video2policy.scene import Scene
from video2policy.sim.randomise import PRESETS, Randomisation
from video2policy.sim.tabletop import Tabletop
from video2policy.sim.variation import Variation


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
        randomise: Randomisation = PRESETS["none"],
    ) -> None:
        def start(model: mujoco.MjModel, variation: Variation | None) -> Batch:
            batch = Batch(model, n_envs, threads)
            if variation:
                variation.attach(model, batch)
            return batch

        super().__init__(
            scene,
            scene_root,
            n_envs,
            robot,
            seed,
            horizon,
            fit_gripper,
            start,
            randomise,
        )
