"""Triangle meshes and simple solids: inflation of a silhouette, projection, convex pieces, OBJ files.

Everything here is geometry in the object's own frame (origin at the bounding box's centre, z up).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import trimesh
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter
from scipy.spatial import ConvexHull, QhullError
from skimage.measure import marching_cubes

from video2policy import pose

Array = NDArray[np.float64]
Kind = Literal["box", "frustum", "sphere"]
Opening = Literal["none", "up", "down"]

WALL = 0.06
"""Wall thickness of a hollow solid, as a fraction of its larger horizontal extent."""

FLOOR = 0.3
"""And at most this fraction of its height, so that a plate keeps a cavity."""

RING_PIECES = 7
"""Convex wall segments of a hollow frustum; with its bottom that makes 8, the most that physics is given."""


CORNERS = np.array(np.meshgrid([-0.5, 0.5], [-0.5, 0.5], [-0.5, 0.5])).reshape(3, -1).T
"""Of a cube with sides of 1, (8, 3)."""


@dataclass(frozen=True)
class Solid:
    """A box, a frustum (cylinder, cup) or a sphere that stands on the table, in any unit of length.

    ``size``: box (x, y, z); frustum (bottom diameter, top diameter, height); sphere (diameter,) * 3.
    ``opening`` makes a frustum a cup and a box a crate: "up" like a mug, "down" like a cup turned over.
    """

    kind: Kind
    size: tuple[float, float, float]
    opening: Opening = "none"

    def __post_init__(self) -> None:
        if min(self.size) <= 0:
            raise ValueError(f"a {self.kind} of size {self.size} has no volume")
        if self.opening != "none" and self.kind == "sphere":
            raise ValueError("a sphere cannot be hollow")

    @property
    def wall(self) -> float:
        """Thickness of walls and floor, where it is hollow."""
        return min(WALL * max(self.size[:2]), FLOOR * self.size[2])

    @property
    def extents(self) -> Array:
        """Bounding box (x, y, z)."""
        if self.kind == "frustum":
            width = max(self.size[:2])
            return np.array([width, width, self.size[2]])
        return np.array(self.size, dtype=float)

    def scaled(self, factor: float) -> Solid:
        return Solid(
            self.kind, (factor * self.size[0], factor * self.size[1], factor * self.size[2]), self.opening
        )

    def corners(self) -> Array:
        """Points (n, 3) whose convex hull is the solid's hull; enough of them for a silhouette."""
        if self.kind == "box":
            return CORNERS * self.size
        if self.kind == "sphere":
            return np.asarray(trimesh.creation.icosphere(subdivisions=2).vertices) * self.size[0] / 2
        bottom, top, height = self.size
        return np.vstack([_ring(bottom / 2, -height / 2), _ring(top / 2, height / 2)])

    def mesh(self) -> trimesh.Trimesh:
        """Closed mesh, fine enough to carry vertex colours."""
        if self.kind == "box" and self.opening != "none":
            crate = trimesh.boolean.difference(
                [trimesh.creation.box(extents=self.size), self._cavity()], engine="manifold"
            )
            for _ in range(3):
                crate = crate.subdivide()
            return crate
        if self.kind == "box":
            cube = trimesh.creation.box(extents=np.ones(3))
            for _ in range(4):
                cube = cube.subdivide()
            cube.apply_scale(self.size)
            return cube
        if self.kind == "sphere":
            return trimesh.creation.icosphere(subdivisions=3, radius=self.size[0] / 2)
        return _revolve(self._profile())

    def _cavity(self) -> trimesh.Trimesh:
        """What a hollow box lacks of a full one, reaching out of its open side."""
        x, y, z = self.size
        cavity = trimesh.creation.box(extents=(x - 2 * self.wall, y - 2 * self.wall, z))
        cavity.apply_translation([0, 0, self.wall if self.opening == "up" else -self.wall])
        return cavity

    def _profile(self) -> Array:
        """Half section (radius, z) of a frustum, from the axis below to the axis above."""
        bottom, top, height = self.size[0] / 2, self.size[1] / 2, self.size[2]
        low, high = -height / 2, height / 2
        if self.opening == "none":
            return np.array([[0, low], [bottom, low], [top, high], [0, high]])
        wall = self.wall
        if self.opening == "down":
            inner = [[max(top - wall, 1e-3 * top), high - wall], [bottom - wall, low]]
            return np.array([[0, high - wall], *inner, [bottom, low], [top, high], [0, high]])
        inner = [[top - wall, high], [max(bottom - wall, 1e-3 * bottom), low + wall]]
        return np.array([[0, low], [bottom, low], [top, high], *inner, [0, low + wall]])

    def pieces(self) -> list[trimesh.Trimesh]:
        """Convex pieces of few vertices (at most 32 each, 8 in all) for physics."""
        if self.kind == "box" and self.opening != "none":
            return self._boards()
        if self.kind == "box":
            return [trimesh.creation.box(extents=self.size)]
        if self.kind == "sphere":
            return [trimesh.creation.icosphere(subdivisions=1, radius=self.size[0] / 2)]
        bottom, top, height = self.size[0] / 2, self.size[1] / 2, self.size[2]
        low, high = -height / 2, height / 2
        if self.opening == "none":
            return [_hull(np.vstack([_ring(bottom, low, 16), _ring(top, high, 16)]))]
        wall = self.wall
        closed, end = (high, high - wall) if self.opening == "down" else (low, low + wall)
        slope = (top - bottom) / height
        base = _hull(np.vstack([_ring(bottom + slope * (z - low), z, 16) for z in (closed, end)]))
        lower, upper = (low, end) if self.opening == "down" else (end, high)
        segments = []
        for k in range(RING_PIECES):
            start, stop = 2 * np.pi * k / RING_PIECES, 2 * np.pi * (k + 1) / RING_PIECES
            outline = [(a, 0.0) for a in np.linspace(start, stop, 3)] + [(stop, wall), (start, wall)]
            segments.append(
                _hull(
                    np.array(
                        [
                            [r * np.cos(a), r * np.sin(a), z]
                            for z in (lower, upper)
                            for a, inset in outline
                            for r in [max(bottom + slope * (z - low) - inset, 1e-3 * bottom)]
                        ]
                    )
                )
            )
        return [base, *segments]

    def _boards(self) -> list[trimesh.Trimesh]:
        """Floor and four walls of a hollow box; the walls stand on the floor."""
        x, y, z = self.size
        w, side = self.wall, 1.0 if self.opening == "up" else -1.0
        high, middle = z - w, side * w / 2
        boards = [((x, y, w), (0.0, 0.0, -side * high / 2))]
        boards += [((w, y, high), (sign * (x - w) / 2, 0.0, middle)) for sign in (-1, 1)]
        boards += [((x - 2 * w, w, high), (0.0, sign * (y - w) / 2, middle)) for sign in (-1, 1)]
        return [
            trimesh.creation.box(extents=extents, transform=pose.transform(None, np.array(centre)))
            for extents, centre in boards
        ]


@cache
def _circle(sections: int) -> Array:
    angle = 2 * np.pi * np.arange(sections) / sections
    return np.stack([np.cos(angle), np.sin(angle), np.zeros(sections)], axis=1)


def _ring(radius: float, z: float, sections: int = 32) -> Array:
    return radius * _circle(sections) + [0, 0, z]


def _hull(points: Array) -> trimesh.Trimesh:
    return trimesh.convex.convex_hull(points)


def _revolve(profile: Array, sections: int = 48) -> trimesh.Trimesh:
    """Closed surface of revolution about z; long segments are cut so that vertices can carry colours."""
    lengths = np.linalg.norm(np.diff(profile, axis=0), axis=1)
    step = lengths.sum() / 32
    fine = [profile[:1]]
    for start, stop, length in zip(profile[:-1], profile[1:], lengths, strict=True):
        n = max(int(np.ceil(length / step)), 1)
        fine.append(start + (stop - start) * np.arange(1, n + 1)[:, None] / n)
    mesh = trimesh.creation.revolve(np.vstack(fine), sections=sections)
    mesh.merge_vertices()
    trimesh.repair.fix_normals(mesh)
    return mesh


def inflate(mask: NDArray[np.bool_], aspect: float = 0.8, resolution: int = 64) -> trimesh.Trimesh:
    """A closed mesh whose outline is the mask's: the union of ellipsoids over all inscribed discs.

    In pixels of the mask, x right, y down, z away from the viewer and 0 in the middle; `aspect` is depth over
    width. Raises ValueError for an empty mask.
    """
    rows, columns = np.nonzero(mask)
    if len(rows) == 0:
        raise ValueError("an empty mask has no shape to inflate")
    y0, x0 = rows.min(), columns.min()
    crop = mask[y0 : rows.max() + 1, x0 : columns.max() + 1].astype(np.float32)
    step = max(max(crop.shape) / resolution, 1e-6)
    shape = max(round(crop.shape[1] / step), 3), max(round(crop.shape[0] / step), 3)
    small = np.pad(cv2.resize(crop, shape, interpolation=cv2.INTER_AREA) >= 0.5, 2)
    if not small.any():
        raise ValueError("the mask is too thin to inflate")
    distance = distance_transform_edt(small).astype(np.float32)
    pixel = np.argwhere(small).astype(np.float32)
    square = (pixel**2).sum(axis=1)
    gap = square[:, None] + square[None, :] - 2 * pixel @ pixel.T
    height = np.zeros(small.shape)
    height[small] = aspect * np.sqrt(np.maximum((distance[small] ** 2 - gap).max(axis=1), 0.25))
    half = int(np.ceil(height.max())) + 2
    layers = np.arange(-half, half + 1)
    volume = height[:, :, None] - np.abs(layers)[None, None, :]
    volume[~small] = -1
    vertices, faces, _, _ = marching_cubes(gaussian_filter(volume, 0.7), 0.0)
    y, x, z = vertices.T
    scale_x, scale_y = crop.shape[1] / shape[0], crop.shape[0] / shape[1]
    points = np.stack(
        [(x - 2 + 0.5) * scale_x + x0, (y - 2 + 0.5) * scale_y + y0, (z - half) * (scale_x + scale_y) / 2],
        axis=1,
    )
    mesh = trimesh.Trimesh(points, faces)
    mesh = max(mesh.split(only_watertight=False), key=lambda part: len(part.faces))
    trimesh.repair.fix_normals(mesh)
    return mesh


def diameter(points: ArrayLike) -> float:
    """Largest distance between two points (n, 2 or 3), over the convex hull's vertices."""
    cloud = np.asarray(points, dtype=float)
    if len(cloud) < 2:
        return 0.0
    hull = hull_vertices(cloud)
    return float(np.sqrt(((hull[:, None] - hull[None]) ** 2).sum(axis=2).max()))


def resting_directions(points: ArrayLike) -> Array:
    """What points up, unit vectors (k, 3), where the convex hull of points (m, 3) lies on a face and stays.

    It stays on the faces over which its centre of mass is. The points must not lie in a plane.
    """
    hull = trimesh.convex.convex_hull(np.asarray(points, dtype=float))
    planes = np.unique(ConvexHull(hull.vertices).equations.round(6), axis=0)
    normals, offsets = planes[:, :3], planes[:, 3]
    below = hull.center_mass - (normals @ hull.center_mass + offsets)[:, None] * normals
    few = np.array_split(below, len(below) // 500 + 1)  # a scanned ball has thousands
    stays = [(part @ normals.T + offsets < 1e-4 * hull.scale).all(axis=1) for part in few]
    return np.asarray(-normals[np.concatenate(stays)], dtype=float)


def hull_vertices(points: ArrayLike) -> Array:
    """The points (m, d) that span the convex hull; all of them when they lie in a plane or on a line."""
    cloud = np.asarray(points, dtype=float)
    centred = cloud - cloud.mean(axis=0)
    _, spread, axes = np.linalg.svd(centred, full_matrices=False)
    rank = int((spread > 1e-9 * max(spread[0], 1e-300)).sum())
    if rank < 2 or len(cloud) < 5:
        if rank < 2 and len(cloud) > 2:
            along = centred @ axes[0]
            return cloud[[int(along.argmin()), int(along.argmax())]]
        return cloud
    try:
        return cloud[ConvexHull(centred @ axes[:rank].T).vertices]
    except QhullError:
        return cloud


def project(points: ArrayLike, K: ArrayLike, camera_from_object: ArrayLike) -> Array:
    """Pixels (n, 2) of object points (n, 3); points behind the camera come out as NaN."""
    camera = pose.apply(camera_from_object, points)
    depth = np.where(camera[:, 2] > 1e-9, camera[:, 2], np.nan)
    pixels = camera / depth[:, None] @ np.asarray(K, dtype=float).T
    return pixels[:, :2]


def _fill(polygons: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Union of convex polygons (m, k, 2): the pixels of which at least half is covered."""
    canvas = np.zeros(shape, bool)
    limit = 4.0 * max(shape)
    polygons = np.clip(np.nan_to_num(polygons, nan=-limit), -limit, limit)
    low = np.maximum(np.floor(polygons.min(axis=(0, 1))), 0).astype(int)
    high = np.minimum(np.ceil(polygons.max(axis=(0, 1))), [shape[1], shape[0]]).astype(int)
    if (high <= low).any():
        return canvas
    fine = np.zeros((4 * (high[1] - low[1]), 4 * (high[0] - low[0])), np.uint8)
    # OpenCV's integers are centres of pixels, here they are corners; its fill reaches half a pixel too far.
    fixed = np.rint((4 * (polygons - low) - 0.5) * 16).astype(np.int32)
    for polygon in fixed:
        cv2.fillConvexPoly(fine, polygon, 255, lineType=cv2.LINE_8, shift=4)
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    canvas[low[1] : high[1], low[0] : high[0]] = cv2.resize(fine, size, interpolation=cv2.INTER_AREA) > 127
    return canvas


def silhouette(
    mesh: trimesh.Trimesh, K: ArrayLike, camera_from_object: ArrayLike, shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Mask (height, width) of the mesh as the camera sees it, all triangles filled."""
    return _fill(project(mesh.vertices, K, camera_from_object)[mesh.faces], shape)


def hull_silhouette(
    points: ArrayLike, K: ArrayLike, camera_from_object: ArrayLike, shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Mask (height, width) of the points' convex hull as the camera sees it; empty behind the camera."""
    pixels = project(points, K, camera_from_object)
    if not np.isfinite(pixels).all():
        return np.zeros(shape, bool)
    return _fill(hull_vertices(pixels)[None], shape)


def cast(
    mesh: trimesh.Trimesh, K: ArrayLike, camera_from_object: ArrayLike, pixels: ArrayLike
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Where rays through `pixels` (n, 2) first meet the mesh.

    Points and the surface's normals there (n, 3), object frame, and hit (n,).
    """
    points = np.asarray(pixels, dtype=float).reshape(-1, 2)
    rays = np.column_stack([points, np.ones(len(points))]) @ np.linalg.inv(np.asarray(K, dtype=float)).T
    object_from_camera = pose.inverse(camera_from_object)
    directions = rays @ object_from_camera[:3, :3].T
    origins = np.tile(object_from_camera[:3, 3], (len(points), 1))
    result, hit = np.zeros((len(points), 3)), np.zeros(len(points), bool)
    normals = np.zeros((len(points), 3))
    if len(points):
        where, ray, face = mesh.ray.intersects_location(origins, directions, multiple_hits=False)
        result[ray], normals[ray], hit[ray] = where, mesh.face_normals[face], True
    return result, normals, hit


def paint(
    mesh: trimesh.Trimesh,
    image: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    K: ArrayLike,
    camera_from_object: ArrayLike,
) -> None:
    """Give the mesh vertex colours from an RGB `image` (height, width, 3) that shows it in `mask`.

    A vertex takes the colour of the masked pixel nearest to its projection; hidden sides mirror seen ones.
    """
    inside = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    inside = inside if inside.any() else mask
    _, nearest = distance_transform_edt(~inside, return_indices=True)
    pixels = np.nan_to_num(project(mesh.vertices, K, camera_from_object))
    column = np.clip(np.floor(pixels[:, 0]), 0, mask.shape[1] - 1).astype(int)
    row = np.clip(np.floor(pixels[:, 1]), 0, mask.shape[0] - 1).astype(int)
    colours = image[nearest[0][row, column], nearest[1][row, column]]
    mesh.visual = trimesh.visual.ColorVisuals(mesh, vertex_colors=colours)


def save(mesh: trimesh.Trimesh, path: Path) -> None:
    """Write an OBJ file; vertex colours, where there are, stand behind the coordinates (0 to 1)."""
    lines = []
    visual = mesh.visual
    colours = np.zeros((0, 3))
    if isinstance(visual, trimesh.visual.ColorVisuals) and visual.kind == "vertex":
        colours = np.asarray(visual.vertex_colors)[:, :3] / 255
    for k, vertex in enumerate(mesh.vertices):
        tail = " {:.4f} {:.4f} {:.4f}".format(*colours[k]) if len(colours) else ""
        lines.append("v {:.9g} {:.9g} {:.9g}".format(*vertex) + tail)
    lines += ["f {} {} {}".format(*(face + 1)) for face in mesh.faces]
    path.write_text("\n".join(lines) + "\n")


def load(path: Path) -> trimesh.Trimesh:
    """Read a mesh written by `save`. Raises ValueError when there is no triangle in it."""
    mesh = trimesh.load(path, file_type="obj", force="mesh", process=False)
    if not isinstance(mesh, trimesh.Trimesh) or len(mesh.faces) == 0:
        raise ValueError(f"{path.name} holds no triangles")
    return mesh


def unit(mesh: trimesh.Trimesh) -> tuple[trimesh.Trimesh, float]:
    """The mesh centred on its bounding box with longest extent 1, and the extent that it had."""
    longest = float(np.max(mesh.extents))
    result = mesh.copy()
    result.apply_translation(-mesh.bounds.mean(axis=0))
    result.apply_scale(1 / longest)
    return result, longest
