"""SAM 3: its tracker with random weights through the real code path; its detector by the recorded call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.perceive.tiny import tiny_sam3
from tests.perceive.vendors import weights
from video2policy.perceive import sam3
from video2policy.perceive.backend import Backend
from video2policy.perceive.prompt import Prompt
from video2policy.perceive.verdict import Rejected


def test_the_tracker_gives_a_mask_and_a_score_for_every_frame_both_ways(tmp_path: Path) -> None:
    backend = Backend("sam3", str(tiny_sam3(tmp_path / "tiny")), device="cpu")
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (90, 120, 3), dtype=np.uint8) for _ in range(6)]
    found = sam3.segment(images, [Prompt("cup", 2, (20, 20, 60, 60))], "cup", backend)
    assert found.masks.shape == (6, 90, 120) and found.masks.any(axis=(1, 2)).all()
    assert ((found.score > 0) & (found.score <= 1)).all()


class Tensors(dict[str, Any]):
    """What a processor gives."""

    def to(self, device: Any) -> Tensors:
        return self


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Sam3Processor and Sam3Model as recorded: cups at one place, nothing else anywhere."""
    import torch
    import transformers

    calls: list[Any] = []

    class Processor:
        @classmethod
        def from_pretrained(cls, folder: Any, local_files_only: bool = False) -> Processor:
            assert local_files_only
            return cls()

        def __call__(self, images: Any, text: str, return_tensors: str) -> Tensors:
            assert images.dtype == np.uint8 and return_tensors == "pt"
            calls.append(text)
            return Tensors(text=text)

        def post_process_instance_segmentation(
            self, outputs: Any, threshold: float = 0.3, mask_threshold: float = 0.5, target_sizes: Any = None
        ) -> list[dict[str, Any]]:
            assert target_sizes == [(90, 120)]
            found = [[10.0, 20.0, 40.0, 60.0]] if "cup" in outputs["text"] else []
            boxes = torch.tensor(found).reshape(-1, 4)
            return [{"boxes": boxes, "scores": torch.full((len(found),), 0.8), "masks": torch.zeros(1)}]

    class Model:
        @classmethod
        def from_pretrained(cls, folder: Any, local_files_only: bool = False) -> Model:
            return cls()

        def to(self, device: Any) -> Model:
            return self

        def eval(self) -> Model:
            return self

        def __call__(self, **inputs: Any) -> dict[str, Any]:
            return inputs

    monkeypatch.setattr(transformers, "Sam3Processor", Processor, raising=False)
    monkeypatch.setattr(transformers, "Sam3Model", Model, raising=False)
    return calls


def test_the_detector_is_asked_for_a_noun_phrase_of_each_object(tmp_path: Path, asked: list[Any]) -> None:
    propose = sam3.proposer(Backend("sam3", str(weights(tmp_path)), device="cpu"))
    images = [np.zeros((90, 120, 3), np.uint8)]
    assert propose(images, {"cup": "the Red Cup"}, "cup", {}) == {
        "cup": (0, (10.0, 20.0, 40.0, 60.0), pytest.approx(0.8), "SAM 3")
    }
    assert asked == ["red cup"]
    with pytest.raises(Rejected, match="spoon: SAM 3 does not find it"):
        propose(images, {"spoon": "spoon"}, "spoon", {})
