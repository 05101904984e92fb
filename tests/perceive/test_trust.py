import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.perceive.test_propagate import SIZE, played, scenery
from video2policy.perceive.trust import WEIGHTS, signs, trust

GOOD = {name: 0.0 for name in WEIGHTS} | {"sure": 0.97, "agreement": 0.98, "overlap": 0.9, "thickness": 2.5}
BAD = ("larger", "smaller", "hand", "shadow", "cut", "anew")


def test_right_and_wrong_masks() -> None:
    images, truth = played([(20 + 4 * t, 40) for t in range(8)])
    scene = scenery(images, truth[0])
    table = np.zeros(SIZE, bool)
    table[80:110, 20:60] = True
    all_over = np.zeros(SIZE, bool)
    all_over[:100] = True
    values = {
        what: trust(signs(scene, 5, mask, 0.97, 0.97))
        for what, mask in (("right", truth[5]), ("table", table), ("everything", all_over))
    }
    assert values["right"] > 0.85 and values["everything"] < 0.05
    assert values["table"] < values["right"]
    assert trust(signs(scene, 5, truth[5], 0.8, 0.5)) < 0.5, "a mask that is not sure of its pixels"


def test_every_sign_has_a_weight() -> None:
    images, truth = played([(20, 40)] * 3)
    assert set(signs(scenery(images, truth[0]), 1, truth[1], 0.9)) == set(WEIGHTS)


@pytest.mark.parametrize("name", BAD)
@given(amount=st.floats(0, 3))
def test_bad_signs_lower_trust(name: str, amount: float) -> None:
    assert 0 <= trust(GOOD | {name: amount}) <= trust(GOOD) <= 1
