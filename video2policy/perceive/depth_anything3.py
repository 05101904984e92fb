"""Metric depth of single images for a known lens: Depth Anything 3, its metric model.

Lin et al., "Depth Anything 3", 2025; weights depth-anything/DA3METRIC-LARGE, Apache-2.0.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from video2policy.perceive.backend import Backend
from video2policy.perceive.metric import Array, Depth, Image

CANONICAL_FOCAL = 300.0
"""Pixels: the network's depth is in metres for a lens of this focal length on the image that it was given."""


class DepthAnything3:
    """The network on the device that the backend names. One image at a time: its memory does not grow."""

    title = "Depth Anything 3"

    def __init__(self, backend: Backend) -> None:
        folder = backend.weights_folder()
        with backend.imports():
            from depth_anything_3.api import DepthAnything3 as Vendor
        self.model: Any = Vendor.from_pretrained(str(folder)).to(backend.torch_device()).eval()

    def intrinsics(self, image: Image) -> None:
        """The metric model says nothing about the lens."""
        return None

    def depth(self, image: Image, K: Array) -> Depth:
        """Metres (H, W) along the optical axis."""
        out = np.asarray(self.model.inference([image]).depth, dtype=np.float32)[0]
        # The network works at a size of its own; the focal length counts in its pixels.
        focal = float(K[0, 0]) * out.shape[1] / image.shape[1]
        size = (image.shape[1], image.shape[0])
        metres = cv2.resize(out, size, interpolation=cv2.INTER_LINEAR) * np.float32(focal / CANONICAL_FOCAL)
        return np.asarray(metres, dtype=np.float32)


network = DepthAnything3
