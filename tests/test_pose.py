import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from video2policy import pose

finite = st.floats(-5, 5)
vectors = st.tuples(finite, finite, finite).map(np.array)
angles = st.floats(-179, 179)
axes = vectors.filter(lambda v: np.linalg.norm(v) > 0.1)
directions = axes.map(lambda v: v / np.linalg.norm(v))
rotations = st.builds(pose.rotation_about, axes, angles)
transforms = st.builds(pose.transform, rotations, vectors)


@given(transforms, transforms, transforms)
def test_transforms_form_a_group(a, b, c):
    np.testing.assert_allclose(
        pose.compose(pose.compose(a, b), c), pose.compose(a, pose.compose(b, c)), atol=1e-9
    )
    np.testing.assert_allclose(pose.compose(a, pose.inverse(a)), np.eye(4), atol=1e-9)
    np.testing.assert_allclose(pose.compose(pose.inverse(a), a), np.eye(4), atol=1e-9)


@given(transforms, transforms, vectors)
def test_applying_twice_is_applying_the_composition(a, b, point):
    np.testing.assert_allclose(pose.apply(a, pose.apply(b, point)), pose.apply(a @ b, point), atol=1e-9)


@given(rotations)
def test_matrix_to_quaternion_and_back(rotation):
    quat = pose.quat_from_matrix(rotation)
    assert quat[0] >= 0
    np.testing.assert_allclose(np.linalg.norm(quat), 1, atol=1e-12)
    np.testing.assert_allclose(pose.matrix_from_quat(quat), rotation, atol=1e-9)


@pytest.mark.parametrize("axis", np.eye(3))
def test_half_turns_survive_the_quaternion(axis):
    rotation = pose.rotation_about(axis, 180)
    np.testing.assert_allclose(pose.matrix_from_quat(pose.quat_from_matrix(rotation)), rotation, atol=1e-12)


def test_quaternions_are_in_mujoco_order():
    np.testing.assert_allclose(pose.quat_from_matrix(np.eye(3)), [1, 0, 0, 0])
    np.testing.assert_allclose(
        pose.quat_from_matrix(pose.rotation_about([0, 0, 1], 90)), [0.5**0.5, 0, 0, 0.5**0.5]
    )
    np.testing.assert_allclose(pose.rotation_about([0, 0, 1], 90) @ [1, 0, 0], [0, 1, 0], atol=1e-12)


@given(rotations, rotations)
def test_quaternion_product_is_the_matrix_product(a, b):
    quat = pose.quat_multiply(pose.quat_from_matrix(a), pose.quat_from_matrix(b))
    np.testing.assert_allclose(pose.matrix_from_quat(quat), a @ b, atol=1e-9)


@given(rotations, axes, angles)
def test_rotation_difference_is_the_angle_between(rotation, axis, angle):
    turned = pose.rotation_about(axis, angle) @ rotation
    assert pose.rotation_difference(rotation, turned) == pytest.approx(abs(angle), abs=1e-5)
    assert pose.rotation_difference(turned, rotation) == pytest.approx(abs(angle), abs=1e-5)


@given(directions, directions)
@example(np.array([1.0, 0, 0]), np.array([-1.0, 0, 0]))
@example(np.array([0, 0, 1.0]), np.array([0, 0, 1.0]))
def test_rotation_between_takes_one_direction_to_the_other(a, b):
    rotation = pose.rotation_between(a, b)
    np.testing.assert_allclose(rotation @ a, b, atol=1e-8)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)


@given(rotations, axes)
def test_average_of_opposite_turns_is_the_middle(rotation, axis):
    around = [pose.rotation_about(axis, angle) @ rotation for angle in (-20, 0, 20)]
    assert pose.rotation_difference(pose.average_rotation(around), rotation) < 1e-5


def test_median_ignores_an_outlier():
    good = [pose.transform(pose.rotation_about([0, 0, 1], a), [0.1, a / 100, 0]) for a in (-1, 0, 1)]
    median = pose.median_transform([*good, pose.transform(pose.rotation_about([1, 0, 0], 170), [9, 9, 9])])
    assert pose.rotation_difference(median, np.eye(3)) < 1
    assert np.linalg.norm(median[:3, 3] - [0.1, 0, 0]) < 0.02


def test_zero_quaternion_and_empty_average_are_errors():
    with pytest.raises(ValueError, match="length 0"):
        pose.matrix_from_quat([0, 0, 0, 0])
    with pytest.raises(ValueError, match="no rotations"):
        pose.average_rotation([])


@given(st.floats(-179, 179))
def test_yaw_reads_back_a_turn_about_z(angle):
    assert pose.yaw(pose.rotation_about([0, 0, 1], angle)) == pytest.approx(angle, abs=1e-6)
