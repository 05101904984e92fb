import json
from pathlib import Path

import numpy as np
import pytest

from bench.fit_trust import fitted, judged


def test_fit_finds_what_tells_right_from_wrong() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 3)) * (1, 10, 1) + (0, 50, 0)
    odds = 2 * x[:, 0] - 0.1 * (x[:, 1] - 50)
    right = (rng.random(3000) < 1 / (1 + np.exp(-odds))).astype(float)
    weights, intercept = fitted(x, right, np.ones(3000))
    assert weights == pytest.approx([2, -0.1, 0], abs=0.3)
    assert intercept + weights @ (0, 50, 0) == pytest.approx(0, abs=0.3)


def test_weight_of_an_example_counts() -> None:
    x = np.array([[0.0], [0.0], [1.0], [1.0]])
    right = np.array([0.0, 1.0, 0.0, 1.0])
    weights, _ = fitted(x, right, np.array([9.0, 1.0, 1.0, 9.0]))
    assert weights[0] > 1


def test_held_out_clips_are_refused(tmp_path: Path) -> None:
    row = tmp_path / "rows" / "lift_1000.json"
    row.parent.mkdir()
    row.write_text(json.dumps({"clip": "clips/lift_1000.webm", "boxes": {}}))
    with pytest.raises(SystemExit, match="held out"):
        judged(row)
