"""Artifacts that are the truth measure as perfect; each error in them shows in its own figure."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh

from bench.perception import Row, measure, table
from tests.conftest import RenderedClip
from video2policy import mesh as meshes
from video2policy.mask import bounding_box, box_iou, save_masks


def perfect(folder: Path, clip: RenderedClip, size: float = 1.0, shift: int = 0, slip: float = 0.0) -> Path:
    """A results folder that holds the truth; sizes times `size`, masks `shift` pixels off, poses that slip
    by `slip` metres towards the end."""
    root = folder / "results" / "videos" / clip.truth_path.stem
    n, height, width = (int(v) for v in clip.truth["masks_shape"])
    world_from_camera = clip.truth["world_from_camera"]
    root.mkdir(parents=True)
    (root / "scene.json").write_text(json.dumps({"passed": True, "reason": None}))
    (root / "clip.json").write_text(
        json.dumps(
            {"source_height": height, "height": height, "width": width, "source_index": list(range(n))}
        )
    )
    (root / "depth").mkdir()
    for t in range(n):
        np.savez(root / "depth" / f"{t:06d}.npz", depth=clip.truth["depth"][t])
    entries = []
    for obj in clip.objects:
        masks = clip.masks(obj)
        entries.append({"name": obj, "frame": 0, "box": list(bounding_box(masks[0]) or ())})
        (root / "masks").mkdir(exist_ok=True)
        save_masks(root / "masks" / f"{obj}.npz", np.roll(masks, shift, axis=2), np.ones(n, np.float32))
        (root / "masks" / f"{obj}.verdict.json").write_text("{}")
        own = root / "objects" / obj
        own.mkdir(parents=True)
        shape = trimesh.Trimesh(clip.truth[f"vertices_{obj}"], clip.truth[f"faces_{obj}"], process=False)
        unit, extent = meshes.unit(shape)
        meshes.save(unit, own / "mesh.obj")
        poses = np.array(clip.truth[f"camera_from_object_{obj}"], float)
        poses[:, 2, 3] += np.linspace(0, slip, n)
        own_dimensions = np.sort(trimesh.bounds.oriented_bounds(unit)[1]).tolist()
        (own / "mesh.json").write_text(
            json.dumps({"dimensions": own_dimensions, "frame": 0, "camera_from_object": poses[0].tolist()})
        )
        (own / "size.json").write_text(json.dumps({"scale": size * extent, "depth_scale": size}))
        track = {"camera_from_object": poses.tolist(), "confidence": [1.0] * n}
        (own / "poses.json").write_text(json.dumps(track))
    (root / "objects.json").write_text(json.dumps({"objects": entries}))
    assert world_from_camera.shape == (4, 4)
    return folder / "results"


def test_the_truth_is_perfect(tmp_path: Path, rendered_pair: RenderedClip) -> None:
    rows = measure(perfect(tmp_path, rendered_pair), rendered_pair.truth_path)
    assert [row.obj for row in rows] == list(rendered_pair.objects)
    for row in rows:
        assert row.grounded == row.j == row.j_worst == row.d1 == row.d1_scaled == 1.0
        assert row.size < 1e-5 and row.chamfer < 0.02 and row.lost == 0
        assert row.track_static == 1.0 and row.placed == 1.0 and row.right
    assert np.nanmin([row.track_moving for row in rows]) == 1.0
    assert "| clips that pass and are right | .60 | 1.000 |" in table(rows, "All")


def test_errors_show_where_they_are(tmp_path: Path, rendered_pair: RenderedClip) -> None:
    results = perfect(tmp_path, rendered_pair, size=1.3, shift=3, slip=0.1)
    row = measure(results, rendered_pair.truth_path)[0]
    assert row.size == pytest.approx(0.3, abs=1e-4) and row.longest == pytest.approx(0.3, abs=1e-4)
    assert 0.5 < row.j < 0.95 and row.d1 < 0.2 and row.d1_scaled == 1.0 and row.grounded == 1.0
    assert row.placed < 0.5 and not row.right
    assert "passed, not right; right, not passed | < .10 | 1.000; 0.000 |" in table([row], "All")


def test_a_clip_that_stopped_early_has_no_figures(tmp_path: Path, rendered_pair: RenderedClip) -> None:
    root = tmp_path / "results" / "videos" / rendered_pair.truth_path.stem
    (root / "masks").mkdir(parents=True)
    assert measure(tmp_path / "results", rendered_pair.truth_path) == []
    (root / "scene.json").write_text(json.dumps({"passed": False, "reason": "black"}))
    (root / "clip.json").write_text("rejected: black\n")
    (root / "masks" / f"{rendered_pair.objects[0]}.verdict.json").write_text("{}")
    (row,) = measure(tmp_path / "results", rendered_pair.truth_path)
    assert isinstance(row, Row) and not row.passed and np.isnan(row.j) and not row.right
    assert "-" in table([row], "All")


def test_box_iou() -> None:
    assert box_iou((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert box_iou((0, 0, 2, 2), (5, 5, 6, 6)) == 0 == box_iou((0, 0, 1, 1), None)
