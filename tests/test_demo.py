import numpy as np
import pytest

from tests.conftest import RenderedClip
from video2policy.demo import BEHAVIOURS, DEMOS, render_demo
from video2policy.mask import bounding_box, iou


def project(points: np.ndarray, K: np.ndarray) -> np.ndarray:
    pixels = points @ K.T
    return pixels[:, :2] / pixels[:, 2:]


def test_every_demo_has_a_known_behaviour_and_unique_objects() -> None:
    for name, demo in DEMOS.items():
        assert demo.behaviour in BEHAVIOURS, name
        assert len({prop.name for prop in demo.props}) == len(demo.props)
        assert all(prop.label in demo.caption for prop in demo.props)
    assert {"lift", "push_right", "push_left", "next_to", "cover"} <= {d.behaviour for d in DEMOS.values()}


def test_meshes_are_closed_centred_and_turned_outwards() -> None:
    trimesh = pytest.importorskip("trimesh")
    for demo in DEMOS.values():
        for prop in demo.props:
            mesh = prop.shape()
            body = trimesh.Trimesh(mesh.vertices, mesh.faces)
            body.merge_vertices(merge_tex=True)
            body.update_faces(body.nondegenerate_faces())
            assert body.is_watertight, prop.name
            assert body.volume > 0, prop.name
            np.testing.assert_allclose(body.bounds.sum(axis=0), 0, atol=1e-9)


def test_truth_agrees_with_itself(rendered_clip: RenderedClip) -> None:
    """The mesh at the true pose projects onto the true mask, at the true depth."""
    truth = rendered_clip.truth
    vertices, K = truth["vertices_red_box"], truth["K"]
    for index in (0, 4):  # no hand before the box yet
        pose = truth["camera_from_object_red_box"][index]
        corners = vertices @ pose[:3, :3].T + pose[:3, 3]
        pixels = project(corners, K)
        x0, y0, x1, y1 = bounding_box(rendered_clip.masks("red_box")[index])
        np.testing.assert_allclose(pixels.min(0), (x0, y0), atol=1.0)
        np.testing.assert_allclose(pixels.max(0), (x1, y1), atol=1.0)
        depth = truth["depth"][index][rendered_clip.masks("red_box")[index]].astype(float)
        assert corners[:, 2].min() - 0.002 < depth.min() < depth.max() < corners[:, 2].max() + 0.002


def test_world_frame_is_the_contracts(rendered_clip: RenderedClip) -> None:
    """x away from the camera, y to the image's left, table at z = 0, origin under the first pose."""
    truth = rendered_clip.truth
    world_from_camera = truth["world_from_camera"]
    right, forward = world_from_camera[:3, 0], world_from_camera[:3, 2]
    np.testing.assert_allclose(right, (0, -1, 0), atol=1e-9)
    assert forward[0] > 0 and abs(forward[1]) < 1e-9
    assert np.degrees(np.arcsin(-forward[2])) == pytest.approx(float(truth["pitch"]))
    world_from_object = world_from_camera @ truth["camera_from_object_red_box"]
    first, last = world_from_object[0], world_from_object[-1]
    np.testing.assert_allclose(first[:3, :3], np.eye(3), atol=1e-9)
    np.testing.assert_allclose(first[:3, 3], (0, 0, truth["size_red_box"][2] / 2), atol=1e-9)
    assert last[2, 3] - first[2, 3] == pytest.approx(0.17, abs=1e-6)


def test_object_rests_unoccluded_at_first(rendered_clip: RenderedClip) -> None:
    masks = rendered_clip.masks("red_box")
    assert iou(masks[0], masks[5]) == 1.0
    assert 0.5 < np.count_nonzero(masks[40]) / np.count_nonzero(masks[0]) < 1.2, "the hand hides part of it"


def test_cup_hides_the_ball_at_the_end(rendered_pair: RenderedClip) -> None:
    ball = rendered_pair.masks("yellow_ball")
    assert ball[0].any() and not ball[-1].any()


def test_unknown_names_are_listed(tmp_path) -> None:
    with pytest.raises(ValueError, match="lift_box"):
        render_demo("juggle", tmp_path / "a.mp4", tmp_path / "a.npz")
    with pytest.raises(ValueError, match="front, left, right"):
        render_demo("lift_box", tmp_path / "a.mp4", tmp_path / "a.npz", camera="above")
