import numpy as np

from video2policy.perceive.foreground import background, in_front


def clip(frames: int = 20) -> tuple[list[np.ndarray], np.ndarray]:
    """A blue square that moves to the right over a grey table; its masks are a pixel too small all around."""
    rng = np.random.default_rng(0)
    table = rng.integers(110, 120, (120, 160, 3)).astype(np.uint8)
    images, masks = [], np.zeros((frames, 120, 160), bool)
    for t in range(frames):
        image = table.copy()
        left = 10 + 5 * t
        image[50:80, left : left + 30] = [40, 60, 200]
        masks[t, 51:79, left + 1 : left + 29] = True
        images.append(image)
    return images, masks


def test_the_background_is_what_stands_still():
    images, _ = clip()
    assert np.abs(background(images).astype(int) - 115).max() < 30


def test_the_blurred_rim_of_an_object_is_no_hand():
    images, masks = clip()
    assert not in_front(images, masks).any()


def test_a_hand_beside_the_object_is_in_front_of_the_background_and_no_part_of_the_object():
    images, masks = clip()
    images[8][40:70, 80:100] = [210, 160, 140]
    found = in_front(images, masks)
    assert found[8, 43:67, 83:97].all()
    assert not (found & masks).any()
    assert not np.delete(found, 8, axis=0).any()
