"""Generated meshes: the picture that the vendors are given, the place that their mesh gets in the view."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from tests.perceive.conftest import Perceived
from tests.perceive.vendors import install, weights
from video2policy import pose
from video2policy.mask import bounding_box
from video2policy.perceive import generated, instant_mesh, sam3d, triposr
from video2policy.perceive.backend import Backend
from video2policy.perceive.verdict import Rejected, Unavailable


def true_upright(seen: Perceived, obj: str, frame: int = 0) -> trimesh.Trimesh:
    """The true mesh in metres as a vendor should hand it over: z up, as the viewer sees it from -x."""
    truth = seen.clip.truth
    world_from_camera = truth["world_from_camera"]
    ahead = np.degrees(np.arctan2(world_from_camera[1, 2], world_from_camera[0, 2]))
    upright = pose.rotation_about([0, 0, 1], -ahead) @ world_from_camera[:3, :3]
    mesh = trimesh.Trimesh(truth[f"vertices_{obj}"], truth[f"faces_{obj}"], process=False)
    mesh.apply_transform(pose.transform(upright @ truth[f"camera_from_object_{obj}"][frame][:3, :3]))
    return mesh


def placed(seen: Perceived, obj: str, generate: Any) -> Any:
    sure = np.ones(len(seen.images), np.float32)
    return generated.reconstruct(
        generate, seen.images, seen.masks[obj], sure, seen.others(obj), seen.view.camera,
        seen.view.contacts[obj], obj,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("size", "yaw", "tilt"), [(1.0, 0, 0.0), (7.3, 90, 0.0), (0.2, -135, 0.0), (3.0, 0, 0.5)]
)
def test_whatever_size_turn_and_tilt_it_comes_in_it_stands_where_the_object_does(
    lifted: Perceived, size: float, yaw: float, tilt: float
) -> None:
    obj = lifted.clip.objects[0]
    lean = pose.rotation_about([0, 1, 0], tilt * lifted.view.camera.pitch)
    mesh = true_upright(lifted, obj)
    mesh.apply_transform(pose.transform(size * lean @ pose.rotation_about([0, 0, 1], yaw), [3, 2, 1]))
    result = placed(lifted, obj, lambda image, mask: mesh.copy())
    true = lifted.clip.truth[f"camera_from_object_{obj}"][result.frame]
    where = result.camera_from_object[:3, 3] * lifted.depth_scale
    assert result.iou > 0.95 and result.shape == "generated" and result.solid is None and result.standing
    np.testing.assert_allclose(where, true[:3, 3], atol=0.004)
    mine = np.sort(trimesh.bounds.oriented_bounds(result.mesh)[1]) * result.extent * lifted.depth_scale
    theirs = np.sort(trimesh.bounds.oriented_bounds(mesh)[1]) / size
    np.testing.assert_allclose(mine, theirs, rtol=0.04)


def test_the_mesh_keeps_the_contract(covered: Perceived) -> None:
    cup = covered.clip.objects[0]
    result = placed(covered, cup, lambda image, mask: true_upright(covered, cup))
    assert float(np.max(result.mesh.extents)) == pytest.approx(1)
    np.testing.assert_allclose(result.mesh.bounds.mean(axis=0), 0, atol=1e-9)
    # the object's axes are the world's, so its lowest point is on the table at z = 0
    table_from_object = covered.view.camera.table_from_camera @ result.camera_from_object
    np.testing.assert_allclose(table_from_object[:3, :3], np.eye(3), atol=1e-9)
    low = table_from_object[2, 3] + result.extent * result.mesh.bounds[0, 2]
    assert low == pytest.approx(0, abs=1e-6)
    record = json.loads(json.dumps(result.to_json()))
    assert record["solid"] is None and record["thin"] == 0 and len(record["dimensions"]) == 3
    assert result.mesh.visual.kind == "vertex"  # painted from the frame, having no colours of its own


def test_colours_decide_between_front_and_back(lifted: Perceived) -> None:
    obj = lifted.clip.objects[0]
    first = true_upright(lifted, obj)
    for _ in range(4):
        first = first.subdivide()
    front = np.asarray(first.vertices)[:, 0] < 0
    colours = np.where(front[:, None], [200, 40, 40, 255], [20, 20, 240, 255]).astype(np.uint8)
    backwards = trimesh.Trimesh(first.vertices, first.faces, vertex_colors=colours, process=False)
    backwards.apply_transform(pose.transform(pose.rotation_about([0, 0, 1], 180)))
    result = placed(lifted, obj, lambda image, mask: backwards.copy())
    seen = np.asarray(result.mesh.visual.vertex_colors)[np.asarray(result.mesh.vertices)[:, 0] < -0.3]
    assert seen[:, 0].mean() > seen[:, 2].mean()  # the red half looks at the camera again


def test_another_shape_is_refused(lifted: Perceived) -> None:
    stick = trimesh.creation.box(extents=[0.01, 0.01, 1.0])
    with pytest.raises(Rejected, match="does not have its outline"):
        placed(lifted, lifted.clip.objects[0], lambda image, mask: stick.copy())


def test_no_surface_is_refused(lifted: Perceived) -> None:
    with pytest.raises(Rejected, match="no surface"):
        placed(lifted, lifted.clip.objects[0], lambda image, mask: trimesh.Trimesh())


def test_what_floats_beside_the_object_is_left_out() -> None:
    dirt = trimesh.creation.icosphere(radius=0.03).apply_translation([2, 0, 0])
    both = trimesh.util.concatenate([trimesh.creation.box(), dirt])
    assert float(np.max(generated.clean(both).extents)) == pytest.approx(1)


@given(st.integers(20, 80), st.integers(20, 80), st.integers(0, 30), st.integers(0, 30))
def test_the_cut_out_is_centred_and_fills_its_share(width: int, height: int, left: int, top: int) -> None:
    image = np.full((120, 120, 3), 90, np.uint8)
    mask = np.zeros((120, 120), bool)
    mask[top : top + height, left : left + width] = True
    rgba = generated.cut_out(image, mask, 256)
    assert rgba.shape == (256, 256, 4)
    box = bounding_box(rgba[..., 3] > 127)
    assert box is not None
    assert max(box[2] - box[0], box[3] - box[1]) == pytest.approx(0.85 * 256, abs=3)
    assert (box[0] + box[2]) / 2 == pytest.approx(128, abs=2)
    assert (box[1] + box[3]) / 2 == pytest.approx(128, abs=2)
    white = generated.on_background(rgba, 1.0)
    assert (white[0, 0] == 255).all() and (np.abs(white[128, 128].astype(int) - 90) <= 1).all()


@pytest.mark.parametrize("upright", [instant_mesh.upright, sam3d.upright])
def test_conversions_of_axes_are_rotations(upright: Any) -> None:
    mesh = upright(trimesh.creation.box(extents=[1, 2, 3]))
    assert mesh.volume == pytest.approx(6)  # a mirrored one would have -6


def test_the_viewer_is_on_negative_x_after_conversion() -> None:
    front = trimesh.creation.icosphere(radius=0.1)
    ours = instant_mesh.upright(front.copy().apply_translation([1, 0, 0]))  # InstantMesh's viewer: +x
    np.testing.assert_allclose(ours.centroid, [-1, 0, 0], atol=1e-6)
    ours = sam3d.upright(front.copy().apply_translation([0, 0, 1]))  # glTF's viewer: +z
    np.testing.assert_allclose(ours.centroid, [-1, 0, 0], atol=1e-6)
    ours = sam3d.upright(front.copy().apply_translation([0, 1, 0]))  # glTF's up: +y
    np.testing.assert_allclose(ours.centroid, [0, 0, 1], atol=1e-6)


RUN = """
import argparse, json, os, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("config"); parser.add_argument("input_path")
parser.add_argument("--output_path", default="outputs/"); parser.add_argument("--diffusion_steps", type=int)
parser.add_argument("--no_rembg", action="store_true")
parser.add_argument("--export_texmap", action="store_true")
args = parser.parse_args()
assert args.no_rembg and os.path.exists("ckpts/instant_mesh_large.ckpt")
folder = pathlib.Path(args.output_path, "instant-mesh-large", "meshes")
folder.mkdir(parents=True)
name = os.path.basename(args.input_path).split(".")[0]
text = pathlib.Path("mesh.obj").read_text()
(folder / (name + ".obj")).write_text(text)
pathlib.Path("asked.json").write_text(json.dumps([args.config, os.environ.get("HF_HUB_OFFLINE")]))
pathlib.Path("picture.png").write_bytes(pathlib.Path(args.input_path).read_bytes())
"""
"""InstantMesh's command line, its arguments and the place of its result; it answers with a given mesh."""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "InstantMesh"
    folder.mkdir()
    (folder / "run.py").write_text(RUN)
    trimesh.creation.cylinder(0.3, 1.0).export(folder / "mesh.obj")
    return folder


def instant_backend(clone: Path, tmp_path: Path) -> Backend:
    files = weights(tmp_path / "w", "instant_mesh_large.ckpt", "diffusion_pytorch_model.bin")
    return Backend("instant_mesh", str(files), str(clone))


def test_instant_mesh_is_called_with_a_centred_picture_on_white(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    image, mask = np.full((60, 80, 3), 70, np.uint8), np.zeros((60, 80), bool)
    mask[5:35, 10:30] = True
    made = instant_mesh.generate(image, mask, instant_backend(clone, tmp_path))
    assert json.loads((clone / "asked.json").read_text()) == ["configs/instant-mesh-large.yaml", "1"]
    picture = cv2.imread(str(clone / "picture.png"))
    box = bounding_box((picture < 160).all(axis=-1))
    assert box is not None and (picture[0, 0] == 255).all()
    assert max(box[2] - box[0], box[3] - box[1]) == pytest.approx(0.85 * picture.shape[0], abs=4)
    np.testing.assert_allclose(made.extents, [0.6, 0.6, 1.0], atol=0.02)
    assert (clone / "ckpts" / "instant_mesh_large.ckpt").is_symlink()


def test_a_failed_run_says_how_and_what_may_be_missing(clone: Path, tmp_path: Path) -> None:
    (clone / "run.py").write_text("import sys; sys.exit(3)")
    with pytest.raises(Unavailable, match=r"status 3.*hf download sudo-ai/zero123plus-v1.2"):
        instant_mesh.generate(
            np.zeros((9, 9, 3), np.uint8), np.ones((9, 9), bool), instant_backend(clone, tmp_path)
        )


@pytest.mark.parametrize("name", ["instant_mesh", "triposr", "sam3d"])
def test_a_clone_that_is_not_there_is_named_with_the_line_that_makes_it(name: str, tmp_path: Path) -> None:
    backend = Backend(name, str(weights(tmp_path / "w")), str(tmp_path / "vendor" / "Absent"))
    with pytest.raises(Unavailable, match=r"git clone --recursive https://github\.com/"):
        backend.module().generate(np.zeros((9, 9, 3), np.uint8), np.ones((9, 9), bool), backend)


def test_triposr_gets_a_picture_on_grey_and_bounded_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    class Renderer:
        def set_chunk_size(self, chunk_size: int) -> None:
            asked["chunk"] = chunk_size

    class TSR:
        renderer = Renderer()

        @classmethod
        def from_pretrained(
            cls, pretrained_model_name_or_path: str, config_name: str, weight_name: str
        ) -> TSR:
            asked["weights"] = (pretrained_model_name_or_path, config_name, weight_name)
            return cls()

        def to(self, device: Any) -> None: ...

        def __call__(self, image: list[Any], device: str) -> str:
            asked["picture"] = np.asarray(image[0])
            return "codes"

        def extract_mesh(self, scene_codes: str, resolution: int = 256, threshold: float = 25.0) -> list[Any]:
            mesh = trimesh.creation.icosphere(radius=0.1).apply_translation([0.4, 0, 0])
            return [
                trimesh.Trimesh(
                    mesh.vertices, mesh.faces, vertex_colors=np.full((len(mesh.vertices), 3), 0.5)
                )
            ]

    install(monkeypatch, "tsr.system", TSR=TSR)
    (tmp_path / "clone").mkdir()
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    backend = Backend("triposr", str(weights(tmp_path / "w")), str(tmp_path / "clone"), "cpu")
    made = triposr.generate(np.full((40, 40, 3), 10, np.uint8), np.eye(40, dtype=bool), backend)
    assert asked["weights"] == (str(tmp_path / "w"), "config.yaml", "model.ckpt") and asked["chunk"] == 8192
    assert asked["picture"].dtype == np.uint8 and abs(int(asked["picture"][0, -1, 0]) - 128) <= 1
    np.testing.assert_allclose(made.centroid, [-0.4, 0, 0], atol=1e-3)
    assert made.visual.kind == "vertex"


def test_sam_3d_gets_the_picture_and_the_mask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    class Inference:
        def __init__(self, config_file: str, compile: bool = False) -> None:
            asked["config"] = config_file

        def __call__(
            self, image: Any, mask: Any, seed: int | None = None, pointmap: Any = None
        ) -> dict[str, Any]:
            asked["call"] = (image.shape, image.dtype, mask.dtype, seed)
            return {"glb": trimesh.Scene(trimesh.creation.box(extents=[1, 3, 1]))}

    install(monkeypatch, "inference", Inference=Inference)
    (tmp_path / "clone" / "notebook").mkdir(parents=True)
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    files = weights(tmp_path / "w", "checkpoints/pipeline.yaml")
    backend = Backend("sam3d", str(files), str(tmp_path / "clone"))
    made = sam3d.generate(np.zeros((9, 9, 3), np.uint8), np.ones((9, 9), bool), backend)
    assert asked["config"].endswith("checkpoints/pipeline.yaml")
    assert asked["call"] == ((9, 9, 3), np.uint8, np.bool_, 42)
    np.testing.assert_allclose(made.extents, [1, 1, 3])


def test_any_mesh_file_will_do(tmp_path: Path) -> None:
    for name in ("cup.stl", "cup.ply", "cup.obj", "cup.glb"):
        trimesh.creation.cylinder(0.04, 0.1).export(tmp_path / name)
        assert generated.given_mesh(tmp_path / name).extents == pytest.approx([0.08, 0.08, 0.1], rel=1e-3)
    (tmp_path / "cup.obj").write_text("no mesh")
    with pytest.raises(Rejected, match=r"no faces|cannot be read"):
        generated.given_mesh(tmp_path / "cup.obj")
    with pytest.raises(Rejected, match="cannot be read"):
        generated.given_mesh(tmp_path / "cup.jpg")


def test_a_mesh_without_numbers_or_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "nan.obj").write_text("v 0 0 0\nv 1 0 nan\nv 0 1 0\nv 0 0 1\nf 1 2 3\nf 1 3 4\n")
    with pytest.raises(Rejected, match="has vertices that are no numbers"):
        generated.given_mesh(tmp_path / "nan.obj")
    (tmp_path / "cup.step").write_text("ISO-10303-21;")
    with pytest.raises(Rejected, match=r"cup\.step .*; give an OBJ, PLY, STL or GLB") as caught:
        generated.given_mesh(tmp_path / "cup.step")
    assert "module" not in str(caught.value)
