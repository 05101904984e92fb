"""Closed, textured meshes of everyday objects.

A `Kind` is a class of objects as captions name it; `Kind.mesh` draws one of it. Meshes stand upright as they
rest on a table, in metres, with the origin at the bounding box's centre. What consists of several closed
parts
(a mug and its handle) overlaps in them instead of being cut.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Outline = Sequence[Sequence[float]]
"""Radius and height along a profile, from the axis at the bottom to the axis at the top."""
Symmetry = Literal["none", "2-fold", "4-fold", "6-fold", "continuous", "spherical"]
"""Of the shape alone, without its texture, about the vertical axis through its centre ("spherical": about
all)."""


class Mesh(NamedTuple):
    """Vertices (v, 3) in metres with the origin at the bounding box's centre, texture coordinates (v, 2),
    triangles (f, 3). A texture seam repeats vertices."""

    vertices: Array
    texcoords: Array
    faces: NDArray[np.int64]

    @property
    def size(self) -> Array:
        """Extents (3,) in metres."""
        return np.asarray(np.ptp(self.vertices, axis=0))


# --------------------------------------------------------------------------------------- how meshes are made


def centred(mesh: Mesh) -> Mesh:
    """The mesh with its bounding box's centre at the origin."""
    vertices = mesh.vertices
    return mesh._replace(vertices=vertices - (vertices.max(0) + vertices.min(0)) / 2)


def rotated(mesh: Mesh, rotation: Array) -> Mesh:
    """The mesh turned by ``rotation`` (3, 3) and centred again."""
    return centred(mesh._replace(vertices=mesh.vertices @ rotation.T))


def moved(mesh: Mesh, offset: ArrayLike) -> Mesh:
    return mesh._replace(vertices=mesh.vertices + np.asarray(offset, float))


def joined(*parts: Mesh) -> Mesh:
    """All parts as one mesh, centred."""
    starts = np.cumsum([0] + [len(part.vertices) for part in parts[:-1]])
    return centred(
        Mesh(
            np.concatenate([part.vertices for part in parts]),
            np.concatenate([part.texcoords for part in parts]),
            np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=True)]),
        )
    )


def painted(mesh: Mesh, low: tuple[float, float], high: tuple[float, float]) -> Mesh:
    """The mesh with its texture coordinates squeezed into the rectangle from ``low`` to ``high``."""
    return mesh._replace(texcoords=np.asarray(low) + mesh.texcoords * np.subtract(high, low))


def box_mesh(size: tuple[float, float, float]) -> Mesh:
    """A box whose six faces take the six cells of a 3 x 2 texture atlas."""
    vertices: list[Array] = []
    texcoords: list[tuple[float, float]] = []
    faces: list[tuple[int, int, int]] = []
    for cell, (axis, sign) in enumerate((a, s) for a in range(3) for s in (1.0, -1.0)):
        normal = np.eye(3)[axis] * sign
        up = np.eye(3)[2] if axis != 2 else np.eye(3)[0]
        right = np.cross(up, normal)
        column, row = cell % 3, cell // 3
        start = len(vertices)
        for u, v in ((0, 0), (1, 0), (1, 1), (0, 1)):
            vertices.append((normal + (2 * u - 1) * right + (2 * v - 1) * up) * np.asarray(size) / 2)
            texcoords.append(((column + 0.02 + 0.96 * u) / 3, (row + 0.02 + 0.96 * v) / 2))
        faces += [(start, start + 1, start + 2), (start, start + 2, start + 3)]
    return Mesh(np.array(vertices), np.array(texcoords), np.array(faces))


def rounded_box(size: Sequence[float], radius: float, top_heavy: float = 1.0) -> Mesh:
    """A box with rounded edges and the atlas of `box_mesh`; the top is ``top_heavy`` times as wide as the
    bottom."""
    half = np.asarray(size, float) / 2
    radius = min(radius, 0.98 * float(half.min()))
    bend = radius * (1 - np.sin(np.linspace(np.pi / 2, 0, 5)))  # from the edge inwards
    nodes = [np.concatenate([bend - h, [0.0], (h - bend)[::-1]]) for h in half]
    vertices, texcoords, faces, start = [], [], [], 0
    for cell, (axis, sign) in enumerate((a, s) for a in range(3) for s in (1.0, -1.0)):
        normal = np.eye(3)[axis] * sign
        up = np.eye(3)[2] if axis != 2 else np.eye(3)[0]
        right = np.cross(up, normal)
        a, b = int(np.abs(right).argmax()), int(np.abs(up).argmax())
        grid_u, grid_v = np.meshgrid(nodes[a], nodes[b], indexing="ij")
        on_cube = normal * half + grid_u[..., None] * right + grid_v[..., None] * up
        inner = np.clip(on_cube, -(half - radius), half - radius)
        out = on_cube - inner
        vertices.append((inner + radius * out / np.linalg.norm(out, axis=-1, keepdims=True)).reshape(-1, 3))
        u, v = (grid_u / half[a] + 1) / 2, (grid_v / half[b] + 1) / 2
        column, row = cell % 3, cell // 3
        cells = np.stack([(column + 0.02 + 0.96 * u) / 3, (row + 0.02 + 0.96 * v) / 2], -1)
        texcoords.append(cells.reshape(-1, 2))
        n, m = grid_u.shape
        i, j = np.meshgrid(np.arange(n - 1), np.arange(m - 1), indexing="ij")
        p = (start + i * m + j).ravel()
        faces += [np.stack([p, p + m, p + m + 1], -1), np.stack([p, p + m + 1, p + 1], -1)]
        start += n * m
    points = np.concatenate(vertices)
    taper = 1 + (top_heavy - 1) * (points[:, 2:] / size[2] + 0.5)
    points[:, :2] *= taper
    return centred(Mesh(points, np.concatenate(texcoords), np.concatenate(faces)))


def loft(rings: Array, ring_closed: bool = False) -> Mesh:
    """A skin over rings (k, m, 3), each counter-clockwise seen from where the rings lead to.

    First and last ring must shrink to a point to close the mesh, unless ``ring_closed`` joins them like a
    torus.
    Texture: u around the rings, v along them.
    """
    if ring_closed:
        rings = np.concatenate([rings, rings[:1]])
    seamed = np.concatenate([rings, rings[:, :1]], axis=1)
    k, m = seamed.shape[:2]
    steps = np.linalg.norm(np.diff(rings, axis=0), axis=2).mean(axis=1)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    u = np.broadcast_to(np.linspace(0, 1, m), (k, m))
    v = np.broadcast_to((length / length[-1])[:, None], (k, m))
    point = np.ptp(rings, axis=1).max(axis=1) < 1e-12
    faces = []
    for i in range(k - 1):
        a = i * m + np.arange(m - 1)
        if not point[i]:
            faces.append(np.stack([a, a + 1, a + m + 1], -1))
        if not point[i + 1]:
            faces.append(np.stack([a, a + m + 1, a + m], -1))
    return centred(Mesh(seamed.reshape(-1, 3), np.stack([u, v], -1).reshape(-1, 2), np.concatenate(faces)))


def lathe_mesh(profile: Array, segments: int = 48) -> Mesh:
    """A surface of revolution about z. ``profile`` (k, 2): radius and height along the outline."""
    angle = np.linspace(0, 2 * np.pi, segments + 1)
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(profile, axis=0), axis=1))])
    radius, height = profile[:, 0], profile[:, 1]
    vertices = np.stack(
        [
            radius[:, None] * np.cos(angle),
            radius[:, None] * np.sin(angle),
            np.broadcast_to(height[:, None], (len(profile), segments + 1)),
        ],
        axis=-1,
    )
    u = np.broadcast_to(angle / (2 * np.pi), vertices.shape[:2])
    v = np.broadcast_to((length / length[-1])[:, None], vertices.shape[:2])
    faces = []
    for i in range(len(profile) - 1):
        for j in range(segments):
            a, b = i * (segments + 1) + j, (i + 1) * (segments + 1) + j
            if radius[i] > 0:
                faces.append((a, a + 1, b + 1))
            if radius[i + 1] > 0:
                faces.append((a, b + 1, b))
    return centred(Mesh(vertices.reshape(-1, 3), np.stack([u, v], -1).reshape(-1, 2), np.array(faces)))


def turned_outline(
    profile: Outline, squareness: float = 2.0, aspect: float = 1.0, segments: int = 48
) -> Mesh:
    """Like `lathe_mesh`, over a superellipse (2: ellipse, 8: nearly a rectangle) ``aspect`` times as long in
    y.

    The profile's radius is the half width in x; walls keep their thickness in y.
    """
    outline = np.asarray(profile, float)
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    c, s = np.cos(angle), np.sin(angle)
    plan = np.stack([np.sign(c) * np.abs(c) ** (2 / squareness), np.sign(s) * np.abs(s) ** (2 / squareness)])
    extra = (aspect - 1) * outline[:, 0].max()
    half_y = np.where(outline[:, 0] > 0, outline[:, 0] + extra, 0.0)
    rings = np.stack(
        [
            outline[:, :1] * plan[0],
            half_y[:, None] * plan[1],
            np.broadcast_to(outline[:, 1:], (len(outline), segments)),
        ],
        axis=-1,
    )
    return loft(rings)


def sweep(spine: ArrayLike, radii: ArrayLike, side: ArrayLike = (0, 0, 1), segments: int = 14) -> Mesh:
    """A closed, bent rod: elliptic sections ``radii`` (k, 2) along ``spine`` (k, 3).

    The first radius lies across ``side``, the second along it (both at right angles to the spine).
    """
    points, radius = np.asarray(spine, float), np.asarray(radii, float)
    if radius.ndim == 1:
        radius = np.stack([radius, radius], -1)
    tangent = np.gradient(points, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    up = np.asarray(side, float) - (tangent @ np.asarray(side, float))[:, None] * tangent
    up /= np.linalg.norm(up, axis=1, keepdims=True)
    across = np.cross(up, tangent)
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    rings = (
        points[:, None]
        + radius[:, :1, None] * np.cos(angle)[:, None] * across[:, None]
        + radius[:, 1:, None] * np.sin(angle)[:, None] * up[:, None]
    )
    ends = [np.repeat(points[i : i + 1, None], segments, axis=1) for i in (0, len(points) - 1)]
    mesh = loft(np.concatenate([ends[0], rings, ends[1]]))
    centre = (rings.reshape(-1, 3).max(0) + rings.reshape(-1, 3).min(0)) / 2
    return moved(mesh, centre)


def rod(start: ArrayLike, end: ArrayLike, r0: float, r1: float, segments: int = 14) -> Mesh:
    """A tapered capsule from ``start`` to ``end``, its radii ``r0`` and ``r1``, not centred."""
    a, b = np.asarray(start, float), np.asarray(end, float)
    axis = (b - a) / np.linalg.norm(b - a)
    bend = np.linspace(0.12, np.pi / 2, 5)
    low = [(a - axis * r0 * np.cos(t), r0 * np.sin(t)) for t in bend]
    high = [(b + axis * r1 * np.cos(t), r1 * np.sin(t)) for t in bend[::-1]]
    points, radii = zip(*(low + high), strict=True)
    side = np.eye(3)[int(np.abs(axis).argmin())]
    return sweep(np.array(points), np.array(radii), side, segments)


def handle(reach: float, drop: float, thickness: float, at: ArrayLike) -> Mesh:
    """A mug's handle in the y-z plane, its ends at y = ``at[1]``, ``drop`` high and ``reach`` wide; not
    centred."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, 24)
    spine = np.stack([0 * angle, reach * np.cos(angle), drop / 2 * np.sin(angle)], -1) + np.asarray(at, float)
    # Ends run into the wall, so that the caps lie inside it.
    radii = np.tile([thickness, 0.7 * thickness], (len(angle), 1))
    return painted(sweep(spine, radii, (1, 0, 0), 10), (0.45, 0.30), (0.55, 0.40))


# ----------------------------------------------------------------------------------------- the demo's shapes


def can_mesh(radius: float = 0.031, height: float = 0.085) -> Mesh:
    """A can: a cylinder with a slightly rounded rim."""
    r, h, e = radius, height, 0.004
    return lathe_mesh(np.array([[0, 0], [r - e, 0], [r, e], [r, h - e], [r - e, h], [0, h]]))


def bottle_mesh(radius: float = 0.028, height: float = 0.15) -> Mesh:
    """A bottle with shoulder and neck."""
    r, h = radius, height
    return lathe_mesh(
        np.array(
            [[0, 0], [r * 0.9, 0], [r, 0.006], [r, h * 0.55], [r * 0.9, h * 0.63], [r * 0.42, h * 0.76]]
            + [[r * 0.38, h * 0.9], [r * 0.46, h * 0.91], [r * 0.46, h], [0, h]]
        )
    )


def ball_mesh(radius: float = 0.02) -> Mesh:
    """A sphere."""
    a = np.linspace(-np.pi / 2, np.pi / 2, 25)
    profile = np.stack([radius * np.cos(a), radius * np.sin(a)], -1)
    profile[[0, -1], 0] = 0.0
    return lathe_mesh(profile)


def beaker_mesh(radius: float = 0.036, height: float = 0.095, wall: float = 0.003) -> Mesh:
    """A tapered drinking cup that stands upside down, opening on the table."""
    r, h, w, top = radius, height, wall, radius * 0.76
    return lathe_mesh(
        np.array([[0, h - w], [top - w, h - w], [r - w, 0], [r + 0.002, 0], [r, 0.004], [top, h], [0, h]])
    )


def mug_mesh(radius: float = 0.036, height: float = 0.085, wall: float = 0.004) -> Mesh:
    """A mug that stands upright, with a handle on its +y side."""
    r, h, w = radius, height, wall
    body = lathe_mesh(np.array([[0, 0], [r, 0], [r, h], [r - w, h], [r - w, 0.006], [0, 0.006]]))
    ring, tube = 24, 10
    around = np.linspace(-np.pi / 2, np.pi / 2, ring)
    section = np.linspace(0, 2 * np.pi, tube, endpoint=False)
    big, small = 0.024, 0.0055
    spine_y, spine_z = (r - 0.004) + big * np.cos(around), big * np.sin(around)
    grip = np.stack(
        [
            np.broadcast_to(small * np.sin(section), (ring, tube)),
            spine_y[:, None] + small * np.cos(around)[:, None] * np.cos(section),
            spine_z[:, None] + small * np.sin(around)[:, None] * np.cos(section),
        ],
        -1,
    ).reshape(-1, 3)
    faces = []
    for i in range(ring - 1):
        for j in range(tube):
            a, b = i * tube + j, i * tube + (j + 1) % tube
            faces += [(a, b, b + tube), (a, b + tube, a + tube)]
    for j in range(1, tube - 1):  # caps, inside the wall of the body
        last = (ring - 1) * tube
        faces += [(0, j + 1, j), (last, last + j, last + j + 1)]
    return joined(body, Mesh(grip, np.full((len(grip), 2), (0.5, 0.2)), np.array(faces)))


# ------------------------------------------------------------------------------------------ kinds of objects


@dataclass(frozen=True)
class Kind:
    """A class of objects: its name in captions, how one is built, and what holds for all of it.

    ``build`` takes a random generator and returns a mesh in any unit; ``length`` (m) is the range of the
    longest side. ``textures`` name styles of `textures.object_texture`. ``cavity`` is a container's usable
    inside as fractions of its bounding box: (width, depth). ``hold`` is how a hand takes it. ``rolls`` marks
    what would not stay where it is dropped or pushed.
    """

    name: str
    build: Callable[[np.random.Generator], Mesh]
    length: tuple[float, float]
    textures: tuple[str, ...]
    symmetry: Symmetry = "none"
    cavity: tuple[float, float] | None = None
    hold: Literal["top", "side", "rim"] = "top"
    rolls: bool = False
    gloss: float = 0.3

    def mesh(self, rng: np.random.Generator, length: float | None = None) -> Mesh:
        """One of this kind, its longest side ``length`` metres (drawn from the range when None)."""
        mesh = self.build(rng)
        if length is None:
            length = rng.uniform(*self.length)
        return centred(mesh._replace(vertices=mesh.vertices * (length / mesh.size.max())))


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return float(rng.uniform(low, high))


def _smooth(profile: Outline, per_step: int = 4) -> Array:
    """A profile with its inner corners rounded (Chaikin), its ends kept."""
    points = np.asarray(profile, float)
    for _ in range(per_step // 2):
        cut = np.stack([0.75 * points[:-1] + 0.25 * points[1:], 0.25 * points[:-1] + 0.75 * points[1:]], 1)
        points = np.concatenate([points[:1], cut.reshape(-1, 2)[1:-1], points[-1:]])
    return points


def _box(rng: np.random.Generator) -> Mesh:
    return box_mesh((_between(rng, 0.35, 0.75), _between(rng, 0.6, 1.0), _between(rng, 0.6, 1.3)))


def _cube(rng: np.random.Generator) -> Mesh:
    return rounded_box((1, 1, 1), 0.04)


def _can(rng: np.random.Generator) -> Mesh:
    h = _between(rng, 1.6, 3.6)
    rim = [
        [0, 0.06],
        [0.84, 0.06],
        [0.86, 0],
        [0.94, 0],
        [1, 0.1],
        [1, h - 0.12],
        [0.88, h],
        [0.83, h - 0.05],
    ]
    return lathe_mesh(np.array([*rim, [0, h - 0.05]]))


def _bottle(rng: np.random.Generator) -> Mesh:
    h, neck, shoulder = _between(rng, 4.6, 6.4), _between(rng, 0.30, 0.48), _between(rng, 0.5, 0.68)
    body = [[0.88, 0], [1, 0.15], [1, h * 0.25], [_between(rng, 0.88, 1.0), h * 0.3], [1, h * shoulder]]
    top = [[neck, h * (shoulder + 0.18)], [neck, h * 0.9], [neck + 0.1, h * 0.905], [neck + 0.1, h]]
    return lathe_mesh(np.array([[0, 0], *body, *top, [0, h]]))


def _jar(rng: np.random.Generator) -> Mesh:
    h = _between(rng, 2.0, 2.8)
    side = [[0.9, 0], [1, 0.12], [1, h * 0.72], [0.8, h * 0.8], [0.88, h * 0.81], [0.88, h - 0.04], [0.82, h]]
    return lathe_mesh(np.array([[0, 0], *side, [0, h]]))


def _cup(rng: np.random.Generator) -> Mesh:
    h, foot, w = _between(rng, 1.9, 2.7), _between(rng, 0.66, 0.85), 0.07
    out = [[0, 0], [foot, 0], [1, h - 0.08], [1.04, h - 0.04], [1.0, h]]
    return lathe_mesh(np.array([*out, [1 - w, h - 0.03], [foot - w, w], [0, w]]))


def _glass(rng: np.random.Generator) -> Mesh:
    h, w = _between(rng, 2.2, 3.2), 0.08
    return lathe_mesh(np.array([[0, 0], [0.9, 0], [1, 0.1], [1, h], [1 - w, h], [1 - w, 0.3], [0, 0.25]]))


def _mug(rng: np.random.Generator) -> Mesh:
    h, w, waist = _between(rng, 2.0, 2.6), 0.11, _between(rng, 0.9, 1.05)
    out = [[0, 0], [0.92, 0], [1, 0.12], [waist, h / 2], [1, h - 0.05], [1 - w / 2, h]]
    body = lathe_mesh(np.array([*out, [1 - w, h - 0.05], [waist - w, h / 2], [0.9 - w, 0.16], [0, 0.16]]))
    return joined(body, handle(_between(rng, 0.55, 0.75), h * 0.55, 0.15, (0, 0.94, 0)))


def _bowl(rng: np.random.Generator) -> Mesh:
    h, w, foot = _between(rng, 0.7, 1.0), 0.05, _between(rng, 0.4, 0.55)
    t = np.linspace(0, 1, 9)
    bulge = _between(rng, 0.45, 0.7)
    radius, height = foot + (1 - foot) * t**bulge, 0.08 + (h - 0.08) * t**1.25
    outside = np.stack([radius, height], -1)
    inside = np.stack([radius - w, height + w * (1 - t) * 1.2], -1)[::-1]
    return lathe_mesh(np.array([[0, 0], [foot * 0.96, 0], *outside, *inside, [0, inside[-1, 1]]]))


def _plate(rng: np.random.Generator) -> Mesh:
    h, well = _between(rng, 0.16, 0.24), _between(rng, 0.5, 0.65)
    out = [[0, 0], [well, 0], [well + 0.08, 0.03], [0.98, h], [1, h + 0.03]]
    return lathe_mesh(np.array([*out, [0.97, h + 0.05], [well + 0.06, 0.09], [well - 0.02, 0.06], [0, 0.06]]))


def _pot(rng: np.random.Generator) -> Mesh:
    h, foot, w = _between(rng, 1.6, 2.0), _between(rng, 0.62, 0.75), 0.08
    rim = [[0.9, h * 0.78], [1, h * 0.79], [1.03, h], [0.95, h]]
    return lathe_mesh(np.array([[0, 0], [foot, 0], *rim, [0.88 - w, h * 0.8], [foot - w, w], [0, w]]))


def _container(rng: np.random.Generator) -> Mesh:
    h, w, foot = _between(rng, 2.0, 2.5), 0.08, _between(rng, 0.85, 0.97)
    rim = [[0.98, h - 0.06], [1.05, h - 0.04], [1.05, h], [1 - w, h]]
    return turned_outline(
        [[0, 0], [foot, 0], *rim, [foot - w, w], [0, w]], _between(rng, 4, 8), _between(rng, 1.0, 1.1)
    )


def _tray(rng: np.random.Generator) -> Mesh:
    h, w = _between(rng, 0.55, 0.8), 0.06
    return turned_outline(
        [[0, 0], [0.9, 0], [0.99, h - 0.02], [1.03, h], [0.97 - w, h], [0.9 - w, w], [0, w]],
        6.0,
        _between(rng, 1.0, 1.4),
    )


def _ball(rng: np.random.Generator) -> Mesh:
    return ball_mesh(1.0)


def _fruit(profile: Outline) -> Callable[[np.random.Generator], Mesh]:
    def build(rng: np.random.Generator) -> Mesh:
        mesh = lathe_mesh(_smooth(profile, 6), 36)
        return mesh._replace(vertices=mesh.vertices * [1, 1, _between(rng, 0.94, 1.06)])

    return build


_apple = _fruit(
    [
        [0, 0.25],
        [0.25, 0.05],
        [0.55, 0],
        [0.95, 0.5],
        [1.05, 1.0],
        [0.85, 1.6],
        [0.45, 1.78],
        [0.2, 1.65],
        [0, 1.45],
    ]
)
_orange = _fruit(
    [[0, 0.02], [0.35, 0], [0.85, 0.35], [1.05, 0.95], [0.9, 1.6], [0.4, 1.9], [0.08, 1.9], [0, 1.85]]
)
_pear = _fruit([[0, 0.1], [0.45, 0], [1, 0.5], [1, 1.1], [0.6, 1.75], [0.48, 2.2], [0.3, 2.55], [0, 2.5]])
_tomato = _fruit([[0, 0.06], [0.5, 0], [1.02, 0.4], [1.08, 0.85], [0.7, 1.4], [0.3, 1.42], [0, 1.25]])
_candle = _fruit([[0, 0], [1, 0], [1, 0], [1, 2.2], [0.95, 2.3], [0.95, 2.3], [0.3, 2.2], [0, 2.2]])


def _lying(profile: Outline) -> Callable[[np.random.Generator], Mesh]:
    """A solid of revolution that lies along y."""
    upright = _fruit(profile)

    def build(rng: np.random.Generator) -> Mesh:
        return rotated(upright(rng), np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0.0]]))

    return build


_lemon = _lying(
    [
        [0, 0],
        [0.15, 0.02],
        [0.35, 0.25],
        [0.85, 0.7],
        [1, 1.35],
        [0.8, 2.1],
        [0.3, 2.5],
        [0.12, 2.7],
        [0, 2.7],
    ]
)
_egg = _lying([[0, 0], [0.55, 0], [1, 0.6], [1.0, 1.2], [0.75, 2.0], [0.4, 2.5], [0, 2.55]])
_marker = _lying(
    [[0, 0], [0.8, 0], [0.8, 0], [0.8, 3], [0.8, 3], [1, 3], [1, 3], [1, 12], [0.8, 13.4], [0, 13.5]]
)
_battery = _lying([[0, 0], [1, 0], [1, 0], [1, 6.6], [1, 6.6], [0.4, 6.7], [0.4, 7.1], [0.4, 7.1], [0, 7.1]])


def _garlic(rng: np.random.Generator) -> Mesh:
    outline = _smooth(
        [
            [0, 0.08],
            [0.3, 0],
            [0.8, 0.15],
            [1.05, 0.6],
            [0.85, 1.1],
            [0.3, 1.4],
            [0.16, 1.8],
            [0.12, 2.2],
            [0, 2.25],
        ],
        6,
    )
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    cloves = int(rng.integers(6, 10))
    deep = 0.10 * (1 + 0.5 * np.sin(angle + rng.uniform(0, 6)))
    lobes = 1 - deep * np.abs(np.cos(cloves / 2 * angle)) ** 6
    bend = 0.25 * np.clip(outline[:, 1] - 1.2, 0, None) ** 2
    radius = outline[:, :1] * np.where(outline[:, 1:] < 1.5, lobes, 1.0)
    rings = np.stack(
        [radius * np.cos(angle) + bend[:, None], radius * np.sin(angle), np.repeat(outline[:, 1:], 48, 1)], -1
    )
    return loft(rings)


def _banana(rng: np.random.Generator) -> Mesh:
    t = np.linspace(0, 1, 26)
    angle = np.radians(_between(rng, 75, 110)) * (t - 0.5)
    spine = np.stack([1.0 - np.cos(angle), np.sin(angle), 0 * t], -1)
    thick = _between(rng, 0.13, 0.17) * np.clip(np.sin(np.pi * (0.08 + 0.86 * t)) ** 0.55, 0.22, 1)
    thick[-3:] = 0.05
    mesh = sweep(spine, thick, (0, 0, 1), 18)
    return mesh._replace(texcoords=mesh.texcoords)


def _tape(rng: np.random.Generator) -> Mesh:
    inner, h = _between(rng, 0.6, 0.78), _between(rng, 0.5, 1.0)
    section = np.array([[1, 0], [1, h], [inner, h], [inner, 0]])
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    rings = np.stack(
        [np.stack([r * np.cos(angle), r * np.sin(angle), np.full(48, z)], -1) for r, z in section]
    )
    return loft(rings, ring_closed=True)


def _slab(
    low: Sequence[float], high: Sequence[float], radius: float
) -> Callable[[np.random.Generator], Mesh]:
    """A flat rounded box; extents drawn between ``low`` and ``high``."""

    def build(rng: np.random.Generator) -> Mesh:
        size = [_between(rng, a, b) for a, b in zip(low, high, strict=True)]
        return rounded_box(size, radius * size[2])

    return build


_remote = _slab((0.24, 1.0, 0.10), (0.32, 1.0, 0.15), 0.35)
_phone = _slab((0.46, 1.0, 0.055), (0.5, 1.0, 0.07), 0.4)
_book = _slab((0.62, 1.0, 0.12), (0.75, 1.0, 0.24), 0.03)
_soap = _slab((0.55, 1.0, 0.30), (0.7, 1.0, 0.42), 0.42)
_sponge = _slab((0.55, 1.0, 0.3), (0.75, 1.0, 0.4), 0.12)
_eraser = _slab((0.4, 1.0, 0.24), (0.5, 1.0, 0.32), 0.2)
_wallet = _slab((0.7, 1.0, 0.14), (0.85, 1.0, 0.22), 0.4)


def _mouse(rng: np.random.Generator) -> Mesh:
    t = np.linspace(0, 1, 22)
    outline = np.sin(np.pi * np.clip(t, 0.0, 1.0)) ** 0.42
    half_width = (0.29 - 0.03 * np.sin(2 * np.pi * t)) * np.clip(outline, 0.0, None)
    height = _between(rng, 0.32, 0.40) * (np.sin(np.pi * t**0.85) ** 0.5)
    angle = np.linspace(-np.pi, np.pi, 25)[:-1]
    rings = []
    for s, w, h in zip(t, half_width, height, strict=True):
        x = w * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.8
        z = np.where(
            np.sin(angle) > 0, h * np.abs(np.sin(angle)) ** 0.8, -0.02 * (h > 0) * np.abs(np.sin(angle))
        )
        rings.append(np.stack([-x, np.full_like(x, s - 0.5), z], -1))
    rings[0][:], rings[-1][:] = rings[0].mean(0), rings[-1].mean(0)
    mesh = loft(np.array(rings))
    span = mesh.vertices / mesh.size + 0.5  # the print is laid on from above
    return mesh._replace(texcoords=np.stack([span[:, 0], span[:, 1]], -1))


def _rise(y: Array, low: float = 0.0, high: float = 0.08) -> Array:
    """Height of a piece of cutlery along its length: neck up, both ends near the table."""
    return low + high * np.exp(-(((y - 0.18) / 0.22) ** 2)) + 0.02 * np.clip(-y, 0, 1)


def _shank(rng: np.random.Generator) -> Mesh:
    y = np.linspace(-0.5, 0.24, 16)
    wide = np.interp(y, [-0.5, -0.45, -0.1, 0.1, 0.24], [0.035, 0.055, 0.03, 0.018, 0.028]) * _between(
        rng, 0.9, 1.2
    )
    return sweep(np.stack([0 * y, y, _rise(y)], -1), np.stack([wide, 0.45 * wide], -1), (0, 0, 1), 10)


def _fork(rng: np.random.Generator) -> Mesh:
    y = np.linspace(0.18, 0.34, 8)
    wide = np.interp(y, [0.18, 0.24, 0.34], [0.025, 0.062, 0.068])
    palm = sweep(np.stack([0 * y, y, _rise(y)], -1), np.stack([wide, 0.014 + 0 * y], -1), (0, 0, 1), 12)
    tines = []
    for x in (-0.055, -0.0183, 0.0183, 0.055):
        y = np.linspace(0.32, 0.5, 8)
        thin = np.interp(y, [0.32, 0.48, 0.5], [0.012, 0.010, 0.004])
        tines.append(
            sweep(np.stack([x + 0 * y, y, _rise(y) + 0.35 * (y - 0.32) ** 2 * 2], -1), thin, (0, 0, 1), 8)
        )
    return joined(_shank(rng), palm, *tines)


def _spoon(rng: np.random.Generator) -> Mesh:
    t = np.linspace(0, np.pi, 16)
    y = 0.35 - 0.15 * np.cos(t)
    wide = 0.10 * np.sin(t) ** 0.8 + 1e-3
    sag = 0.055 * np.sin(t)
    across = np.linspace(-1, 1, 9)
    rings = []
    for yy, w, s in zip(y, wide, sag, strict=True):
        x = w * across
        under = _rise(np.array([yy]), 0.02)[0] - s * (1 - across**2) - 0.012
        over = under + 0.016
        ring = np.concatenate(
            [np.stack([x, 0 * x + yy, under], -1), np.stack([x, 0 * x + yy, over], -1)[::-1]]
        )
        rings.append(ring[::-1])
    closed = np.array(rings)
    tips = [np.repeat(closed[i].mean(0)[None, None], closed.shape[1], axis=1) for i in (0, -1)]
    raw = np.concatenate([tips[0], closed, tips[1]])
    bowl = moved(loft(raw), (raw.reshape(-1, 3).max(0) + raw.reshape(-1, 3).min(0)) / 2)
    return joined(_shank(rng), bowl)


def _knife(rng: np.random.Generator) -> Mesh:
    y = np.linspace(-0.5, 0.02, 10)
    grip = sweep(
        np.stack([0 * y, y, 0 * y], -1),
        np.stack([np.interp(y, [-0.5, -0.47, 0.02], [0.03, 0.05, 0.04]), 0.03 + 0 * y], -1),
        (0, 0, 1),
        12,
    )
    y = np.linspace(-0.02, 0.5, 14)
    wide = np.interp(y, [-0.02, 0.05, 0.35, 0.47, 0.5], [0.03, 0.055, 0.06, 0.04, 0.012])
    blade = sweep(np.stack([0.2 * wide, y, 0 * y], -1), np.stack([wide, 0.010 + 0 * y], -1), (0, 0, 1), 10)
    return joined(painted(grip, (0.0, 0.0), (1.0, 0.45)), painted(blade, (0, 0.55), (1, 1)))


def _brush(rng: np.random.Generator) -> Mesh:
    y = np.linspace(-0.5, 0.22, 14)
    wide = np.interp(y, [-0.5, -0.42, 0.0, 0.12, 0.22], [0.035, 0.055, 0.045, 0.03, 0.10])
    grip = sweep(np.stack([0 * y, y, 0 * y + 0.075], -1), np.stack([wide, 0.03 + 0 * y], -1), (0, 0, 1), 12)
    head = rounded_box((0.24, 0.30, 0.13), 0.02)
    return joined(painted(grip, (0, 0), (1, 0.45)), painted(moved(head, (0, 0.35, 0.065)), (0, 0.55), (1, 1)))


def _lock(rng: np.random.Generator) -> Mesh:
    body = rounded_box((0.7, 0.62, 0.26), 0.06)
    angle = np.linspace(0, np.pi, 16)
    bow = np.stack([0.24 * np.cos(angle), 0.24 + 0.24 * np.sin(angle), 0 * angle], -1)
    return joined(body, painted(sweep(bow, 0 * angle + 0.06, (0, 0, 1), 10), (0.05, 0.05), (0.1, 0.1)))


def _car(rng: np.random.Generator) -> Mesh:
    parts = [
        moved(rounded_box((0.40, 1.0, 0.17), 0.06), (0, 0, 0.185)),
        moved(rounded_box((0.34, 0.52, 0.17), 0.05, 0.8), (0, _between(rng, -0.12, 0.0), 0.33)),
    ]
    wheel = [[0, 0], [0.8, 0], [1, 0.1], [1, 0.6], [0.8, 0.7], [0, 0.7]]
    upright = lathe_mesh(np.array(wheel) * 0.125, 20)
    turn = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0.0]])
    for x in (-0.19, 0.19):
        for y in (-0.31, 0.31):
            parts.append(painted(moved(rotated(upright, turn), (x, y, 0.125)), (0.34, 0.51), (0.36, 0.53)))
    return joined(*parts)


def _teapot(rng: np.random.Generator) -> Mesh:
    body = lathe_mesh(
        _smooth(
            [
                [0, 0],
                [0.6, 0],
                [1, 0.5],
                [0.95, 1.1],
                [0.5, 1.5],
                [0.42, 1.55],
                [0.15, 1.62],
                [0.13, 1.8],
                [0, 1.85],
            ],
            4,
        )
    )
    low = body.vertices[:, 2].min()
    t = np.linspace(0, 1, 10)
    spout = np.stack([0 * t, -0.75 - 0.75 * t, low + 0.55 + 0.85 * t**1.5], -1)
    return joined(
        body,
        painted(sweep(spout, np.interp(t, [0, 1], [0.22, 0.11]), (1, 0, 0), 12), (0.4, 0.25), (0.6, 0.45)),
        handle(0.6, 0.9, 0.11, (0, 0.88, -0.1)),
    )


CUTLERY = ("steel", "steel", "wood")
WARE = ("plain", "print", "stripes", "dots", "check", "speckle")

KINDS = {
    kind.name: kind
    for kind in (
        Kind("box", _box, (0.07, 0.13), ("package", "package", "print", "kraft"), "2-fold"),
        Kind("cube", _cube, (0.045, 0.075), ("package", "print", "dots", "wood"), "4-fold"),
        Kind("can", _can, (0.08, 0.125), ("label", "label", "stripes"), "continuous", hold="side", gloss=0.6),
        Kind(
            "bottle", _bottle, (0.16, 0.23), ("label", "label", "plain"), "continuous", hold="side", gloss=0.6
        ),
        Kind("jar", _jar, (0.08, 0.11), ("label", "label", "plain"), "continuous", hold="side", gloss=0.5),
        Kind("cup", _cup, (0.085, 0.12), WARE, "continuous", (0.70, 0.90), "side"),
        Kind(
            "glass",
            _glass,
            (0.09, 0.13),
            ("plain", "stripes", "dots"),
            "continuous",
            (0.80, 0.84),
            "side",
            gloss=0.8,
        ),
        Kind("mug", _mug, (0.09, 0.12), WARE, "none", (0.58, 0.88), "side", gloss=0.6),
        Kind("bowl", _bowl, (0.12, 0.17), WARE, "continuous", (0.48, 0.72), "rim", gloss=0.6),
        Kind("plate", _plate, (0.15, 0.20), WARE, "continuous", None, "rim", gloss=0.6),
        Kind("pot", _pot, (0.08, 0.12), ("clay", "plain", "stripes"), "continuous", (0.52, 0.85), "top"),
        Kind(
            "container", _container, (0.09, 0.115), ("plain", "weave", "dots"), "2-fold", (0.70, 0.85), "side"
        ),
        Kind("tray", _tray, (0.12, 0.17), ("plain", "weave", "wood"), "2-fold", (0.55, 0.72), "rim"),
        Kind("ball", _ball, (0.045, 0.07), ("stripes", "patches", "dots"), "spherical", rolls=True),
        Kind("apple", _apple, (0.065, 0.085), ("apple",), "continuous", gloss=0.5),
        Kind("orange", _orange, (0.065, 0.085), ("peel",), "continuous"),
        Kind("tomato", _tomato, (0.055, 0.08), ("tomato",), "continuous", gloss=0.7),
        Kind("pear", _pear, (0.085, 0.115), ("pear",), "continuous"),
        Kind("lemon", _lemon, (0.07, 0.09), ("lemon",), "none"),
        Kind("egg", _egg, (0.052, 0.062), ("egg",), "none"),
        Kind("banana", _banana, (0.15, 0.20), ("banana",), "none"),
        Kind("garlic", _garlic, (0.045, 0.065), ("garlic",), "none"),
        Kind("candle", _candle, (0.06, 0.10), ("plain", "stripes"), "continuous"),
        Kind("tape", _tape, (0.06, 0.10), ("tape",), "continuous"),
        Kind("marker", _marker, (0.12, 0.15), ("pen",), "none", gloss=0.5),
        Kind("battery", _battery, (0.05, 0.06), ("pen", "label"), "none", gloss=0.6),
        Kind("remote", _remote, (0.14, 0.19), ("remote",), "2-fold"),
        Kind("phone", _phone, (0.135, 0.16), ("phone",), "2-fold", gloss=0.8),
        Kind("book", _book, (0.13, 0.17), ("book",), "2-fold"),
        Kind("soap", _soap, (0.07, 0.09), ("plain", "print"), "2-fold"),
        Kind("sponge", _sponge, (0.08, 0.11), ("sponge",), "2-fold", gloss=0.0),
        Kind("eraser", _eraser, (0.045, 0.065), ("package", "plain"), "2-fold"),
        Kind("wallet", _wallet, (0.09, 0.12), ("leather",), "2-fold"),
        Kind("mouse", _mouse, (0.095, 0.12), ("mouse",), "none", gloss=0.5),
        Kind("fork", _fork, (0.16, 0.20), CUTLERY, "none", gloss=0.9),
        Kind("spoon", _spoon, (0.15, 0.19), CUTLERY, "none", gloss=0.9),
        Kind("knife", _knife, (0.17, 0.21), ("knife",), "none", gloss=0.8),
        Kind("brush", _brush, (0.14, 0.18), ("brush",), "none"),
        Kind("lock", _lock, (0.065, 0.09), ("steel", "package"), "none", gloss=0.9),
        Kind("toy car", _car, (0.09, 0.13), ("car",), "none", gloss=0.7),
        Kind("teapot", _teapot, (0.14, 0.18), WARE, "none", None, "top", gloss=0.7),
    )
}
"""Every kind, by the name that captions use."""
