"""A patterned card on a table, seen by a fixed camera."""

import numpy as np
from numpy.typing import NDArray

from video2policy.mask import bounding_box, iou
from video2policy.perceive.first_mask import first_mask
from video2policy.perceive.footage import Footage
from video2policy.perceive.morphology import grow
from video2policy.perceive.palette import UNIFORM, bins
from video2policy.perceive.prompt import Prompt
from video2policy.perceive.propagate import Followed, Track, arrival, has_moved, mend, propagate
from video2policy.perceive.scenery import Scenery

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
SIZE = 120, 200


def played(corners: list[tuple[int, int] | None]) -> tuple[list[Image], list[Mask]]:
    """Frames and true masks of the card with its upper left corner [x, y] here, or nowhere."""
    rng = np.random.default_rng(1)
    table = rng.normal((170, 140, 110), 4, (*SIZE, 3))
    card = np.full((30, 40, 3), (40, 80, 150), float)
    card[8:16, 6:30] = (190, 180, 60)
    images, masks = [], []
    for corner in corners:
        image, mask = table + rng.normal(0, 2, table.shape), np.zeros(SIZE, bool)
        if corner is not None:
            x, y = corner
            image[y : y + 30, x : x + 40], mask[y : y + 30, x : x + 40] = card, True
        images.append(image.clip(0, 255).astype(np.uint8))
        masks.append(mask)
    return images, masks


def scenery(images: list[Image], truth: Mask) -> Scenery:
    box = bounding_box(truth)
    assert box is not None
    start = first_mask(images[0], Prompt("card", 0, tuple(map(float, box))))
    return Scenery(Footage(images), start, 0, [])


def test_what_vanishes_is_missing_and_found_again() -> None:
    images, truth = played([(20, 40)] * 8 + [None] * 4 + [(120, 60)] * 8)
    scene = scenery(images, truth[0])
    rough = propagate(scene)
    scene.refine(rough.masks, rough.score)
    found = propagate(scene)
    assert found.missing == {8, 9, 10, 11}, "its place is bare, and it is nowhere"
    assert min(iou(found.masks[i], truth[i]) for i in (*range(8), *range(13, 20))) > 0.85
    assert found.score[19] > 0.5 > found.score[9]


def test_doubted_masks_are_mended_from_where_it_is_seen_again() -> None:
    images, truth = played([(20 + 4 * t, 40) for t in range(24)])
    scene = scenery(images, truth[0])
    found = propagate(scene)
    for i in range(8, 14):
        found.masks[i], found.score[i] = np.zeros(SIZE, bool), 0.0
        found.missing.add(i)
    mend(scene, found)
    assert min(iou(found.masks[i], truth[i]) for i in range(24)) > 0.85
    assert not found.missing and min(found.score.values()) > 0.5


def test_sure_masks_are_left_alone() -> None:
    images, truth = played([(20 + 4 * t, 40) for t in range(24)])
    scene = scenery(images, truth[0])
    found = propagate(scene)
    before = {i: mask.copy() for i, mask in found.masks.items()}
    mend(scene, found)
    assert all((found.masks[i] == before[i]).all() for i in before)


def test_what_came_to_rest_is_found_in_any_colour() -> None:
    images, truth = played([(20, 40)] * 8 + [None] * 12)
    rested = np.zeros(SIZE, bool)
    rested[70:100, 130:170] = True
    for image in images[12:]:
        image[rested] = (30, 110, 40)  # its back
    scene = scenery(images, truth[0])
    nothing = np.zeros(SIZE, bool)
    came = arrival(scene, 19, nothing, 0.12)
    assert came is not None and iou(came, rested) > 0.9
    assert arrival(scene, 19, rested, 0.12) is None, "it was found there already"
    for image in images[12:]:
        image[rested] = (0.6 * images[0][rested]).astype(np.uint8)  # a shadow that stays
    assert arrival(scene, 19, nothing, 0.12) is None


def test_what_is_covered_where_it_rests_has_not_moved() -> None:
    for places, moved in (
        ([(20, 40)] * 9 + [None] * 6, False),
        ([(20 + 6 * t, 40) for t in range(15)], True),
    ):
        images, truth = played(places)
        scene = scenery(images, truth[0])
        score = {t: float(t < 9 or t == 14) for t in range(15)}  # a ghost on the last frame
        found = Followed(dict(enumerate(truth)), score, set())
        found.masks[14] = np.roll(truth[0], 100, axis=1)
        assert has_moved(scene, found, range(15)) is moved


def test_what_has_not_moved_is_known_in_another_light() -> None:
    images, truth = played([(20, 40)] * 6 + [(60, 40)] * 2)
    track = Track(scenery(images, truth[0]), truth[0], 0)
    images[3][:] = (0.6 * images[3]).astype(np.uint8)
    assert track._remains(3) and not track._remains(3, seen=True)
    assert track._remains(2, seen=True)
    assert not track._remains(6) and not track._remains(6, seen=True)


def test_a_hand_that_comes_after_its_shadow_is_known() -> None:
    images, truth = played([(120, 40)] * 20)
    skin = (215, 150, 120)
    images[1][:, :12] = 20  # deep shadow reaches in first
    images[2][truth[2]] = 255  # and light plays on the card for a moment
    for t in range(6, 12):
        images[t][50:80, : 14 * (t - 5)] = skin
    scene = scenery(images, truth[0])
    index = bins(scene.footage.lab(11))[50:80, :80]
    assert np.median(scene.colours.hand.density(index)) > 10 * UNIFORM


def test_what_was_foreign_stays_so_where_it_touches() -> None:
    images, truth = played([(20, 40)] * 6 + [(100, 40)] * 6)
    finger = np.zeros(SIZE, bool)
    finger[45:65, 140:160] = True  # right at the card's edge
    images[6][finger] = (20, 160, 60)
    scene = scenery(images, truth[0])
    everything = (slice(None), slice(None))
    alone = scene.foreign(6, everything, truth[6])
    known = scene.foreign(6, everything, truth[6], finger)
    rim = finger & grow(truth[6], scene.footage.unit)
    assert alone[rim].mean() < 0.2 and known[rim].mean() > 0.8
    assert not known[truth[6]].any() and known[finger & ~rim].mean() > 0.9
