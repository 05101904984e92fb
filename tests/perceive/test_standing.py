"""A patterned card on a table that something passes in front of, or that is carried away and brought back."""

import numpy as np

from tests.perceive.test_propagate import Image, Mask, played, scenery
from video2policy.mask import iou
from video2policy.perceive.propagate import Followed
from video2policy.perceive.scenery import Scenery
from video2policy.perceive.standing import stand

HIDDEN = range(8, 14)


def behind_a_sleeve() -> tuple[list[Image], list[Mask]]:
    """Frames and true masks: on some frames the sleeve covers all of the card but its upper rows."""
    images, masks = played([(20, 40)] * 22)
    for t in HIDDEN:
        images[t][50:, 10:90] = (60, 60, 66)
        masks[t][50:] = False
    return images, masks


def lost_there(scene: Scenery, truth: list[Mask]) -> Followed:
    """What a pass may leave: nothing behind the sleeve, and half of the card after it, trusted."""
    found = Followed({t: mask.copy() for t, mask in enumerate(truth)}, {t: 0.95 for t in range(22)}, set())
    for t in HIDDEN:
        found.masks[t][:], found.score[t] = False, 0.0
        found.missing.add(t)
    for t in range(HIDDEN.stop, 22):
        found.masks[t][:55] = False
    return found


def test_what_was_hidden_but_not_moved_is_where_it_was() -> None:
    images, truth = behind_a_sleeve()
    scene = scenery(images, truth[0])
    found = lost_there(scene, truth)
    stand(scene, found)
    assert min(iou(found.masks[t], truth[t]) for t in range(HIDDEN.stop, 22)) > 0.9
    assert min(iou(found.masks[t], truth[t]) for t in HIDDEN) > 0.75, "its rows over the sleeve"
    assert not found.missing and min(found.score.values()) > 0.3


def test_a_trembling_camera_is_no_motion() -> None:
    images, truth = behind_a_sleeve()
    shaken = [np.roll(image, t % 2, axis=1) for t, image in enumerate(images)]
    scene = scenery(shaken, truth[0])
    found = lost_there(scene, truth)
    stand(scene, found)
    assert min(iou(found.masks[t], truth[t]) for t in range(HIDDEN.stop, 22)) > 0.85


def test_what_was_elsewhere_meanwhile_is_left_alone() -> None:
    images, truth = played([(20, 40)] * 8 + [(100, 60)] * 6 + [(20, 40)] * 8)
    scene = scenery(images, truth[0])
    found = Followed(dict(enumerate(truth)), {t: 0.95 for t in range(22)}, set())
    stand(scene, found)
    assert all(found.masks[t] is truth[t] for t in range(1, 22))
