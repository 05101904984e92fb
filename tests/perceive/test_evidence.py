"""What moves in a clip and what rests, on drawn clips of a printed square that is carried over a table."""

import cv2
import numpy as np
import pytest

from video2policy.perceive.candidates import detections, view_candidates, windows
from video2policy.perceive.coco import CLASSES, Detection
from video2policy.perceive.evidence import Evidence, coarse_colours, contrast

PRINT = np.random.default_rng(1).integers(0, 255, (8, 8, 3)).astype(np.uint8)
SIDE, START, STEP = 48, (40, 90), 8


def clip(step: int = STEP) -> list[np.ndarray]:
    """20 pictures: one printed square goes to the right by ``step`` a picture, another one rests."""
    rng = np.random.default_rng(0)
    table = cv2.GaussianBlur(rng.normal(150, 9, (180, 280, 3)), (0, 0), 2).clip(0, 255).astype(np.uint8)
    square = cv2.resize(PRINT, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    images = []
    for index in range(20):
        image = table.copy()
        image[10 : 10 + SIDE, 200 : 200 + SIDE] = square[::-1]
        x = START[0] + step * min(max(index - 4, 0), 12)
        image[START[1] : START[1] + SIDE, x : x + SIDE] = square
        images.append(image)
    return images


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return Evidence(clip())


def square(x: int, y: int) -> np.ndarray:
    mask = np.zeros((180, 280), bool)
    mask[y : y + SIDE, x : x + SIDE] = True
    return mask


def test_travel_has_one_sign_in_both_views(evidence: Evidence) -> None:
    first, last, most = evidence.views
    for view, x in ((first, START[0]), (last, START[0] + 12 * STEP)):
        travel = evidence.travel(view, square(x, START[1]))
        assert travel is not None
        np.testing.assert_allclose(travel, [12 * STEP, 0], atol=2)
        rest = evidence.travel(view, square(200, 10))
        assert rest is not None and np.abs(rest).max() < 1
    assert evidence.travel(most, square(200, 10)) is None


def test_what_is_carried_is_one_thing(evidence: Evidence) -> None:
    first = evidence.views[0]
    (points,) = evidence.carried(first)
    hull = evidence.hull(points)
    assert hull[square(*START)].mean() > 0.6 and hull[square(200, 10)].mean() == 0
    x, y = START
    box = (x, y, x + SIDE, y + SIDE)
    assert evidence.coverage(first, box) == 1.0
    assert evidence.purity(first, box) == pytest.approx(1, abs=0.05)
    assert evidence.coverage(first, (200, 10, 248, 58)) == 0.0
    assert evidence.purity(first, (0, 0, 280, 180)) < 0.8


def test_nothing_is_carried_where_nothing_moves() -> None:
    still = Evidence(clip(step=0))
    assert all(not still.carried(view) for view in still.views)
    assert not still.views[0].changed.any()
    assert still.coverage(still.views[0], (40, 90, 88, 138)) is None


def test_change_and_the_other_end(evidence: Evidence) -> None:
    first = evidence.views[0]
    assert first.changed[square(*START)].mean() > 0.8
    assert first.changed[square(200, 10)].mean() == 0
    end = evidence.other_end(first, square(*START))
    assert end is not None
    np.testing.assert_allclose(end, [START[0] + 12 * STEP + SIDE / 2, START[1] + SIDE / 2], atol=6)


def test_what_rests_is_seen_on_the_first_picture_that_shows_it() -> None:
    images = clip(step=0)
    for image in images[:5]:
        image[0:70, 190:260] = (205, 150, 120)  # an arm before the square that rests
    hidden = Evidence(images)
    assert hidden.seen_on(hidden.views[2], square(200, 10)) == 5
    assert hidden.seen_on(hidden.views[2], square(40, 90)) == 0


def test_contrast_is_that_of_the_outline(evidence: Evidence) -> None:
    first = evidence.views[0]
    bins = coarse_colours(first.image)
    assert contrast(bins, square(*START), evidence.unit) > 0.8
    assert contrast(bins, square(120, 20), evidence.unit) < 0.4
    assert contrast(bins, np.zeros((180, 280), bool), evidence.unit) == 0


class Two:
    """Stands in for the detector: it sees a cup in any part that holds the place (224, 34)."""

    def detect(self, image, crop, least):
        x0, y0, x1, y1 = crop
        classes = np.zeros(80, np.float32)
        classes[CLASSES.index("cup")] = 0.5 if (x0, y0) == (0, 0) else 0.3
        inside = x0 <= 200 and y0 <= 10 and x1 >= 248 and y1 >= 58
        return [Detection((200, 10, 248, 58), classes)] if inside else []


def test_candidates_come_from_the_detector_and_from_motion(evidence: Evidence) -> None:
    first = evidence.views[0]
    looks = windows(evidence, first)
    assert looks[0] == (0, 0, 280, 180) and len(looks) >= 4
    found = detections(Two(), first.image, looks)  # type: ignore[arg-type]
    assert len(found) == 1 and found[0].score == pytest.approx(0.5)
    pool = view_candidates(evidence, first, [], found)
    (cup,) = [c for c in pool if c.source == "detector"]
    assert cup.thing == 1 and cup.classes[CLASSES.index("cup")] == pytest.approx(0.5)
    best = max((c for c in pool if c.source == "motion"), key=lambda c: c.mask[square(*START)].mean())
    assert best.far is not None and best.far > 1.5
    x0, y0, x1, y1 = best.box
    assert best.whole > 0.8 and best.share > 0.6, "most of what changes is that square"
    assert cup.whole < 0.2 and cup.share < 0.1
    assert best.look.sum() == pytest.approx(1)
    assert abs(x0 - 40) < 6 and abs(y0 - 90) < 6 and abs(x1 - 88) < 6 and abs(y1 - 138) < 6
