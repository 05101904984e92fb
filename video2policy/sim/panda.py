"""The Panda's kinematics without a simulator: where its tool is, and joints that hold the tool somewhere.

Modified Denavit-Hartenberg parameters from Franka Emika's documentation; metres, radians; the base stands at
`robot.BASE_X`. Arrays are float64.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from video2policy.hands import ROBOTS
from video2policy.sim import robot as arms

Array = NDArray[np.float64]

LINKS = (
    (0.0, 0.333, 0.0),
    (0.0, 0.0, -math.pi / 2),
    (0.0, 0.316, math.pi / 2),
    (0.0825, 0.0, math.pi / 2),
    (-0.0825, 0.384, -math.pi / 2),
    (0.0, 0.0, math.pi / 2),
    (0.088, 0.0, math.pi / 2),
)
"""Per joint: length and twist of the link before it, offset along its own axis: (a, d, alpha)."""
HAND_TURN = -math.pi / 4
LOWER = np.array([-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973])
UPPER = np.array([2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973])
RELAXED = np.array([0, 0.2, 0, -2.2, 0, 2.4, math.pi / 4])


def forward(joints: Array) -> tuple[Array, Array, Array]:
    """The tool's position (3,) and rotation (3, 3) in the world, and its Jacobian (6, 7), of joints (7,)."""
    frame = np.eye(4)
    frame[0, 3] = arms.BASE_X
    origins, axes = [], []
    for angle, (a, d, alpha) in zip(joints, LINKS):  # noqa: B905 - Python 3.8
        frame = frame @ _link(angle, a, d, alpha)
        origins.append(frame[:3, 3])
        axes.append(frame[:3, 2])
    frame = frame @ _link(HAND_TURN, 0.0, ROBOTS["panda"].wrist_above_tool, 0.0)
    tool = frame[:3, 3]
    moves = [np.cross(axis, tool - origin) for axis, origin in zip(axes, origins)]  # noqa: B905
    return tool, frame[:3, :3], np.concatenate([np.transpose(moves), np.transpose(axes)])


def _link(angle: float, a: float, d: float, alpha: float) -> Array:
    c, s, ca, sa = math.cos(angle), math.sin(angle), math.cos(alpha), math.sin(alpha)
    return np.array(
        [[c, -s, 0, a], [s * ca, c * ca, -sa, -d * sa], [s * sa, c * sa, ca, d * ca], [0, 0, 0, 1]]
    )


def joints_at(tools: Array) -> Array:
    """Joints (k, 7) that hold the tool at positions (k, 3), pointing down at its home yaw."""
    wanted = np.array(arms.matrix(arms.tool_quat(arms.HOME_YAW, 0.0, 0.0)))
    return np.array([_solve(tool, wanted) for tool in tools])


def _solve(tool: Array, wanted: Array) -> Array:
    joints, step = RELAXED.copy(), np.zeros(7)
    for _ in range(60):
        place, rotation, jacobian = forward(joints)
        turn = 0.5 * sum(np.cross(rotation[:, axis], wanted[:, axis]) for axis in range(3))
        error = np.concatenate([tool - place, turn])
        if np.abs(error).max() < 1e-4:
            break
        arms.joint_step(jacobian, error, step)
        joints = np.clip(joints + step, LOWER, UPPER)
    return joints
