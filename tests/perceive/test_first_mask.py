import cv2
import numpy as np
import pytest

from video2policy.mask import iou
from video2policy.perceive.first_mask import first_mask
from video2policy.perceive.prompt import Prompt
from video2policy.perceive.verdict import Rejected


def test_first_mask_keeps_parts_that_look_like_a_hand() -> None:
    """A cube, one quarter of which has skin's colour, with a hand on its corner."""
    rng = np.random.default_rng(0)
    image = rng.normal(190, 5, (200, 260, 3)).clip(0, 255).astype(np.uint8)
    cv2.rectangle(image, (100, 80), (169, 149), (60, 140, 90), -1)
    cv2.rectangle(image, (135, 80), (169, 114), (235, 205, 160), -1)
    hand = np.zeros(image.shape[:2], np.uint8)
    cv2.ellipse(hand, (180, 50), (55, 22), -40, 0, 360, 1, -1)
    image[hand > 0] = (205, 150, 125)
    truth = np.zeros(image.shape[:2], bool)
    truth[80:150, 100:170] = True
    truth &= hand == 0
    found = first_mask(image, Prompt("cube", 0, (98, 78, 172, 152)), (hand > 0) & ~truth)
    assert iou(found, truth) > 0.9


def test_box_outside_the_frame_is_refused() -> None:
    with pytest.raises(Rejected, match="holds no pixel"):
        first_mask(np.zeros((40, 40, 3), np.uint8), Prompt("cup", 0, (60, 60, 80, 80)))


def test_a_print_is_not_taken_for_what_it_is_on() -> None:
    rng = np.random.default_rng(2)
    image = rng.normal((96, 70, 50), 9, (160, 200, 3))
    truth = np.zeros((160, 200), bool)
    truth[40:120, 70:130] = True
    image[truth] = rng.normal((112, 82, 62), 4, (truth.sum(), 3))  # brown on brown
    image[80:105, 90:115] = (240, 240, 235)
    mask = first_mask(image.clip(0, 255).astype(np.uint8), Prompt("cup", 0, (70, 40, 130, 120)))
    assert iou(mask, truth) > 0.8
