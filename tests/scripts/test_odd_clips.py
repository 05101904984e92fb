"""Clips with something wrong or unusual about them, through the scripts of the first two stages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from scripts import frames as frames_script
from scripts import ground as ground_script
from tests.test_clip import SIZE, scene, turned, write
from video2policy.perceive.verdict import Rejected

Maker = Callable[[Path], Path]


def corrupt(path: Path) -> Path:
    path.write_bytes(np.random.default_rng(0).bytes(20_000))
    return path


def cut_off(path: Path) -> Path:
    path.write_bytes(write(path, scene(40)).read_bytes()[:2000])
    return path


def black(path: Path) -> Path:
    return write(path, [np.zeros((*SIZE[::-1], 3), np.uint8)] * 20)


def static(path: Path) -> Path:
    return write(path, scene(1) * 20)


def with_a_cut(path: Path) -> Path:
    return write(path, scene(12) + scene(12, seed=4))


def portrait(path: Path) -> Path:
    return turned(write(path, scene(20)))


def without_an_object(path: Path) -> Path:
    """A hand's arm comes in over a plain table, and leaves again."""
    images = []
    for t in range(24):
        image = np.full((*SIZE[::-1], 3), (150, 140, 128), np.uint8)
        image = cv2.add(image, np.random.default_rng(1).integers(0, 9, image.shape).astype(np.uint8))
        reach = 90 - abs(t - 12) * 8
        cv2.rectangle(image, (SIZE[0] - reach, 55), (SIZE[0], 75), (222, 170, 140), -1)
        images.append(image)
    return write(path, images)


def perceive(path: Path, folder: Path) -> None:
    """The first two stages: raises Rejected with the sentence that the report shows."""
    row = {"video": "odd", "caption": "lifting mug up"}
    frames_script.main(path, folder / "frames", folder / "clip.json", row, {"quality": {}})
    row = {"objects": ("mug",), "labels": ("mug",), "boxes": {}, "points": {}, "masks": {}}
    outputs = (folder / "objects.json", folder / "objects.png")
    ground_script.main(folder / "frames", folder / "clip.json", *outputs, row)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (corrupt, "no frame could be decoded"),
        (cut_off, "no frame could be decoded"),
        (black, "is black throughout"),
        (static, "nothing moves from the first frame to the last"),
        (with_a_cut, "has a cut at frame 12"),
        (without_an_object, "mug: nothing in the clip fits this name well enough"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_an_odd_clip_is_refused_in_one_sentence(make: Maker, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(Rejected) as caught:
        perceive(make(tmp_path / "odd.mp4"), tmp_path)
    assert sentence in caught.value.reason
    assert "\n" not in caught.value.reason and len(caught.value.reason) < 300


def test_a_portrait_clip_stands_upright_and_its_boxes_too(tmp_path: Path) -> None:
    path = portrait(tmp_path / "phone.mp4")
    row = {"video": "odd", "caption": "lifting mug up"}
    frames_script.main(path, tmp_path / "frames", tmp_path / "clip.json", row, {"quality": {}})
    record = json.loads((tmp_path / "clip.json").read_text())
    assert (record["width"], record["height"]) == SIZE[::-1]
    low = [10, 100, 60, 150]  # below the picture's edge, were it not turned
    row = {
        "objects": ("mug",),
        "labels": ("mug",),
        "boxes": {"mug": {"frame": 0, "box": low}},
        "points": {},
        "masks": {},
    }
    outputs = (tmp_path / "objects.json", tmp_path / "objects.png")
    assert ground_script.main(tmp_path / "frames", tmp_path / "clip.json", *outputs, row).passed
