"""Masks and soft masks as shapes: grown, measured, cleaned, cut out."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.mask import area, bounding_box

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Field = NDArray[np.float32]
Region = tuple[slice, slice]
"""Rows and columns of a frame."""

WIDE = 8.0
"""Radius in pixels from which a distance transform is quicker than a disc, whose cost is its area."""


def disc(radius: float) -> Image:
    size = 2 * max(1, round(radius)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)


def grow(mask: Mask, radius: float) -> Mask:
    if radius < WIDE:
        return np.asarray(cv2.dilate(mask.astype(np.uint8), disc(radius)) > 0, bool)
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    return np.asarray((away <= radius) & mask.any(), bool)


def signed_distance(mask: Mask) -> Field:
    """Distance to the mask's edge in pixels, positive inside."""
    inside = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
    outside = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(inside - outside, np.float32)


def centre(mask: Mask) -> NDArray[np.float64]:
    """Mean [x, y] of a mask's pixels; the frame's middle for an empty mask."""
    if not mask.any():
        return np.array([mask.shape[1] / 2, mask.shape[0] / 2])
    return np.asarray(np.argwhere(mask).mean(axis=0)[::-1], np.float64)


def fill_holes(mask: Mask, share: float = 0.08) -> Mask:
    """Fill holes that are small against the mask; a mug's handle keeps its hole."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    limit = share * 0.25 * area(mask)
    filled = mask.copy()
    for label in range(1, count):
        x, y, w, h, size = stats[label]
        border = x == 0 or y == 0 or x + w == mask.shape[1] or y + h == mask.shape[0]
        if not border and size <= limit:
            filled |= labels == label
    return filled


def region(mask: Mask, margin: float) -> Region:
    """The mask's bounding box with a margin, cut at the frame; the whole frame for an empty mask."""
    box = bounding_box(mask)
    if box is None:
        return slice(0, mask.shape[0]), slice(0, mask.shape[1])
    m = int(margin) + 1
    rows, columns = mask.shape
    x0, y0, x1, y1 = box
    return slice(max(0, y0 - m), min(rows, y1 + m)), slice(max(0, x0 - m), min(columns, x1 + m))


def settle(logit: Field) -> Field:
    """Probabilities from log odds, speckles removed."""
    smooth = cv2.GaussianBlur(logit, (0, 0), 0.8)
    return np.asarray(1 / (1 + np.exp(-smooth)), np.float32)


def enlarge(mask: Mask, size: tuple[int, int]) -> Mask:
    """The mask at another size (width, height), with smooth edges."""
    if mask.shape == (size[1], size[0]):
        return mask
    return np.asarray(cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_CUBIC) > 0.5, bool)
