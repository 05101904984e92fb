"""Metric depth and lens of single images: UniDepth v2, as in the paper, section 3.1.

Piccinelli et al., "UniDepthV2", 2025; weights lpiccinelli/unidepth-v2-vitl14, CC BY-NC 4.0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from video2policy.perceive.backend import Backend
from video2policy.perceive.metric import Array, Depth, Image


class UniDepth:
    """The network on the device that the backend names. One image at a time: its memory does not grow."""

    title = "UniDepth v2"

    def __init__(self, backend: Backend) -> None:
        folder = backend.weights_folder()
        with backend.imports():
            import torch
            from unidepth.models import UniDepthV2
        self.torch = torch
        self.device = backend.torch_device()
        self.model: Any = UniDepthV2.from_pretrained(str(folder)).to(self.device).eval()
        self.model.interpolation_mode = "bilinear"

    def _infer(self, image: Image, K: Array | None) -> dict[str, Any]:
        rgb = self.torch.from_numpy(
            np.ascontiguousarray(image.transpose(2, 0, 1))
        )  # uint8 (3, H, W), 0 to 255
        camera = None if K is None else self.torch.from_numpy(np.asarray(K, dtype=np.float32))
        with self.torch.inference_mode():
            result: dict[str, Any] = self.model.infer(rgb, camera)
        return result

    def intrinsics(self, image: Image) -> Array:
        """K (3, 3) in pixels."""
        K = self._infer(image, None)["intrinsics"]
        return np.asarray(K.squeeze(0).float().cpu().numpy(), dtype=float)

    def depth(self, image: Image, K: Array) -> Depth:
        """Metres (H, W) along the optical axis."""
        depth = self._infer(image, K)["depth"]
        return np.asarray(depth.squeeze().float().cpu().numpy(), dtype=np.float32)


network = UniDepth
