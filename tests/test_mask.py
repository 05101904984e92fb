import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from video2policy.mask import (
    bounding_box,
    contact_sheet,
    draw_mask,
    iou,
    largest_component,
    load_masks,
    main_components,
    mask_sheet,
    save_masks,
    write_image,
)

masks = st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 13)).flatmap(
    lambda shape: arrays(bool, shape)
)


@given(masks)
def test_masks_survive_the_file(tmp_path_factory, stack) -> None:
    path = tmp_path_factory.mktemp("masks") / "cup.npz"
    score = np.linspace(0, 1, len(stack)).astype(np.float32)
    save_masks(path, stack, score)
    again, again_score = load_masks(path)
    np.testing.assert_array_equal(again, stack)
    np.testing.assert_array_equal(again_score, score)


def test_scores_must_belong_to_the_masks(tmp_path) -> None:
    with pytest.raises(ValueError, match="do not belong together"):
        save_masks(tmp_path / "m.npz", np.zeros((3, 4, 5), bool), np.zeros(2, np.float32))


@given(masks)
def test_bounding_box_is_tight(stack) -> None:
    box = bounding_box(stack[0])
    if box is None:
        assert not stack[0].any()
        return
    x0, y0, x1, y1 = box
    outside = stack[0].copy()
    outside[y0:y1, x0:x1] = False
    assert not outside.any()
    inside = stack[0][y0:y1, x0:x1]
    assert inside[0].any() and inside[-1].any() and inside[:, 0].any() and inside[:, -1].any()


def test_iou() -> None:
    a, b = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    assert iou(a, b) == 1.0
    a[:2], b[1:3] = True, True
    assert iou(a, b) == pytest.approx(4 / 12)


def test_largest_component() -> None:
    mask = np.zeros((9, 9), bool)
    mask[0, 0] = mask[4:7, 4:7] = True
    assert largest_component(mask).sum() == 9 and largest_component(mask)[5, 5]
    assert not largest_component(np.zeros((3, 3), bool)).any()


def test_drawing_marks_the_mask_only(tmp_path) -> None:
    image = np.full((60, 80, 3), 120, np.uint8)
    mask = np.zeros((60, 80), bool)
    mask[20:40, 30:50] = True
    drawn = draw_mask(image, mask)
    assert (drawn[30, 40] != 120).any() and (drawn[5, 5] == 120).all()
    assert (image == 120).all(), "the image itself stays"
    sheet = mask_sheet([image] * 10, np.stack([mask] * 10), np.ones(10, np.float32), count=8)
    assert sheet.shape == (2 * 300, 4 * 400, 3)
    assert contact_sheet([image] * 3, ["a", "b", "c"], columns=2, width=80).shape == (120, 160, 3)
    write_image(tmp_path / "sheet.png", sheet)
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == sheet.shape


def test_what_a_finger_splits_stays_together_and_specks_do_not() -> None:
    mask = np.zeros((20, 40), bool)
    mask[5:15, 5:15] = mask[5:15, 18:22] = mask[0, 38:] = True
    kept = main_components(mask)
    assert kept[10, 10] and kept[10, 20] and not kept[0, 39]
    assert not main_components(np.zeros((3, 3), bool)).any()


@given(masks)
def test_the_main_parts_hold_the_largest(stack) -> None:
    kept = main_components(stack[0])
    assert not (kept & ~stack[0]).any()
    assert not (largest_component(stack[0]) & ~kept).any()
