"""The flaws of what a policy sees: each of them, and none where none is wanted."""

from __future__ import annotations

import numpy as np
import pytest

from video2policy.sim.lens import Lens
from video2policy.sim.randomise import PRESETS, Randomisation

N, SIDE = 3, 24


def pictures() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(40, 200, (N, SIDE, SIDE, 3)).astype(np.uint8)


def labels() -> np.ndarray:
    found = np.zeros((N, SIDE, SIDE), np.int32)
    found[:, 4:12, 5:13], found[:, 14:20, 14:20] = 1, 2
    return found


def lens(seed: int = 0, **entries: float) -> Lens:
    return Lens(Randomisation.of(entries), (seed,))


def draws(**entries: float) -> dict[str, np.ndarray]:
    return Randomisation.of(entries).draw(0, range(N), [0] * N, 1)


def test_without_flaws_pictures_and_masks_are_as_drawn():
    flawless = Lens(PRESETS["none"], (0,))
    assert (flawless.pictures(pictures(), {}) == pictures()).all()
    assert (flawless.labels(labels(), 2) == labels()).all()


def test_every_episode_has_its_own_white_balance():
    tinted = lens(tint=0.2).pictures(pictures(), draws(tint=0.2))
    ratio = (tinted / pictures()).mean(axis=(1, 2))  # (n, 3)
    assert (np.abs(ratio - 1) < 0.21).all() and np.ptp(ratio, axis=0).min() > 0.02
    assert np.allclose(ratio, draws(tint=0.2)["tint"], atol=0.01)


def test_noise_has_the_deviation_asked_for_and_another_draw_in_each_frame():
    noisy = lens(pixel_noise=10)
    first, second = (noisy.pictures(pictures(), draws(pixel_noise=10)).astype(int) for _ in range(2))
    assert np.std(first - pictures()) == pytest.approx(10, rel=0.1)
    assert np.std(first - second) == pytest.approx(10 * 2**0.5, rel=0.1)


def test_blur_takes_contrast_and_leaves_the_mean():
    blurred = lens(blur=1.5).pictures(pictures(), draws(blur=1.5))
    assert blurred.std() < 0.5 * pictures().std()
    assert blurred.mean() == pytest.approx(pictures().mean(), rel=0.02)


def test_late_pictures_are_those_of_so_many_steps_ago():
    late = lens(camera_delay=2)
    frames = [np.full((1, 8, 8, 3), value, np.uint8) for value in (10, 20, 30, 40)]
    seen = [late.pictures(frame, draws(camera_delay=2))[0, 0, 0, 0] for frame in frames]
    assert seen == [10, 10, 10, 20]


def test_masks_are_off_by_a_pixel_or_lost_and_never_touch_what_was_drawn():
    drawn, sizes = labels(), []
    wrong = lens(mask_error=1.0)
    for _ in range(60):
        found = wrong.labels(drawn, 2)
        sizes += [int((one == 1).sum()) for one in found]
    assert (drawn == labels()).all()
    assert set(sizes) == {0, 6 * 6, 8 * 8 + 4 * 8}  # lost, eroded, dilated by a cross
    assert 0.03 < np.mean(np.array(sizes) == 0) < 0.2
    few = [(lens(seed, mask_error=0.3).labels(drawn, 2) != drawn).any(axis=(1, 2)) for seed in range(40)]
    assert 0.3 < np.mean(few) < 0.7  # of two objects each


@pytest.mark.parametrize(
    "entries", [{"tint": 1.0}, {"mask_error": 1.5}, {"camera_delay": 0.5}, {"blur": -1}, {"gain": [0, 1]}]
)
def test_flaws_that_make_no_sense_are_refused(entries):
    with pytest.raises(ValueError, match="randomise"):
        Randomisation.of(entries)
