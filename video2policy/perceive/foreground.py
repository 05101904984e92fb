"""What is in front of a still camera's background: hands and arms, beside the objects."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.clip import spread
from video2policy.perceive.colour import largest_channel
from video2policy.perceive.contact import Images

Masks = NDArray[np.bool_]
Image = NDArray[np.uint8]

FRAMES = 15
SIDE = 400
"""So many frames over the clip show the background between them, in pictures of this side at most."""

CHANGED = 25.0
"""Grey values by which what is in front differs from the background."""

SHADOW = 0.15
"""A shadow darkens all colours by factors that differ by less than this."""

THICK = 5
"""Pixels; what is thinner is no hand but the blurred rim of an object or of its shadow."""


def background(frames: Images, count: int = 9) -> Image:
    """Per-pixel median of frames spread over the clip (RGB): what stands still."""
    return np.median([frames[int(t)] for t in spread(len(frames), count)], axis=0).astype(np.uint8)


def in_front(frames: Images, objects: Masks) -> Masks:
    """What is neither object nor background (n, H, W): hands, arms. `objects` (n, H, W) is their union.

    The background is what a pixel shows in the median of the frames in which no object covers it; shadows on
    it, darker and of the same hue, are part of it.
    """
    chosen = spread(len(objects), FRAMES)
    height, width = objects.shape[1:]
    factor = min(1.0, SIDE / max(height, width))  # hands are coarse
    size = (round(factor * width), round(factor * height))

    def small(t: int) -> NDArray[np.float32]:
        return cv2.GaussianBlur(
            cv2.resize(frames[t], size, interpolation=cv2.INTER_AREA), (0, 0), 1.0
        ).astype(np.float32)

    wide = np.ones((7, 7), np.uint8)
    thick = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (THICK, THICK))
    sample = np.stack([small(int(t)) for t in chosen])
    covered = np.stack([cv2.resize(cv2.dilate(objects[t].astype(np.uint8), wide), size) for t in chosen]) > 0
    known = ~covered.all(axis=0)
    sometimes = known & covered.any(axis=0)
    still = np.median(sample, axis=0)
    sample[covered] = np.nan
    still[sometimes] = np.nanmedian(sample[:, sometimes], axis=0)
    result = np.zeros(objects.shape, bool)
    for t in range(len(objects)):
        now = small(t)
        ratio = (now + 8) / (still + 8)
        most = largest_channel(ratio)
        shadow = (most < 1.0) & (most + largest_channel(-ratio) < SHADOW)
        found = (largest_channel(cv2.absdiff(now, still)) > CHANGED) & ~shadow & known
        whole = cv2.resize(found.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
        whole[objects[t]] = 0
        result[t] = cv2.morphologyEx(whole, cv2.MORPH_OPEN, thick) > 0
    return result
