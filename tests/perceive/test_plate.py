import numpy as np

from video2policy.perceive.colour import to_lab
from video2policy.perceive.plate import cast_shadow, clean_plate, plate_likelihood


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


def test_cast_shadow_is_even_and_of_the_plates_colour() -> None:
    """A mask over a blue box, its shadow and, elsewhere, a shaded brown side of the table's colour."""
    plate = np.full((60, 120, 3), (190, 160, 120), np.uint8)
    image = plate.copy()
    image[10:50, 10:60] = (40, 60, 150)
    image[30:50, 60:80] = plate[30:50, 60:80] * 0.55
    side = np.linspace(0.85, 0.35, 20)[None, :, None]
    image[10:28, 60:80] = plate[10:28, 60:80] * side
    mask = (image != plate).any(axis=2)
    found = cast_shadow(plate, image, mask, np.ones((3, 3), np.uint8))
    assert found[30:50, 60:80].mean() > 0.9
    assert found.sum() <= 20 * 20
    assert not cast_shadow(plate, plate, mask, np.ones((3, 3), np.uint8)).any()


def test_cast_shadow_on_a_patterned_table_is_found_and_shade_on_the_object_is_not() -> None:
    """A red box on grey planks of two shades: its shadow beside it, and in its middle a hollow in shade."""
    planks = np.where(np.arange(120) // 6 % 2, 1.0, 1.25)[None, :, None]
    plate = (np.full((60, 120, 3), (150, 140, 130)) * planks).astype(np.uint8)
    image = plate.copy()
    image[10:50, 10:60] = (190, 60, 60)
    image[24:36, 28:42] = (plate[24:36, 28:42] * 0.6).astype(np.uint8)
    image[30:50, 60:80] = (plate[30:50, 60:80] * 0.6).astype(np.uint8)
    mask = (image != plate).any(axis=2)
    smooth = np.full_like(plate, (168, 157, 146))
    found = cast_shadow(smooth, image, mask, np.ones((3, 3), np.uint8))
    assert found[30:50, 60:80].mean() > 0.9
    assert not found[:, :60].any()
