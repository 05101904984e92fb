import numpy as np

from video2policy.perceive.colour import to_lab
from video2policy.perceive.plate import clean_plate, plate_likelihood


def test_shadows_look_like_the_background() -> None:
    plate = np.tile(np.linspace((170, 140, 90), (190, 170, 120), 20), (20, 1, 1)).astype(np.uint8)
    shadow = (plate * 0.6).astype(np.uint8)
    other = plate[..., ::-1].copy()
    lit, shaded, foreign = (
        np.median(plate_likelihood(image, to_lab(image), plate, to_lab(plate)))
        for image in (plate, shadow, other)
    )
    assert lit > shaded > 100 * foreign


def test_clean_plate_ignores_hidden_frames() -> None:
    stack = np.full((5, 4, 4, 3), 100, np.uint8)
    hidden = np.zeros((5, 4, 4), bool)
    stack[:2, 1, 1], hidden[:2, 1, 1] = 250, True
    hidden[:, 2, 2] = True
    fallback = np.full((4, 4, 3), 7, np.uint8)
    stack[:2, 3, 3] = 180  # seen, but not always the same
    plate, known = clean_plate(stack, hidden, fallback)
    assert known[0, 0] and not known[2, 2] and not known[3, 3]
    assert (plate[1, 1] == 100).all() and (plate[2, 2] == 7).all() and (plate[0, 0] == 100).all()
