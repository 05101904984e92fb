"""Colour histograms: which colours something has, and how likely a pixel is of it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.perceive.colour import to_lab

Image = NDArray[np.uint8]
Field = NDArray[np.float32]

LEVELS = (32, 64, 64)
"""Colour bins along L, a and b (8-bit Lab)."""
SHADES = (0.45, 0.6, 0.75, 1.33, 1.67)
"""Factors of light in which an object's colours are expected: a hand's shadow comes and goes."""
UNIFORM = 5e-5
"""Density of any colour whatever, per bin: no colour is impossible."""


def bins(lab: Image) -> NDArray[np.int32]:
    """Index of each pixel's colour bin. lab: (..., 3) 8-bit."""
    lightness, a, b = (lab[..., k] >> bits for k, bits in enumerate((3, 2, 2)))
    return (lightness.astype(np.int32) * LEVELS[1] + a) * LEVELS[2] + b


class Palette:
    """A colour histogram, smoothed by ``shade`` bins along lightness and about one bin of colour."""

    def __init__(self, shade: float = 0.9) -> None:
        self.shade = shade
        self.counts: Field = np.zeros(int(np.prod(LEVELS)), np.float32)
        self._density: Field | None = None

    def learn(self, index: NDArray[np.int32], rate: float = 1.0) -> None:
        """Mix the colours of pixels (bin indices) in; ``rate`` 1 forgets what was known."""
        if not len(index):
            return
        fresh = np.bincount(index, minlength=len(self.counts)).astype(np.float32) / len(index)
        rate = 1.0 if not self.counts.any() else rate
        self.counts = ((1 - rate) * self.counts + rate * fresh).astype(np.float32)
        self._density = None

    def forget(self) -> None:
        """Drop what is derived from the counts, after they were set from outside."""
        self._density = None

    @property
    def known(self) -> bool:
        return bool(self.counts.any())

    def density(self, index: NDArray[np.int32]) -> Field:
        """Probability per bin of each pixel's colour."""
        if self._density is None:
            blurred = cv2.GaussianBlur(
                self.counts.reshape(LEVELS[0], -1), (1, 2 * round(3 * self.shade) + 1), 0, sigmaY=self.shade
            )
            planes = blurred.reshape(LEVELS)
            smooth = [cv2.GaussianBlur(plane, (5, 5), 0.9) if plane.any() else plane for plane in planes]
            self._density = np.stack(smooth).ravel().astype(np.float32)
        return np.asarray(self._density[index] * 0.95 + 0.05 * UNIFORM, np.float32)

    def overlap(self, other: Palette) -> float:
        """Histogram intersection with another palette over coarse bins, 0 to 1."""
        shape = (LEVELS[0] // 4, 4, LEVELS[1] // 2, 2, LEVELS[2] // 2, 2)
        a, b = (p.counts.reshape(shape).sum(axis=(1, 3, 5)) for p in (self, other))
        return float(np.minimum(a, b).sum())


def relit_palette(pixels: Image) -> Palette:
    """The colours of RGB pixels (n, 3) in other light."""
    palette = Palette()
    bright = pixels.astype(np.float32)
    shades = [np.clip(bright * factor, 0, 255).astype(np.uint8) for factor in SHADES]
    palette.learn(bins(to_lab(np.concatenate(shades)[:, None]))[:, 0])
    return palette
