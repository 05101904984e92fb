"""Rotations, the persistent target and inverse kinematics."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from video2policy import pose
from video2policy.hands import ROBOTS
from video2policy.sim import robot

PANDA = ROBOTS["panda"]
ANGLES = arrays(float, 3, elements=st.floats(-3, 3))
RAW = arrays(float, 4, elements=st.floats(-1, 1)).filter(lambda q: np.linalg.norm(q) > 0.1)


@given(RAW, RAW)
def test_multiply_agrees_with_matrices(a: np.ndarray, b: np.ndarray) -> None:
    a, b = robot.unit(a), robot.unit(b)
    product = np.array(robot.matrix(a)) @ np.array(robot.matrix(b))
    assert np.allclose(robot.matrix(robot.multiply(a, b)), product, atol=1e-9)


@given(RAW)
def test_matrix_agrees_with_the_package_s_own(q: np.ndarray) -> None:
    q = np.array(robot.unit(q))
    assert np.allclose(robot.matrix(q), pose.matrix_from_quat(q), atol=1e-9)


@given(ANGLES)
def test_tool_quat_is_yaw_pitch_roll_then_down(angles: np.ndarray) -> None:
    def about(axis: int, angle: float) -> np.ndarray:
        q = np.zeros(4)
        q[0], q[1 + axis] = np.cos(angle / 2), np.sin(angle / 2)
        return q

    turn = robot.multiply(about(2, angles[0]), robot.multiply(about(1, angles[1]), about(0, angles[2])))
    assert np.allclose(robot.tool_quat(*angles), robot.multiply(turn, robot.TOOL_DOWN), atol=1e-9)


def test_rotation_error_turns_current_into_wanted() -> None:
    current, wanted = robot.tool_quat(0.3, 0.1, -0.2), robot.tool_quat(0.31, 0.1, -0.2)
    error = robot.rotation_error(wanted, current)
    assert np.allclose(robot.rotate(current, *error), wanted, atol=1e-4)
    assert np.allclose(error, [0, 0, 0.01], atol=1e-3)  # yaw is about the world's z
    opposite = tuple(-part for part in wanted)
    assert np.allclose(robot.rotation_error(opposite, current), error)  # q and -q are one rotation


class Target:
    """Two targets over the middle of the table."""

    def __init__(self, on_end: bool = False) -> None:
        self.on_end = on_end
        self.pos = np.tile([0.0, 0.0, 0.2], (2, 1))
        self.angles = np.zeros((2, 3))
        self.finger = np.full(2, 0.04)

    def move(self, actions: np.ndarray, tool: np.ndarray | None = None, opened: float | None = None) -> None:
        """`opened`: where the fingers are, if they did not follow."""
        tool = self.pos.copy() if tool is None else tool
        reached = np.repeat(self.finger[:, None], 2, axis=1) if opened is None else np.full((2, 2), opened)
        robot.move_target(
            actions,
            tool,
            reached,
            self.pos,
            self.angles,
            self.finger,
            PANDA.opening,
            PANDA.wrist_above_tool,
            self.on_end,
        )


def test_target_adds_up_and_stays_near_the_tool() -> None:
    target, tool = Target(), np.tile([0.0, 0.0, 0.2], (2, 1))
    action = np.zeros((2, 7))
    action[0, 0], action[1, 6] = 0.5, -1
    target.move(action, tool)
    assert np.allclose(target.pos[0], [robot.POSITION_STEP / 2, 0, 0.2])
    assert target.finger[1] == 0.04 - robot.FINGER_STEP
    for _ in range(10):
        target.move(action, tool)
    assert np.isclose(target.pos[0, 0], robot.LEAD)  # the tool did not follow
    assert target.finger[1] == -robot.FINGER_LEAD  # it presses on what is thin


def test_fingers_that_something_stops_are_told_to_close_no_further() -> None:
    target, close = Target(), np.tile([0.0, 0, 0, 0, 0, 0, -1], (2, 1))
    for _ in range(10):
        target.move(close, opened=0.025)
    assert np.allclose(target.finger, 0.025 - robot.FINGER_LEAD)
    target.move(-close, opened=0.025)
    target.move(-close, opened=0.025)
    assert (target.finger > 0.025).all()


def test_actions_count_no_more_than_one() -> None:
    big, one = Target(), Target()
    big.move(np.full((2, 7), 5.0))
    one.move(np.ones((2, 7)))
    assert np.array_equal(big.pos, one.pos) and np.array_equal(big.angles, one.angles)
    assert np.array_equal(big.finger, one.finger)


def test_target_stays_in_the_workspace_and_within_reach() -> None:
    target = Target()
    down, out = np.zeros((2, 7)), np.zeros((2, 7))
    down[:, 2], out[:, :3] = -1, [1, 1, 1]
    for _ in range(20):
        target.move(down)
    assert np.allclose(target.pos[:, 2], robot.LOW[2])
    for _ in range(40):
        target.move(out)
    wrist = np.linalg.norm(target.pos[0, :2] - [robot.BASE_X, 0]) - robot.WRIST_BEFORE_TOOL
    height = target.pos[0, 2] + PANDA.wrist_above_tool - robot.SHOULDER_HEIGHT
    assert np.hypot(wrist, height) <= robot.REACH + 1e-9


def test_the_tool_comes_upright_by_itself_and_keeps_its_yaw() -> None:
    target = Target()
    turn = np.zeros((2, 7))
    turn[:, 3:6] = 1
    for _ in range(20):
        target.move(turn)
    assert (target.angles[:, 1:] > 0.15).all()
    assert (target.angles <= [robot.HOME_YAW + robot.MAX_YAW, robot.MAX_TILT, robot.MAX_TILT]).all()
    yaw = target.angles[:, 0].copy()
    for _ in range(30):
        target.move(np.zeros((2, 7)))
    assert np.allclose(target.angles[:, 0], yaw) and (np.abs(target.angles[:, 1:]) < 0.01).all()


def test_what_is_stood_on_end_tilts_widely_about_the_fingers_and_stays_tilted() -> None:
    target = Target(on_end=True)
    turn = np.zeros((2, 7))
    turn[0, 4], turn[1, 3] = -1, 1
    for _ in range(40):
        target.move(turn)
    assert np.isclose(target.angles[0, 1], -robot.WIDE_TILT)
    assert target.angles[1, 2] <= robot.MAX_TILT  # the other way as ever
    target.move(np.zeros((2, 7)))
    assert np.isclose(target.angles[0, 1], -robot.WIDE_TILT)


def test_joint_step_reduces_the_error_and_is_bounded() -> None:
    rng = np.random.default_rng(0)
    step = np.zeros(7)
    for _ in range(20):
        jacobian, error = rng.normal(size=(6, 7)), 0.01 * rng.normal(size=6)
        robot.joint_step(jacobian, error, step)
        damped = jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + robot.DAMPING * np.eye(6), error)
        assert np.allclose(step, damped, atol=1e-9)
        assert np.linalg.norm(error - jacobian @ step) < 0.5 * np.linalg.norm(error)
        robot.joint_step(jacobian, 100 * error, step)
        assert (np.abs(step) <= robot.MAX_JOINT_STEP).all()


def test_the_pull_home_moves_joints_but_not_the_tool() -> None:
    """At its target, far from the home posture, only the elbow goes on moving."""
    rng = np.random.default_rng(1)
    jacobians, quat = rng.normal(size=(4, 6, 7)), np.array([robot.tool_quat(0.4, 0.2, 0.0)] * 4)
    qpos, home, pos = 1.5 * rng.normal(size=(4, 7)), np.zeros(7), rng.normal(size=(4, 3))
    ctrl = np.zeros((4, 7))
    robot.command_arm(pos, np.tile([0.4, 0.2, 0.0], (4, 1)), pos, quat, jacobians, qpos, home, ctrl)
    moved, alone = ctrl - qpos, robot.HOME_PULL * (home - qpos)
    assert np.abs(moved).max() > 0.005
    for jacobian, both, pull in zip(jacobians, moved, alone, strict=True):
        assert np.linalg.norm(jacobian @ both) < 0.02 * np.linalg.norm(jacobian @ pull)


@given(
    arrays(float, (3, 4), elements=st.floats(-3, 3)),
    arrays(float, (3, 4), elements=st.floats(-3, 3)),
    arrays(float, 3, elements=st.floats(0, 7)),
)
def test_commands_go_straight_from_the_last_ones_to_the_new_ones(
    before: np.ndarray, after: np.ndarray, late: np.ndarray
) -> None:
    commands = robot.ramp(before, after, late, 5)
    assert commands.shape == (3, 5, 4)
    begins = np.minimum(np.rint(late), 5).astype(int)
    for row, begin in enumerate(begins):
        assert np.array_equal(commands[row, :begin], np.tile(before[row], (begin, 1)))
        if begin < 5:
            steps = np.diff(commands[row], axis=0, prepend=before[row : row + 1])[begin:]
            assert np.allclose(steps, (after - before)[row] / (5 - begin))
            assert np.allclose(commands[row, -1], after[row])
