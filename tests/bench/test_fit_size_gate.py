"""How unsure a size may be: sizes drawn anew for the clips of a suite."""

from pathlib import Path

import numpy as np
import pytest

from bench.fit_size_gate import drawn


@pytest.fixture
def clips(tmp_path: Path) -> dict[str, Path]:
    """Truth of a clip of one thing, by its kind: what `drawn` reads of it."""
    at = np.eye(4)
    at[2, 3] = 0.5
    paths = {}
    for kind in ("egg", "candle"):
        paths[kind] = tmp_path / f"lift_{kind}_0003.npz"
        np.savez(
            paths[kind],
            names=np.array([kind]),
            K=np.array([[340.0, 0, 213], [0, 340, 120], [0, 0, 1]]),
            masks_shape=np.array((3, 240, 427)),
            **{f"class_{kind}": kind, f"camera_from_object_{kind}": np.stack([at] * 3)},
        )
    return paths


def test_what_varies_more_is_stated_less_sure_and_is_wrong_more_often(clips: dict[str, Path]) -> None:
    rng = np.random.default_rng(0)
    egg, candle = (np.array([sizes[0] for sizes in drawn(path, rng, 40)]) for path in clips.values())
    assert egg[:, 0].max() < candle[:, 0].min()
    assert np.median(egg[:, 1]) < 0.1 < np.median(candle[:, 1])
    assert np.ptp(candle[:, 1]) > 0.05, "each time another one"
