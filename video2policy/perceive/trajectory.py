"""All poses of a clip at once: features that are seen in several frames, outlines, the table and inertia.

Followed frame by frame, an object that a hand half hides drifts along the line of sight. But it stood on the
table before and stands there after, and features link every frame with others: solved together, what is known
at both ends holds what lies between. A stretch at rest is one pose, so it is one node here, as is every other
frame. Gauss-Newton with robust weights over all nodes' poses.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from video2policy import pose
from video2policy.camera import Camera
from video2policy.perceive.silhouette import Outline

Array = NDArray[np.float64]
Index = NDArray[np.int_]

BEND_SIGMA = 0.01
BEND_WEIGHT = 6.0
"""Metres by which the step from frame to frame changes, about 1.4 m/s2 at 12 frames a second, and how much
that counts: where hands hide the outline's ends, distances jump.
"""

TURN_SIGMA = 0.2
"""Radians per frame."""

SINK_SIGMA = 0.003
"""Metres by which something may seem to be below the table."""

LEAN = 0.1
LEAN_WEIGHT = 6.0
"""Radians by which something carried leans, and how much that counts: a distance may be taken for a tilt."""

WITHIN_WEIGHT = 30.0
"""How much it counts that something stands in or on another object."""

ROUNDS = 15
STEP = 1e-6


@dataclass(frozen=True)
class Tracks:
    """Features on the object's surface, each seen first in one node and again in others.

    Per track (k): the node of its `start`, the `ray` (k, 3) it was seen along there (camera frame, z = 1),
    and the plane that touches the surface there, object frame: `normal` (k, 3) @ x = `offset` (k,). Per
    observation (m): `track`, `node`, `pixel` (m, 2).
    """

    start: Index
    ray: Array
    normal: Array
    offset: Array
    track: Index
    node: Index
    pixel: Array

    @classmethod
    def none(cls) -> Tracks:
        some, points = np.zeros(0, int), np.zeros((0, 3))
        return cls(some, points, points, np.zeros(0), some, some, np.zeros((0, 2)))


@dataclass(frozen=True)
class Node:
    """One pose to be found, of frames `first` to `last`, and its `outline`.

    `level`: the object's own direction (3,) that points up as it stands or lies on the table; None where it
    does not. `ahead`: how far from the camera (table x) it is, and how surely, metres, where it rests in or
    on another object that hides some of it.
    """

    first: int
    last: int
    outline: Outline | None
    level: Array | None
    ahead: tuple[float, float] | None = None


@dataclass(frozen=True)
class Problem:
    """What is known of a trajectory. `hull` (h, 3): the object's extreme points, metres, object frame;
    `upright` (3, 3): how it stands, table_from_object.

    `fixed` (n,): poses that are not to change.
    `sigmas` (n, 2): usual errors of features and of outlines, pixels. `table_sigma` in metres, `tilt_sigma`
    in radians, of what stands. At most `features` observations count in one node.
    """

    camera: Camera
    hull: Array
    upright: Array
    nodes: list[Node]
    fixed: NDArray[np.bool_]
    sigmas: Array
    tracks: Tracks
    table_sigma: float
    tilt_sigma: float
    features: int


@dataclass
class _Terms:
    """Weighted residuals, their derivatives as triplets (row, column, value), and the robust cost."""

    residual: list[Array]
    rows: list[Index]
    columns: list[Index]
    values: list[Array]
    cost: float = 0.0
    count: int = 0

    def add(self, residual: Array, weight: Array, blocks: list[tuple[Index, Array]]) -> None:
        """`residual` (m, d), `weight` (m,); per block the nodes (m,) and derivatives (m, d, 6)."""
        m, d = residual.shape
        root = np.sqrt(weight)[:, None]
        row = self.count + np.arange(m * d).reshape(m, d)
        for node, derivative in blocks:
            column = 6 * node[:, None, None] + np.arange(6)
            self.rows.append(np.broadcast_to(row[:, :, None], derivative.shape).ravel())
            self.columns.append(np.broadcast_to(column, derivative.shape).ravel())
            self.values.append((root[:, :, None] * derivative).ravel())
        self.residual.append((root * residual).ravel())
        self.count += m * d


def turned(rotation: Array, vector: Array) -> Array:
    """Rotations (n, 3, 3), each turned further by its vector (n, 3), radians."""
    return np.stack([pose.rotation_from_vector(v) @ r for v, r in zip(vector, rotation, strict=True)])


def refine(problem: Problem, poses: Array) -> Array:
    """Poses camera_from_object (n, 4, 4) that agree best with everything together, from a first guess."""
    rotation, place = poses[:, :3, :3].copy(), poses[:, :3, 3].copy()
    free = np.repeat(~problem.fixed, 6)
    damping = 1e-3
    cost, normal, gradient = _normal_equations(problem, rotation, place)
    for _ in range(ROUNDS):
        system = normal[np.ix_(free, free)]
        system = system + damping * np.diag(np.diag(system) + 1e-9)
        step = np.zeros(len(free))
        step[free] = -np.linalg.solve(system, gradient[free])
        delta = step.reshape(-1, 6)
        new_rotation, new_place = turned(rotation, delta[:, :3]), place + delta[:, 3:]
        new_cost, new_normal, new_gradient = _normal_equations(problem, new_rotation, new_place)
        if new_cost < cost:
            done = cost - new_cost < 1e-4 * cost
            rotation, place = new_rotation, new_place
            cost, normal, gradient = new_cost, new_normal, new_gradient
            damping = max(damping / 5, 1e-6)
            if done:
                break
        else:
            damping *= 10
            if damping > 1e4:
                break
    result = np.tile(np.eye(4), (len(poses), 1, 1))
    result[:, :3, :3], result[:, :3, 3] = rotation, place
    return result


def _normal_equations(problem: Problem, rotation: Array, place: Array) -> tuple[float, Array, Array]:
    terms = _Terms([], [], [], [])
    _feature_terms(terms, problem, rotation, place)
    _outline_terms(terms, problem, rotation, place)
    _table_terms(terms, problem, rotation, place)
    _ahead_terms(terms, problem, place)
    _motion_terms(terms, problem, rotation, place)
    residual = np.concatenate(terms.residual)
    shape = (terms.count, 6 * len(place))
    jacobian = csr_array(
        (np.concatenate(terms.values), (np.concatenate(terms.rows), np.concatenate(terms.columns))), shape
    )
    return terms.cost, (jacobian.T @ jacobian).toarray(), jacobian.T @ residual


def _moves(rotation: Array, place: Array) -> list[tuple[Array, Array]]:
    """The poses, moved by a small step along each of the six unknowns of every node at once."""
    result = []
    for axis in np.eye(3):
        turn = pose.rotation_from_vector(STEP * axis)
        result.append((turn @ rotation, place))
    return result + [(rotation, place + STEP * axis) for axis in np.eye(3)]


def _feature_terms(terms: _Terms, problem: Problem, rotation: Array, place: Array) -> None:
    tracks = problem.tracks
    if not len(tracks.track):
        return
    start, node = tracks.start[tracks.track], tracks.node
    ray, normal = tracks.ray[tracks.track], tracks.normal[tracks.track]
    offset = tracks.offset[tracks.track]
    sigma = problem.sigmas[node, 0][:, None]
    K = problem.camera.K

    def on_surface(turn: Array, at: Array) -> Array:
        """Where the first ray meets the touching plane, object frame (m, 3)."""
        inverse = turn[start].transpose(0, 2, 1)
        along = np.einsum("mij,mj->mi", inverse, ray)
        eye = -np.einsum("mij,mj->mi", inverse, at[start])
        reach = (offset - (normal * eye).sum(axis=1)) / (normal * along).sum(axis=1)
        return eye + reach[:, None] * along

    def errors(points: Array, turn: Array, at: Array) -> Array:
        seen = np.einsum("mij,mj->mi", turn[node], points) + at[node]
        pixels = seen[:, :2] / np.maximum(seen[:, 2:], 1e-6) * [K[0, 0], K[1, 1]] + [K[0, 2], K[1, 2]]
        return np.asarray((pixels - tracks.pixel) / sigma, dtype=float)

    points = on_surface(rotation, place)
    residual = errors(points, rotation, place)
    square = (residual**2).sum(axis=1)
    count = np.bincount(node, minlength=len(place))[node]
    # Many features must not outvote the outline, for they err together.
    share = np.minimum(1.0, problem.features / count)
    here = np.stack([(errors(points, *m) - residual) / STEP for m in _moves(rotation, place)], axis=-1)
    there = np.stack(
        [(errors(on_surface(*m), rotation, place) - residual) / STEP for m in _moves(rotation, place)],
        axis=-1,
    )
    terms.add(residual, share / (1 + square), [(node, here), (start, there)])
    terms.cost += float((share * np.log1p(square)).sum())


def _outline_terms(terms: _Terms, problem: Problem, rotation: Array, place: Array) -> None:
    known = [(k, item.outline) for k, item in enumerate(problem.nodes) if item.outline is not None]
    if not known:
        return
    index = np.array([k for k, _ in known])
    along = known[0][1].along
    reach = np.stack([item.reach for _, item in known])
    free = np.stack([item.free for _, item in known]).astype(float)
    sigma = problem.sigmas[index, 1][:, None]
    K = problem.camera.K

    def errors(turn: Array, at: Array) -> Array:
        seen = problem.hull @ turn[index].transpose(0, 2, 1) + at[index][:, None]
        pixels = seen[..., :2] / np.maximum(seen[..., 2:], 1e-6) * [K[0, 0], K[1, 1]] + [K[0, 2], K[1, 2]]
        return np.asarray(((pixels @ along.T).max(axis=1) - reach) / sigma, dtype=float)

    residual = errors(rotation, place)
    # A mask that falls short is a hand in front of the object; one that exceeds it is rarer.
    soft = np.where(residual > 0, 1.0, 3.0)
    square = (residual / soft) ** 2
    derivative = np.stack([(errors(*m) - residual) / STEP for m in _moves(rotation, place)], axis=-1)
    node = np.repeat(index, len(along))
    terms.add(residual.reshape(-1, 1), (free / (1 + square)).ravel(), [(node, derivative.reshape(-1, 1, 6))])
    terms.cost += float((free * soft**2 * np.log1p(square)).sum())


def _table_terms(terms: _Terms, problem: Problem, rotation: Array, place: Array) -> None:
    camera = problem.camera
    up = camera.rotation[2]
    stands = np.array([item.level is not None for item in problem.nodes])
    level = np.stack([problem.upright[2] if item.level is None else item.level for item in problem.nodes])

    def errors(turn: Array, at: Array) -> Array:
        low = (problem.hull @ (turn.transpose(0, 2, 1) @ up).T).min(axis=0) + at @ up + camera.altitude
        height = np.where(stands, low / problem.table_sigma, np.minimum(low, 0) / SINK_SIGMA)
        tilt = (turn.transpose(0, 2, 1) @ up - level) / np.where(stands, problem.tilt_sigma, LEAN)[:, None]
        return np.column_stack([height, tilt])

    residual = errors(rotation, place)
    derivative = np.stack([(errors(*m) - residual) / STEP for m in _moves(rotation, place)], axis=-1)
    every = np.arange(len(place))
    terms.add(residual[:, :1], np.ones(len(place)), [(every, derivative[:, :1])])
    square = (residual[:, 1:] ** 2).sum(axis=1)
    # What is carried is mostly held as it stood; what leans much may lean as it likes.
    terms.add(
        residual[:, 1:], np.where(stands, 1.0, LEAN_WEIGHT / (1 + square)), [(every, derivative[:, 1:])]
    )
    terms.cost += float(
        (residual[:, 0] ** 2).sum() + np.where(stands, square, LEAN_WEIGHT * np.log1p(square)).sum()
    )


def _ahead_terms(terms: _Terms, problem: Problem, place: Array) -> None:
    known = [(k, item.ahead) for k, item in enumerate(problem.nodes) if item.ahead is not None]
    if not known:
        return
    index = np.array([k for k, _ in known])
    ahead, sigma = np.array([where for _, where in known]).T
    table_from_camera = problem.camera.table_from_camera
    away = (place[index] @ table_from_camera[0, :3] + table_from_camera[0, 3] - ahead) / sigma
    derivative = np.zeros((len(known), 1, 6))
    derivative[:, 0, 3:] = table_from_camera[0, :3] / sigma[:, None]
    terms.add(away[:, None], np.full(len(known), WITHIN_WEIGHT), [(index, derivative)])
    terms.cost += WITHIN_WEIGHT * float((away**2).sum())


def _motion_terms(terms: _Terms, problem: Problem, rotation: Array, place: Array) -> None:
    first, last = (np.array([getattr(item, end) for item in problem.nodes]) for end in ("first", "last"))
    next_to = first[1:] == last[:-1] + 1
    pairs = np.flatnonzero(next_to)
    if len(pairs):
        turn = np.stack([cv2.Rodrigues(rotation[k + 1] @ rotation[k].T)[0][:, 0] for k in pairs])
        derivative = np.zeros((len(pairs), 3, 6))
        derivative[:, :, :3] = np.eye(3) / TURN_SIGMA
        terms.add(turn / TURN_SIGMA, np.ones(len(pairs)), [(pairs + 1, derivative), (pairs, -derivative)])
        terms.cost += float((turn**2).sum()) / TURN_SIGMA**2
    # Inertia says nothing of what happens before against what happens after a rest.
    middle = np.flatnonzero(next_to[:-1] & next_to[1:] & (first == last)[1:-1]) + 1
    if len(middle):
        bend = (place[middle - 1] - 2 * place[middle] + place[middle + 1]) / BEND_SIGMA
        square = (bend**2).sum(axis=1)
        derivative = np.zeros((len(middle), 3, 6))
        derivative[:, :, 3:] = np.eye(3) / BEND_SIGMA
        terms.add(
            bend,
            BEND_WEIGHT / (1 + square),
            [(middle - 1, derivative), (middle, -2 * derivative), (middle + 1, derivative)],
        )
        terms.cost += BEND_WEIGHT * float(np.log1p(square).sum())
