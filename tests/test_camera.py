import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from video2policy.camera import Camera, intrinsics, rotation_from_pitch

pitches = st.floats(5, 89)
fovs = st.floats(25, 90)


def camera(pitch=30.0, fov=45.0, altitude=0.4, width=640, height=480):
    K, *_ = intrinsics(width, height, fov=fov)
    return Camera(K, width, height, rotation_from_pitch(pitch), altitude)


@given(pitches, fovs)
def test_pitch_and_field_of_view_read_back(pitch, fov):
    view = camera(pitch, fov)
    assert view.pitch == pytest.approx(pitch, abs=1e-6)
    assert view.fov == pytest.approx(fov, abs=1e-6)
    np.testing.assert_allclose(view.rotation @ view.rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(view.rotation) == pytest.approx(1)


def test_image_directions_are_the_documented_world_directions():
    view = camera(30)
    middle, right, below = view.on_plane([[320, 240], [420, 240], [320, 340]])
    assert right[1] < middle[1], "image-right is -y"
    assert below[0] < middle[0], "lower in the image is nearer"
    assert middle[0] > 0 and middle[1] == pytest.approx(0, abs=1e-9)
    assert view.project([*middle[:2], 0.1])[0, 1] < 240, "up is up"


@given(pitches, fovs, st.floats(0, 639), st.floats(0, 479), st.floats(0, 0.2))
def test_projection_inverts_the_plane_intersection(pitch, fov, u, v, z):
    view = camera(pitch, fov)
    point = view.on_plane([[u, v]], z)
    assume(np.isfinite(point).all() and np.linalg.norm(point) < 100)
    np.testing.assert_allclose(point[0, 2], z, atol=1e-9)
    np.testing.assert_allclose(view.project(point)[0], [u, v], atol=1e-4)


def test_pixels_above_the_horizon_show_no_table():
    assert np.isnan(camera(5, 60).on_plane([[320, 10]])).all()
    assert np.isnan(camera().project([[-5.0, 0, 0]])).all(), "behind the camera"


@given(pitches)
def test_plane_depth_is_the_depth_of_the_plane(pitch):
    view = camera(pitch, width=64, height=48)
    depth = view.plane_depth(10)
    point = view.on_plane([[40.5, 40.5]])
    along = (point - [0, 0, view.altitude]) @ view.rotation[:, 2]
    assert depth[40, 40] == pytest.approx(along[0])
    assert depth.max() <= 10 and depth.min() > 0


def test_camera_survives_json_and_scales():
    view = camera()
    again = Camera.from_json(view.to_json())
    np.testing.assert_allclose(again.table_from_camera, view.table_from_camera)
    np.testing.assert_allclose(again.K, view.K)
    double = view.scaled(2)
    np.testing.assert_allclose(double.on_plane([[100, 300]]), 2 * view.on_plane([[100, 300]]))


def test_intrinsics_prefer_what_is_given():
    assert intrinsics(640, 480, fov=40, fx=700)[0][0, 0] == 700
    K, method, _ = intrinsics(640, 480, fov=43.3)
    assert K[1, 1] == pytest.approx(605, abs=2) and method == "given field of view"
    K, method, _ = intrinsics(640, 480)
    assert 500 < K[0, 0] < 610 and method == "usual field of view"


@pytest.mark.parametrize("wrong", [{"fov": 0}, {"fov": 180}, {"fx": -3}, {"fx": 0}])
def test_impossible_lenses_are_errors(wrong):
    with pytest.raises(ValueError, match="impossible"):
        intrinsics(640, 480, **wrong)
