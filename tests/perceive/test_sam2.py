"""SAM 2.1: the real class with random weights through the real code path, and the points that prompt it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.perceive.tiny import tiny_sam2
from video2policy.perceive import sam2
from video2policy.perceive.backend import Backend
from video2policy.perceive.prompt import Prompt
from video2policy.perceive.verdict import Rejected

PROMPT = Prompt("cup", 4, (20, 20, 60, 60))


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Backend:
    return Backend("sam2", str(tiny_sam2(tmp_path_factory.mktemp("weights") / "tiny")), device="cpu")


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (90, 120, 3), dtype=np.uint8) for _ in range(24)]


def test_the_real_class_gives_a_mask_and_a_score_for_every_frame_both_ways(
    backend: Backend, images: list[np.ndarray]
) -> None:
    found = sam2.segment(images, [PROMPT, Prompt("other", 0, (0, 0, 9, 9))], "cup", backend)
    assert found.masks.shape == (24, 90, 120) and found.masks.dtype == bool
    assert found.score.shape == (24,) and ((found.score > 0) & (found.score <= 1)).all()
    assert found.masks.any(axis=(1, 2)).all()
    again = sam2.segment(images, [PROMPT], "cup", backend)
    np.testing.assert_array_equal(found.masks, again.masks)


def test_memory_does_not_grow_with_the_clip(backend: Backend, images: list[np.ndarray]) -> None:
    segmenter = sam2.Segmenter(backend)
    points = [(30.0, 30.0)] * 5
    held: list[int] = []
    session = segmenter.session((90, 120), 0, points, [1] * 5)
    for frame, image in enumerate(images):
        segmenter.step(session, image, frame, False)
        outputs = session.output_dict_per_obj[0]
        kept = [*outputs["cond_frame_outputs"].values(), *outputs["non_cond_frame_outputs"].values()]
        assert not any("high_res_masks" in item for item in kept) and not session.processed_frames
        held.append(sum(value.numel() for item in kept for value in item.values() if value is not None))
    assert segmenter.remembered == 16
    assert held[-1] == held[17] > held[2]


def test_forgetting_changes_no_mask(
    backend: Backend, images: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    short = sam2.segment(images, [PROMPT], "cup", backend)
    monkeypatch.setattr(sam2, "forget", lambda *_: None)
    whole = sam2.segment(images, [PROMPT], "cup", backend)
    np.testing.assert_array_equal(short.masks, whole.masks)
    np.testing.assert_array_equal(short.score, whole.score)


def test_it_is_prompted_by_the_box_and_then_by_five_points_inside_the_mask(
    backend: Backend, images: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[int, np.ndarray, list[int]]] = []
    real = sam2.Segmenter.session

    def session(self: Any, size: tuple, frame: int, points: Any, labels: Any) -> Any:
        calls.append((frame, np.asarray(points), list(labels)))
        return real(self, size, frame, points, labels)

    monkeypatch.setattr(sam2.Segmenter, "session", session)
    first = sam2.Segmenter(backend).first_mask(images[4], PROMPT)
    sam2.segment(images, [PROMPT], "cup", backend)
    box, forwards, backwards = calls[1:]
    np.testing.assert_allclose(box[1], [(20, 20), (60, 60)])
    assert box[2] == [2, 3]
    for frame, points, labels in (forwards, backwards):
        assert frame == 4 and labels == [1] * 5 and points.shape == (5, 2)
        assert all(first[int(y), int(x)] for x, y in points)


def test_the_vendor_sees_normalised_pictures_and_points_in_its_own_pixels(backend: Backend) -> None:
    segmenter = sam2.Segmenter(backend)
    grey = np.full((90, 120, 3), 255, np.uint8)
    pixels = segmenter.pixels(grey)
    assert pixels.shape == (1, 3, 128, 128)
    expected = [(1 - m) / s for m, s in zip(segmenter.mean, segmenter.std, strict=True)]
    np.testing.assert_allclose(pixels[0, :, 5, 5], expected, rtol=1e-5)
    session = segmenter.session((90, 120), 0, [(60.0, 45.0)], [1])
    inputs = session.point_inputs_per_obj[0][0]
    assert inputs["point_coords"].shape == (1, 1, 1, 2) and inputs["point_labels"].shape == (1, 1, 1)
    np.testing.assert_allclose(inputs["point_coords"].flatten(), [64, 64])


def test_an_empty_first_mask_is_refused_by_name(
    backend: Backend, images: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sam2.Segmenter, "first_mask", lambda *_: np.zeros((90, 120), bool))
    with pytest.raises(Rejected, match="cup: nothing in its box"):
        sam2.segment(images, [PROMPT], "cup", backend)


@given(st.integers(5, 40), st.integers(5, 40), st.integers(0, 2**31))
def test_points_lie_in_the_mask_and_apart(width: int, height: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = np.zeros((60, 60), bool)
    y, x = rng.integers(0, 60 - height), rng.integers(0, 60 - width)
    mask[y : y + height, x : x + width] = True
    points = sam2.points_inside(mask)
    assert len(points) == len(set(points)) == 5
    assert all(mask[int(b), int(a)] for a, b in points)
    middle = np.array([x + width / 2, y + height / 2])
    assert np.abs(np.array(points[0]) - middle).max() <= max(width, height) / 2 - min(width, height) / 2 + 1.5


def test_points_of_an_empty_mask() -> None:
    with pytest.raises(ValueError, match="no point"):
        sam2.points_inside(np.zeros((5, 5), bool))
