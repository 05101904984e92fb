"""How far down the camera looks, and how wide, from straight lines and from outlines of standing objects.

Lines of a room and its furniture run along three axes, one of them vertical; under the right pitch (roll is
zero unless given) most of them point at one of three vanishing points. The outline of a box or cup that
stands on the table fits only under about the right pitch: from above its bottom edge is rounder or steeper.
Both kinds of evidence are weighed against the prior that people film a table from the seat or over the
shoulder. Lines also tell the focal length where they run along more than one axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.camera import FOCAL_UNCERTAINTY, Camera, rotation_from_pitch
from video2policy.mask import largest_component
from video2policy.perceive.contact import Contact, Images, apart, to_grey
from video2policy.perceive.foreground import background
from video2policy.perceive.silhouette import opened, outline
from video2policy.perceive.solid import INDEPENDENT, THIN, Form, Sides, fit_solid, named_kind

Array = NDArray[np.float64]
Masks = NDArray[np.bool_]
Image = NDArray[np.uint8]

PRIOR_PITCH = 30.0
PRIOR_SIGMA = 15.0
"""Degrees below the horizon, and their standard deviation."""

GRID = np.arange(-14.0, 86.5, 1.0)
"""Pitches that are weighed, degrees. A camera that stands low may look up and still see the table."""

BELOW = 2.0
"""Degrees below the horizon at which what stands on the table is seen at least."""

FOCAL_GRID = np.exp(np.linspace(-0.35, 0.35, 9))
"""Focal lengths that are weighed, as factors of the usual one."""

COARSE = np.arange(-10.0, 86.0, 8.0)
"""Pitches at which outlines are fitted."""
AT_LENGTH = range(1, len(COARSE), 3)
"""Numbers of those at which fits start from everywhere; beside them they start from what was found there."""

MAX_SEGMENTS = 200
"""The longest are used."""

LINE_SIGMA = 1.5
"""Degrees by which a segment may miss its vanishing point."""

LINE_WEIGHT = 4.0
"""Logarithm of the odds for one more image diagonal of segments that agree."""

WORST = -6.0
"""An outline argues against a pitch no more than this: a hand may have cut it."""


@dataclass(frozen=True)
class Pitch:
    """`pitch` and its standard deviation `sigma`, degrees; `method` in words, `confidence` 0 to 1."""

    pitch: float
    sigma: float
    method: str

    @property
    def confidence(self) -> float:
        return float(np.clip(1 - self.sigma / 25, 0.3, 0.95))


def find_focal(frames: Images, K: Array, roll: float = 0.0) -> tuple[float, float]:
    """Factor on K's focal length that lines and prior agree on, and its relative standard deviation.

    The factor is the posterior's mean, so that lines which say little change little.
    """
    lines = segments(background(frames))
    pitches = GRID[::2]
    prior_pitch = -0.5 * ((pitches - PRIOR_PITCH) / PRIOR_SIGMA) ** 2
    log_odds = []
    for factor in FOCAL_GRID:
        scaled = np.diag([factor, factor, 1.0]) @ K
        scaled[:2, 2] = K[:2, 2]
        best = float((line_evidence(lines, scaled, pitches, roll) + prior_pitch).max())
        log_odds.append(best - 0.5 * (np.log(factor) / FOCAL_UNCERTAINTY) ** 2)
    odds = np.exp(np.array(log_odds) - np.max(log_odds))
    odds /= odds.sum()
    logs = np.log(FOCAL_GRID)
    mean = float(odds @ logs)
    sigma = float(np.sqrt(odds @ (logs - mean) ** 2))
    return float(np.exp(mean)), sigma


def find_pitch(
    frames: Images,
    masks: Mapping[str, Masks],
    contacts: Mapping[str, Contact],
    K: Array,
    labels: Mapping[str, str],
    roll: float = 0.0,
) -> Pitch:
    """The pitch that lines, outlines and prior agree on, of a camera with this `roll` (degrees)."""
    log_odds = -0.5 * ((GRID - PRIOR_PITCH) / PRIOR_SIGMA) ** 2
    sources = []
    lines = line_evidence(segments(background(frames)), K, roll=roll)
    lines = lines - lines.max()
    if np.ptp(lines) > 0.5:
        log_odds = log_odds + lines
        sources.append("lines")
    shapes = outline_evidence(masks, contacts, K, labels, roll)
    if np.ptp(shapes) > 0.5:
        log_odds = log_odds + shapes
        sources.append("outlines")
    log_odds = np.where(lowest_pitch(contacts, K) < GRID, log_odds, -np.inf)
    odds = np.exp(log_odds - log_odds.max())
    odds /= odds.sum()
    # Around the peak only: a second, lower hypothesis widens the error but must not shift the estimate.
    peak = np.abs(GRID - GRID[int(np.argmax(odds))]) <= 8
    mean = float((odds * GRID)[peak].sum() / odds[peak].sum())
    sigma = float(np.sqrt((odds * (GRID - mean) ** 2).sum()))
    return Pitch(mean, max(sigma, 1.0), f"pitch from {' and '.join(sources)}" if sources else "usual pitch")


def lowest_pitch(contacts: Mapping[str, Contact], K: Array) -> float:
    """Pitch (degrees) above which every place where an object stood lies below the horizon.

    3 where none stood: without anything on the table in sight, a camera that looks up is unlikely.
    """
    feet = [run.bottom[1] for contact in contacts.values() for run in contact.table_runs]
    if not feet:
        return 3.0
    highest = np.degrees(np.arctan((min(feet) - K[1, 2]) / K[1, 1]))
    return float(np.clip(BELOW - highest, GRID[0] - 1, GRID[-2]))


def segments(image: Image) -> Array:
    """Straight segments (n, 4) as x0, y0, x1, y1, longer than 1/40 of the image's diagonal."""
    shortest = int(np.hypot(*image.shape[:2]) / 40)
    # Canny plus line growing: finds thin ruled lines too, which the gradient-based detector (LSD) misses.
    found = cv2.ximgproc.createFastLineDetector(shortest, 1.41, 50, 100, 3, True).detect(to_grey(image))
    if found is None:
        return np.zeros((0, 4))
    lines = np.asarray(found, dtype=float).reshape(-1, 4)
    length = np.hypot(lines[:, 2] - lines[:, 0], lines[:, 3] - lines[:, 1])
    return lines[np.argsort(-length, kind="stable")[:MAX_SEGMENTS]]


def line_evidence(lines: Array, K: Array, pitches: Array = GRID, roll: float = 0.0) -> Array:
    """Logarithm of the odds, up to a constant, for every pitch (m,) from straight segments (n, 4)."""
    if len(lines) < 8:
        return np.zeros(len(pitches))
    step = lines[:, 2:] - lines[:, :2]
    length = np.linalg.norm(step, axis=1)
    unit, middle = step / length[:, None], (lines[:, :2] + lines[:, 2:]) / 2
    # One long edge must not decide alone: lengths count up to a fifth of the diagonal.
    weight = np.minimum(length / (2 * np.hypot(K[0, 2], K[1, 2])), 0.2)
    headings = np.radians(np.arange(0.0, 90.0, 3.0))
    best = np.zeros(len(pitches))
    for k, pitch in enumerate(pitches):
        camera_from_world = rotation_from_pitch(float(pitch), roll).T
        vertical = _agreement(camera_from_world @ [0, 0, 1.0], K, middle, unit)
        along = np.stack([np.cos(headings), np.sin(headings), np.zeros_like(headings)])
        across = np.stack([-np.sin(headings), np.cos(headings), np.zeros_like(headings)])
        level = np.maximum(
            _agreement(camera_from_world @ along, K, middle, unit),
            _agreement(camera_from_world @ across, K, middle, unit),
        )
        best[k] = (weight[:, None] * np.maximum(vertical[:, None], level)).sum(axis=0).max()
    return np.asarray(LINE_WEIGHT * best, dtype=float)


def _agreement(direction: Array, K: Array, middle: Array, unit: Array) -> Array:
    """How well segments (n) point where camera-frame directions (3,) or (3, m) vanish: 0 to 1."""
    point = K @ direction
    towards = point[:2].T[None] - point[2][..., None] * middle[:, None] if point.ndim == 2 else None
    if towards is None:
        towards = (point[:2] - point[2] * middle)[:, None]
    distance = np.linalg.norm(towards, axis=2)
    cross = np.abs(towards[..., 0] * unit[:, None, 1] - towards[..., 1] * unit[:, None, 0])
    angle = np.degrees(np.arcsin(np.clip(cross / np.maximum(distance, 1e-9), 0, 1)))
    result = np.exp(-0.5 * (angle / LINE_SIGMA) ** 2)
    return result[:, 0] if point.ndim == 1 else result


def outline_evidence(
    masks: Mapping[str, Masks],
    contacts: Mapping[str, Contact],
    K: Array,
    labels: Mapping[str, str],
    roll: float = 0.0,
) -> Array:
    """Logarithm of the odds for every pitch of `GRID`, 0 at best, from objects that stand still."""
    total = np.zeros(len(GRID))
    others = apart(masks)
    for name, contact in contacts.items():
        runs = contact.table_runs
        kind = named_kind(labels[name])
        options: list[Form] = [kind] if kind else ["box", "frustum"]
        if not runs or kind in ("sphere", "round"):  # a ball looks round from anywhere
            continue
        frame = max(runs, key=lambda run: run.stop - run.start).frame
        whole = largest_component(masks[name][frame])
        costs = []
        for option in options:
            mask = opened(whole, THIN[option])
            seen = outline(mask, others[name][frame])
            if seen is None:
                continue
            views = [
                Camera(K, whole.shape[1], whole.shape[0], rotation_from_pitch(float(pitch), roll), 1.0)
                for pitch in COARSE
            ]
            fit = partial(fit_solid, option, seen, mask, sides=Sides.of(labels[name]))
            known = {number: fit(views[number]) for number in AT_LENGTH}
            row = [
                known[i] if i in known else fit(view, near=known.get(i - 1) or known.get(i + 1))
                for i, view in enumerate(views)
            ]
            costs.append([np.inf if found is None else found.cost for found in row])
        if costs:
            cost = np.minimum.reduce(costs)
            cost = np.where(np.isfinite(cost), cost, np.max(cost[np.isfinite(cost)], initial=0.0) + 20)
            odds = -INDEPENDENT * np.interp(GRID, COARSE, cost)
            total += np.maximum(odds - odds.max(), WORST)
    return np.asarray(total - total.max(), dtype=float)
