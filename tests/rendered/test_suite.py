from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from bench.suite import main
from video2policy.demo import true_masks
from video2policy.mask import iou
from video2policy.rendered import suite
from video2policy.sheet import read_sheet

SIZE = (214, 120)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One small clip each of two families, one of which the sheet refuses."""
    out = tmp_path_factory.mktemp("suite")
    families = ["--families", "slide", "tip_over", "--variants", "1", "--seeds-from", "3"]
    extras = ["--with", "sizes", "boxes", "camera"]
    assert main([str(out), *families, "--size", "214x120", "--fps", "4", "--jobs", "1", *extras]) == 0
    return out


def truth_of(out: Path, family: str) -> dict[str, np.ndarray]:
    with np.load(next((out / "truth").glob(f"{family}_*.npz"))) as data:
        return dict(data)


def test_the_sheet_is_accepted(rendered: Path) -> None:
    rows = read_sheet(rendered / "videos.tsv")
    assert sorted(row.family for row in rows) == ["move_closer", "tip_over"]
    for row, name in zip(sorted(rows, key=lambda row: row.family), ("slide", "tip_over"), strict=True):
        assert set(row.objects) == set(truth_of(rendered, name)["names"])
        assert set(row.sizes) == set(row.boxes) == set(row.objects)


def test_a_second_run_renders_nothing_again(rendered: Path) -> None:
    clip = next((rendered / "clips").glob("slide_*"))
    before = clip.stat().st_mtime_ns
    arguments = ["--families", "slide", "--variants", "1", "--seeds-from", "3", "--size", "214x120"]
    assert main([str(rendered), *arguments, "--fps", "4", "--jobs", "1"]) == 0
    assert clip.stat().st_mtime_ns == before
    assert not list(rendered.rglob(".*slide*")), "temporary files are renamed"


@pytest.mark.parametrize("family", ["slide", "tip_over"])
def test_depth_and_masks_are_those_of_the_posed_meshes(rendered: Path, family: str) -> None:
    """Rays through the mask's pixels meet the mesh at the stored depth; those beside it do not."""
    truth = truth_of(rendered, family)
    K = truth["K"]
    for name in truth["names"]:
        masks = true_masks(truth, name)
        body = trimesh.Trimesh(truth[f"vertices_{name}"], truth[f"faces_{name}"], process=False)
        for frame in (0, len(masks) - 1):
            object_from_camera = np.linalg.inv(truth[f"camera_from_object_{name}"][frame])
            v, u = np.mgrid[: masks.shape[1], : masks.shape[2]]
            rays = np.stack([u + 0.5, v + 0.5, np.ones_like(u)], -1).reshape(-1, 3) @ np.linalg.inv(K).T
            origins = np.tile(object_from_camera[:3, 3], (len(rays), 1))
            hits, index, _ = body.ray.intersects_location(
                origins, rays @ object_from_camera[:3, :3].T, multiple_hits=False
            )
            depth = np.full(len(rays), np.inf)
            camera_from_object = truth[f"camera_from_object_{name}"][frame]
            depth[index] = (hits @ camera_from_object[:3, :3].T + camera_from_object[:3, 3])[:, 2]
            depth = depth.reshape(masks.shape[1:])
            if truth[f"visible_{name}"][frame] > 0.99:
                assert iou(np.isfinite(depth), masks[frame]) > 0.9
            both = masks[frame] & np.isfinite(depth)
            error = np.abs(depth[both] - truth["depth"][frame][both].astype(float))
            assert np.median(error) < 0.002


def test_a_take_is_drawn_again_from_its_seed() -> None:
    one, again, other = (suite.draw("lift", seed, SIZE) for seed in (5, 5, 6))
    assert one.caption == again.caption and one.motion.seconds == again.motion.seconds
    np.testing.assert_array_equal(one.items[0].texture, again.items[0].texture)
    np.testing.assert_array_equal(one.lens.at(1.0).rotation, again.lens.at(1.0).rotation)
    assert one.motion.seconds != other.motion.seconds


@pytest.mark.parametrize("family", suite.FAMILIES)
def test_nothing_sinks_and_everything_is_seen(family: str) -> None:
    take = suite.draw(family, 7, SIZE)
    things = [item.thing for item in take.items]
    np.testing.assert_allclose(
        np.mean([item.thing.start[:2] for item in take.items if item.label], axis=0), 0, atol=1e-9
    )
    K = suite.intrinsics(take.lens.fov, *SIZE)
    for t in np.linspace(0, take.motion.seconds, 9):
        frame = take.motion.frame(float(t))
        for thing in things:
            points = frame.objects.get(thing.name, thing.first).of(thing.mesh.vertices)
            assert points[:, 2].min() > -2e-4
            if t in (0, take.motion.seconds):
                seen = take.lens.at(float(t)).inverse().of(points) @ K.T
                pixels = seen[:, :2] / seen[:, 2:]
                assert (pixels > -4).all() and (pixels < np.array(SIZE) + 4).all()


def test_an_unknown_family_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="push_left"):
        suite.draw("juggle", 0)
