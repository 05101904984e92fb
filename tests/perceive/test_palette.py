import numpy as np
import pytest

from video2policy.perceive.palette import Palette


def test_palette_knows_what_it_learnt() -> None:
    red, blue = np.array([[1000, 1000, 1001]]), np.array([[50000]])
    palette = Palette()
    assert not palette.known
    palette.learn(red[0].astype(np.int32))
    assert palette.density(red[0]).min() > 100 * palette.density(blue[0]).max()
    assert palette.overlap(palette) == pytest.approx(1)
