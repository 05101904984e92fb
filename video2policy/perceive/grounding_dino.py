"""Objects by their names on the first frame: Grounding DINO (transformers' port; paper, section 3.1).

Liu et al., "Grounding DINO", 2023; weights IDEA-Research/grounding-dino-tiny or -base, Apache-2.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from video2policy.mask import box_iou
from video2policy.perceive.backend import Backend
from video2policy.perceive.ground import Box, Image, Proposer
from video2policy.perceive.verdict import Rejected

THRESHOLD = 0.25
"""Least score of a box, and of a word for it to name the box: the model's usual values."""

SAME = 0.8
"""Boxes with a larger intersection over union show one thing: two objects never share them."""

METHOD = "Grounding DINO"


@dataclass(frozen=True)
class Detection:
    """A box [x0, y0, x1, y1] in pixels, its score and the words of the prompt that it answers."""

    box: Box
    score: float
    words: frozenset[str]


def phrase(label: str) -> str:
    """The label as the model wants it: lower case, an article, a full stop. "Red Cup" -> "a red cup."."""
    words = re.sub(r"[^a-z0-9 ]+", " ", label.lower()).split()
    words = words[1:] if len(words) > 1 and words[0] in ("a", "an", "the") else words
    return f"a {' '.join(words)}."


def assign(
    detections: Sequence[Detection], labels: Mapping[str, str], taken: Mapping[str, Box]
) -> dict[str, Detection]:
    """The best detection for every object that has one; no two objects, nor one of `taken`, share a box."""
    pairs = []
    for name, label in labels.items():
        words = set(phrase(label)[2:-1].split())
        for detection in detections:
            share = len(words & detection.words) / len(words)
            if share > 0:
                pairs.append((detection.score * share, name, detection))
    found: dict[str, Detection] = {}
    used = list(taken.values())
    for _, name, detection in sorted(pairs, key=lambda pair: -pair[0]):
        if name not in found and all(box_iou(detection.box, box) < SAME for box in used):
            found[name] = detection
            used.append(detection.box)
    return found


class Detector:
    """The network and its processor, on the device that the backend names."""

    def __init__(self, backend: Backend) -> None:
        folder = backend.weights_folder()
        with backend.imports():
            import torch
            from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor
        self.torch = torch
        self.device = backend.torch_device()
        self.processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
        model = AutoModelForZeroShotObjectDetection.from_pretrained(folder, local_files_only=True)
        self.model: Any = model.to(self.device).eval()

    def detect(self, image: Image, text: str) -> list[Detection]:
        """What an RGB image (H, W, 3) shows of `text`, phrases with full stops."""
        inputs = self.processor(images=image, text=text, return_tensors="pt").to(self.device)
        with self.torch.inference_mode():
            outputs = self.model(**inputs)
        result = self.processor.post_process_grounded_object_detection(
            outputs,
            inputs["input_ids"],
            threshold=THRESHOLD,
            text_threshold=THRESHOLD,
            target_sizes=[image.shape[:2]],
        )[0]
        height, width = image.shape[:2]
        detections = []
        for box, score, words in zip(result["boxes"], result["scores"], result["text_labels"], strict=True):
            x0, y0, x1, y1 = (float(v) for v in box.cpu())
            inside = (max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height)))
            if inside[2] - inside[0] >= 2 and inside[3] - inside[1] >= 2:
                detections.append(Detection(inside, float(score), frozenset(re.findall("[a-z0-9]+", words))))
        return detections


def proposer(backend: Backend) -> Proposer:
    """What `ground` asks for objects that the sheet does not locate."""

    def propose(
        images: Sequence[Image], labels: Mapping[str, str], handled: str, taken: Mapping[str, Box]
    ) -> dict[str, tuple[int, Box, float, str]]:
        """Image (the first), box on it, score and method of every object; Rejected for one not found."""
        detector = Detector(backend)  # only now: a sheet with boxes needs no weights
        found = assign(detector.detect(images[0], " ".join(map(phrase, labels.values()))), labels, taken)
        for name, label in labels.items():
            if name not in found:  # by itself it may stand out better than among the others
                others = {**taken, **{other: item.box for other, item in found.items()}}
                found |= assign(detector.detect(images[0], phrase(label)), {name: label}, others)
            if name not in found:
                raise Rejected(f"{label}: {METHOD} does not find it on the first frame; give a box or points")
        return {name: (0, found[name].box, min(found[name].score, 1.0), METHOD) for name in labels}

    return propose
