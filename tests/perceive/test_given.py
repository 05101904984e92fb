"""Masks of the sheet's own."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from video2policy.perceive.given import box_of, given_masks
from video2policy.perceive.verdict import Rejected

CLIP = {
    "source_index": [0, 2, 4],
    "source_width": 80,
    "source_height": 60,
    "width": 40,
    "height": 30,
    "scale": 0.5,
}


def drawn(folder: Path, frames: int, shape: tuple[int, int] = (60, 80)) -> Path:
    """A white square that moves 4 pixels right a frame, from the second frame on."""
    folder.mkdir()
    for t in range(frames):
        image = np.zeros(shape, np.uint8)
        if t:
            image[20:40, 10 + 4 * t : 30 + 4 * t] = 255
        cv2.imwrite(str(folder / f"{t:03d}.png"), image)
    return folder


def test_masks_are_taken_at_the_frames_and_size_that_perception_works_on(tmp_path: Path) -> None:
    masks = given_masks(drawn(tmp_path / "cup", 5), CLIP)
    assert masks.shape == (3, 30, 40) and not masks[0].any()
    assert masks[1, 10:20, 9:19].all() and masks[1].sum() == 100
    assert masks[2, 10:20, 13:23].all() and masks[2].sum() == 100
    assert box_of(masks, CLIP, "cup") == {"frame": 2, "box": [18.0, 20.0, 38.0, 40.0]}


@pytest.mark.parametrize(
    ("frames", "shape", "message"),
    [
        (4, (60, 80), "have 4 frames, the clip has more \\(5\\)"),
        (5, (30, 40), "are 40x30, the clip is 80x60"),
        (1, (60, 80), "have 1 frames"),
    ],
)
def test_masks_of_another_clip_are_refused(
    tmp_path: Path, frames: int, shape: tuple[int, int], message: str
) -> None:
    with pytest.raises(Rejected, match=message):
        given_masks(drawn(tmp_path / "cup", frames, shape), CLIP)


def test_black_masks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="black throughout"):
        given_masks(drawn(tmp_path / "cup", 1), {**CLIP, "source_index": [0]})


def test_an_ordinary_clip_is_no_mask(tmp_path: Path) -> None:
    path = drawn(tmp_path / "cup", 1)
    cv2.imwrite(str(path / "000.png"), np.random.default_rng(0).integers(60, 200, (60, 80), np.uint8))
    with pytest.raises(Rejected, match="are no masks: much of frame 0 is neither black nor white"):
        given_masks(path, {**CLIP, "source_index": [0]})
