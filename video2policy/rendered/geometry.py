"""Poses, elementary rotations, easing, and how far points are from a surface."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from video2policy.pose import transform as matrix_of
from video2policy.rendered.shapes import Mesh

Array = NDArray[np.float64]


class Pose(NamedTuple):
    """world_from_object: position (3,) in metres and rotation matrix (3, 3)."""

    position: Array
    rotation: Array

    def of(self, points: ArrayLike) -> Array:
        """Points (..., 3) of the object's frame in the world."""
        return np.asarray(np.asarray(points, float) @ self.rotation.T + self.position)

    def times(self, other: Pose) -> Pose:
        return Pose(self.of(other.position), self.rotation @ other.rotation)

    def inverse(self) -> Pose:
        return Pose(-self.rotation.T @ self.position, self.rotation.T)

    def moved(self, offset: ArrayLike) -> Pose:
        return Pose(self.position + np.asarray(offset, float), self.rotation)


def transform(pose: Pose) -> Array:
    """The pose as a 4 x 4 matrix."""
    return matrix_of(pose.rotation, pose.position)


def rotation_z(degrees: float) -> Array:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


def rotation_y(degrees: float) -> Array:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0, s], [0, 1.0, 0], [-s, 0, c]])


def rotation_x(degrees: float) -> Array:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]])


def eased(t: float, start: float, end: float) -> float:
    """Progress of a move from ``start`` to ``end``, 0 to 1 with zero speed and acceleration at both ends."""
    s = min(max((t - start) / (end - start), 0.0), 1.0)
    return s * s * s * (10 - 15 * s + 6 * s * s)


@dataclass(frozen=True)
class Cloud:
    """Points (n, 3) spread evenly over a mesh's surface, with their normals (n, 3)."""

    points: Array
    normals: Array

    @classmethod
    def of(cls, mesh: Mesh, count: int = 1200, seed: int = 0) -> Cloud:
        rng = np.random.default_rng(seed)
        a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
        normal = np.cross(b - a, c - a)
        area = np.linalg.norm(normal, axis=1)
        pick = rng.choice(len(area), count, p=area / area.sum())
        u, v = rng.random((2, count, 1))
        fold = u + v > 1
        u, v = np.where(fold, 1 - u, u), np.where(fold, 1 - v, v)
        points = a[pick] + u * (b - a)[pick] + v * (c - a)[pick]
        return cls(points, normal[pick] / area[pick, None])

    @cached_property
    def _tree(self) -> Any:
        from scipy.spatial import cKDTree  # late: the demo does without

        return cKDTree(self.points)

    def clearance(self, points: Array) -> Array:
        """How far each of the points (k, 3) is from the surface, in metres; negative inside."""
        _, nearest = self._tree.query(points)
        way = points - self.points[nearest]
        distance = np.linalg.norm(way, axis=1)
        along = np.einsum("ij,ij->i", way, self.normals[nearest])
        return np.asarray(np.where(along < -0.3 * distance, -distance, distance))
