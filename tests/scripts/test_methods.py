"""The scripts of perception with the methods of the paper, from depth to poses; vendors are stood in for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import trimesh

from scripts import depth, reconstruct, scale, track
from tests.conftest import RenderedClip
from tests.perceive.test_foundation_pose import Vendor
from tests.perceive.test_generated import RUN
from tests.perceive.vendors import Calls, DepthAnswer, install, unidepth, weights
from video2policy import mesh as meshes
from video2policy import pose
from video2policy.clip import Frames
from video2policy.mask import save_masks
from video2policy.perceive.foundation_pose import WEIGHTS

STEP = 6


@pytest.fixture
def folder(rendered_clip: RenderedClip, tmp_path: Path) -> Path:
    """Frames, true masks and clip.json of every sixth frame of the lifted box."""
    (tmp_path / "frames").mkdir()
    (tmp_path / "depth").mkdir()
    images = rendered_clip.images()[::STEP]
    for t, image in enumerate(images):
        cv2.imwrite(str(tmp_path / "frames" / f"{t:06d}.jpg"), image[..., ::-1])
    masks = rendered_clip.masks("red_box")[::STEP]
    save_masks(tmp_path / "red_box.npz", masks, np.ones(len(masks), np.float32))
    (tmp_path / "clip.json").write_text('{"scale": 1.0}')
    return tmp_path


def vendor_mesh(clip: RenderedClip, path: Path) -> None:
    """The true mesh as InstantMesh would write it: z up, the viewer on +x, of another size."""
    truth = clip.truth
    world_from_camera = truth["world_from_camera"]
    ahead = np.degrees(np.arctan2(world_from_camera[1, 2], world_from_camera[0, 2]))
    turn = pose.rotation_about([0, 0, 1], 180 - ahead) @ world_from_camera[:3, :3]
    mesh = trimesh.Trimesh(truth["vertices_red_box"], truth["faces_red_box"], process=False)
    mesh.apply_transform(pose.transform(4.0 * turn @ truth["camera_from_object_red_box"][0][:3, :3]))
    mesh.export(path)


def test_from_depth_to_poses_with_the_papers_models(
    rendered_clip: RenderedClip, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = rendered_clip.truth
    images = Frames(folder / "frames")
    masks = [folder / "red_box.npz"]
    row: dict[str, Any] = {
        "objects": ["red_box"], "labels": ["red box"], "camera": {}, "sizes": {}, "family": "lift",
        "roles": {"a": "red_box"},
        "shapes": {},
    }  # fmt: skip

    answer = DepthAnswer(
        [images[t] for t in range(len(images))], truth["depth"][::STEP], truth["K"], np.ones(len(images))
    )
    install(monkeypatch, "unidepth.models", UniDepthV2=unidepth(Calls(), answer))
    told = {"name": "unidepth", "weights": str(weights(folder / "w")), "clone": None, "device": "cpu"}
    verdict = depth.main(
        folder / "frames", folder / "clip.json", masks, folder / "camera.json", folder / "depth", row, told
    )
    assert verdict.method.startswith("UniDepth v2") and verdict.better is None
    camera = json.loads((folder / "camera.json").read_text())
    assert camera["table"]["height"] == pytest.approx(truth["world_from_camera"][2, 3], rel=0.02)

    clone = folder / "InstantMesh"
    clone.mkdir()
    (clone / "run.py").write_text(RUN)
    vendor_mesh(rendered_clip, clone / "mesh.obj")
    files = weights(folder / "w", "instant_mesh_large.ckpt")
    told = {"name": "instant_mesh", "weights": str(files), "clone": str(clone), "device": "cpu"}
    verdict = reconstruct.main(
        folder / "frames", masks, folder / "camera.json", folder / "clip.json", folder / "mesh.obj",
        folder / "mesh.json", folder / "mesh.png", "red_box", row, backend=told,
    )  # fmt: skip
    assert verdict.method.startswith("InstantMesh") and verdict.confidence > 0.9
    assert float(np.max(meshes.load(folder / "mesh.obj").extents)) == pytest.approx(1, abs=1e-6)

    verdict = scale.main(
        masks, [folder / "mesh.obj"], [folder / "mesh.json"], folder / "camera.json", folder / "depth",
        folder / "size.json", "red_box", row,
    )  # fmt: skip
    size = json.loads((folder / "size.json").read_text())
    assert size["method"] == "depth"
    # D_image knows the visible side alone, so it falls a little short of D_mesh
    assert max(size["size"]) == pytest.approx(float(truth["size_red_box"].max()), rel=0.12)

    start = np.array(json.loads((folder / "mesh.json").read_text())["camera_from_object"])
    start[:3, 3] *= size["depth_scale"]
    true = truth["camera_from_object_red_box"][::STEP]
    frame = json.loads((folder / "mesh.json").read_text())["frame"]
    vendor = Vendor(
        {images[t].tobytes(): t for t in range(len(images))}, true @ np.linalg.inv(true[frame]) @ start
    )
    vendor.install(monkeypatch)
    for name in WEIGHTS:
        (folder / "FoundationPose" / "weights" / name).mkdir(parents=True)
    told = {
        "name": "foundation_pose", "weights": None, "clone": str(folder / "FoundationPose"), "device": "cpu",
    }  # fmt: skip
    verdict = track.main(
        folder / "frames", masks, folder / "camera.json", folder / "depth", folder / "mesh.obj",
        folder / "mesh.json", folder / "size.json", folder / "poses.json", folder / "track.png", "red_box",
        row, told,
    )  # fmt: skip
    assert verdict.method == "FoundationPose" and verdict.better is None
    poses = json.loads((folder / "poses.json").read_text())
    lifted = [p for p in poses["camera_from_object"] if p is not None]
    assert len(lifted) == len(images)
    world_from_camera = np.array(poses["world_from_camera"])
    heights = [(world_from_camera @ np.array(p))[2, 3] for p in lifted]
    rise = max(heights) - heights[0]
    true_heights = (truth["world_from_camera"] @ true)[:, 2, 3]
    assert rise == pytest.approx(float(true_heights.max() - true_heights[0]), rel=0.15)
