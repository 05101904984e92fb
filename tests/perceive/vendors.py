"""Stand-ins for vendors' packages: their entry points' names and arguments, with what was asked written down.

They compute nothing: the answer is given to them. So the tests see what the vendors would be given (types,
shapes, units) and what is made of their answer (frames, units).
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest


class Calls(list[dict[str, Any]]):
    """What a vendor was asked, in order."""


def install(monkeypatch: pytest.MonkeyPatch, name: str, **members: Any) -> None:
    """Make `import name` give a module with these members, its parents included."""
    parts = name.split(".")
    for k in range(1, len(parts)):
        parent = ".".join(parts[:k])
        if parent not in sys.modules:
            monkeypatch.setitem(sys.modules, parent, ModuleType(parent))
    module = ModuleType(name)
    for key, value in members.items():
        setattr(module, key, value)
    monkeypatch.setitem(sys.modules, name, module)


def weights(folder: Path, *files: str) -> Path:
    """A folder that passes for a model's weights."""
    for file in ("config.json", *files):
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    return folder


class DepthAnswer:
    """Metric depth (H, W) per picture, found again by the picture's content, flickering by `factors`."""

    def __init__(
        self, images: list[np.ndarray], depths: np.ndarray, K: np.ndarray, factors: np.ndarray
    ) -> None:
        self.number = {image.tobytes(): i for i, image in enumerate(images)}
        self.depths, self.K, self.factors = depths, K, factors

    def of(self, image: np.ndarray) -> np.ndarray:
        i = self.number[np.ascontiguousarray(image).tobytes()]
        return np.asarray(self.depths[i], np.float32) * np.float32(self.factors[i])


def unidepth(calls: Calls, answer: DepthAnswer) -> type:
    """unidepth.models.UniDepthV2, from unidepth/models/unidepthv2/unidepthv2.py."""
    import torch

    class UniDepthV2:
        interpolation_mode = "nearest"

        @classmethod
        def from_pretrained(cls, pretrained_model_name_or_path: str) -> UniDepthV2:
            calls.append({"weights": pretrained_model_name_or_path})
            return cls()

        def to(self, device: Any) -> UniDepthV2:
            return self

        def eval(self) -> UniDepthV2:
            return self

        def infer(self, rgb: Any, camera: Any = None, normalize: bool = True) -> dict[str, Any]:
            assert rgb.ndim == 3 and rgb.shape[0] == 3 and rgb.dtype == torch.uint8
            assert camera is None or camera.shape == (3, 3)
            calls.append({"camera": None if camera is None else camera.numpy().copy()})
            depth = answer.of(rgb.permute(1, 2, 0).numpy())
            return {
                "depth": torch.from_numpy(depth)[None, None],
                "intrinsics": torch.from_numpy(answer.K.astype(np.float32))[None],
                "points": torch.zeros(1, 3, *depth.shape),
            }

    return UniDepthV2


def moge(calls: Calls, answer: DepthAnswer) -> type:
    """moge.model.v2.MoGeModel, from moge/model/v2.py."""
    import torch

    class MoGeModel:
        @classmethod
        def from_pretrained(cls, pretrained_model_name_or_path: Any, model_kwargs: Any = None) -> MoGeModel:
            assert Path(pretrained_model_name_or_path).is_file()
            return cls()

        def to(self, device: Any) -> MoGeModel:
            return self

        def eval(self) -> MoGeModel:
            return self

        def infer(
            self,
            image: Any,
            num_tokens: Any = None,
            resolution_level: int = 9,
            force_projection: bool = True,
            apply_mask: Any = True,
            fov_x: Any = None,
            use_fp16: bool = True,
        ) -> dict[str, Any]:
            assert image.shape[0] == 3 and image.dtype == torch.float32
            assert float(image.min()) >= 0 and float(image.max()) <= 1
            calls.append({"fov_x": fov_x, "use_fp16": use_fp16})
            rgb = np.rint(image.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
            depth = answer.of(rgb).copy()
            depth[0] = np.inf  # as it marks what is no surface
            shares = np.diag([1 / rgb.shape[1], 1 / rgb.shape[0], 1.0]) @ answer.K
            return {
                "depth": torch.from_numpy(depth),
                "intrinsics": torch.from_numpy(shares.astype(np.float32)),
                "mask": torch.from_numpy(np.isfinite(depth)),
            }

    return MoGeModel


def depth_anything3(calls: Calls, answer: DepthAnswer) -> type:
    """depth_anything_3.api.DepthAnything3: depth in metres for a lens of 300 pixels."""
    import cv2

    class Prediction:
        depth: np.ndarray

    class DepthAnything3:
        @classmethod
        def from_pretrained(cls, pretrained_model_name_or_path: str) -> DepthAnything3:
            return cls()

        def to(self, device: Any) -> DepthAnything3:
            return self

        def eval(self) -> DepthAnything3:
            return self

        def inference(self, image: list[np.ndarray]) -> Prediction:
            assert len(image) == 1 and image[0].dtype == np.uint8 and image[0].shape[2] == 3
            calls.append({"shape": image[0].shape})
            metres = answer.of(image[0])
            half = cv2.resize(metres, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_NEAREST)
            result = Prediction()
            result.depth = (half * 300 / (answer.K[0, 0] / 2))[None]
            return result

    return DepthAnything3
