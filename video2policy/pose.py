"""Rigid transforms: 4x4 matrices named target_from_source, quaternions in MuJoCo's order w, x, y, z."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def transform(rotation: ArrayLike | None = None, translation: ArrayLike | None = None) -> Array:
    """A 4x4 transform from a 3x3 rotation and a translation of 3; what is left out is the identity."""
    result = np.eye(4)
    if rotation is not None:
        result[:3, :3] = rotation
    if translation is not None:
        result[:3, 3] = np.asarray(translation, dtype=float).reshape(3)
    return result


def compose(*transforms: ArrayLike) -> Array:
    """`compose(a_from_b, b_from_c)` is `a_from_c`."""
    result = np.eye(4)
    for item in transforms:
        result = result @ np.asarray(item, dtype=float)
    return result


def inverse(transform: ArrayLike) -> Array:
    """`inverse(a_from_b)` is `b_from_a`. Shape (..., 4, 4)."""
    matrix = np.asarray(transform, dtype=float)
    rotation = np.swapaxes(matrix[..., :3, :3], -1, -2)
    result = np.zeros_like(matrix)
    result[..., :3, :3] = rotation
    result[..., :3, 3] = -np.einsum("...ij,...j->...i", rotation, matrix[..., :3, 3])
    result[..., 3, 3] = 1
    return result


def apply(transform: ArrayLike, points: ArrayLike) -> Array:
    """Points (..., 3) of the source frame in the target frame of a 4x4 `transform`."""
    matrix = np.asarray(transform, dtype=float)
    return np.asarray(points, dtype=float) @ matrix[:3, :3].T + matrix[:3, 3]


def quat_from_matrix(rotation: ArrayLike) -> Array:
    """Unit quaternion (4,) wxyz with w >= 0 of a 3x3 rotation, or of a 4x4 transform's rotation."""
    m = np.asarray(rotation, dtype=float)[:3, :3]
    # The largest of the four candidates keeps the division well conditioned (Shepperd's method).
    squares = np.array([m[0, 0] + m[1, 1] + m[2, 2], m[0, 0], m[1, 1], m[2, 2]])
    k = int(np.argmax(squares))
    q = np.empty(4)
    if k == 0:
        q[0] = 1 + squares[0]
        q[1:] = m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]
    else:
        i, j, n = k - 1, k % 3, (k + 1) % 3
        q[0] = m[n, j] - m[j, n]
        q[1 + i] = 1 + m[i, i] - m[j, j] - m[n, n]
        q[1 + j] = m[j, i] + m[i, j]
        q[1 + n] = m[n, i] + m[i, n]
    q /= np.linalg.norm(q)
    return -q if q[0] < 0 else q


def matrix_from_quat(quat: ArrayLike) -> Array:
    """3x3 rotation of a quaternion wxyz, normalised first. Raises ValueError for zero length."""
    q = np.asarray(quat, dtype=float)
    length = np.linalg.norm(q)
    if not length > 1e-12:
        raise ValueError("a quaternion of length 0 is no rotation")
    w, x, y, z = q / length
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def quat_multiply(a: ArrayLike, b: ArrayLike) -> Array:
    """Hamilton product (4,) wxyz: the rotation `b` followed by `a`."""
    w, v = np.asarray(a, dtype=float)[0], np.asarray(a, dtype=float)[1:]
    u, s = np.asarray(b, dtype=float)[0], np.asarray(b, dtype=float)[1:]
    return np.concatenate([[w * u - v @ s], w * s + u * v + np.cross(v, s)])


def quat_conjugate(quat: ArrayLike) -> Array:
    """The inverse rotation of a unit quaternion wxyz."""
    return np.asarray(quat, dtype=float) * [1.0, -1.0, -1.0, -1.0]


def pose_from_transform(transform: ArrayLike) -> tuple[Array, Array]:
    """Position (3,) and quaternion wxyz (4,) of a 4x4 transform."""
    matrix = np.asarray(transform, dtype=float)
    return matrix[:3, 3].copy(), quat_from_matrix(matrix)


def transform_from_pose(pos: ArrayLike, quat: ArrayLike) -> Array:
    """4x4 transform of a position (3,) and a quaternion wxyz (4,)."""
    return transform(matrix_from_quat(quat), pos)


def rotation_about(axis: ArrayLike, degrees: float) -> Array:
    """3x3 rotation by `degrees` about `axis` (Rodrigues' formula)."""
    half = np.radians(degrees) / 2
    unit = np.asarray(axis, dtype=float) / np.linalg.norm(axis)
    return matrix_from_quat(np.concatenate([[np.cos(half)], np.sin(half) * unit]))


def rotation_from_vector(vector: ArrayLike) -> Array:
    """3x3 rotation about `vector` by its length in radians."""
    v = np.asarray(vector, dtype=float)
    angle = float(np.linalg.norm(v))
    return np.eye(3) if angle < 1e-12 else rotation_about(v, np.degrees(angle))


def rotation_between(a: ArrayLike, b: ArrayLike) -> Array:
    """Smallest rotation (3x3) that takes unit vector `a` to `b`."""
    u, v = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    axis, cosine = np.cross(u, v), float(np.clip(u @ v, -1, 1))
    if np.linalg.norm(axis) < 1e-9:
        across = np.cross(u, np.eye(3)[np.abs(u).argmin()])
        return np.eye(3) if cosine > 0 else rotation_about(across, 180)
    return rotation_about(axis, float(np.degrees(np.arctan2(np.linalg.norm(axis), cosine))))


def rotation_difference(a: ArrayLike, b: ArrayLike) -> float:
    """Smallest angle in degrees [0, 180] that turns rotation `a` (3x3 or 4x4) into `b`."""
    q = quat_multiply(quat_from_matrix(b), quat_conjugate(quat_from_matrix(a)))
    return float(np.degrees(2 * np.arctan2(np.linalg.norm(q[1:]), abs(q[0]))))


def yaw(rotation: ArrayLike) -> float:
    """Heading in degrees (-180, 180] of the rotation's x axis about z."""
    m = np.asarray(rotation, dtype=float)
    return float(np.degrees(np.arctan2(m[1, 0], m[0, 0])))


def average_rotation(rotations: Sequence[ArrayLike], weights: ArrayLike | None = None) -> Array:
    """3x3 mean of rotations (3x3 or 4x4), the one closest to all in the sense of Markley et al. (2007)."""
    if len(rotations) == 0:
        raise ValueError("no rotations to average")
    quats = np.array([quat_from_matrix(r) for r in rotations])
    w = np.ones(len(quats)) if weights is None else np.asarray(weights, dtype=float)
    _, vectors = np.linalg.eigh(np.einsum("n,ni,nj->ij", w, quats, quats))
    return matrix_from_quat(vectors[:, -1])


def median_transform(transforms: Sequence[ArrayLike]) -> Array:
    """Outlier-robust 4x4 average: median of the translations, mean of the rotations near their medoid."""
    matrices = np.asarray(transforms, dtype=float)
    spread = np.array([[rotation_difference(a, b) for b in matrices] for a in matrices])
    medoid = int(np.argmin(np.median(spread, axis=1)))
    near = spread[medoid] <= max(2 * float(np.median(spread[medoid])), 1e-6)
    return transform(average_rotation(list(matrices[near])), np.median(matrices[:, :3, 3], axis=0))
