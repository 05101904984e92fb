"""What is told of a thing from its bare place, on drawn clips."""

import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.mask import bounding_box, iou
from video2policy.perceive.departure import departed
from video2policy.perceive.first_mask import first_mask
from video2policy.perceive.footage import Footage
from video2policy.perceive.prompt import Prompt
from video2policy.perceive.segment import start_mask

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
SIZE = 160, 240


def clip(gone: bool, light: float = 1.0) -> tuple[list[Image], Mask]:
    """A stick, which leaves or not, beside a tile of its colour; `light` of the last frames."""
    rng = np.random.default_rng(0)
    table = cv2.GaussianBlur(rng.normal(0, 60, (*SIZE, 1)), (0, 0), 2.5)[..., None] * 1.2 + (150, 130, 105)
    table[45:85, 105:190] = (114, 128, 146)
    mask = np.zeros(SIZE, np.uint8)
    cv2.line(mask, (70, 50), (140, 110), 1, 5)
    images = []
    for t in range(30):
        image = table + rng.normal(0, 2, table.shape)
        if t < 15 or not gone:
            image[mask > 0] = (118, 132, 150) + rng.normal(0, 12, (mask.sum(), 1))
        images.append((image * (1 if t < 20 else light)).clip(0, 255).astype(np.uint8))
    return images, mask > 0


def prompt(mask: Mask) -> Prompt:
    box = bounding_box(mask)
    assert box is not None
    return Prompt("stick", 0, tuple(map(float, box)))


def test_what_leaves_is_told_by_its_bare_place() -> None:
    images, truth = clip(gone=True)
    footage, given = Footage(images), prompt(truth)
    left = departed(footage, given)
    assert left is not None
    assert iou(left.gone, truth) > 0.5 and not (left.gone & left.same).any()
    assert (left.same & truth).sum() < 0.15 * truth.sum()
    found = iou(start_mask(footage, given), truth)
    assert found > 0.6 and found > iou(first_mask(images[0], given), truth) + 0.1


def test_other_light_is_no_difference() -> None:
    images, truth = clip(gone=True, light=0.75)
    left = departed(Footage(images), prompt(truth))
    assert left is None or (left.gone & ~truth).sum() < 0.5 * truth.sum()


def test_what_stays_tells_nothing() -> None:
    images, truth = clip(gone=False)
    footage, given = Footage(images), prompt(truth)
    assert departed(footage, given) is None
    assert np.array_equal(start_mask(footage, given), first_mask(images[0], given))


def test_a_clip_of_few_frames_has_ends_too() -> None:
    images, truth = clip(gone=False)
    assert departed(Footage(images[:3]), prompt(truth)) is None
    assert departed(Footage(images[:1]), prompt(truth)) is None


def test_the_rim_of_what_stays_under_a_trembling_camera_tells_nothing() -> None:
    table = np.full((*SIZE, 3), (170, 150, 120), float)
    disc = np.zeros(SIZE, np.uint8)
    cv2.ellipse(disc, (120, 80), (40, 28), 0, 0, 360, 1, -1)
    sharp = np.where(disc[..., None] > 0, (20, 120, 60), table)
    first = cv2.GaussianBlur(sharp, (0, 0), 0.8).astype(np.uint8)
    later = np.roll(first, (1, 1), axis=(0, 1))
    images, truth = [first] * 15 + [later] * 15, disc > 0
    assert np.abs(first.astype(int) - later)[truth].max() > 50
    footage, given = Footage(images), prompt(truth)
    assert departed(footage, given) is None
    assert iou(start_mask(footage, given), truth) > 0.9
