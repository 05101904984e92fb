import numpy as np

from video2policy.perceive.morphology import fill_holes


def test_fill_holes_keeps_a_handles_hole() -> None:
    mask = np.zeros((60, 60), bool)
    mask[10:50, 10:50] = True
    mask[15:17, 15:17] = False
    mask[25:40, 25:40] = False
    filled = fill_holes(mask)
    assert filled[15, 15] and not filled[30, 30]
