"""FoundationPose: what the vendor's estimator is given, and what becomes of its poses."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.perceive.conftest import Perceived
from tests.perceive.vendors import install
from video2policy.perceive import foundation_pose
from video2policy.perceive.backend import Backend
from video2policy.perceive.depth import DepthImages
from video2policy.perceive.track import Tracked, complaint, metric_poses
from video2policy.perceive.verdict import Unavailable


@dataclass
class Vendor:
    """estimater.FoundationPose as recorded: it answers with the true pose of the picture's frame.

    Between `loses` it answers with one far off, when it follows.
    """

    numbers: dict[bytes, int]
    truth: np.ndarray
    loses: range = range(0)
    made: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[str, int]] = field(default_factory=list)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        vendor = self

        class FoundationPose:
            def __init__(
                self, model_pts: Any, model_normals: Any, symmetry_tfs: Any = None, mesh: Any = None,
                scorer: Any = None, refiner: Any = None, glctx: Any = None, debug: int = 0,
                debug_dir: str = "/home/bowen/debug/",
            ) -> None:  # fmt: skip
                vendor.made = {
                    "points": model_pts,
                    "normals": model_normals,
                    "mesh": mesh,
                    "folder": debug_dir,
                }
                assert scorer == "scorer" and refiner == "refiner" and glctx == "context"
                self.pose_last: Any = None

            def register(
                self, K: Any, rgb: Any, depth: Any, ob_mask: Any, ob_id: Any = None, glctx: Any = None,
                iteration: int = 5,
            ) -> Any:  # fmt: skip
                assert ob_mask.dtype == bool and ob_mask.shape == depth.shape and ob_mask.any()
                return self.answer("register", K, rgb, depth, iteration, 5)

            def track_one(self, rgb: Any, depth: Any, K: Any, iteration: int, extra: Any = None) -> Any:
                assert self.pose_last is not None
                return self.answer("track", K, rgb, depth, iteration, 2)

            def answer(self, how: str, K: Any, rgb: Any, depth: Any, iteration: int, expected: int) -> Any:
                assert K.shape == (3, 3) and K.dtype == np.float64 and iteration == expected
                assert rgb.dtype == np.uint8 and rgb.shape == (*depth.shape, 3)
                assert depth.dtype == np.float32 and np.isfinite(depth).all()
                assert not ((depth > 0) & (depth < 0.1)).any()
                number = vendor.numbers[rgb.tobytes()]
                vendor.calls.append((how, number))
                found = vendor.truth[number].copy()
                if how == "track" and number in vendor.loses:
                    found[0, 3] += 0.3
                self.pose_last = found
                return found.astype(np.float32)

        install(monkeypatch, "estimater", FoundationPose=FoundationPose)
        install(monkeypatch, "learning.training.predict_score", ScorePredictor=lambda: "scorer")
        install(monkeypatch, "learning.training.predict_pose_refine", PoseRefinePredictor=lambda: "refiner")
        install(monkeypatch, "nvdiffrast.torch", RasterizeCudaContext=lambda: "context")
        monkeypatch.setattr("sys.path", list(__import__("sys").path))


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in foundation_pose.WEIGHTS:
        (tmp_path / "clone" / "weights" / name).mkdir(parents=True)
    return tmp_path / "clone"


@dataclass
class Case:
    """The lifted box, its true depth on disk, and the vendor."""

    seen: Perceived
    vendor: Vendor
    clone: Path
    depth: Path

    @property
    def obj(self) -> str:
        return self.seen.clip.objects[0]

    def track(self) -> Tracked:
        seen = self.seen
        shape = seen.shapes[self.obj]
        record = json.loads(json.dumps(shape.to_json()))
        return foundation_pose.track(
            seen.images, seen.masks[self.obj], seen.others(self.obj),
            seen.view.camera.scaled(seen.depth_scale),
            seen.view.contacts[self.obj], shape.mesh, record, seen.depth_scale, DepthImages(self.depth),
            Backend("foundation_pose", None, str(self.clone), "cpu"),
        )  # fmt: skip


@pytest.fixture
def case(lifted: Perceived, clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    obj = lifted.clip.objects[0]
    (tmp_path / "depth").mkdir()
    for t, depth in enumerate(lifted.clip.truth["depth"]):
        np.savez_compressed(tmp_path / "depth" / f"{t:06d}.npz", depth=depth)
    shape = lifted.shapes[obj]
    # the mesh's own axes are not the truth's: the same turn and place holds on every frame
    start = shape.camera_from_object.copy()
    start[:3, 3] *= lifted.depth_scale
    true = lifted.clip.truth[f"camera_from_object_{obj}"]
    own = true @ np.linalg.inv(true[shape.frame]) @ start
    vendor = Vendor({np.asarray(image).tobytes(): t for t, image in enumerate(lifted.images)}, own)
    vendor.install(monkeypatch)
    return Case(lifted, vendor, clone, tmp_path / "depth")


def test_the_vendor_gets_metres_and_a_centred_mesh(case: Case) -> None:
    result = case.track()
    true_size = float(case.seen.clip.truth[f"size_{case.obj}"].max())
    points = case.vendor.made["points"]
    assert float(np.ptp(points, axis=0).max()) == pytest.approx(true_size, rel=0.3)
    np.testing.assert_allclose(points.min(axis=0) + points.max(axis=0), 0, atol=1e-6)
    assert case.vendor.made["normals"].shape == points.shape
    assert not case.vendor.made["folder"].startswith("/home")
    assert result.method == "FoundationPose"


def test_it_registers_once_and_then_follows_both_ways(case: Case) -> None:
    result = case.track()
    start = case.seen.shapes[case.obj].frame
    registered = [t for how, t in case.vendor.calls if how == "register"]
    assert set(registered) <= {start} or len(registered) < 0.2 * len(case.seen.images)
    assert registered[0] == start
    assert complaint(result, case.seen.masks[case.obj]) is None
    for t, found in enumerate(result.camera_from_object):
        if found is not None and result.confidence[t] > 0.3:
            np.testing.assert_allclose(found, case.vendor.truth[t], atol=1e-5)


def test_a_lost_object_is_registered_anew(case: Case) -> None:
    case.vendor.loses = range(30, 34)
    result = case.track()
    assert {t for how, t in case.vendor.calls if how == "register"} >= set(case.vendor.loses)
    for t in case.vendor.loses:
        np.testing.assert_allclose(result.camera_from_object[t], case.vendor.truth[t], atol=1e-5)


def test_nothing_is_made_up_where_nothing_is_seen(case: Case) -> None:
    case.seen = Perceived(
        case.seen.clip, case.seen.images, {case.obj: case.seen.masks[case.obj].copy()}, case.seen.view,
        case.seen.shapes,
    )  # fmt: skip
    case.seen.masks[case.obj][40:45] = False
    result = case.track()
    assert result.camera_from_object[40:45] == [None] * 5 and result.confidence[40:45] == [0.0] * 5
    assert ("register", 45) in case.vendor.calls or ("register", 39) in case.vendor.calls


def test_the_poses_keep_the_contract(case: Case) -> None:
    result = case.track()
    shape, camera = case.seen.shapes[case.obj], case.seen.view.camera.scaled(case.seen.depth_scale)
    scale = shape.extent * case.seen.depth_scale
    record = metric_poses(result, shape.mesh, camera, scale, scale)
    count = len(case.seen.images)
    assert len(record["camera_from_object"]) == len(record["confidence"]) == len(record["features"]) == count
    assert record["method"] == "FoundationPose" and np.array(record["K"]).shape == (3, 3)
    json.dumps(record)


def test_absent_weights_and_clones_are_said_in_one_sentence(case: Case) -> None:
    (case.clone / "weights" / foundation_pose.WEIGHTS[0]).rmdir()
    with pytest.raises(Unavailable, match=foundation_pose.WEIGHTS[0]) as caught:
        case.track()
    assert "\n" not in str(caught.value)
    case.clone = case.clone / "elsewhere"
    with pytest.raises(Unavailable, match=r"git clone --recursive https://github\.com/NVlabs/FoundationPose"):
        case.track()
