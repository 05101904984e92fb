"""Hands as a ruler: how far away a hand of usual size is, and what that says about the clip's scale.

A hand model gives 21 landmarks twice: in pixels, and in metres around the hand's middle. The pose that
projects the one onto the other (PnP) tells the hand's distance, as far as its size is the usual one. Where it
is beside an object whose depth is known in the clip's own unit, the ratio is metres per unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from video2policy.perceive.verdict import Verdict

Array = NDArray[np.float64]
Masks = NDArray[np.bool_]

Side = Literal["left", "right"]

LANDMARKS = 21
WRIST, MIDDLE_KNUCKLE = 0, 9
KNUCKLES, FINGERTIPS = [5, 9, 13, 17], [8, 12, 16, 20]

PALM = 0.092
"""Metres from the wrist to the middle finger's knuckle of an adult: a third metacarpal of about 66 mm and the
carpus."""

HAND_SPREAD = 0.09
"""Relative spread of that among adults, both sexes together (hand length 184 +- 14 mm)."""

MODEL_ERROR = 0.3
"""Relative error of the model's landmarks on hands at work, common to a clip. On three real clips with a cube
of known size, what passes the checks below was 5% to 60% too far (docs/geometry.md)."""

OPEN = 1.6
"""Least ratio of the distances from wrist to fingertips and to knuckles. On a fist or a grip, landmarks of
hidden fingers are drawn together, and the hand seems farther than it is."""

MAX_ERROR = 0.07
"""Mean reprojection error, as a share of the palm in the image, beyond which pixels and metres contradict
each other: mostly hands that grip, whose fingers are hidden."""

MIN_SCORE = 0.8
"""Least confidence in which hand it is; a lower one goes with landmarks that were guessed."""

NEAR = 1.0
"""Palms between hand and object in the image up to which both are about as far away."""

IN_DEPTH = 0.06
"""Metres by which a hand beside an object is nearer or farther than the object's own depth says."""

LIFTED = 0.12
"""Relative error of an object's depth by its apparent size, when it does not stand on the table."""

RELATED = 8
"""Frames in a row that err together."""


@dataclass(frozen=True)
class Hand:
    """One hand in one frame.

    `side` as the model sees it (a mirrored clip swaps them) with its `score`; landmarks in frame `pixels`
    (21, 2) and in metres around the hand's middle in camera-like axes, `world` (21, 3).
    """

    side: Side
    score: float
    pixels: Array
    world: Array

    def __post_init__(self) -> None:
        if self.pixels.shape != (LANDMARKS, 2) or self.world.shape != (LANDMARKS, 3):
            raise ValueError(f"a hand has {LANDMARKS} landmarks, not {self.pixels.shape}, {self.world.shape}")

    @property
    def palm(self) -> float:
        """Pixels from the wrist to the middle knuckle."""
        return float(np.linalg.norm(self.pixels[WRIST] - self.pixels[MIDDLE_KNUCKLE]))

    @property
    def openness(self) -> float:
        """How much farther from the wrist the fingertips are than the knuckles: 2 for a flat hand."""
        reach = np.linalg.norm(self.world - self.world[WRIST], axis=1)
        return float(reach[FINGERTIPS].mean() / max(reach[KNUCKLES].mean(), 1e-9))

    def to_json(self) -> dict[str, Any]:
        return {
            "side": self.side,
            "score": round(self.score, 4),
            "pixels": self.pixels.round(2).tolist(),
            "world": self.world.round(5).tolist(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Hand:
        return cls(data["side"], float(data["score"]), np.array(data["pixels"]), np.array(data["world"]))


@dataclass(frozen=True)
class Placed:
    """A hand of usual size in the camera's frame: landmarks `points` (21, 3) in metres.

    `error` is the mean reprojection error as a share of the palm in the image.
    """

    points: Array
    error: float


@dataclass(frozen=True)
class Ruler:
    """`depth_scale` (metres per unit of depth) with its relative `uncertainty`, from so many `frames`."""

    depth_scale: float
    uncertainty: float
    frames: int


def place(hand: Hand, K: ArrayLike) -> Placed | None:
    """Where a hand of usual size is, from its landmarks; None if that has no solution before the camera."""
    matrix = np.asarray(K, dtype=float)
    length = float(np.linalg.norm(hand.world[WRIST] - hand.world[MIDDLE_KNUCKLE]))
    if length < 1e-6 or hand.palm < 1 or not np.isfinite(hand.pixels).all():
        return None
    world = hand.world * (PALM / length)
    found, turn, shift = cv2.solvePnP(
        world, np.ascontiguousarray(hand.pixels), matrix, np.zeros(4), flags=cv2.SOLVEPNP_SQPNP
    )
    if not found:
        return None
    points = world @ cv2.Rodrigues(turn)[0].T + shift.ravel()
    if not (np.isfinite(points).all() and points[:, 2].min() > 0.02):
        return None
    drawn = points / points[:, 2:] @ matrix.T
    error = float(np.linalg.norm(drawn[:, :2] - hand.pixels, axis=1).mean()) / hand.palm
    return Placed(points, error)


def trusted(hand: Hand, placed: Placed | None) -> bool:
    """Whether the hand can serve as a ruler."""
    clear = placed is not None and placed.error < MAX_ERROR
    return clear and hand.score > MIN_SCORE and hand.openness > OPEN


def ruler(
    hands: Sequence[Sequence[Hand]],
    K: ArrayLike,
    masks: Mapping[str, Masks],
    depths: Mapping[str, ArrayLike],
    on_table: Mapping[str, ArrayLike],
) -> Ruler | None:
    """Metres per unit of depth from the hands (per frame) beside objects; None where no frame tells.

    `masks` (n, H, W), `depths` (n,) in the clip's unit (NaN where unknown) and `on_table` (n,) are the
    objects'. The weighted median over frames counts; its error is the hand's own, and that of the frames, of
    which `RELATED` in a row err together.
    """
    logs, sigmas, seen = [], [], set()
    for t, present in enumerate(hands):
        for hand in present:
            placed = place(hand, K)
            if placed is None or not trusted(hand, placed):
                continue
            if not inside(hand.pixels, next(iter(masks.values())).shape[1:]):
                continue
            for name, item in masks.items():
                unit = float(np.asarray(depths[name])[t])
                if not np.isfinite(unit) or not item[t].any():
                    continue
                away = distances(item[t], hand.pixels)
                nearest = int(np.argmin(away))
                gap = float(away[nearest]) / hand.palm
                if gap > NEAR:
                    continue
                metres = float(placed.points[nearest, 2])
                depth_error = (IN_DEPTH + gap * PALM) / metres
                resting = bool(np.asarray(on_table[name])[t])
                logs.append(np.log(metres / unit))
                sigmas.append(np.hypot(depth_error, 0.05 if resting else LIFTED))
                seen.add(t)
    if not logs:
        return None
    values, weights = np.array(logs), np.array(sigmas) ** -2.0
    middle = weighted_median(values, weights)
    spread = 1.48 * weighted_median(np.abs(values - middle), weights)
    independent = max(1.0, len(seen) / RELATED)
    typical = float((weights.sum() / len(weights)) ** -0.5)
    chance = max(spread, typical) / np.sqrt(independent)
    uncertainty = float(np.sqrt(HAND_SPREAD**2 + MODEL_ERROR**2 + chance**2))
    return Ruler(float(np.exp(middle)), uncertainty, len(seen))


def inside(pixels: Array, shape: tuple[int, ...]) -> bool:
    """Whether all points (k, 2) lie in a picture of this shape (height, width); beyond, they are guessed."""
    return bool((pixels >= 0).all() and (pixels < np.array(shape[::-1])).all())


def distances(mask: NDArray[np.bool_], pixels: Array) -> Array:
    """Pixels (k,) from points (k, 2) to the mask; points beyond the frame's border count from there."""
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3)
    limit = np.array(mask.shape[::-1]) - 1
    held = np.clip(np.floor(pixels), 0, limit)
    at = held.astype(int)
    return np.asarray(away[at[:, 1], at[:, 0]] + np.linalg.norm(pixels - held, axis=1), dtype=float)


def weighted_median(values: Array, weights: Array) -> float:
    """The value (of n) below which half of the weight lies."""
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, 0.5 * below[-1])])


def to_json(hands: Sequence[Sequence[Hand]], K: ArrayLike, method: str) -> dict[str, Any]:
    """The content of hands.json: per frame its hands, each with its error under the lens `K`."""
    frames = []
    for present in hands:
        row = []
        for hand in present:
            placed = place(hand, K)
            error = None if placed is None else round(placed.error, 4)
            row.append({**hand.to_json(), "error": error, "trusted": trusted(hand, placed)})
        frames.append(row)
    return {"method": method, "K": np.asarray(K, dtype=float).tolist(), "frames": frames}


def from_json(data: Mapping[str, Any]) -> list[list[Hand]]:
    """The hands of every frame, from hands.json."""
    return [[Hand.from_json(item) for item in row] for row in data["frames"]]


def verdict(record: Mapping[str, Any]) -> Verdict:
    """What hands.json says of itself; a clip passes without a hand, with confidence 0."""
    n = len(record["frames"])
    seen = sum(bool(row) for row in record["frames"])
    useful = sum(any(hand["trusted"] for hand in row) for row in record["frames"])
    better = None
    if record["method"] == "none":
        better = "hands are switched off (hands: none); their size does not help to find the scale"
    elif seen == 0:
        better = "no hand was seen in any frame"
    elif useful == 0:
        better = f"a hand in {seen} of {n} frames, in none clear enough to be a ruler"
    return Verdict("hands", True, record["method"], round(min(1.0, useful / 10), 3), better=better)
