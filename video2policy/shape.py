"""An object's collision geometry, and whether it fits the hand: the same for every simulator."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import trimesh
from numpy.typing import NDArray

from video2policy import pose
from video2policy.families import EDGE_FAMILIES, held_roles
from video2policy.hands import ROBOTS, Robot
from video2policy.scene import Scene, SceneObject

Array = NDArray[np.float64]

TABLE = (0.4, 0.5)
"""Half extents of the table top in metres; its height is 0."""

SMALL_TABLE = (0.2, 0.22)
"""The same where an edge of the table matters: the arm's workspace ends before the edges of the other one."""

ROUND, SQUARE = 1.06, 1.12
"""Ratio of widths seen from above below which a grasp at any yaw, or a quarter turn on, is as good."""

LEVEL = 3e-4
"""Metres within which the corners that an object stands on count as equally high."""

NEAR_END, THICKER = 0.65, 1.1
"""Where along its half length an object's ends are compared, and by which factor one counts as thicker."""

YAWS = np.linspace(0, np.pi, 60, endpoint=False)


class SceneError(ValueError):
    """A scene that cannot be simulated; one sentence that names the object."""


def grasped_objects(scene: Scene) -> list[str]:
    """Names of the objects that the scene's task must hold between the fingers."""
    return [scene.task.roles[role] for role in held_roles(scene.task.family) if role in scene.task.roles]


def table_of(scene: Scene) -> tuple[float, float]:
    """Half extents (x, y) in metres of the table that a scene is simulated on."""
    return SMALL_TABLE if scene.task.family in EDGE_FAMILIES else TABLE


@dataclass(frozen=True)
class Shape:
    """One object's collision geometry in metres, in its body frame (object frame turned to rest).

    `hull` is its convex hull, `pieces` its convex parts; `inertia` (3x3) is about `com`.
    """

    name: str
    hull: trimesh.Trimesh
    pieces: tuple[trimesh.Trimesh, ...]
    mass: float
    com: Array
    inertia: Array

    @cached_property
    def size(self) -> Array:
        """Extents (3,) at rest."""
        return np.asarray(self.hull.extents)

    @cached_property
    def rest_height(self) -> float:
        """Height of the body's origin above the table at rest."""
        return float(-self.hull.bounds[0, 2])

    @cached_property
    def top(self) -> float:
        """Height of the highest point above the body's origin at rest."""
        return float(self.hull.bounds[1, 2])

    @cached_property
    def radius(self) -> float:
        """Radius of the outline seen from above, about the origin."""
        return float(np.linalg.norm(self.hull.vertices[:, :2], axis=1).max())

    @cached_property
    def grasp_yaw(self) -> float:
        """Direction (0 to pi, in the body frame) in which the object seen from above is narrowest."""
        return float(YAWS[self._widths.argmin()])

    @cached_property
    def grasp_period(self) -> float:
        """After how much yaw a grasp across the narrow sides is as good again: 0 for what is round.

        A quarter turn where the width across is nearly as small as the narrowest, else half a turn.
        """
        widths = self._widths
        if widths.max() < ROUND * widths.min():
            return 0.0
        across = widths[(widths.argmin() + len(YAWS) // 2) % len(YAWS)]
        return math.pi / 2 if across < SQUARE * widths.min() else math.pi

    @cached_property
    def grasp_width(self) -> float:
        """The smallest opening that goes around the object from above, over all yaws."""
        return float(self._widths.min())

    @cached_property
    def long(self) -> Array:
        """From the centre to its end (3,) along the longest direction seen from above, in the body frame.

        To the end that is thicker, where fingers hold it better: a knife's handle, not its blade.
        """
        index = int(self._widths.argmax())
        half = self._widths[index] / 2
        end = half * np.array([math.cos(YAWS[index]), math.sin(YAWS[index]), 0.0])
        return -end if self._thickness(-NEAR_END * end) > THICKER * self._thickness(NEAR_END * end) else end

    def _thickness(self, at: Array) -> float:
        """Its height over all of the cut across the direction of a place (3,) in the body frame."""
        cuts = [trimesh.intersections.mesh_plane(piece, at, at) for piece in self.pieces]
        heights = np.concatenate([cut.reshape(-1, 3)[:, 2] for cut in cuts])
        return float(np.ptp(heights)) if len(heights) else 0.0

    @cached_property
    def _widths(self) -> Array:
        across = self.hull.vertices[:, :2] @ np.stack([np.cos(YAWS), np.sin(YAWS)])
        return across.max(0) - across.min(0)


def load_shape(item: SceneObject, root: Path, scale: float = 1.0) -> Shape:
    """Read an object's collision files and inertia (from its URDF), scaled uniformly by `scale`.

    Raises SceneError when a file cannot be used or the mass is not positive.
    """
    rest = pose.matrix_from_quat(item.rest_quat)
    turn = pose.transform(rest)

    def read(path: str) -> trimesh.Trimesh:
        mesh = trimesh.load_mesh(root / path, process=False)
        if not np.isfinite(mesh.vertices).all():
            raise SceneError(f"object {item.name!r}: {Path(path).name} has a number that is not finite")
        if len(mesh.vertices) < 4:
            raise SceneError(f"object {item.name!r}: {Path(path).name} is not a solid")
        closed = mesh.copy()
        closed.merge_vertices()
        if not (closed.is_watertight and closed.volume > 0):
            raise SceneError(f"object {item.name!r}: {Path(path).name} is not watertight")
        return mesh.apply_scale(scale).apply_transform(turn)

    mass, com, inertia = read_inertial(root / item.urdf)
    if not (item.mass > 0 and np.isfinite(item.mass)):
        raise SceneError(f"object {item.name!r}: its mass is {item.mass} kg")
    share = item.mass / mass
    shape = Shape(
        name=item.name,
        hull=_levelled(read(item.hull).convex_hull),
        pieces=tuple(read(path) for path in item.collision),
        mass=item.mass * scale**3,
        com=rest @ com * scale,
        inertia=rest @ inertia @ rest.T * share * scale**5,
    )
    if not (np.isfinite(shape.inertia).all() and np.linalg.eigvalsh(shape.inertia).min() > 0):
        raise SceneError(f"object {item.name!r}: its inertia is not positive")
    if shape.size[:2].max() > 2 * min(TABLE):
        raise SceneError(f"object {item.name!r} is larger than the table: {shape.size.round(2).tolist()} m")
    return shape


def _levelled(hull: trimesh.Trimesh) -> trimesh.Trimesh:
    """The hull with what lies within `LEVEL` of its lowest point brought down to it.

    What stands on corners of slightly different height is held by the few lowest of them, in turn: it rocks
    and walks about for ever.
    """
    vertices = np.array(hull.vertices)
    lowest = vertices[:, 2].min()
    vertices[vertices[:, 2] < lowest + LEVEL, 2] = lowest
    return trimesh.convex.convex_hull(vertices)


def read_inertial(urdf: Path) -> tuple[float, Array, Array]:
    """Mass, centre of mass (3,) and inertia about it (3x3) of a URDF's one link, in the link's frame."""
    inertial = ET.parse(urdf).getroot().find("link/inertial")
    if inertial is None:
        raise SceneError(f"{urdf.name} has no inertial block")

    def numbers(tag: str, *attributes: str) -> list[float]:
        element = inertial.find(tag)
        if element is None:
            raise SceneError(f"{urdf.name} has no inertial {tag}")
        return [float(v) for name in attributes for v in element.get(name, "0 0 0").split()]

    (mass,) = numbers("mass", "value")
    x, y, z, roll, pitch, yaw = numbers("origin", "xyz", "rpy")
    xx, xy, xz, yy, yz, zz = numbers("inertia", "ixx", "ixy", "ixz", "iyy", "iyz", "izz")
    turn = trimesh.transformations.euler_matrix(roll, pitch, yaw, "sxyz")[:3, :3]
    inertia = turn @ np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) @ turn.T
    if mass <= 0 or np.linalg.eigvalsh(inertia).min() <= 0:
        raise SceneError(f"{urdf.name} has no positive mass and inertia")
    return mass, np.array([x, y, z]), inertia


def known_robot(name: str) -> Robot:
    """One of `hands.ROBOTS`; raises SceneError that names them."""
    if name not in ROBOTS:
        raise SceneError(f"no robot {name!r}; there are {', '.join(ROBOTS)}")
    return ROBOTS[name]


def gripper_scale(scene: Scene, root: Path, grasped: Collection[str], robot: str = "panda") -> float:
    """The factor (at most 1) by which the scene shrinks so that each of `grasped` fits between the fingers.

    All objects shrink together, so that what covers or contains another still does.
    """
    hand = known_robot(robot)
    widths = [load_shape(item, root).grasp_width for item in scene.objects if item.name in grasped]
    widest = max(widths, default=0.0)
    return 1.0 if widest <= hand.graspable else hand.fitted / widest
