"""Boxes, frustums and spheres that stand on a table, fitted to an outline under a known camera."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from video2policy import mesh as meshes
from video2policy import pose
from video2policy.camera import Camera
from video2policy.mask import iou
from video2policy.mesh import Kind, Solid
from video2policy.perceive.silhouette import Outline, opened, outline, support

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

THIN: dict[Kind, float] = {"box": 0.07, "frustum": 0.14, "sphere": 0.14}
"""Parts thinner than this share of an object's diameter are left out when it is fitted: handles, shadows."""

MAX_BEVEL = 0.25
"""Edges may be rounded by this share of the shortest length; unseen, that would make a can 5% too low."""

STARTS: dict[Kind, tuple[tuple[float, ...], ...]] = {
    "box": ((0.0, 0.0, 0.0),),
    "frustum": ((0.0, 0.0, 0.0), (-0.5, 0.0, -0.7), (-0.3, 0.0, -1.8)),
    "sphere": ((0.0,),),
}
"""Logarithms of the lengths that a fit starts from, over the silhouette's width: a cup, a bowl, a plate."""

INDEPENDENT = 6 / 48
"""Share of an outline's directions that err independently of each other."""

SIGMA = 0.015
"""Usual error of a mask's outline, as a share of its diameter."""

MIN_IOU = 0.82
NAMED_IOU = 0.6
"""A solid that covers less of the silhouette is no explanation of it, unless the object's name suggests it.
"""

NAME_BONUS = 0.15
"""A solid that the object's name suggests may fit worse by this IoU."""

EQUAL_SIGMA = 0.35
TAPER_SIGMA = 0.2
FLAT_SIGMA = 1.0
CUBE_SIGMA = 0.05
"""Prior spread of the logarithm of a box's side ratios, of a frustum's taper and of its height over its
width, and of the side ratios of what is called a cube.
"""

CUBES = frozenset(["cube", "dice", "die"])

WORDS: dict[Kind, frozenset[str]] = {
    "box": frozenset(["box", "cube", "block", "brick", "book", "carton", "package", "dice", "case", "phone"]),
    "frustum": frozenset(
        ["cup", "mug", "glass", "can", "tin", "bottle", "jar", "tumbler", "beaker", "bowl", "pot", "vase"]
        + ["candle", "roll", "bucket", "container", "basket", "cylinder"]
    ),
    "sphere": frozenset(["ball", "orange", "apple", "sphere", "lemon", "marble", "tomato"]),
}
"""Words in an object's name that tell its shape."""


@dataclass(frozen=True)
class Fit:
    """A solid, in the camera's unit, that stands at `table_from_object` (4x4).

    `iou` compares silhouettes; `cost` is the robust sum of the outline's squared errors in units of `SIGMA`.
    Its edges are cut back by `bevel`, a length.
    """

    solid: Solid
    table_from_object: Array
    iou: float
    cost: float
    bevel: float = 0.0


def bevelled(solid: Solid, bevel: float) -> Array:
    """Points (n, 3) that span the solid's hull with all edges cut back by `bevel`, a length."""
    if solid.kind == "box":
        full, cut = np.array(solid.size) / 2, np.array(solid.size) / 2 - bevel
        signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, -1).T
        return np.vstack([signs * np.where(np.arange(3) == axis, full, cut) for axis in range(3)])
    if solid.kind == "frustum":
        bottom, top, height = solid.size
        sharp = Solid("frustum", (bottom, top, height - 2 * bevel))
        inset = Solid("frustum", (bottom - 2 * bevel, top - 2 * bevel, height))
        return np.vstack([sharp.corners(), inset.corners()])
    return solid.corners()


def _place(kind: Kind, values: Array, base: float) -> tuple[Solid, Array, Array]:
    """Solid, table_from_object and outline points for the vector of unknowns that `fit_solid` varies.

    Unknowns: x, y, yaw, a value that grows with the bevel, logarithms of the lengths.
    """
    x, y = values[:2]
    lengths = np.exp(values[4:])
    if kind == "box":
        solid = Solid("box", (float(lengths[0]), float(lengths[1]), float(lengths[2])))
    elif kind == "frustum":
        solid = Solid("frustum", (float(lengths[0]), float(lengths[1]), float(lengths[2])))
    else:
        solid = Solid("sphere", (float(lengths[0]),) * 3)
    turn = pose.rotation_about([0, 0, 1], float(np.degrees(values[2])))
    place = pose.transform(turn, [x, y, base + solid.extents[2] / 2])
    return solid, place, pose.apply(place, bevelled(solid, _bevel(values)))


def _bevel(values: Array) -> float:
    """The bevel, a length, of that vector of unknowns."""
    return float(MAX_BEVEL * np.exp(values[4:]).min() / (1 + np.exp(-values[3])))


def fit_solid(
    kind: Kind, seen: Outline, mask: Mask, camera: Camera, base: float = 0.0, cube: bool = False
) -> Fit | None:
    """The standing solid whose outline is the mask's, its underside at height `base`; None if there is none.

    What one view leaves open (how deep a box seen from the front is) is settled by weak priors: equal sides,
    little taper, sharp edges; a `cube` has equal sides for sure.
    """
    across = camera.rotation[:, 0]
    lowest = seen.along @ [0, 1]
    bottom = np.array([seen.centre[0], seen.reach[int(np.argmax(lowest))]])
    front = camera.on_plane(bottom, base)[0]
    if not np.isfinite(front).all():
        return None
    depth = float((front - [0, 0, camera.altitude]) @ camera.rotation[:, 2])
    wide = seen.reach[0] + seen.reach[len(seen.reach) // 2]
    width = float(wide * depth / camera.K[0, 0])
    forward = np.array([across[1], -across[0]]) * -1  # horizontal, away from the camera
    free = seen.free if seen.free.sum() >= 12 else np.ones_like(seen.free)

    def errors(values: Array) -> Array:
        pixels = camera.project(_place(kind, values, base)[2])
        if not np.isfinite(pixels).all():
            return np.full(int(free.sum()) + {"box": 4, "frustum": 3, "sphere": 2}[kind], 10.0)
        image = (support(pixels, seen.along[free]) - seen.reach[free]) / seen.diameter
        lengths = values[4:]
        prior = [0.0]
        if kind == "box":
            spread = CUBE_SIGMA if cube else EQUAL_SIGMA
            height = 1.0 if cube else 0.5
            prior = [
                lengths[0] - lengths[1],
                height * (lengths[0] - lengths[2]),
                height * (lengths[1] - lengths[2]),
            ]
            prior = [value / spread for value in prior]
        elif kind == "frustum":
            prior = [(lengths[0] - lengths[1]) / TAPER_SIGMA, (lengths[2] - lengths[1]) / FLAT_SIGMA]
        sharp = (0.8 if kind == "box" else 0.4) * (values[3] + 3)
        # An outline's directions do not err independently; the priors must not drown in their number.
        return np.concatenate([image, SIGMA * INDEPENDENT**-0.5 * np.array(prior), [SIGMA * sharp]])

    best = None
    middle = front[:2] + forward * width / 2
    for turn, lengths in product((0.0, 0.4, 0.8, 1.2) if kind == "box" else (0.0,), STARTS[kind]):
        start = np.array([*middle, turn, -3.0, *(np.log(width) + np.array(lengths))])
        # soft_l1 keeps the directions that an unseen occluder cut from pulling the rest along
        found = least_squares(errors, start, loss="soft_l1", f_scale=SIGMA, max_nfev=60, x_scale="jac")
        possible = np.isfinite(found.x).all() and np.abs(found.x[4:] - np.log(width)).max() <= 3
        if possible and (best is None or found.cost < best.cost):
            best = found
    if best is None:
        return None
    values = best.x.copy()
    if kind == "box":  # the same box with its x axis within 45 degrees of the world's
        quarter = int(np.round(values[2] / (np.pi / 2)))
        values[2] -= quarter * np.pi / 2
        if quarter % 2:
            values[4], values[5] = values[5], values[4]
    else:
        values[2] = 0.0
    solid, table_from_object, points = _place(kind, values, base)
    drawn = meshes.hull_silhouette(points, camera.K, camera.camera_from_table, mask.shape)
    return Fit(solid, table_from_object, iou(drawn, mask), float(best.cost) / SIGMA**2, _bevel(values))


def fits_of(whole: Mask, others: Mask, camera: Camera, base: float, label: str) -> list[Fit]:
    """Every kind of solid, fitted to the mask."""
    fits = []
    for kind in WORDS:
        mask = opened(whole, THIN[kind])
        seen = outline(mask, others)
        fit = fit_solid(kind, seen, mask, camera, base, is_cube(label)) if seen is not None else None
        if fit is not None:
            fits.append(fit)
    return fits


def choose(fits: Sequence[Fit], label: str, hollow: bool = False) -> Fit | None:
    """The fit that explains the silhouette best, the suggested kind preferred; None if none does.

    What must be `hollow` gets the best box or frustum however it fits: without a cavity nothing goes in.
    """
    suggested = named_kind(label)

    def merit(fit: Fit) -> float:
        return fit.iou + (NAME_BONUS if fit.solid.kind == suggested else 0.0)

    if hollow:
        return max((fit for fit in fits if fit.solid.kind != "sphere"), key=merit, default=None)
    good = [fit for fit in fits if fit.iou >= (NAMED_IOU if fit.solid.kind == suggested else MIN_IOU)]
    return max(good, key=merit) if good else None


def is_cube(label: str) -> bool:
    return any(word in CUBES for word in words(label))


def words(label: str) -> list[str]:
    return re.findall(r"[a-z]+", label.lower())


def named_kind(label: str) -> Kind | None:
    """The kind of solid that an object's name suggests, by its last telling word ("ball box" is a box)."""
    for word in reversed(words(label)):
        for kind, known in WORDS.items():
            if word in known or word.removesuffix("s") in known:
                return kind
    return None
