"""Metric size: one factor per clip that turns the camera's unit of depth into metres, and each object's own
size.

The paper's rule is rho = D_image / D_mesh (section 3.1): the largest distance between two masked points of a
metric depth image over that between two vertices of the mesh. With a depth network `rho` gives the size.
Without one, depth is known up to a factor: given sizes fix it; where there are none, everything that tells
something about it (a hand, usual sizes, the usual distance) counts by its certainty.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import trimesh
from numpy.typing import ArrayLike, NDArray

from video2policy.camera import FOCAL_UNCERTAINTY
from video2policy.mesh import diameter
from video2policy.perceive.hand import weighted_median
from video2policy.perceive.nouns import names_in, noun_phrase

Array = NDArray[np.float64]

FIT = 0.05
"""Relative uncertainty of an object's size in units of another's, when both stand on the table."""

MISFIT, WORST_FIT = 1.4, 0.17
"""Its growth with the share of the silhouette that the mesh misses, and the most that it becomes.

Over the suite's seeds 0 to 2 the sizes of what had an overlap of .87 to .90 (a mouse or a toy car as a box)
were off by .17, those at .97 by .03; over seeds 40 and 41 those of seven things at .76 to .88 by .11.
"""

DISTANCE_UNCERTAINTY = 0.4
"""Relative uncertainty of the prior distance from camera to first object (perceive/depth.py)."""

GRASPABLE = (0.11, 0.45)
"""Longest dimension (m) and relative uncertainty of things that one hand moves in such clips."""

CLASSES: dict[str, tuple[float, float]] = {
    # name: (longest dimension in metres, relative uncertainty)
    "golf ball": (0.043, 0.03),  # R&A rule: at least 42.67 mm
    "tennis ball": (0.067, 0.03),  # ITF rule: 65.4-68.6 mm
    "dice": (0.016, 0.2),
    "coin": (0.024, 0.12),  # 1 euro 23.3 mm, US quarter 24.3 mm
    "card": (0.0856, 0.05),  # ISO/IEC 7810 ID-1
    "battery": (0.05, 0.15),  # IEC 60086: AA 50.5 mm
    "can": (0.115, 0.15),  # 330 ml beverage can: 115 mm; food cans 110 mm
    "tin": (0.1, 0.25),
    "bottle": (0.22, 0.25),  # 0.5 l PET 205-235 mm; 0.25-1 l spread
    "mug": (0.11, 0.15),  # 0.3 l mugs: 95-105 mm high, 80-85 mm wide, 105-120 mm with the handle
    "cup": (0.11, 0.25),  # tea cup 70-90 mm, party cup 120 mm
    "glass": (0.13, 0.2),
    "bowl": (0.15, 0.2),
    "plate": (0.25, 0.15),
    "spoon": (0.17, 0.2),
    "fork": (0.19, 0.12),
    "knife": (0.21, 0.15),
    "pen": (0.145, 0.06),
    "pencil": (0.175, 0.15),
    "marker": (0.14, 0.1),
    "phone": (0.15, 0.08),
    "remote": (0.18, 0.2),
    "mouse": (0.11, 0.12),
    "book": (0.21, 0.2),  # A5 to trade paperback
    "box": (0.15, 0.45),
    "cube": (0.06, 0.35),  # Rubik's cube 57 mm; toys 40-100 mm
    "block": (0.045, 0.35),  # alphabet blocks 32-45 mm, wooden bricks up to 90 mm
    "brick": (0.1, 0.6),
    "ball": (0.065, 0.35),
    "apple": (0.075, 0.12),
    "orange": (0.075, 0.12),
    "lemon": (0.075, 0.12),
    "banana": (0.19, 0.12),
    "candle": (0.1, 0.4),
    "jar": (0.12, 0.25),
    "key": (0.055, 0.15),
    "scissors": (0.18, 0.2),
    "stapler": (0.13, 0.2),
    "tape": (0.1, 0.3),
    "wallet": (0.11, 0.1),
    "toothbrush": (0.19, 0.08),
    "egg": (0.057, 0.07),  # EU size M: 53-63 g, 55-60 mm
    "garlic": (0.055, 0.2),
    "onion": (0.08, 0.2),
    "potato": (0.09, 0.25),
    "tomato": (0.07, 0.2),
    "lime": (0.06, 0.12),
    "pear": (0.1, 0.15),
    "peach": (0.07, 0.12),
    "kiwi": (0.065, 0.12),
    "mango": (0.11, 0.2),
    "avocado": (0.11, 0.2),
    "carrot": (0.18, 0.25),
    "cucumber": (0.28, 0.25),
    "soap": (0.085, 0.15),  # bars of 90-125 g: 75-95 mm
    "sponge": (0.11, 0.2),
    "eraser": (0.052, 0.25),
    "sharpener": (0.03, 0.3),
    "matchbox": (0.055, 0.15),  # 53-57 mm; kitchen boxes more
    "lighter": (0.08, 0.08),
    "coaster": (0.1, 0.1),
    "saucer": (0.15, 0.1),
    "tray": (0.35, 0.3),
    "pan": (0.4, 0.25),
    "pot": (0.2, 0.35),  # cooking pots with handles 250 mm, flower pots 120 mm
    "teapot": (0.2, 0.2),
    "kettle": (0.23, 0.15),
    "jug": (0.2, 0.25),
    "pitcher": (0.23, 0.2),
    "vase": (0.2, 0.35),
    "flask": (0.25, 0.2),
    "thermos": (0.26, 0.15),
    "tumbler": (0.13, 0.25),
    "container": (0.14, 0.35),
    "canister": (0.15, 0.3),
    "bucket": (0.28, 0.3),
    "chopstick": (0.23, 0.08),
    "spatula": (0.3, 0.2),
    "toothpaste": (0.17, 0.2),
    "deodorant": (0.15, 0.15),
    "perfume": (0.1, 0.25),
    "shampoo": (0.19, 0.2),
    "lipstick": (0.075, 0.12),
    "comb": (0.17, 0.2),
    "hairbrush": (0.22, 0.15),
    "watch": (0.22, 0.25),
    "sunglass": (0.145, 0.06),
    "charger": (0.08, 0.3),
    "calculator": (0.15, 0.15),
    "controller": (0.155, 0.1),
    "keyboard": (0.43, 0.2),
    "laptop": (0.34, 0.1),
    "tablet": (0.24, 0.12),
    "camera": (0.12, 0.25),
    "notebook": (0.21, 0.2),
    "magazine": (0.28, 0.08),
    "envelope": (0.22, 0.2),
    "paper": (0.29, 0.15),
    "dvd": (0.19, 0.1),
    "highlighter": (0.13, 0.1),
    "crayon": (0.09, 0.15),
    "screwdriver": (0.2, 0.25),
    "hammer": (0.3, 0.15),
    "plier": (0.17, 0.15),
    "torch": (0.14, 0.35),
    "flashlight": (0.14, 0.35),
    "bulb": (0.11, 0.15),
    "shoe": (0.28, 0.1),
    "doll": (0.28, 0.3),
    "lego": (0.05, 0.5),
    "toy": (0.1, 0.45),
}
"""Longest dimensions by name, singular: rules and standards where named, else usual retail sizes."""


WIDTHS: dict[str, tuple[float, float]] = {
    # name: (diameter in metres, relative uncertainty)
    "can": (0.067, 0.12),  # 330 ml beverage can 66 mm, slim 58 mm; 400 g food can 73 mm
    "tin": (0.073, 0.2),
    "bottle": (0.067, 0.15),  # 0.5 l PET 65 mm, 1 l 80 mm, small bottles 55 mm
    "mug": (0.082, 0.1),  # 0.3 l mugs 80-85 mm
    "cup": (0.08, 0.15),
    "glass": (0.072, 0.15),
    "jar": (0.075, 0.2),
}
"""Diameters of round things, handles left out: hands get around them, so they vary less than heights."""

SURPRISING = 3.0
"""Standard deviations from the usual size of a class beyond which a size is doubted."""

ABSURD = (6.0, 3.0)
"""Standard deviations and factor beyond which both it is refused."""

UNSURE = 0.22
"""Relative uncertainty from which a size is refused: such sizes are more than a quarter off in every second
case (`python -m bench.fit_size_gate`)."""

UNLIKE = 2.0
"""Factor between a given side and the one that is seen beyond which the sheet means something else."""

FLAT = 0.2
"""Sides below this part of the longest count as equally thin: one view hardly tells how thin a card is."""

HANDLED = (0.008, 0.6)
"""Longest dimensions (m) of what a person handles on a table; nothing else is believed."""


@dataclass(frozen=True)
class Measured:
    """An object before its size is known.

    `extents` (x, y, z) and `dimensions` (its own, sorted, handles included) in mesh units, the mesh's
    `extent` in units of depth, and how well it fits the silhouette (`fit`, 0 to 1).
    """

    label: str
    extents: Array
    dimensions: Array
    extent: float
    fit: float


@dataclass(frozen=True)
class Evidence:
    """What tells the depth scale: `source` in words, metres per unit of depth, relative uncertainty of what
    the source says, and on which object it was measured, if on one: an error of that mesh is in it, too."""

    source: str
    depth_scale: float
    uncertainty: float
    measured_on: str = ""


class Weighed(NamedTuple):
    """The depth scale, the weights (n,) of the evidence, and by how much it contradicts itself (1: not)."""

    evidence: Sequence[Evidence]
    depth_scale: float
    weights: Array
    contradiction: float

    def uncertainty(self, name: str, misfit: Mapping[str, float]) -> float:
        """Relative, of the size of an object; `misfit`: relative errors of the meshes' lengths.

        A size is a mesh's length times the scale. So far as the scale was told by the object's own length, as
        by its usual size, the mesh's error is in both and goes out.
        """
        said = self.contradiction * float(
            np.hypot.reduce(self.weights * [item.uncertainty for item in self.evidence])
        )
        share = dict.fromkeys(misfit, 0.0)
        for item, weight in zip(self.evidence, self.weights, strict=True):
            if item.measured_on:
                share[item.measured_on] += float(weight)
        return math.hypot(said, *(((other == name) - share[other]) * off for other, off in misfit.items()))


@dataclass(frozen=True)
class Lens:
    """How well the camera is known: relative uncertainty of the focal length, degrees of the pitch."""

    focal: float = FOCAL_UNCERTAINTY
    pitch: float = 2.0


@dataclass(frozen=True)
class Size:
    """`scale`: metres per mesh unit; `size` (x, y, z): metres; `depth_scale`: metres per unit of depth.

    `uncertainty` is relative; `method` one of given, other object, depth, hand, class, prior; `evidence` says
    what was weighed: `source`, the `depth_scale` and `uncertainty` of each, its `weight`. `doubt` is a
    sentence when the size is unlike what the object is called.
    """

    scale: float
    size: list[float]
    depth_scale: float
    method: str
    uncertainty: float
    source: str
    evidence: list[dict[str, Any]]
    doubt: str | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def rho(depth: ArrayLike, mask: ArrayLike, K: ArrayLike, mesh: trimesh.Trimesh) -> float:
    """Metres per mesh unit: D_image / D_mesh (paper, section 3.1).

    Depth (height, width) in metres along the optical axis; depths that differ from the mask's median by over
    half are left out, for one stray pixel would decide the largest distance. Raises ValueError when nothing
    is left.
    """
    rows, columns = np.nonzero(np.asarray(mask, dtype=bool))
    z = np.asarray(depth, dtype=float)[rows, columns]
    middle = np.median(z[z > 0]) if (z > 0).any() else 0.0
    kept = (z > 0) & (np.abs(z - middle) < 0.5 * middle)
    if kept.sum() < 3:
        raise ValueError("the depth image says nothing inside the mask")
    pixels = np.column_stack([columns + 0.5, rows + 0.5, np.ones(len(rows))])[kept]
    points = pixels @ np.linalg.inv(np.asarray(K, dtype=float)).T * z[kept, None]
    return diameter(points) / diameter(mesh.vertices)


def class_size(label: str) -> tuple[str, float, float] | None:
    """(class, longest dimension, relative uncertainty) for an object's name; its last known word counts."""
    for name, _ in names_in(noun_phrase(label)):
        if name in CLASSES:
            return name, *CLASSES[name]
    return None


def given_scale(given: float | Sequence[float], dimensions: ArrayLike) -> float:
    """Metres per mesh unit from a longest dimension, or from three dimensions in any order.

    Of three, the median ratio holds: one view may leave one dimension open. Raises ValueError for sizes that
    are not positive.
    """
    mesh = np.sort(np.asarray(dimensions, dtype=float))
    wanted = np.sort(np.atleast_1d(np.asarray(given, dtype=float)))
    if not (wanted > 0).all():
        raise ValueError(f"a size of {given} m is impossible")
    if len(wanted) == 1:
        return float(wanted[0] / mesh[-1])
    return float(np.median(wanted / mesh))


def disagreement(given: float | Sequence[float], dimensions: ArrayLike) -> float:
    """Largest factor between three given sides and an object's `dimensions`, both in metres and in any order;
    1 where only the longest is given."""
    wanted, seen = (np.sort(np.atleast_1d(np.asarray(sides, float))) for sides in (given, dimensions))
    if len(wanted) == 1:
        return 1.0
    wanted, seen = (np.maximum(sides, FLAT * sides[-1]) for sides in (wanted, seen))
    return float(np.maximum(wanted / seen, seen / wanted).max())


def class_width(label: str, dimensions: ArrayLike) -> tuple[float, float, float] | None:
    """(diameter, its relative uncertainty, the diameter in mesh units) of a round thing; None if unknown.

    Of three dimensions of a round thing two are its diameter, unless a handle widens one of them: then it is
    the shortest.
    """
    found = class_size(label)
    if found is None or found[0] not in WIDTHS:
        return None
    short, middle, _ = np.sort(np.asarray(dimensions, dtype=float))
    handle = found[0] in ("mug", "cup")
    return *WIDTHS[found[0]], float(short if handle else middle)


def usual_sizes(name: str, item: Measured) -> list[Evidence]:
    """What an object's name, or that a hand moves it, tells about the depth scale."""

    def if_so_long(source: str, metres: float, sigma: float, length: float) -> Evidence:
        return Evidence(f"{item.label} as {source}", metres / (item.extent * length), sigma, name)

    longest = float(item.dimensions[-1])
    found = class_size(item.label)
    if found is None:
        return [if_so_long("something that one hand moves", *GRASPABLE, longest)]
    result = [if_so_long(f"a {found[0]}", *found[1:], longest)]
    width = class_width(item.label, item.dimensions)
    if width:
        result.append(if_so_long(f"wide as a {found[0]}", *width))
    return result


def weigh(evidence: Sequence[Evidence], outliers: bool = False) -> Weighed:
    """Depth scale by inverse variance of the logarithms.

    Where the evidence contradicts itself the uncertainty grows with it (by the Birge ratio). With `outliers`,
    what lies beyond `SURPRISING` standard deviations from the median of three or more has no weight: a given
    size may go with a badly seen object, while usual sizes have long tails of their own.
    """
    logs = np.log([item.depth_scale for item in evidence])
    sigmas = np.array([math.hypot(item.uncertainty, FIT if item.measured_on else 0) for item in evidence])
    certainty = sigmas**-2
    far = np.abs(logs - weighted_median(logs, certainty)) > SURPRISING * sigmas
    weights = np.where(far & (outliers and len(evidence) > 2), 0.0, certainty)
    mean = float(weights @ logs / weights.sum())
    against = 1.0
    if len(evidence) > 1:
        against = max(1.0, float(np.sqrt(certainty @ (logs - mean) ** 2 / (len(evidence) - 1))))
    return Weighed(evidence, float(np.exp(mean)), weights / weights.sum(), against)


def find_sizes(
    objects: Mapping[str, Measured],
    given: Mapping[str, float | Sequence[float]],
    measured: Mapping[str, float] | None = None,
    hand: tuple[float, float] | None = None,
    lens: Lens | None = None,
) -> dict[str, Size]:
    """Sizes of all objects of a clip from one depth scale.

    `given` is the sheet's sizes: the longest dimension or all three, metres; `measured` the objects' `rho`
    under a metric depth image, where there is one; `hand` the depth scale that a hand tells and its relative
    uncertainty.

    The object's own given size holds; else another's, carried over by the shared camera and table; else the
    depth image; else hand, usual sizes and usual distance, each by its certainty.
    """
    lens = lens or Lens()
    # Lengths along the line of sight are foreshortened by the pitch: an error in it spoils proportions.
    fit = float(np.hypot(FIT, 0.5 * np.radians(lens.pitch)))
    misfit = {
        name: math.hypot(fit, min(WORST_FIT, MISFIT * (1 - item.fit))) for name, item in objects.items()
    }
    scales = {
        name: given_scale(given[name], item.dimensions) for name, item in objects.items() if name in given
    }
    if scales:
        evidence = [
            Evidence(f"the given size of {objects[name].label}", scale / objects[name].extent, misfit[name])
            for name, scale in scales.items()
        ]
        method, source = "other object", f"the given size of {', '.join(objects[n].label for n in scales)}"
    elif measured:
        evidence = [
            Evidence(f"depth image at {item.label}", measured[name] / item.extent, FIT)
            for name, item in objects.items()
        ]
        method, source = "depth", "the depth image (rho = D_image / D_mesh)"
    else:
        # A distance is a length over an angle, so the lens spoils it; ratios of lengths in one picture not.
        evidence = [Evidence("usual distance", 1.0, float(np.hypot(DISTANCE_UNCERTAINTY, lens.focal)))]
        named = [item for item in objects.values() if class_size(item.label)]
        for name, item in objects.items():
            evidence += usual_sizes(name, item)
        method = "class" if named else "prior"
        source = "usual distance and size of things"
        if named:
            kinds = [f"{item.label} as a {(class_size(item.label) or ('',))[0]}" for item in named]
            source = f"usual sizes: {', '.join(kinds)}"
        if hand:
            by_hand = Evidence("the hand", *hand)
            source = f"the hand and {source}"
            if by_hand.uncertainty < min(item.uncertainty for item in evidence):
                method = "hand"
            evidence.append(by_hand)
    weighed = weigh(evidence, outliers=bool(scales or measured))
    record = [
        {
            "source": item.source,
            "depth_scale": round(item.depth_scale, 5),
            "uncertainty": round(item.uncertainty, 4),
            "weight": round(float(weight), 4),
        }
        for item, weight in zip(evidence, weighed.weights, strict=True)
    ]
    sizes = {}
    for name, item in objects.items():
        own = name in scales
        scale = scales[name] if own else item.extent * weighed.depth_scale
        uncertainty = 0.02 if own else weighed.uncertainty(name, misfit)
        sizes[name] = Size(
            scale=scale,
            size=(item.extents * scale).tolist(),
            depth_scale=weighed.depth_scale,
            method="given" if own else method,
            uncertainty=round(uncertainty, 4),
            source="the sample sheet" if own else source,
            evidence=record,
            doubt=doubt(item.label, float(item.dimensions[-1]) * scale, uncertainty),
        )
    return sizes


def surprise(label: str, longest: float, uncertainty: float) -> float:
    """By how many standard deviations a longest dimension differs from its class's; 0 for unknown classes."""
    found = class_size(label)
    if found is None:
        return 0.0
    return float(abs(np.log(longest / found[1])) / np.hypot(found[2], uncertainty))


def doubt(label: str, longest: float, uncertainty: float) -> str | None:
    """One sentence on a size that its object's name contradicts; None for a plausible one."""
    found = class_size(label)
    if found is None or surprise(label, longest, uncertainty) <= SURPRISING:
        return None
    return (
        f"a {label} of {100 * longest:.3g} cm is unusual for a {found[0]} (about {100 * found[1]:.3g} cm); "
        "check the sizes in the sheet (metres) and which object was found"
    )


def complaint(label: str, longest: float, uncertainty: float, most_uncertain: float = UNSURE) -> str | None:
    """Why a size cannot be, in one sentence; None when it can."""
    found = class_size(label)
    sigmas, factor = ABSURD
    if found is not None and surprise(label, longest, uncertainty) > sigmas:
        ratio = longest / found[1]
        if max(ratio, 1 / ratio) > factor:
            return (
                f"a {label} of {100 * longest:.3g} cm cannot be: a {found[0]} is about {100 * found[1]:.3g} "
                "cm long; give its size in metres, or another name if it is none"
            )
    if not HANDLED[0] <= longest <= HANDLED[1]:
        return (
            f"{label} would be {100 * longest:.3g} cm long, and hands move things of "
            f"{100 * HANDLED[0]:.2g} to {100 * HANDLED[1]:.2g} cm on a table; give its size or a better box"
        )
    if uncertainty > most_uncertain:
        return (
            f"{label} may be {100 * longest:.3g} cm long or {uncertainty:.0%} more or less, for things of "
            "its name vary; give its longest side in metres in the sheet"
        )
    return None
