"""Pixels' colours: skin, one colour in other light, differences."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Field = NDArray[np.float32]


def to_lab(image: Image) -> Image:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2LAB), np.uint8)


def largest_channel(image: NDArray[Any]) -> NDArray[Any]:
    """Maximum over the channels: (H, W)."""
    a, b, c = cv2.split(image)
    return cv2.max(cv2.max(a, b), c)


def dot(a: NDArray[Any], b: NDArray[Any]) -> Field:
    """Scalar products of two images' colours: (H, W)."""
    return np.asarray(cv2.transform(cv2.multiply(a, b), np.ones((1, 3), np.float32)), np.float32)


def length(vectors: NDArray[Any]) -> NDArray[Any]:
    """Lengths of vectors (..., 2): (...). numpy's norm takes four times as long for so short ones."""
    x, y = vectors[..., 0], vectors[..., 1]
    return np.asarray(np.sqrt(x * x + y * y))


def is_skin(image: Image) -> Mask:
    """Colours that skin has under common light. image: RGB (..., 3)."""
    ycc = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)
    return np.asarray(cv2.inRange(ycc, (50, 136, 80), (245, 178, 128)) > 0, bool)


def beyond(a: Image, b: Image) -> Image:
    """By how much each channel of the second image lies beyond what the first shows within a pixel.

    So an edge that shifts by less, as under a trembling camera, is no change.
    """
    near = np.ones((3, 3), np.uint8)
    low, high = cv2.erode(a, near), cv2.dilate(a, near)
    return np.asarray(cv2.max(cv2.subtract(low, b), cv2.subtract(b, high)), np.uint8)


def relit(a: Image, b: Image, darkest: float = 0.4) -> Mask:
    """Where the second RGB image is the first times one factor for all channels, as in a shadow: at least
    ``darkest``."""
    x, y = a.astype(np.float32) + 4, b.astype(np.float32) + 4
    factor = dot(x, y) / dot(x, x)
    rest = largest_channel(cv2.absdiff(y, factor[..., None] * x)) / np.maximum(factor, 1.0)
    return np.asarray((rest < 12) & (factor > darkest) & (factor < 2.5), bool)


def in_shadow(lit: Image, image: Image) -> Mask:
    """Where an RGB image may be another one in less light, or in the same."""
    x, y = lit.astype(np.float32) + 4, image.astype(np.float32) + 4
    factor = dot(x, y) / dot(x, x)
    rest = largest_channel(cv2.absdiff(y, factor[..., None] * x))
    return np.asarray((rest < 12) & (factor > 0.3) & (factor < 1.1), bool)


def recoloured(a: Field, b: Field) -> Field:
    """What two RGB images differ by, largest channel, beside one factor of light for all channels."""
    x, y = a + 4, b + 4
    factor = np.clip(dot(x, y) / dot(x, x), 0.35, 2.5)
    rest = largest_channel(cv2.absdiff(y, factor[..., None] * x)) / np.minimum(factor, 1.0)
    return np.asarray(rest, np.float32)
