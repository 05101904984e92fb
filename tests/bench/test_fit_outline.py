import json
from pathlib import Path

import numpy as np
import pytest

from bench.fit_outline import DISTANCE, MASK, Example, examples, field, fit, overlaps, worse
from video2policy.mask import iou
from video2policy.perceive import outline
from video2policy.perceive.morphology import signed_distance


def drawn(count: int) -> list[Example]:
    """Discs of which one channel tells where they are, with masks that are a little off."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:40, :44]
    result: list[Example] = []
    for _ in range(count):
        x, y, radius = rng.uniform((15, 15, 7), (29, 25, 11))
        true = np.hypot(columns - x, rows - y) < radius
        mask = np.roll(true, rng.integers(-3, 4, 2), axis=(0, 1))
        planes = rng.normal(0, 0.3, (40, 44, outline.CHANNELS)).astype(np.float16)
        planes[..., 0] = 2 * true - 1 + rng.normal(0, 0.4, true.shape)
        planes[..., MASK], planes[..., DISTANCE] = mask, signed_distance(mask) / 8
        result.append((planes, true, 0))
    return result


def test_what_is_fitted_corrects_masks_not_fitted_on(tmp_path: Path) -> None:
    found = drawn(60)
    fit(found[:50], found[50:], 8, tmp_path / "weights.npz")
    with np.load(tmp_path / "weights.npz") as data:
        layers = [outline.Layer(data[f"w{i}"], data[f"b{i}"]) for i in range(3)]
    before, after = overlaps(layers, found[50:]).mean(axis=0)
    assert before < 0.75 and after > before + 0.1


def test_worse_masks_are_still_of_the_object() -> None:
    rng = np.random.default_rng(0)
    true, hand = np.zeros((2, 80, 100), bool)
    true[30:55, 30:70], hand[20:60, 70:] = True, True
    tried = [worse(true, hand, field(true.shape, rng), rng) for _ in range(40)]
    values = np.array([iou(mask, true) for mask in tried])
    assert 0.6 < values.mean() < 0.97 and values.std() > 0.02
    assert any((mask & hand).sum() > 20 for mask in tried), "a hand in part"


def test_held_out_clips_are_refused(tmp_path: Path) -> None:
    row = tmp_path / "rows" / "lift_1000.json"
    row.parent.mkdir()
    row.write_text(json.dumps({"clip": "clips/lift_1000.webm", "boxes": {}}))
    with pytest.raises(SystemExit, match="held out"):
        examples(row, False, tmp_path)
