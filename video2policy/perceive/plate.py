"""The background plate of a fixed camera: what is seen where nothing is before it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.perceive.colour import beyond, dot, largest_channel
from video2policy.perceive.morphology import grow

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Field = NDArray[np.float32]

SPREAD = (8.0, 5.0, 5.0)
"""Standard deviation of a pixel that shows the background plate, in 8-bit Lab levels."""
LEAST_CAST, MOST_CAST = 0.04, 0.35
"""Shares of a mask between which a part of it may be a shadow that the object casts."""
EXPOSED = 0.4
"""Least share of such a part's rim that is the mask's: a shadow lies beside the object, shade on it."""


def plate_likelihood(image: Image, lab: Image, plate: Image, plate_lab: Image) -> Field:
    """Probability per colour bin of each pixel if it shows the plate, in full light or in a shadow."""
    d = beyond(plate_lab, lab) * (1 / np.array(SPREAD, np.float32))
    peak = np.float32(1 / ((2 * np.pi) ** 1.5 * (SPREAD[0] / 8) * (SPREAD[1] / 4) * (SPREAD[2] / 4)))
    lit = peak * np.exp(-0.5 * np.minimum(dot(d, d), 60.0))
    # A cast shadow multiplies the background's colour by one factor.
    i, p = image.astype(np.float32) + 4, plate.astype(np.float32) + 4
    factor = dot(i, p) / dot(p, p)
    rest = (i - factor[..., None] * p) / 7.0
    shade = np.exp(-0.5 * np.minimum(dot(rest, rest), 60.0))
    # The plate itself may have been taken in a shadow.
    shade = np.where((factor > 0.42) & (factor < 2.2), np.where(factor < 1.05, 0.25, 0.1) * peak * shade, 0.0)
    return np.asarray(np.maximum(lit, shade), np.float32)


def cast_shadow(plate: Image, image: Image, mask: Mask, part: Image) -> Mask:
    """Parts of a mask (H, W), larger than the structuring element, that are the plate in evenly less light.

    An object's shaded side is seldom so even, nor so exactly of the background's colour, nor at its rim.
    """
    lit, seen = plate.astype(np.float32) + 4, image.astype(np.float32) + 4
    factor = dot(lit, seen) / dot(lit, lit)
    rest = largest_channel(cv2.absdiff(seen, factor[..., None] * lit))
    dark = (mask & (rest < 12) & (factor > 0.3) & (factor < 0.9)).astype(np.uint8)
    count, labels = cv2.connectedComponents(cv2.morphologyEx(dark, cv2.MORPH_OPEN, part), connectivity=8)
    outside = grow(~mask, 2)
    result = np.zeros(mask.shape, bool)
    for label in range(1, count):
        piece = labels == label
        if not LEAST_CAST < piece.sum() / mask.sum() < MOST_CAST:
            continue
        light, rim = factor[piece], piece & grow(~piece, 1)
        even = light.std() < 0.17 * light.mean() and rest[piece].mean() < 5.5
        if light.mean() < 0.75 and even and outside[rim].mean() > EXPOSED:
            result |= piece
    return result


def clean_plate(stack: Image, hidden: Mask, fallback: Image) -> tuple[Image, Mask]:
    """The background from frames (k, H, W, 3) of which pixels are hidden (k, H, W), and where it is known.

    The median over the frames at which a pixel is not hidden; known where it is seen often enough and
    then looks the same, so that what was not recognised as hidden does not become background.
    """
    values = np.moveaxis(stack, 0, -1).astype(np.int16, order="C")  # neighbours in memory sort quickest
    np.copyto(values, 999, where=np.moveaxis(hidden, 0, -1)[:, :, None])  # hidden frames sort to the end
    values.sort(axis=-1)
    seen = (~hidden).sum(axis=0)

    def quantile(share: float) -> NDArray[np.int16]:
        place = (np.maximum(seen - 1, 0) * share).astype(int)
        return np.take_along_axis(values, place[..., None, None], axis=-1)[..., 0]

    spread = (quantile(0.75) - quantile(0.25)).max(axis=-1)
    plate = np.where((seen > 0)[..., None], quantile(0.5), fallback).astype(np.uint8)
    return plate, (seen >= max(3, len(stack) // 12)) & (spread < 30)


def filled_in(image: Image, gaps: Mask, reach: float) -> Image:
    """The image with smooth guesses from around in its gaps."""
    weight = (~gaps).astype(np.float32)
    values = image.astype(np.float32) * weight[..., None]
    result = image.astype(np.float32)
    left = gaps.copy()
    for sigma in (reach, 2 * reach, 4 * reach, 16 * reach):
        if not left.any():
            break
        near = cv2.GaussianBlur(weight, (0, 0), sigma)
        done = left & (near > 0.02)
        result[done] = cv2.GaussianBlur(values, (0, 0), sigma)[done] / near[done, None]
        left &= ~done
    return result.astype(np.uint8)
