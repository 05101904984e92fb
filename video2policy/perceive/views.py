"""A solid seen from several sides: what stands on the table elsewhere, or turned, is the same solid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, least_squares

from video2policy import mesh as meshes
from video2policy.camera import Camera
from video2policy.mask import iou
from video2policy.perceive.silhouette import Outline, support
from video2policy.perceive.solid import FLAT, SIGMA, Fit, Sides, placed, prior_of

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

TURNS = 6
"""Yaws from which an object's place in a further view is looked for."""

BETTER = 0.002
LOSS = 0.03
"""By so much must the overlap in the views that were held back grow; by so much may the first one's fall."""


@dataclass(frozen=True)
class Sight:
    """The object in one frame, standing on the table: its mask and the mask's outline."""

    frame: int
    seen: Outline
    mask: Mask


def agree(fit: Fit, sights: Sequence[Sight], camera: Camera, sides: Sides | None) -> tuple[Fit, list[int]]:
    """The fit, its lengths and edges changed so that they explain all sights, and the frames that were used.

    `sights[0]` is the one that was fitted. Every second further sight is held back: unless the overlap there
    grows, the fit is returned as it is.
    """
    used, held = [sights[0], *sights[1::2]], list(sights[2::2])
    kept = fit, [sights[0].frame]
    if not held or fit.kind == "sphere":
        return kept
    start = [fit.values[:3], *(where(fit, fit.values[3:], sight, camera) for sight in used[1:])]
    count = 3 * len(used)

    def errors(values: Array) -> Array:
        shape = values[count:]
        parts = [
            misfit(fit, np.concatenate([values[3 * k : 3 * k + 3], shape]), sight, camera)
            for k, sight in enumerate(used)
        ]
        parts.append(prior_of(fit.kind, shape, sides, fit.known))
        return np.concatenate(parts)

    found = least_squares(
        errors,
        np.concatenate([*start, fit.values[3:]]),
        loss="soft_l1",
        f_scale=SIGMA,
        max_nfev=15,
        x_scale="jac",
    )
    shape = found.x[count:]

    old, new = [], []
    for sight in held:
        place = where(fit, fit.values[3:], sight, camera)
        old.append(covered(fit, np.concatenate([place, fit.values[3:]]), sight, camera))
        place = where(fit, shape, sight, camera, place)
        new.append(covered(fit, np.concatenate([place, shape]), sight, camera))
    values = np.concatenate([found.x[:3], shape])
    first = covered(fit, values, sights[0], camera)
    if np.mean(new) < np.mean(old) + BETTER or first < fit.iou - LOSS:
        return kept
    solid, place, _, bevel = placed(fit.kind, values, 0.0, fit.roundest)
    better = replace(
        fit,
        solid=solid,
        table_from_object=place,
        iou=first,
        bevel=bevel,
        values=values,
    )
    return better, [sight.frame for sight in used]


def misfit(fit: Fit, values: Array, sight: Sight, camera: Camera) -> Array:
    """How far the solid reaches beyond the outline where that is free, in shares of its diameter (k,)."""
    seen = sight.seen
    pixels = camera.project(placed(fit.kind, values, 0.0, fit.roundest)[2])
    if not np.isfinite(pixels).all():
        return np.full(int(seen.free.sum()), 10.0)
    return (support(pixels, seen.along[seen.free]) - seen.reach[seen.free]) / seen.diameter


def where(fit: Fit, shape: Array, sight: Sight, camera: Camera, near: Array | None = None) -> Array:
    """x, y and yaw (3,) at which a solid of that shape explains a sight best, looked for `near` a place."""
    foot = camera.on_plane(sight.seen.centre)[0][:2]
    turns = np.pi / TURNS * np.arange(TURNS) if fit.kind in FLAT else [0.0]
    starts = [np.array([*foot, turn]) for turn in turns] if near is None else [near]

    def errors(place: Array) -> Array:
        return misfit(fit, np.concatenate([place, shape]), sight, camera)

    def solved(start: Array, rounds: int) -> OptimizeResult:
        return least_squares(errors, start, loss="soft_l1", f_scale=SIGMA, max_nfev=rounds, x_scale="jac")

    if len(starts) > 1:
        starts = [min((solved(start, 4) for start in starts), key=lambda found: float(found.cost)).x]
    last = solved(starts[0], 15)
    return np.asarray(last.x, dtype=float)


def covered(fit: Fit, values: Array, sight: Sight, camera: Camera) -> float:
    """IoU of the solid's silhouette and the mask."""
    points = placed(fit.kind, values, 0.0, fit.roundest)[2]
    drawn = meshes.hull_silhouette(points, camera.K, camera.camera_from_table, sight.mask.shape)
    return iou(drawn, sight.mask)
