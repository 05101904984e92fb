"""Grounding DINO: the real class with random weights through the real code path, and the choice of boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.perceive.tiny import tiny_grounding_dino
from video2policy.mask import box_iou
from video2policy.perceive import grounding_dino
from video2policy.perceive.backend import Backend
from video2policy.perceive.ground import ground
from video2policy.perceive.grounding_dino import Detection, assign, phrase
from video2policy.perceive.verdict import Rejected

CLIP = {"source_width": 120, "source_height": 90, "scale": 1.0, "source_index": [0, 1, 2]}


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Backend:
    folder = tiny_grounding_dino(tmp_path_factory.mktemp("weights") / "tiny")
    return Backend("grounding_dino", str(folder), device="cpu")


@pytest.fixture
def images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (90, 120, 3), dtype=np.uint8) for _ in range(3)]


def test_the_real_class_gives_boxes_inside_the_picture(backend: Backend, images: list[np.ndarray]) -> None:
    found = grounding_dino.Detector(backend).detect(images[0], "a red box. a cup.")
    assert len(found) > 3
    for item in found:
        x0, y0, x1, y1 = item.box
        assert 0 <= x0 < x1 <= 120 and 0 <= y0 < y1 <= 90
        assert 0.25 < item.score <= 1 and all(word.isalnum() for word in item.words)


def test_ground_asks_it_only_for_what_the_sheet_leaves_open(
    backend: Backend, images: list[np.ndarray]
) -> None:
    row = {
        "objects": ["red_box", "cup"],
        "labels": ["red box", "cup"],
        "boxes": {"cup": {"box": [60, 30, 100, 70], "frame": 1}},
        "points": {},
    }
    groundings, verdict = ground(images, CLIP, row, grounding_dino.proposer(backend))
    assert [g.method for g in groundings] == ["Grounding DINO", "box"]
    assert groundings[0].frame == 0 and groundings[1].frame == 1
    assert verdict.passed and verdict.better is None and verdict.method == "Grounding DINO, box"


def test_a_sheet_with_all_boxes_needs_no_weights(images: list[np.ndarray]) -> None:
    row = {"objects": ["cup"], "labels": ["cup"], "boxes": {"cup": {"box": [60, 30, 100, 70]}}, "points": {}}
    absent = Backend("grounding_dino", "/nowhere")
    groundings, _ = ground(images, CLIP, row, grounding_dino.proposer(absent))
    assert groundings[0].method == "box"


def test_what_it_does_not_find_is_refused_by_name(
    backend: Backend, images: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grounding_dino.Detector, "detect", lambda *_: [])
    with pytest.raises(Rejected, match="blue cup: Grounding DINO does not find it"):
        grounding_dino.proposer(backend)(images, {"cup": "blue cup"}, "cup", {})


@pytest.mark.parametrize(
    ("label", "text"),
    [("Red Cup", "a red cup."), ("the box", "a box."), ("coca-cola can", "a coca cola can.")],
)
def test_labels_become_the_phrases_it_was_trained_on(label: str, text: str) -> None:
    assert phrase(label) == text


def test_objects_never_share_a_box_and_the_best_pair_wins() -> None:
    left, right = (0.0, 0.0, 10.0, 10.0), (20.0, 0.0, 30.0, 10.0)
    detections = [
        Detection(left, 0.9, frozenset({"red", "cup"})),
        Detection(right, 0.6, frozenset({"blue", "cup"})),
        Detection((0.5, 0.0, 10.5, 10.0), 0.8, frozenset({"cup"})),
    ]
    found = assign(detections, {"a": "blue cup", "b": "red cup"}, {})
    assert found["b"].box == left and found["a"].box == right
    assert assign(detections, {"b": "red cup"}, {"other": left})["b"].box == right
    assert assign(detections, {"c": "spoon"}, {}) == {}


boxes = st.tuples(*[st.floats(0, 50)] * 2, *[st.floats(51, 100)] * 2)


@given(boxes, boxes)
def test_overlap_is_symmetric_and_one_for_the_same_box(a: tuple, b: tuple) -> None:
    assert box_iou(a, a) == pytest.approx(1)
    assert box_iou(a, b) == pytest.approx(box_iou(b, a)) and 0 <= box_iou(a, b) <= 1 + 1e-9


def test_weights_that_are_not_there_are_named_with_the_line_that_gets_them(
    images: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    absent = Backend("grounding_dino", "IDEA-Research/grounding-dino-tiny")
    with pytest.raises(Exception, match="hf download IDEA-Research/grounding-dino-tiny") as caught:
        grounding_dino.Detector(absent)
    assert type(caught.value).__name__ == "Unavailable" and "\n" not in str(caught.value)
