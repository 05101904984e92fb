from itertools import pairwise

import numpy as np
import pytest

from tests.perceive.test_propagate import SIZE, played, scenery
from video2policy.mask import iou
from video2policy.perceive import outline as module
from video2policy.perceive.morphology import grow
from video2policy.perceive.outline import CHANNELS, NEIGHBOUR, Neighbour, channels, network, outline
from video2policy.perceive.propagate import Followed
from video2policy.perceive.scenery import Scenery
from video2policy.perceive.segment import sharpen


@pytest.fixture(scope="module")
def seen() -> tuple[Scenery, list[np.ndarray]]:
    """A card that is pushed over a table, and its true masks."""
    images, truth = played([(20 + 4 * t, 40) for t in range(16)])
    scene = scenery(images, truth[0])
    scene.refine(dict(enumerate(truth)), dict.fromkeys(range(16), 0.9))
    return scene, truth


def corrected(scene: Scenery, mask: np.ndarray, near: list[Neighbour | None]) -> np.ndarray:
    roi, odds = outline(scene, 8, mask, near)
    result = np.zeros(SIZE, bool)
    result[roi] = odds > 0
    return result


@pytest.mark.parametrize("what", ["fat", "thin", "shifted", "a part is missing"])
@pytest.mark.parametrize("known", [True, False])
def test_worse_masks_become_better(seen: tuple[Scenery, list[np.ndarray]], what: str, known: bool) -> None:
    scene, truth = seen
    true = truth[8]
    part = true.copy()
    part[40:50, 52:64] = False
    mask = {
        "fat": grow(true, 3),
        "thin": ~grow(~true, 3),
        "shifted": np.roll(true, 3, axis=1),
        "a part is missing": part,
    }[what]
    near = [Neighbour(t, truth[t]) if known else None for t in (7, 9)]
    found = corrected(scene, mask, near)
    assert iou(found, true) > max(0.93, iou(mask, true) + 0.02)


def test_true_masks_stay(seen: tuple[Scenery, list[np.ndarray]]) -> None:
    scene, truth = seen
    assert iou(corrected(scene, truth[8], [Neighbour(t, truth[t]) for t in (7, 9)]), truth[8]) > 0.96


def test_a_frame_that_is_not_known_is_as_one_without_the_object(
    seen: tuple[Scenery, list[np.ndarray]],
) -> None:
    scene, truth = seen
    roi = module.around(truth[8], scene.footage.unit)
    unknown = channels(scene, 8, truth[8], roi, [None, Neighbour(9, truth[9])])
    assert unknown.shape == (roi[0].stop - roi[0].start, roi[1].stop - roi[1].start, CHANNELS)
    before = slice(-2 * NEIGHBOUR, -NEIGHBOUR)
    assert not unknown[..., before].any() and unknown[..., -NEIGHBOUR:].any()
    empty = channels(scene, 8, truth[8], roi, [Neighbour(7, np.zeros(SIZE, bool)), Neighbour(9, truth[9])])
    assert np.array_equal(unknown, empty)


def test_weights_fit_the_channels() -> None:
    layers = network()
    assert layers[0].weight.shape[0] == CHANNELS * (1 + len(module.AROUND))
    assert layers[-1].weight.shape[1] == 1
    for before, after in pairwise(layers):
        assert before.weight.shape[1] == len(before.bias) == after.weight.shape[0]
    assert module.WEIGHTS.stat().st_size < 500_000


def test_all_frames_are_sharpened_and_what_is_hidden_stays_so(seen: tuple[Scenery, list[np.ndarray]]) -> None:
    scene, truth = seen
    masks = {t: grow(mask, 3) for t, mask in enumerate(truth)} | {5: np.zeros(SIZE, bool)}
    found = Followed(masks, dict.fromkeys(masks, 0.9), set())
    sharpen(scene, found)
    assert not found.masks[5].any()
    better = [iou(found.masks[t], true) for t, true in enumerate(truth) if t != 5]
    assert min(better) > 0.9 > iou(grow(truth[8], 3), truth[8])
