"""Boxes, frustums, spheres and rounded things that stand on a table, fitted to an outline."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product
from typing import Literal, NamedTuple

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, least_squares

from video2policy import mesh as meshes
from video2policy import pose
from video2policy.camera import Camera
from video2policy.mask import iou
from video2policy.mesh import Kind, Opening, Solid
from video2policy.perceive.nouns import singular
from video2policy.perceive.silhouette import Outline, opened, outline, support

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Form = Kind | Literal["round"]

THIN: dict[Form, float] = {"box": 0.07, "frustum": 0.14, "sphere": 0.14, "round": 0.1}
"""Parts thinner than this share of an object's diameter are left out when it is fitted: handles, shadows."""

MAX_BEVEL = 0.25
KNOWN_BEVEL = 0.45
"""Edges may be rounded by this share of the shortest length, by the second where the sides are given.

Unseen, that would make a can 5% too low.
"""

STARTS: dict[Form, tuple[tuple[float, ...], ...]] = {
    "box": ((0.0, 0.0, 0.0),),
    "frustum": ((0.0, 0.0, 0.0), (-0.5, 0.0, -0.7), (-0.3, 0.0, -1.8)),
    "sphere": ((0.0,),),
    "round": ((0.0, 0.0, 0.0),),
}
"""Logarithms of the lengths that a fit starts from, over the silhouette's width: a cup, a bowl, a plate."""


class Edge(NamedTuple):
    """Where the unknown that rounds edges (or cuts what is round) starts, and how much that counts."""

    usual: float
    weight: float


EDGES: dict[Form, Edge] = {
    "box": Edge(-3.0, 0.8),
    "frustum": Edge(-3.0, 0.4),
    "sphere": Edge(-3.0, 0.4),
    "round": Edge(1.0, 0.3),
}

FLAT = ("box", "round")
"""Kinds with three lengths and a yaw."""

FEW = 4
"""Of more starts, so many are followed to the end."""

INDEPENDENT = 6 / 48
"""Share of an outline's directions that err independently of each other."""

SIGMA = 0.015
"""Usual error of a mask's outline, as a share of its diameter."""

MIN_IOU = 0.82
NAMED_IOU = 0.6
KNOWN_IOU = 0.3
"""A solid that covers less of the silhouette is no explanation of it, unless the object's name suggests it,
or its sides are known: a fork fills little of its box.
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

PROPORTIONS: dict[str, tuple[float, float, float]] = {
    # name: usual sides in metres, only their ratios count
    "knife": (0.21, 0.02, 0.01),
    "fork": (0.19, 0.025, 0.02),
    "spoon": (0.17, 0.035, 0.022),
    "toothbrush": (0.19, 0.015, 0.015),
    "pen": (0.145, 0.012, 0.011),
    "pencil": (0.175, 0.008, 0.007),
    "marker": (0.14, 0.02, 0.018),
    "key": (0.055, 0.025, 0.003),
    "remote": (0.18, 0.045, 0.022),
    "phone": (0.15, 0.072, 0.009),  # 6.1 inch
    "book": (0.21, 0.14, 0.025),  # A5 to trade paperback
    "wallet": (0.11, 0.09, 0.02),
    "eraser": (0.055, 0.023, 0.013),
    "soap": (0.09, 0.06, 0.03),
    "sponge": (0.11, 0.07, 0.035),
    "mouse": (0.11, 0.062, 0.038),
    "car": (0.11, 0.05, 0.045),
    "battery": (0.0505, 0.0145, 0.0145),  # IEC 60086: AA
}
"""What lies on its broadest side, by name; one view seldom shows how thin it is."""

PROPORTION_SIGMA = 0.3
GIVEN_SIGMA = 0.03
"""Spread of the logarithm of two sides' ratio, by name and by given sides."""

ROUND = 1.12
"""Two sides that differ by less than this factor may be one diameter."""

SLENDER = 0.25
"""The second side over the longest of what is thin itself."""

CUBES = frozenset(["cube", "dice", "die"])

WORDS: dict[Form, frozenset[str]] = {
    "box": frozenset(["box", "cube", "block", "brick", "book", "carton", "package", "dice", "case", "phone"]),
    "frustum": frozenset(
        ["cup", "mug", "glass", "can", "tin", "bottle", "jar", "tumbler", "beaker", "bowl", "pot", "vase"]
        + ["candle", "roll", "bucket", "container", "basket", "cylinder"]
    ),
    "sphere": frozenset(["ball", "orange", "apple", "sphere", "marble"]),
    "round": frozenset(
        ["egg", "lemon", "lime", "pear", "potato", "onion", "garlic", "tomato", "avocado", "kiwi", "peach"]
        + ["plum", "mango", "bun", "stone", "pebble"]
    ),
}
"""Words in an object's name that tell its shape."""

DOMED = frozenset(["mouse"])
"""Words for what is a box by its sides, but rounded above, or both."""

FREEDOM = 0.03
"""A rounded thing must fit better by this IoU than what has fewer freedoms, unless its name suggests it."""


HOLLOW = frozenset(
    ["cup", "mug", "glass", "bowl", "beaker", "tumbler", "pot"]
    + ["bucket", "basket", "container", "jar", "vase", "crate", "tray", "bin", "drawer", "plate", "pan"]
)
"""Words for things with an opening."""


@dataclass(frozen=True)
class Sides:
    """What is known of an object's three sides before it is fitted: `lengths`, ascending, in any unit.

    `sigma`: spread of the logarithms of their ratios. What is slender, or not `any_up`, lies on its broadest
    side.
    """

    lengths: tuple[float, float, float]
    sigma: float
    any_up: bool = False

    @classmethod
    def of(cls, label: str, given: Sequence[float] | None = None) -> Sides | None:
        """By three given sides (any order, any unit), else by name; None where neither tells."""
        if given is not None and len(given) == 3:
            short, middle, long = sorted(float(side) for side in given)
            if short <= 0:
                raise ValueError(f"sides of {list(given)} are impossible")
            return cls((short, middle, long), GIVEN_SIGMA, True)
        for word in reversed(words(label)):
            if word in CUBES:
                return cls((1.0, 1.0, 1.0), CUBE_SIGMA)
            if word in PROPORTIONS:
                long, middle, short = PROPORTIONS[word]
                return cls((short, middle, long), PROPORTION_SIGMA)
        return None

    def boxes(self) -> list[Array]:
        """Sides (x, y, z) of the boxes to try, x the longer one."""
        several = self.any_up and not self.slender and self.lengths[2] > ROUND * self.lengths[0]
        ups = (0, 1, 2) if several else (0,)
        rest = [[k for k in (2, 1, 0) if k != up] for up in ups]
        return [np.array(self.lengths)[[*flat, up]] for flat, up in zip(rest, ups, strict=True)]

    def rounds(self) -> list[tuple[float, float]]:
        """Diameter and height of the round things to try; a handle may widen one side."""
        result = []
        for up in range(3):
            thin, wide = (self.lengths[k] for k in range(3) if k != up)
            result.append((wide if wide < ROUND * thin else thin, self.lengths[up]))
        return result

    @property
    def slender(self) -> bool:
        """A fork's handle is no stray part of its mask."""
        return self.lengths[1] < SLENDER * self.lengths[2]

    def allows(self, kind: Form, named: frozenset[Form]) -> bool:
        """Whether it may be of this kind, given the kind that its name suggests."""
        short, middle, long = self.lengths
        if kind == "box" or not self.any_up:
            return kind == "box" or kind in named
        if kind == "round":
            return not self.slender
        if kind == "sphere":
            return long < ROUND * short
        return "frustum" in named or middle < ROUND * short or long < ROUND * middle


@cache
def _ball(subdivisions: int) -> Array:
    """Points (n, 3) of the unit sphere, a little outside, so that their hull is as wide as the sphere."""
    points = np.asarray(trimesh.creation.icosphere(subdivisions=subdivisions).vertices)
    return points * (1 + 0.012 / 4 ** (subdivisions - 2))


@dataclass(frozen=True)
class Round:
    """An ellipsoid of `size` (x, y, z) that stands on a flat cut.

    At its lowest point (`cut` 1: an egg) up to its equator (0: half a lemon).
    """

    size: tuple[float, float, float]
    cut: float
    opening: Opening = "none"

    kind: Literal["round"] = "round"

    @property
    def extents(self) -> Array:
        """Bounding box (x, y, z)."""
        return np.array(self.size, dtype=float)

    def scaled(self, factor: float) -> Round:
        return replace(self, size=(factor * self.size[0], factor * self.size[1], factor * self.size[2]))

    def corners(self, subdivisions: int = 2) -> Array:
        """Points (n, 3) whose convex hull is the solid."""
        points = _ball(subdivisions).clip([-1, -1, -self.cut], 1)
        points = points * [0.5, 0.5, 1 / (1 + self.cut)]
        return (points - [0, 0, (points[:, 2].max() + points[:, 2].min()) / 2]) * self.size

    def mesh(self) -> trimesh.Trimesh:
        """Closed mesh, fine enough to carry vertex colours."""
        return trimesh.convex.convex_hull(self.corners(3)).subdivide()


@dataclass(frozen=True)
class Fit:
    """A solid, in the camera's unit, that stands at `table_from_object` (4x4).

    `iou` compares silhouettes; `cost` is the robust sum of the outline's squared errors in units of `SIGMA`.
    Its edges are cut back by `bevel`, a length. `values` is the vector of unknowns of `placed`, `known` what
    was known of the lengths, `roundest` the most that edges may be rounded.
    """

    solid: Solid | Round
    table_from_object: Array
    iou: float
    cost: float
    bevel: float = 0.0
    values: Array = field(default_factory=lambda: np.zeros(0), compare=False)
    known: Array | None = field(default=None, compare=False)
    roundest: float = MAX_BEVEL

    @property
    def kind(self) -> Form:
        return self.solid.kind


def bevelled(solid: Solid | Round, bevel: float) -> Array:
    """Points (n, 3) that span the solid's hull with all edges cut back by `bevel`, a length."""
    if solid.kind == "box":
        full, cut = np.array(solid.size), np.array(solid.size) - 2 * bevel
        return np.vstack([meshes.CORNERS * np.where(np.arange(3) == axis, full, cut) for axis in range(3)])
    if solid.kind == "frustum":
        bottom, top, height = solid.size
        sharp = Solid("frustum", (bottom, top, height - 2 * bevel))
        inset = Solid("frustum", (bottom - 2 * bevel, top - 2 * bevel, height))
        return np.vstack([sharp.corners(), inset.corners()])
    return solid.corners()


def placed(
    kind: Form, values: Array, base: float, roundest: float = MAX_BEVEL
) -> tuple[Solid | Round, Array, Array, float]:
    """Solid, table_from_object, outline points and bevel for the vector of unknowns that `fit_solid` varies.

    Unknowns: x, y, yaw, a value that grows with the bevel, logarithms of the lengths. `roundest` is the most
    that the bevel may be, as a share of the shortest length. Something round has a cut in the bevel's place.
    """
    x, y = values[:2]
    lengths = np.exp(values[4:])
    solid: Solid | Round
    if kind == "box":
        solid = Solid("box", (float(lengths[0]), float(lengths[1]), float(lengths[2])))
    elif kind == "frustum":
        solid = Solid("frustum", (float(lengths[0]), float(lengths[1]), float(lengths[2])))
    elif kind == "round":
        sides = (float(lengths[0]), float(lengths[1]), float(lengths[2]))
        solid = Round(sides, float(1 / (1 + np.exp(-np.clip(values[3], -50, 50)))))
    else:
        solid = Solid("sphere", (float(lengths[0]),) * 3)
    turn = pose.rotation_about([0, 0, 1], float(np.degrees(values[2])))
    place = pose.transform(turn, [x, y, base + solid.extents[2] / 2])
    bevel = _bevel(kind, values, roundest)
    return solid, place, pose.apply(place, bevelled(solid, bevel)), bevel


def prior_of(kind: Form, shape: Array, sides: Sides | None, known: Array | None) -> Array:
    """Errors of the unknowns behind the place: what is known of edges and lengths, in the outline's unit."""
    sharp = EDGES[kind].weight * (shape[0] - EDGES[kind].usual)
    # An outline's directions do not err independently; the priors must not drown in their number.
    return np.concatenate(
        [SIGMA * INDEPENDENT**-0.5 * _prior(kind, shape[1:], sides, known), [SIGMA * sharp]]
    )


def _bevel(kind: Form, values: Array, roundest: float) -> float:
    """The bevel, a length, of that vector of unknowns."""
    if kind == "round":
        return 0.0
    return float(roundest * np.exp(values[4:]).min() / (1 + np.exp(-np.clip(values[3], -50, 50))))


def fit_solid(
    kind: Form,
    seen: Outline,
    mask: Mask,
    camera: Camera,
    base: float = 0.0,
    sides: Sides | None = None,
    near: Fit | None = None,
) -> Fit | None:
    """The standing solid whose outline is the mask's, its underside at height `base`; None if there is none.

    What one view leaves open (how deep a box seen from the front is) is settled by what is known of its
    `sides`, else by weak priors: equal sides, little taper; and sharp edges. A fit that is `near`, under
    almost the same camera, is where to start from, which is much quicker.
    """
    lowest = seen.along @ [0, 1]
    bottom = np.array([seen.centre[0], seen.reach[int(np.argmax(lowest))]])
    front = camera.on_plane(bottom, base)[0]
    if not np.isfinite(front).all():
        return None
    depth = float((front - [0, 0, camera.altitude]) @ camera.rotation[:, 2])
    wide = seen.reach[0] + seen.reach[len(seen.reach) // 2]
    width = float(wide * depth / camera.K[0, 0])
    forward = camera.rotation[:2, 2] / max(float(np.linalg.norm(camera.rotation[:2, 2])), 1e-9)
    free = seen.free if seen.free.sum() >= 12 else np.ones_like(seen.free)
    roundest = KNOWN_BEVEL if sides is not None and sides.any_up else MAX_BEVEL

    def errors(values: Array, known: Array | None) -> Array:
        pixels = camera.project(placed(kind, values, base, roundest)[2])
        prior = prior_of(kind, values[3:], sides, known)
        if not np.isfinite(pixels).all():
            return np.full(int(free.sum()) + len(prior), 10.0)
        image = (support(pixels, seen.along[free]) - seen.reach[free]) / seen.diameter
        return np.concatenate([image, prior])

    def solved(start: Array, known: Array | None, rounds: int) -> OptimizeResult:
        # soft_l1 keeps the directions that an unseen occluder cut from pulling the rest along
        return least_squares(
            errors, start, args=(known,), loss="soft_l1", f_scale=SIGMA, max_nfev=rounds, x_scale="jac"
        )

    middle = front[:2] + forward * width / 2
    if near is not None:
        tries = [(near.values, near.known)]
    else:
        tries = [
            (np.array([*middle, turn, EDGES[kind].usual, *(np.log(width) + lengths)]), known)
            for turn, lengths, known in _starts(kind, sides)
        ]
    if len(tries) > FEW:
        short = [(solved(start, known, 8), known) for start, known in tries]
        short.sort(key=lambda item: float(item[0].cost))
        tries = [(found.x, known) for found, known in short[:FEW]]
    best, expected = None, None
    for start, known in tries:
        found = solved(start, known, 60)
        possible = np.isfinite(found.x).all() and np.abs(found.x[4:] - np.log(width)).max() <= 4
        if possible and (best is None or found.cost < best.cost):
            best, expected = found, known
    if best is None:
        return None
    values = best.x.copy()
    if kind in FLAT:  # the same solid with its x axis within 45 degrees of the world's
        quarter = int(np.round(values[2] / (np.pi / 2)))
        values[2] -= quarter * np.pi / 2
        if quarter % 2:
            values[4], values[5] = values[5], values[4]
            expected = None if expected is None else expected[[1, 0, 2]]
    else:
        values[2] = 0.0
    solid, table_from_object, points, bevel = placed(kind, values, base, roundest)
    drawn = meshes.hull_silhouette(points, camera.K, camera.camera_from_table, mask.shape)
    return Fit(
        solid,
        table_from_object,
        iou(drawn, mask),
        float(best.cost) / SIGMA**2,
        bevel,
        values,
        expected,
        roundest,
    )


def _starts(kind: Form, sides: Sides | None) -> list[tuple[float, Array, Array | None]]:
    """Where a fit starts: yaw, logarithms of the lengths over the silhouette's width, and those that are
    known of them.
    """
    if kind in FLAT and sides is not None:
        known = [np.log(box / box.max()) for box in sides.boxes()]
        even = np.ptp(known[0][:2]) < np.log(ROUND)
        turns = 0.4 * np.arange(4 if even else 8)
        return [(float(turn), lengths, lengths) for turn, lengths in product(turns, known)]
    if kind == "frustum" and sides is not None and sides.any_up:
        ratios = np.log([height / diameter for diameter, height in sides.rounds()])
        known = [np.array([0.0, 0.0, ratio]) for ratio in ratios]
        return [
            (0.0, start + lengths, lengths) for start in (np.zeros(3), [-0.3, 0.0, 0.0]) for lengths in known
        ]
    turns = 0.4 * np.arange(4 if kind in FLAT else 1)
    return [(float(turn), np.array(lengths), None) for turn, lengths in product(turns, STARTS[kind])]


def _prior(kind: Form, lengths: Array, sides: Sides | None, known: Array | None) -> Array:
    """Residuals, in standard deviations, of the logarithms of a solid's lengths."""
    if kind in FLAT:
        expected = np.zeros(3) if known is None else known
        off = lengths - expected
        weight = 0.5 if sides is None else 1.0
        spread = EQUAL_SIGMA if sides is None else sides.sigma
        return np.array([off[0] - off[1], weight * (off[0] - off[2]), weight * (off[1] - off[2])]) / spread
    if kind == "frustum":
        taper = (lengths[0] - lengths[1]) / TAPER_SIGMA
        if known is None or sides is None:
            return np.array([taper, (lengths[2] - lengths[1]) / FLAT_SIGMA])
        return np.array([taper, (lengths[2] - lengths[:2].max() - known[2]) / sides.sigma])
    return np.zeros(1)


def thin_of(kind: Form, sides: Sides | None) -> float:
    """Share of the diameter below which parts of a mask are left out when this kind is fitted to it."""
    return 0.0 if sides is not None and sides.slender else THIN[kind]


def fits_of(
    whole: Mask,
    others: Mask,
    camera: Camera,
    base: float,
    label: str,
    given: Sequence[float] | None = None,
) -> list[Fit]:
    """Every kind of solid, fitted to the mask; `given` are the object's three sides in any order and unit."""
    fits = []
    sides = Sides.of(label, given)
    for kind in WORDS:
        if sides is not None and not sides.allows(kind, suggested(label)):
            continue
        mask = opened(whole, thin_of(kind, sides))
        seen = outline(mask, others)
        fit = fit_solid(kind, seen, mask, camera, base, sides) if seen is not None else None
        if fit is not None:
            fits.append(fit)
    return fits


def choose(
    fits: Sequence[Fit], label: str, hollow: bool = False, given: Sequence[float] | None = None
) -> Fit | None:
    """The fit that explains the silhouette best, the suggested kind preferred; None if none does.

    What must be `hollow` gets the best box or frustum however it fits: without a cavity nothing goes in.
    """
    named = suggested(label)

    def merit(fit: Fit) -> float:
        free = FREEDOM if fit.solid.kind == "round" and "round" not in named else 0.0
        return fit.iou + (NAME_BONUS if fit.solid.kind in named else 0.0) - free

    if hollow:
        return max((fit for fit in fits if fit.solid.kind in ("box", "frustum")), key=merit, default=None)
    least = NAMED_IOU if Sides.of(label, given) is None else KNOWN_IOU
    good = [fit for fit in fits if fit.iou >= (least if given or fit.solid.kind in named else MIN_IOU)]
    return max(good, key=merit) if good else None


def usual_opening(label: str, solid: Solid | Round) -> Opening:
    """Whether what is called so is hollow, and which way it opens, by its taper."""
    if solid.kind in ("sphere", "round") or not any(word in HOLLOW for word in words(label)):
        return "none"
    # Cups are wider at the rim; one that is much wider below stands on it.
    return "down" if solid.kind == "frustum" and solid.size[0] > 1.12 * solid.size[1] else "up"


def words(label: str) -> list[str]:
    """A name's words, plurals as singulars."""
    return [singular(word) for word in re.findall(r"[a-z]+", label.lower())]


def suggested(label: str) -> frozenset[Form]:
    """The kinds of solid that an object's name suggests."""
    kind = named_kind(label)
    if kind is None:
        return frozenset()
    return frozenset([kind, "round"]) if DOMED & set(words(label)) else frozenset([kind])


def named_kind(label: str) -> Form | None:
    """The kind of solid that an object's name suggests, by its last telling word ("ball box" is a box)."""
    for word in reversed(words(label)):
        for kind, known in WORDS.items():
            if word in known:
                return kind
        if word in PROPORTIONS:
            return "box"
    return None
