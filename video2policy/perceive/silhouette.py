"""Outlines as support functions: how far a shape reaches in each image direction.

The support of a mask and that of a projected convex body differ smoothly with the body's size and pose, which
makes fitting quick, and a hand that hides one side spoils a few directions instead of the whole comparison.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from video2policy.mask import main_components

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

DIRECTIONS = 48


def directions(count: int = DIRECTIONS) -> Array:
    """Unit vectors (count, 2) around the image plane."""
    angle = 2 * np.pi * np.arange(count) / count
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def support(points: ArrayLike, along: ArrayLike) -> Array:
    """Largest coordinate (k,) of points (n, 2) along each direction (k, 2)."""
    reach: Array = (np.asarray(points, dtype=float) @ np.asarray(along, dtype=float).T).max(axis=0)
    return reach


@dataclass(frozen=True)
class Outline:
    """A mask's support: `reach` (k,) pixels `along` (k, 2), and which directions are `free` (k,) of
    occluders.

    `diameter` is the mask's extent in pixels, `centre` (2,) its centroid.
    """

    along: Array
    reach: Array
    free: NDArray[np.bool_]
    diameter: float
    centre: Array


def opened(mask: Mask, share: float) -> Mask:
    """The mask without parts thinner than `share` of its diameter: handles, fingers, shreds.

    Corners stay. The mask itself when that would take away more than a third of it.
    """
    rows, columns = np.nonzero(mask)
    if len(rows) == 0:
        return mask
    size = round(share * max(np.ptp(rows), np.ptp(columns)))
    if size < 2:
        return mask
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    core = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    corner = max(1, round(0.21 * size))  # a disc misses a right angle by .41 of its radius
    smaller = main_components(mask & cv2.dilate(core, np.ones((2 * corner + 1,) * 2, np.uint8)).astype(bool))
    return smaller if smaller.sum() > 0.67 * mask.sum() else mask


def outline(mask: Mask, others: Mask | None = None, border: int = 2, reach: float = 4.0) -> Outline | None:
    """The outline of a mask's large parts together; None for a mask of fewer than 9 pixels.

    A direction is not free where the mask meets the frame's border, or another object's mask within `reach`
    pixels.
    """
    part = main_components(mask)
    contours, _ = cv2.findContours(part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if part.sum() < 9 or not contours:
        return None
    edge = np.concatenate(contours)[:, 0].astype(float)
    along = directions()
    far = (edge @ along.T).argmax(axis=0)
    touch = edge[far]
    height, width = mask.shape
    free = (touch >= border).all(axis=1) & (touch[:, 0] < width - border) & (touch[:, 1] < height - border)
    if others is not None and others.any():
        away = cv2.distanceTransform((~others).astype(np.uint8), cv2.DIST_L2, 3)
        free &= away[touch[:, 1].astype(int), touch[:, 0].astype(int)] > reach
    # Half a pixel: a pixel's square reaches beyond its centre.
    distance = support(edge + 0.5, along) + 0.5
    span = distance + np.roll(distance, DIRECTIONS // 2)
    rows, columns = np.nonzero(part)
    return Outline(along, distance, free, float(span.max()), np.array([columns.mean(), rows.mean()]) + 0.5)
