"""Where objects stand when an episode starts: random places on the table, and checks of others."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from video2policy.shape import TABLE, SceneError, Shape
from video2policy.sim.robot import HIGH
from video2policy.task import Poses

Array = NDArray[np.float64]

POOL = 256
"""Object poses drawn at once."""


class Placing:
    """Draws poses for `shapes`, which may grow by the factor `largest` each, with `rng`.

    `table` has the table's half extents (x, y) in metres.
    """

    def __init__(
        self,
        shapes: Sequence[Shape],
        rng: np.random.Generator,
        largest: float = 1.0,
        table: tuple[float, float] = TABLE,
    ) -> None:
        self._shapes = shapes
        self._largest = largest
        self._table = table
        self._names = [shape.name for shape in shapes]
        self._rng = rng
        self._pool = np.zeros((0, len(shapes), 7), dtype=np.float32)

    def reseed(self, seed: int) -> None:
        """Draw from `seed` on, also what shares the generator; forget what was drawn ahead."""
        self._rng.bit_generator.state = np.random.default_rng(seed).bit_generator.state
        self._pool = self._pool[:0]

    def sample(self, k: int) -> Poses:
        """Random, collision-free poses on the table: object -> (k, 7), any yaw.

        Each object lies within a region around the origin that grows only when the objects do not fit.
        """
        if len(self._pool) < k:  # drawn by the hundred: most of the cost does not depend on the number
            self._pool = np.concatenate([self._pool, self._draw(max(k, POOL))])
        drawn, self._pool = self._pool[:k], self._pool[k:]
        return {name: torch.from_numpy(drawn[:, i].copy()) for i, name in enumerate(self._names)}

    def _draw(self, k: int) -> NDArray[np.float32]:
        """Poses (k, objects, 7) for `sample`."""
        region = np.array([0.08, 0.08]) if len(self._shapes) == 1 else np.array([0.11, 0.16])
        poses = np.zeros((k, len(self._shapes), 7), dtype=np.float32)
        order = np.argsort([-shape.radius for shape in self._shapes])  # the largest first
        for rank, index in enumerate(order):
            shape, others = self._shapes[index], order[:rank]
            radii = np.array([self._shapes[i].radius for i in others])
            distance = self._largest * (shape.radius + radii) + 0.01
            room = np.array(self._table) - shape.radius
            open_ids = np.arange(k)
            for attempt in range(400):
                reach = np.minimum(region * (1 + attempt / 40), np.maximum(room, 0.01))
                poses[open_ids, index, :2] = self._rng.uniform(-reach, reach, (len(open_ids), 2))
                placed = poses[open_ids, :, :2]
                gaps = np.linalg.norm(placed[:, index, None] - placed[:, others], axis=2)
                open_ids = open_ids[(gaps < distance).any(axis=1)]
                if len(open_ids) == 0:
                    break
            else:
                raise SceneError(f"object {shape.name!r} finds no free place on the table")
            yaw = self._rng.uniform(-np.pi, np.pi, k)
            poses[:, index, 2] = shape.rest_height
            poses[:, index, 3], poses[:, index, 6] = np.cos(yaw / 2), np.sin(yaw / 2)
        return poses


def checked(shapes: Sequence[Shape], grasped: Collection[str], k: int, poses: Poses) -> Array:
    """Poses as one array (k, objects, 7) with unit quaternions.

    Raises SceneError for poses that are missing, not finite, off the table, or, for one of `grasped`, out of
    the arm's reach.
    """
    names = [shape.name for shape in shapes]
    rows = []
    for name in names:
        if name not in poses or poses[name].shape != (k, 7):
            raise SceneError(f"the reset gives no ({k}, 7) poses for {name!r}")
        rows.append(np.asarray(poses[name], dtype=float))
    wanted = np.stack(rows, axis=1)
    for index, name in enumerate(names):
        pose = wanted[:, index]
        if not np.isfinite(pose).all():
            raise SceneError(f"the reset puts {name!r} at a pose that is not finite")
        if (np.abs(pose[:, :2]) > TABLE).any() or (pose[:, 2] < 0).any():
            raise SceneError(f"the reset puts {name!r} off the table")
        if (np.linalg.norm(pose[:, 3:], axis=1) < 1e-6).any():
            raise SceneError(f"the reset gives {name!r} a quaternion of length zero")
        beyond = np.abs(pose[:, :2]) - shapes[index].radius
        if name in grasped and (beyond > HIGH[:2]).any():
            raise SceneError(f"the reset puts {name!r}, which must be grasped, out of the arm's reach")
    length = np.linalg.norm(wanted[:, :, 3:], axis=2, keepdims=True)
    wanted[:, :, 3:] /= length
    return wanted
