"""Policies at the objects' true sizes: the resized scene, the judgement, the table."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts import judge_true_size, tabulate_true_size
from scripts.stage import Failed
from tests.evaluate.pushing import pushing
from tests.scenes import OBJECTS, primitive_scene
from video2policy import mesh as meshes
from video2policy.evaluate.true_size import resize, stretch
from video2policy.scene import Scene
from video2policy.shape import load_shape
from video2policy.sim.mujoco import MujocoSim

SIMULATION = {"engine": "mujoco", "device": "auto", "robot": "floating", "horizon": 60, "fit_gripper": True}
lengths = st.lists(st.floats(0.01, 0.4), min_size=3, max_size=3)


@given(lengths, lengths)
def test_the_longest_side_becomes_the_longest(extents: list[float], sides: list[float]) -> None:
    result = np.asarray(extents) * stretch(extents, sides)
    np.testing.assert_allclose(np.sort(result), np.sort(sides))
    assert (np.diff(result[np.argsort(extents, kind="stable")]) >= -1e-9).all()


@pytest.mark.parametrize(
    ("family", "sides"),
    [
        ("push_right", {"tin": (0.12, 0.04, 0.05)}),
        ("cover", {"cup": (0.11, 0.12, 0.1), "ball": (0.05, 0.05, 0.05)}),
    ],
)
def test_everything_of_an_object_has_the_new_size(tmp_path: Path, family, sides) -> None:
    old_path = primitive_scene(tmp_path / "old", family, objects=OBJECTS[family])
    new_path = resize(old_path, sides, tmp_path / "new")
    old, new = Scene.load(old_path), Scene.load(new_path)
    for name, wanted in sides.items():
        item, was = new.object(name), old.object(name)
        np.testing.assert_allclose(np.sort(item.size), np.sort(wanted), rtol=2e-3)
        mesh = meshes.load(new_path.parent / item.mesh)
        assert max(mesh.extents) == pytest.approx(1, abs=1e-6)
        np.testing.assert_allclose(np.sort(mesh.extents * item.mesh_scale), np.sort(wanted), rtol=2e-3)
        shape, before = load_shape(item, new_path.parent), load_shape(was, old_path.parent)
        np.testing.assert_allclose(shape.size, item.size, rtol=0.04)  # round things are polygons
        assert shape.rest_height == pytest.approx(item.rest_height, abs=1e-4)
        assert shape.mass == pytest.approx(before.mass) and len(shape.pieces) == len(before.pieces)
        assert all(piece.is_watertight for piece in shape.pieces)
    sim = MujocoSim(new, new_path.parent, 1, "floating", fit_gripper=False)
    sizes = sim.arrays()
    for name in sides:
        np.testing.assert_allclose(sizes[f"{name}_size"][0], new.object(name).size, rtol=0.04)
    sim.close()


def test_a_scene_of_the_sizes_it_has_is_the_same(tmp_path: Path) -> None:
    path = primitive_scene(tmp_path / "old", "lift")
    (item,) = Scene.load(path).objects
    (same,) = Scene.load(resize(path, {item.name: item.size}, tmp_path / "new")).objects
    np.testing.assert_allclose(same.size, item.size, rtol=1e-4)
    assert same.rest_height == pytest.approx(item.rest_height, abs=1e-5)


def test_policies_are_judged_at_the_true_sizes_and_tabulated(tmp_path: Path) -> None:
    rollouts, policy = pushing(tmp_path)
    (item,) = Scene.load(rollouts.scene).objects
    assert item.name == "cube"
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    shutil.copy(policy, seeds / "seed_0.safetensors")
    results = []
    for name, factor in (("same", 1.0), ("flat", 0.1)):
        corners = np.stack(np.meshgrid(*([-0.5, 0.5],) * 3), -1).reshape(-1, 3)
        truth = tmp_path / f"{name}.npz"
        np.savez(truth, vertices_cube=corners * np.multiply(item.size, [1, 1, factor]))
        out = tmp_path / f"{name}.json"
        told = ({"episodes": 8, "seed": 3}, SIMULATION)
        judge_true_size.main(rollouts.scene, rollouts.task, seeds, [truth], out, "push", "v2p", *told)
        results.append(json.loads(out.read_text()))
    same, flat = results
    assert same["successes"] == 6, "as without another size: every fourth start is out of reach"
    assert flat["successes"] < 6, "the tool passes over what is a tenth as high, or hardly touches it"
    assert flat["sizes"]["cube"]["true"][2] == pytest.approx(0.1 * item.size[2], rel=0.02)
    paths = [tmp_path / name for name in ("same.json", "flat.json")]
    outputs = [tmp_path / f"table.{ending}" for ending in ("csv", "md", "png")]
    tabulate_true_size.main([paths[0]], [paths[1]], *outputs, {"push": "train"})
    assert "| true sizes | 1 | 0." in outputs[1].read_text() and "| 0.83 |" in outputs[1].read_text()
    assert outputs[2].read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_judged_is_said(tmp_path: Path) -> None:
    outputs = [tmp_path / f"table.{ending}" for ending in ("csv", "md", "png")]
    with pytest.raises(Failed, match="has a truth beside it"):
        tabulate_true_size.main([], [], *outputs, {})
    rollouts, _ = pushing(tmp_path)
    np.savez(tmp_path / "truth.npz", vertices_can=np.zeros((8, 3)))
    told = ("push", "v2p", {"episodes": 1, "seed": 0}, SIMULATION)
    paths = (rollouts.scene, rollouts.task, tmp_path)
    with pytest.raises(Failed, match='has no object "cube"'):
        judge_true_size.main(*paths, [tmp_path / "truth.npz"], tmp_path / "out.json", *told)
    with pytest.raises(Failed, match="nothing tells the true sizes of push"):
        judge_true_size.main(*paths, [], tmp_path / "out.json", *told)
