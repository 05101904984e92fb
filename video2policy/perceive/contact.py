"""When an object stands still, and whether it then stands on the table.

From masks and frames alone, before any mesh: a camera that sees an object of fixed size from above the table
knows how far it is above the object's lowest point, in units of the object: `drop = tan(angle below the
horizon) * depth`, with depth inverse to apparent size. On the table that is largest; an object lifted towards
the camera, or held in the air, has less. This is scale-free and needs no mesh.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from video2policy.mask import bounding_box, largest_component, touched_component

Array = NDArray[np.float64]
Masks = NDArray[np.bool_]
Image = NDArray[np.uint8]


class Images(Protocol):
    """Frames by number, RGB uint8 (height, width, 3): a list, or a folder that is read as needed."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Image: ...


MIN_AREA = 60
"""Pixels; smaller masks say nothing about size or place."""

ON_TABLE = (0.88, 1.2)
"""An object stands on the table where its drop is this share of its largest.

Beyond, something hides its foot.
"""

NEAR = (0.94, 1.08)
"""Moving, it must agree better: nothing says then that its foot is in sight."""

WHOLE = 0.7
"""Runs that look smaller than this share of the largest may be half hidden: they do not set the largest drop.
"""

BESIDE = 4
"""Pixels from an object's foot within which another object may be what it stands in."""

PART, SUNK = 0.85, 0.3
"""What looks smaller than this share of what it was, and ends so far over the foot of another object at that,
as a share of the other's height, is not seen to stand on the table."""

FLOW: Any = {"winSize": (15, 15), "maxLevel": 3}

MAX_GROWTH = 0.06
"""From one frame to the next; more is a change of the mask."""

STILL_PIXELS = 1.5
STILL_SHARE = 0.02
MIN_RUN = 3
"""Standing still: at least `MIN_RUN` frames within the larger of these pixels and this share of its width."""


@dataclass(frozen=True)
class Run:
    """Frames `start` to `stop` (exclusive) in which the object stands still.

    `frame` shows most of it, `bottom` (x, y) is its lowest point there, `apparent` the root of its area
    (pixels), `drop` the camera's height over its lowest point in units of its apparent size.
    """

    start: int
    stop: int
    frame: int
    bottom: tuple[float, float]
    apparent: float
    drop: float
    on_table: bool


@dataclass(frozen=True)
class Contact:
    """Of one object: its runs, and per frame its apparent size (pixels, NaN where unseen) and drop.

    `growth` is the logarithm of how much taller it looks than in the frame before, NaN where that is unknown;
    unlike the apparent size it does not change with what a hand in front hides.
    """

    runs: list[Run]
    apparent: list[float]
    drop: list[float]
    growth: list[float] = field(default_factory=list)

    @property
    def table_runs(self) -> list[Run]:
        return [run for run in self.runs if run.on_table]

    def on_table(self) -> NDArray[np.bool_]:
        """Per frame: standing still on the table."""
        result = np.zeros(len(self.apparent), bool)
        for run in self.table_runs:
            result[run.start : run.stop] = True
        return result

    def raised(self) -> NDArray[np.bool_]:
        """Per frame: standing still, but not on the table."""
        result = np.zeros(len(self.apparent), bool)
        for run in self.runs:
            result[run.start : run.stop] = not run.on_table
        return result

    def near_table(self) -> NDArray[np.bool_]:
        """Per frame: about as high as on the table, moving or not."""
        with np.errstate(invalid="ignore"):
            share = np.array(self.drop) / self.ground_drop()
            return self.on_table() | ((share > NEAR[0]) & (share < NEAR[1]))

    def ground_drop(self) -> float:
        """The drop of the object on the table; the largest seen when it never stands still there."""
        runs = self.table_runs
        if runs:
            lengths = np.array([run.stop - run.start for run in runs], dtype=float)
            return float(np.average([run.drop for run in runs], weights=lengths))
        return float(np.nanpercentile(self.drop, 90))

    def to_json(self) -> dict[str, Any]:
        return {
            "runs": [asdict(run) for run in self.runs],
            "apparent": [None if np.isnan(v) else round(v, 3) for v in self.apparent],
            "drop": [None if np.isnan(v) else round(v, 5) for v in self.drop],
            "growth": [None if np.isnan(v) else round(v, 5) for v in self.growth],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Contact:
        def numbers(values: Sequence[float | None]) -> list[float]:
            return [float("nan") if v is None else float(v) for v in values]

        runs = [Run(**{**run, "bottom": tuple(run["bottom"])}) for run in data["runs"]]
        return cls(runs, numbers(data["apparent"]), numbers(data["drop"]), numbers(data.get("growth", [])))


def bottom_of(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Lowest point (x, y) of a mask: the middle of its lowest rows, stray pixels left out."""
    rows, columns = np.nonzero(mask)
    low = np.percentile(rows, 99.7)
    near = rows >= low - max(1.0, 0.02 * np.ptp(rows))
    return float(np.median(columns[near])) + 0.5, float(low) + 1.0


def touches_border(mask: NDArray[np.bool_], margin: int = 2) -> bool:
    """Whether the mask comes within `margin` pixels of the frame's border."""
    return bool(
        mask[:margin].any() or mask[-margin:].any() or mask[:, :margin].any() or mask[:, -margin:].any()
    )


def to_grey(image: Image) -> Image:
    """(height, width) uint8 of an RGB image."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


@dataclass(frozen=True)
class Motion:
    """From frame to frame: `steps` (n, 2) in pixels, `growth` (n,) as a logarithm; NaN where unknown."""

    steps: Array
    growth: Array


def motion(frames: Images, masks: Masks) -> Motion:
    """How the object moved and grew in the image since the frame before.

    By features inside both masks; where there are too few, by the masks' boxes.
    """
    steps, growth = np.full((len(masks), 2), np.nan), np.full(len(masks), np.nan)
    before: Image | None = None
    for t in range(len(masks)):
        grey = to_grey(frames[t])
        if before is not None and min(masks[t].sum(), masks[t - 1].sum()) >= MIN_AREA:
            steps[t], growth[t] = _motion(before, grey, masks[t - 1], masks[t])
        before = grey
    return Motion(steps, growth)


def _motion(
    before: Image, after: Image, old: NDArray[np.bool_], new: NDArray[np.bool_]
) -> tuple[Array, float]:
    inner = cv2.erode(old.astype(np.uint8), np.ones((5, 5), np.uint8))
    points = cv2.goodFeaturesToTrack(before, 80, 0.01, 4, mask=inner)
    if points is not None and len(points) >= 6:
        guess = points.copy()  # the bindings want an array, which they use as the start only if asked to
        moved, status, _ = cv2.calcOpticalFlowPyrLK(before, after, points, guess, **FLOW)
        back, again, _ = cv2.calcOpticalFlowPyrLK(after, before, moved, moved.copy(), **FLOW)
        kept = (status[:, 0] > 0) & (again[:, 0] > 0) & (np.abs(back - points).max(axis=(1, 2)) < 0.7)
        end = np.rint(moved[:, 0]).astype(int)
        inside = (end >= 0).all(axis=1) & (end[:, 0] < new.shape[1]) & (end[:, 1] < new.shape[0])
        kept[inside] &= new[end[inside, 1], end[inside, 0]]
        kept &= inside
        if kept.sum() >= 6:
            step = np.asarray(np.median((moved - points)[kept, 0], axis=0), dtype=float)
            return step, expansion(points[kept, 0], moved[kept, 0], float(np.sqrt(old.sum())))
    a, b = bounding_box(largest_component(old)), bounding_box(largest_component(new))
    assert a is not None and b is not None  # both masks have MIN_AREA pixels
    edges = np.subtract(b, a, dtype=float)
    # An occluder moves one edge of the box; the edge that moved least tells more about the object.
    return np.array([min(edges[[0, 2]], key=abs), min(edges[[1, 3]], key=abs)]), float("nan")


def expansion(old: ArrayLike, new: ArrayLike, size: float) -> float:
    """Logarithm of how much farther apart points (n, 2) are than they were; NaN for too few apart.

    The median over pairs that are at least a quarter of `size` (pixels) apart, and that more up than across:
    a turn about the vertical changes what is across alone.
    """
    a, b = np.asarray(old, dtype=float), np.asarray(new, dtype=float)
    i, j = np.triu_indices(len(a), 1)
    was, now = np.linalg.norm(a[i] - a[j], axis=1), np.linalg.norm(b[i] - b[j], axis=1)
    steep = np.abs(a[i, 1] - a[j, 1]) > 1.5 * np.abs(a[i, 0] - a[j, 0])
    apart = steep & (was > 0.25 * size) & (now > 0)
    return float(np.median(np.log(now[apart] / was[apart]))) if apart.sum() >= 8 else float("nan")


def still_runs(steps: ArrayLike, seen: ArrayLike, tolerance: float) -> list[tuple[int, int]]:
    """Stretches [start, stop) of frames whose summed `steps` (n, 2) stay within `tolerance`."""
    moves, visible = np.asarray(steps, dtype=float), np.asarray(seen, dtype=bool)
    runs, start, n = [], 0, len(moves)
    while start < n:
        if not visible[start]:
            start += 1
            continue
        place = low = high = np.zeros(2)
        stop = start + 1
        while stop < n and visible[stop] and np.isfinite(moves[stop]).all():
            place = place + moves[stop]
            low, high = np.minimum(low, place), np.maximum(high, place)
            if np.linalg.norm(high - low) > tolerance:
                break
            stop += 1
        if stop - start >= MIN_RUN:
            runs.append((start, stop))
            start = stop
        else:
            start += 1
    return runs


def drop_of(bottom: ArrayLike, apparent: float, K: ArrayLike, rotation: ArrayLike) -> float:
    """The camera's height over `bottom` (x, y) in units of a size that looks `apparent` pixels long there."""
    ray = np.linalg.inv(np.asarray(K, dtype=float)) @ [*np.asarray(bottom, dtype=float), 1.0]
    down = -(np.asarray(rotation, dtype=float) @ ray)[2]
    return float(down * np.asarray(K, dtype=float)[0, 0] / apparent)


def beside(point: tuple[float, float], mask: NDArray[np.bool_]) -> bool:
    """Whether the mask comes within `BESIDE` pixels of a point (x, y)."""
    return bool(mask[_around(point)].any())


def over(point: tuple[float, float], mask: NDArray[np.bool_]) -> bool:
    """Whether a point (x, y) is beside the mask and clearly above its foot: what is seen to end there is in,
    on or behind it."""
    near = np.zeros_like(mask)
    near[_around(point)] = True
    rows = np.nonzero(touched_component(mask, near))[0]
    return bool(len(rows) and rows.max() - point[1] > SUNK * np.ptp(rows))


def _around(point: tuple[float, float]) -> tuple[slice, slice]:
    """Rows and columns within `BESIDE` pixels of a point (x, y)."""
    x, y = (max(int(v) - BESIDE, 0) for v in point)
    return slice(y, y + 2 * BESIDE + 1), slice(x, x + 2 * BESIDE + 1)


def apart(masks: Mapping[str, Masks]) -> dict[str, Masks]:
    """Of every object, where the other ones are (n, H, W)."""
    result = {}
    for name, own in masks.items():
        result[name] = np.zeros_like(own)
        for other, item in masks.items():
            if other != name:
                result[name] |= item
    return result


def contact_from(
    masks: Masks, moved: Motion, K: ArrayLike, rotation: ArrayLike, others: Masks | None = None
) -> Contact:
    """Runs, apparent sizes and drops of one object, from its masks and its `motion`.

    `rotation` is world_from_camera (3x3). Where its foot is at one of the `others` (n, H, W) it may stand in
    that: such a run does not set the largest drop.
    """
    area = masks.sum(axis=(1, 2))
    seen = area >= MIN_AREA
    apparent = np.where(seen, np.sqrt(np.maximum(area, 1)), np.nan)
    bottoms = [bottom_of(mask) if ok else (np.nan, np.nan) for mask, ok in zip(masks, seen, strict=True)]
    drop = np.array(
        [
            drop_of(bottom, size, K, rotation) if np.isfinite(size) else np.nan
            for bottom, size in zip(bottoms, apparent, strict=True)
        ]
    )
    runs = []
    if seen.any():
        tolerance = max(STILL_PIXELS, STILL_SHARE * float(np.nanmedian(apparent)))
        for start, stop in still_runs(moved.steps, seen, tolerance):
            # The fullest mask shows the object least occluded; it has not moved in between.
            frame = start + int(np.argmax(area[start:stop]))
            runs.append(
                Run(start, stop, frame, bottoms[frame], float(apparent[frame]), float(drop[frame]), False)
            )
    whole = [run for run in runs if not touches_border(masks[run.frame])]
    if whole:
        usual = float(np.median(np.concatenate([[run.apparent] * (run.stop - run.start) for run in whole])))
        large = [run for run in whole if run.apparent >= WHOLE * usual]
        alone = [run for run in large if others is None or not beside(run.bottom, others[run.frame])]
        most = max(run.drop for run in alone or large)
        low, high = ON_TABLE
        full = max(run.apparent for run in alone or large)

        def stands(run: Run) -> bool:
            if run not in whole or not low <= run.drop / most <= high:
                return False
            return others is None or run.apparent >= PART * full or not over(run.bottom, others[run.frame])

        runs = [replace(run, on_table=stands(run)) for run in runs]
    growth = np.where(np.abs(moved.growth) < MAX_GROWTH, moved.growth, np.nan)
    return Contact(runs, apparent.tolist(), drop.tolist(), growth.tolist())
