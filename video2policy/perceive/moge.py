"""Metric depth and lens of single images: MoGe-2.

Wang et al., "MoGe-2", 2025; weights Ruicheng/moge-2-vitl, MIT.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from video2policy.perceive.backend import Backend
from video2policy.perceive.metric import Array, Depth, Image


class MoGe:
    """The network on the device that the backend names. One image at a time: its memory does not grow."""

    title = "MoGe-2"

    def __init__(self, backend: Backend) -> None:
        folder = backend.weights_folder()
        with backend.imports():
            import torch
            from moge.model.v2 import MoGeModel
        self.torch = torch
        self.device = backend.torch_device()
        self.model: Any = MoGeModel.from_pretrained(folder / "model.pt").to(self.device).eval()

    def _infer(self, image: Image, fov: float | None) -> dict[str, Any]:
        rgb = np.ascontiguousarray(image.transpose(2, 0, 1)).astype(np.float32) / 255  # (3, H, W), 0 to 1
        tensor = self.torch.from_numpy(rgb).to(self.device)
        half = self.device.type == "cuda"
        result: dict[str, Any] = self.model.infer(tensor, fov_x=fov, use_fp16=half)
        return result

    def intrinsics(self, image: Image) -> Array:
        """K (3, 3) in pixels; the network's own is in shares of the image's width and height."""
        shares = self._infer(image, None)["intrinsics"].float().cpu().numpy()
        return np.diag([float(image.shape[1]), float(image.shape[0]), 1.0]) @ np.asarray(shares, dtype=float)

    def depth(self, image: Image, K: Array) -> Depth:
        """Metres (H, W) along the optical axis; infinite where the network sees nothing, such as the sky."""
        fov = float(np.degrees(2 * np.arctan(image.shape[1] / 2 / K[0, 0])))  # horizontal, degrees
        return np.asarray(self._infer(image, fov)["depth"].float().cpu().numpy(), dtype=np.float32)


network = MoGe
