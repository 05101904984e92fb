"""Objects by their names, and their masks over a clip: SAM 3 (transformers' port).

The detector answers a noun phrase on the first frame; the tracker is prompted as SAM 2.1 is (sam2.py). Both
are parts of one set of weights, facebook/sam3 (gated: its page asks for consent), SAM License.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from video2policy.perceive.backend import Backend
from video2policy.perceive.ground import Box, Image, Proposer
from video2policy.perceive.grounding_dino import Detection, assign, phrase
from video2policy.perceive.prompt import Prompt
from video2policy.perceive.sam2 import Segmenter, follow
from video2policy.perceive.segment import Segmentation
from video2policy.perceive.verdict import Rejected

THRESHOLD = 0.3
"""Least score of an instance: the model's usual value."""

METHOD = "SAM 3"


class Detector:
    """The image model and its processor, on the device that the backend names."""

    def __init__(self, backend: Backend) -> None:
        folder = backend.weights_folder()
        with backend.imports():
            import torch
            from transformers import Sam3Model, Sam3Processor

            self.processor: Any = Sam3Processor.from_pretrained(folder, local_files_only=True)
        self.torch = torch
        self.device = backend.torch_device()
        self.model: Any = Sam3Model.from_pretrained(folder, local_files_only=True).to(self.device).eval()

    def detect(self, image: Image, text: str) -> list[Detection]:
        """Instances of a noun phrase in an RGB image (H, W, 3)."""
        inputs = self.processor(images=image, text=text, return_tensors="pt").to(self.device)
        with self.torch.inference_mode():
            outputs = self.model(**inputs)
        result = self.processor.post_process_instance_segmentation(
            outputs, threshold=THRESHOLD, target_sizes=[image.shape[:2]]
        )[0]
        words = frozenset(text.split())
        return [
            Detection((box[0], box[1], box[2], box[3]), float(score), words)
            for box, score in zip(result["boxes"].tolist(), result["scores"], strict=True)
        ]


class Tracker(Segmenter):
    """SAM 3's tracker, which keeps SAM 2's interface."""

    mean, std = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)

    @staticmethod
    def classes() -> tuple[Any, Any]:
        from transformers import Sam3TrackerVideoModel
        from transformers.models.sam3_tracker_video.modeling_sam3_tracker_video import (
            Sam3TrackerVideoInferenceSession,
        )

        return Sam3TrackerVideoModel, Sam3TrackerVideoInferenceSession


def proposer(backend: Backend) -> Proposer:
    """What `ground` asks for objects that the sheet does not locate."""

    def propose(
        images: Sequence[Image], labels: Mapping[str, str], handled: str, taken: Mapping[str, Box]
    ) -> dict[str, tuple[int, Box, float, str]]:
        """Image (the first), box on it, score and method of every object; Rejected for one not found."""
        detector = Detector(backend)
        found: dict[str, Detection] = {}
        for name, label in labels.items():
            others = {**taken, **{other: item.box for other, item in found.items()}}
            found |= assign(detector.detect(images[0], phrase(label)[2:-1]), {name: label}, others)
            if name not in found:
                raise Rejected(f"{label}: {METHOD} does not find it on the first frame; give a box or points")
        return {name: (0, item.box, min(item.score, 1.0), METHOD) for name, item in found.items()}

    return propose


def segment(images: Sequence[Image], prompts: Sequence[Prompt], name: str, backend: Backend) -> Segmentation:
    """Masks of the object `name` on every frame. `images`: RGB (H, W, 3), `prompts`: of all objects.

    Raises Rejected if the prompt's box holds nothing that could be segmented, Unavailable without weights.
    """
    return follow(Tracker(backend), images, next(p for p in prompts if p.name == name))
