"""Quaternions, the persistent target and inverse kinematics, in batches."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from video2policy import pose
from video2policy.sim import robot

ANGLES = arrays(float, (5, 3), elements=st.floats(-3, 3))
RAW = arrays(float, (5, 4), elements=st.floats(-1, 1)).filter(
    lambda q: (np.linalg.norm(q, axis=1) > 0.1).all()
)


def unit(q: np.ndarray) -> np.ndarray:
    return q / np.linalg.norm(q, axis=1, keepdims=True)


@given(RAW, RAW)
def test_multiply_agrees_with_matrices(a: np.ndarray, b: np.ndarray) -> None:
    a, b = unit(a), unit(b)
    assert np.allclose(robot.matrices(robot.multiply(a, b)), robot.matrices(a) @ robot.matrices(b), atol=1e-9)


@given(RAW)
def test_matrices_agree_with_single_ones(q: np.ndarray) -> None:
    q = unit(q)
    assert np.allclose(robot.matrices(q), [pose.matrix_from_quat(row) for row in q], atol=1e-9)


@given(ANGLES)
def test_tool_quat_is_yaw_pitch_roll_then_down(angles: np.ndarray) -> None:
    def about(axis: int, angle: np.ndarray) -> np.ndarray:
        q = np.zeros((len(angle), 4))
        q[:, 0], q[:, 1 + axis] = np.cos(angle / 2), np.sin(angle / 2)
        return q

    turn = robot.multiply(
        about(2, angles[:, 0]), robot.multiply(about(1, angles[:, 1]), about(0, angles[:, 2]))
    )
    wanted = robot.multiply(turn, np.tile(robot.TOOL_DOWN, (5, 1)))
    assert np.allclose(robot.tool_quat(angles), wanted, atol=1e-9)


def test_rotation_error_turns_current_into_wanted() -> None:
    current = robot.tool_quat(np.array([[0.3, 0.1, -0.2]]))
    wanted = robot.tool_quat(np.array([[0.31, 0.1, -0.2]]))
    error = robot.rotation_error(wanted, current)
    assert np.allclose(robot.rotate(current, error), wanted, atol=1e-4)
    assert np.allclose(error[0], [0, 0, 0.01], atol=1e-3)  # yaw is about the world's z
    assert np.allclose(robot.rotation_error(-wanted, current), error)  # q and -q are one rotation


def target(n: int = 2) -> robot.Target:
    return robot.Target(np.tile([0.0, 0.0, 0.2], (n, 1)), np.zeros((n, 3)), np.full(n, 0.04))


def test_target_adds_up_and_stays_near_the_tool() -> None:
    limits, aim, tool = robot.Limits(), target(), np.tile([0.0, 0.0, 0.2], (2, 1))
    action = np.zeros((2, 7))
    action[0, 0], action[1, 6] = 0.5, -1
    aim.move(action, tool, limits)
    assert np.allclose(aim.pos[0], [limits.position_step / 2, 0, 0.2])
    assert aim.finger[1] == 0.04 - limits.finger_step
    for _ in range(10):
        aim.move(action, tool, limits)
    assert np.isclose(aim.pos[0, 0], limits.lead)  # the tool did not follow
    assert aim.finger[1] == 0


def test_target_stays_in_the_workspace_and_within_reach() -> None:
    limits, aim = robot.Limits(), target()
    down, out = np.zeros((2, 7)), np.zeros((2, 7))
    down[:, 2], out[:, :3] = -1, [1, 1, 1]
    for _ in range(20):
        aim.move(down, aim.pos, limits)
    assert np.allclose(aim.pos[:, 2], limits.low[2])
    for _ in range(40):
        aim.move(out, aim.pos, limits)
    wrist = np.linalg.norm(aim.pos[0, :2] - limits.base) - robot.WRIST_BEFORE_TOOL
    height = aim.pos[0, 2] + robot.WRIST_ABOVE_TOOL - robot.SHOULDER_HEIGHT
    assert np.hypot(wrist, height) <= limits.reach + 1e-9


def test_the_tool_comes_upright_by_itself_and_keeps_its_yaw() -> None:
    limits, aim = robot.Limits(), target()
    turn = np.zeros((2, 7))
    turn[:, 3:6] = 1
    for _ in range(20):
        aim.move(turn, aim.pos, limits)
    assert (aim.angles[:, 1:] > 0.15).all() and (aim.angles <= [limits.yaw, limits.tilt, limits.tilt]).all()
    yaw = aim.angles[:, 0].copy()
    for _ in range(30):
        aim.move(np.zeros((2, 7)), aim.pos, limits)
    assert np.allclose(aim.angles[:, 0], yaw) and (np.abs(aim.angles[:, 1:]) < 0.01).all()


def test_joint_step_reduces_the_error() -> None:
    rng = np.random.default_rng(0)
    jacobian = rng.normal(size=(4, 6, 7))
    error = 0.01 * rng.normal(size=(4, 6))
    step = robot.joint_step(jacobian, error, np.zeros((4, 7)))
    left = np.linalg.norm(error - (jacobian @ step[..., None])[..., 0], axis=1)
    assert (left < 0.2 * np.linalg.norm(error, axis=1)).all()
    assert (np.abs(robot.joint_step(jacobian, 100 * error, np.zeros((4, 7)))) <= 0.35).all()
