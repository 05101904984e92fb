"""Metric size: one factor per clip that turns the camera's unit of depth into metres, and each object's own
size.

The paper's rule is rho = D_image / D_mesh (section 3.1): the largest distance between two masked points of a
metric depth image over that between two vertices of the mesh. With a depth network `rho` gives the size.
Without one, depth is known up to a factor, which given sizes, known classes of objects and a prior fix, in
that order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import trimesh
from numpy.typing import ArrayLike, NDArray

from video2policy.mesh import diameter
from video2policy.perceive.solid import words

Array = NDArray[np.float64]

FIT = 0.05
"""Relative uncertainty of an object's size in units of another's, when both stand on the table."""

DISTANCE_UNCERTAINTY = 0.4
"""Relative uncertainty of the prior distance from camera to first object (perceive/depth.py)."""

GRASPABLE = (0.11, 0.45)
"""Longest dimension (m) and relative uncertainty of things that one hand moves in such clips."""

CLASSES: dict[str, tuple[float, float]] = {
    # name: (longest dimension in metres, relative uncertainty)
    "golf": (0.043, 0.03),  # R&A rule: at least 42.67 mm
    "tennis": (0.067, 0.03),  # ITF rule: 65.4-68.6 mm
    "dice": (0.016, 0.2),
    "coin": (0.024, 0.12),  # 1 euro 23.3 mm, US quarter 24.3 mm
    "card": (0.0856, 0.05),  # ISO/IEC 7810 ID-1
    "battery": (0.05, 0.15),  # IEC 60086: AA 50.5 mm
    "can": (0.115, 0.15),  # 330 ml beverage can: 115 mm; food cans 110 mm
    "tin": (0.1, 0.25),
    "bottle": (0.22, 0.25),  # 0.5 l PET 205-235 mm; 0.25-1 l spread
    "mug": (0.1, 0.15),  # 0.3 l mugs: 95-105 mm high, 80-85 mm wide
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
}
"""Longest dimensions by name: rules and standards where named, else usual retail sizes."""


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
class Size:
    """`scale`: metres per mesh unit; `size` (x, y, z): metres; `depth_scale`: metres per unit of depth.

    `uncertainty` is relative; `method` one of given, other object, class, prior, depth.
    """

    scale: float
    size: list[float]
    depth_scale: float
    method: str
    uncertainty: float
    source: str

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
    """(class, longest dimension, relative uncertainty) for an object's name; the surest word wins."""
    known = [
        (CLASSES[name][1], name)
        for word in words(label)
        for name in (word, word.removesuffix("s"))
        if name in CLASSES
    ]
    if not known:
        return None
    name = min(known)[1]
    return name, *CLASSES[name]


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


def find_sizes(
    objects: Mapping[str, Measured],
    given: Mapping[str, float | Sequence[float]],
    measured: Mapping[str, float] | None = None,
) -> dict[str, Size]:
    """Sizes of all objects of a clip from one depth scale.

    `measured` are the objects' `rho` under a metric depth image, where there is one.

    `given` is the sheet's sizes: the longest dimension or all three, metres. The object's own given size
    holds; else another's, carried over by the shared camera and table; else known classes and the prior
    distance.
    """
    scales = {
        name: given_scale(given[name], item.dimensions) for name, item in objects.items() if name in given
    }
    if scales:
        logs = [np.log(scale / objects[name].extent) for name, scale in scales.items()]
        depth_scale, spread = float(np.exp(np.mean(logs))), FIT
        method, source = "other object", f"the given size of {', '.join(objects[n].label for n in scales)}"
    elif measured:
        logs = [np.log(measured[name] / item.extent) for name, item in objects.items()]
        depth_scale, spread = float(np.exp(np.mean(logs))), float(np.std(logs))
        method, source = "depth", "the depth image (rho = D_image / D_mesh)"
    else:
        terms = [(0.0, DISTANCE_UNCERTAINTY)]
        kinds = []
        for item in objects.values():
            found = class_size(item.label)
            name, longest, sigma = found or ("", *GRASPABLE)
            terms.append((float(np.log(longest / (item.extent * item.dimensions[-1]))), sigma + FIT))
            if found:
                kinds.append(f"{item.label} as a {name}")
        weights = np.array([1 / sigma**2 for _, sigma in terms])
        depth_scale = float(np.exp(np.dot(weights, [value for value, _ in terms]) / weights.sum()))
        spread = float(weights.sum() ** -0.5)
        method = "class" if kinds else "prior"
        source = f"usual sizes: {', '.join(kinds)}" if kinds else "usual distance and size of things"
    sizes = {}
    for name, item in objects.items():
        own = name in scales
        scale = scales[name] if own else item.extent * depth_scale
        sizes[name] = Size(
            scale=scale,
            size=(item.extents * scale).tolist(),
            depth_scale=depth_scale,
            method="given" if own else method,
            uncertainty=round(0.02 if own else float(np.hypot(spread, FIT + 0.3 * (1 - item.fit))), 4),
            source="the sample sheet" if own else source,
        )
    return sizes
