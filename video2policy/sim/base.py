"""What every simulator gives: the contract behind which MuJoCo, MuJoCo Warp and Isaac Gym stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Dict, Literal, Protocol  # noqa: UP035 - Python 3.8

import numpy as np
import torch
from numpy.typing import NDArray

from video2policy.sim.randomise import Draws
from video2policy.task import Poses

States = Dict[str, torch.Tensor]  # noqa: UP006
"""The `states` of video2policy.task: float32, leading dimension n_envs, world frame."""

Arrays = Dict[str, NDArray[np.float32]]  # noqa: UP006
"""The same states as NumPy arrays."""

Kind = Literal["rgb", "depth", "segmentation"]
CAMERAS = ("front", "side", "wrist")
"""Beside the clip's camera, across the table, and on the hand."""

N_ACTIONS = 7
"""Tool translation x y z, rotation about x y z, gripper; each in [-1, 1]."""


class Simulator(Protocol):
    """A batch of identical scenes with one robot, stepped together at `1 / control_step` Hz."""

    n_envs: int
    horizon: int
    """Control steps in an episode."""
    control_step: float
    """Seconds between two actions."""
    object_names: Sequence[str]
    object_sizes: Mapping[str, Sequence[float]]
    scale: float
    """Uniform factor on all objects, below 1 when one had to shrink to fit the gripper."""
    device: torch.device
    elapsed: NDArray[np.int64]
    """Control steps since each environment's reset, (n_envs,)."""
    failed: NDArray[np.bool_]
    """Environments whose physics diverged in the last step, (n_envs,); they must be reset."""

    def sample_object_poses(self, env_ids: torch.Tensor) -> Poses:
        """Random, collision-free poses on the table: object -> (k, 7), wxyz relative to rest."""

    def reset(self, env_ids: torch.Tensor, poses: Poses) -> None:
        """Start episodes: objects at `poses`, the robot near its home pose above them, memory cleared.

        Objects that penetrate others are raised until they do not, and settle before the episode starts.
        """

    def reseed(self, seed: int) -> None:
        """Let all that is random from the next reset on depend on `seed`, not on what was drawn before."""

    def step(self, actions: torch.Tensor) -> None:
        """Advance all environments by one control step; actions (n_envs, 7), clipped to [-1, 1]."""

    def states(self) -> States:
        """Fresh tensors, one per key of `video2policy.task.state_widths`."""

    def arrays(self) -> Arrays:
        """The same states as fresh arrays: what is recorded and judged never was in torch's hands."""

    def draws(self) -> Draws:
        """What domain randomisation gave each environment's running episode, (n_envs, ...); empty without."""

    def randomise(self, env_ids: NDArray[np.int32], draws: Draws) -> None:
        """Set the physics and looks of environments (k,) to `draws` (`sim.randomise`); resets draw anew."""

    def render(self, env_id: int, camera: str, width: int, height: int, kind: Kind = "rgb") -> NDArray:
        """One image: rgb (H, W, 3) uint8, depth (H, W) float32 metres, or segmentation (H, W) int32.

        Segmentation: 0 background and table, 1... the objects in order, then the robot.
        """
