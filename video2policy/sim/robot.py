"""The robot's side of a control step: the tool's persistent target, inverse kinematics, the tool's pose.

The functions marked `compiled` run for every environment at every step: numba compiles them once per machine
(numpy's cost per call, over a hundred small calls a step, was half of the physics'). Arrays are float64 with
leading dimension n (environments); quaternions wxyz; angles in radians; world frame, metres.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Tuple  # noqa: UP035 - Python 3.8

import numba
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # Isaac Gym has no MuJoCo beside it
    import mujoco

Array = NDArray[np.float64]
Quat = Tuple[float, float, float, float]  # noqa: UP006

compiled = numba.njit(cache=True, error_model="numpy")

TOOL_DOWN = np.array([0.0, 1.0, 0.0, 0.0])
"""Orientation of the tool that points straight down, fingers across y."""

BASE_X, SHOULDER_HEIGHT, WRIST_BEFORE_TOOL = -0.55, 0.333, 0.088
"""Panda, metres; the wrist (axis 6) while the tool points down."""

HOME_YAW = math.pi / 2
"""Of the tool when an episode starts: the fingers lie across a push to the left or right and meet the object
as a fork; one behind the other they would meet it as a point, from which it slides off."""

# What one action of 1 does, and where the tool's target may be.
POSITION_STEP = 0.015
"""Metres per control step."""
ROTATION_STEP, YAW_STEP = 0.05, 0.1
"""Radians of tilt and of yaw per control step: a quarter turn takes .8 seconds, as on the real arm."""
FINGER_STEP = 0.01
"""Metres per finger and control step."""
FINGER_LEAD = 0.015
"""Metres by which a finger's command may run ahead of it in closing: 15 N. What holds can so let go in two
steps; with no bound, exploration never opens fingers that were told to close for long. The command may be
below zero, or a knife's thin end would be held with nothing."""
LEAD = 0.03
"""Metres by which the target may run ahead of the tool, per axis: bounds the force on what it touches."""
LOW, HIGH = (-0.24, -0.28, 0.008), (0.22, 0.28, 0.45)
"""Of the target. The finger tips are 6 mm below it: lower, they would rub on the table; higher, they close
above the middle of a pen."""
LOW_ON_END = 0.0065
"""The same height where a long thing has to be stood on end: a fork slips out below higher fingers."""
MAX_YAW, MAX_TILT, WIDE_TILT = 2.0, 0.25, 1.3
"""Radians to either side of the start; the last about the line between the fingers, where what is held has to
be stood on end."""
TILT_KEPT = 0.75
"""Part of the tilt that is left after a step: without action the tool comes upright again. Noise in the
actions would otherwise leave it tilted most of the time, and knock over what it reaches for. A wide tilt
stays as it is: it would be lost faster than it is reached."""
REACH = 0.66
"""Metres from the Panda's shoulder to its wrist: 5 cm less than its straight arm, which is singular."""

DAMPING = 1e-3
MAX_JOINT_STEP = 0.35
HOME_PULL = np.array([0, 0, 0.05, 0, 0.05, 0, 0])
"""Part of the way home per step for the joints that a tool pose leaves free (the elbow)."""

# ---------------------------------------------------------------- rotations


@compiled
def multiply(a: Any, b: Any) -> Quat:
    """Hamilton product of two quaternions (4,): the rotation `b`, then `a`."""
    return (
        a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3],
        a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2],
        a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1],
        a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0],
    )


@compiled
def unit(q: Any) -> Quat:
    """The quaternion (4,) at length one."""
    length = math.sqrt(q[0] ** 2 + q[1] ** 2 + q[2] ** 2 + q[3] ** 2)
    return q[0] / length, q[1] / length, q[2] / length, q[3] / length


@compiled
def matrix(q: Any) -> tuple[tuple[float, float, float], ...]:
    """Rows of the rotation matrix of a unit quaternion (4,)."""
    w, x, y, z = q[0], q[1], q[2], q[3]
    return (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )


@compiled
def tool_quat(yaw: float, pitch: float, roll: float) -> Quat:
    """Orientation of the tool turned about z, y and x from where it points straight down."""
    cz, cy, cx = math.cos(yaw / 2), math.cos(pitch / 2), math.cos(roll / 2)
    sz, sy, sx = math.sin(yaw / 2), math.sin(pitch / 2), math.sin(roll / 2)
    # Rz Ry Rx = (w, x, y, z); times TOOL_DOWN = (-x, w, z, -y)
    return (
        sz * sy * cx - cz * cy * sx,
        cz * cy * cx + sz * sy * sx,
        sz * cy * cx - cz * sy * sx,
        -(cz * sy * cx + sz * cy * sx),
    )


@compiled
def rotate(q: Any, x: float, y: float, z: float) -> Quat:
    """A unit quaternion (4,) turned by a small rotation vector in the world frame."""
    return unit(multiply((1.0, x / 2, y / 2, z / 2), q))


@compiled
def rotation_error(wanted: Any, current: Any) -> tuple[float, float, float]:
    """Rotation vector, to first order, that turns the quaternion `current` (4,) into `wanted` (4,)."""
    error = multiply(wanted, (current[0], -current[1], -current[2], -current[3]))
    sign = 2.0 if error[0] >= 0 else -2.0
    return sign * error[1], sign * error[2], sign * error[3]


# ---------------------------------------------------------------- the target


@compiled
def _clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


@compiled
def move_target(
    actions: Array,
    tool_pos: Array,
    reached: Array,
    pos: Array,
    angles: Array,
    finger: Array,
    opening: float,
    wrist_above_tool: float,
    on_end: bool,
) -> None:
    """Apply actions (n, 7), clipped to [-1, 1], to the target, in place.

    The target persists between actions, so that small actions add up: `pos` (n, 3), `angles` (n, 3) yaw,
    pitch and roll, `finger` (n,) metres per finger. It stays near the tool (n, 3) and the fingers' own places
    `reached` (n, 2), in the workspace and where the arm can follow. `opening` and `wrist_above_tool` are the
    hand's (`hands.Robot`). With `on_end` the pitch is as wide as it takes to stand on end what is held.
    """
    lowest = LOW_ON_END if on_end else LOW[2]
    for i in range(len(actions)):
        for axis in range(3):
            wanted = pos[i, axis] + POSITION_STEP * _clip(actions[i, axis], -1.0, 1.0)
            wanted = _clip(wanted, tool_pos[i, axis] - LEAD, tool_pos[i, axis] + LEAD)
            pos[i, axis] = _clip(wanted, lowest if axis == 2 else LOW[axis], HIGH[axis])
        height = pos[i, 2] + wrist_above_tool - SHOULDER_HEIGHT
        radius = WRIST_BEFORE_TOOL + math.sqrt(max(REACH**2 - height**2, 0.01))
        x, y = pos[i, 0] - BASE_X, pos[i, 1]
        shrink = min(1.0, radius / max(math.hypot(x, y), 1e-6))
        pos[i, 0], pos[i, 1] = x * shrink + BASE_X, y * shrink
        for axis in range(3):
            home, kept, bound, step = 0.0, TILT_KEPT, MAX_TILT, ROTATION_STEP
            if axis == 0:
                home, kept, bound, step = HOME_YAW, 1.0, MAX_YAW, YAW_STEP
            elif axis == 1 and on_end:
                kept, bound = 1.0, WIDE_TILT
            turned = kept * angles[i, axis] + step * _clip(actions[i, 5 - axis], -1.0, 1.0)
            angles[i, axis] = _clip(turned, home - bound, home + bound)
        opened = finger[i] + FINGER_STEP * _clip(actions[i, 6], -1.0, 1.0)
        closest = min(reached[i, 0], reached[i, 1]) - FINGER_LEAD
        finger[i] = _clip(opened, max(closest, -FINGER_LEAD), opening / 2)


@compiled
def ramp(before: Array, after: Array, late: Array, substeps: int) -> Array:
    """Commands (n, substeps, nu) straight from `before` to `after` (n, nu), from `late` (n,) substeps on.

    As real arms' controllers do between two commands. Servos that are told all at once jerk, and shake
    loose what lies thin between the fingers. Whoever is as late as the step is long stays at `before`.
    """
    commands = np.empty((before.shape[0], substeps, before.shape[1]))
    for i in range(before.shape[0]):
        wait = min(np.rint(late[i]), substeps)
        for k in range(substeps):
            part = min(max((k + 1 - wait) / max(substeps - wait, 1.0), 0.0), 1.0)
            for j in range(before.shape[1]):
                commands[i, k, j] = before[i, j] + part * (after[i, j] - before[i, j])
    return commands


# ---------------------------------------------------------------- the arm


@compiled
def joint_step(jacobian: Array, error: Array, step: Array) -> None:
    """Damped least squares (Wampler 1986): writes the joint step (j,) that reduces a pose error (6,).

    `jacobian` is (6, j), position rows first; each joint's step is bounded.
    """
    n = jacobian.shape[1]
    factor = np.empty((6, 6))  # Cholesky factor of J J^T + damping
    solved = np.empty(6)
    for a in range(6):
        for b in range(a + 1):
            value = DAMPING if a == b else 0.0
            for j in range(n):
                value += jacobian[a, j] * jacobian[b, j]
            for c in range(b):
                value -= factor[a, c] * factor[b, c]
            factor[a, b] = math.sqrt(value) if a == b else value / factor[b, b]
        value = error[a]
        for c in range(a):
            value -= factor[a, c] * solved[c]
        solved[a] = value / factor[a, a]
    for a in range(5, -1, -1):
        value = solved[a]
        for c in range(a + 1, 6):
            value -= factor[c, a] * solved[c]
        solved[a] = value / factor[a, a]
    for j in range(n):
        value = 0.0
        for a in range(6):
            value += jacobian[a, j] * solved[a]
        step[j] = _clip(value, -MAX_JOINT_STEP, MAX_JOINT_STEP)


@compiled
def _jacobian(anchors: Array, axes: Array, point: Array, jacobian: Array) -> None:
    """Writes the Jacobian (6, j) of a point (3,) on the hand from its hinges' anchors and axes (j, 3)."""
    for j in range(jacobian.shape[1]):
        x, y, z = point[0] - anchors[j, 0], point[1] - anchors[j, 1], point[2] - anchors[j, 2]
        a, b, c = axes[j, 0], axes[j, 1], axes[j, 2]
        jacobian[0, j], jacobian[1, j], jacobian[2, j] = b * z - c * y, c * x - a * z, a * y - b * x
        jacobian[3, j], jacobian[4, j], jacobian[5, j] = a, b, c


@compiled
def command_arm(
    pos: Array,
    angles: Array,
    tool_pos: Array,
    quat: Array,
    jacobians: Array,
    qpos: Array,
    home: Array,
    ctrl: Array,
) -> None:
    """Commands the joints one damped least-squares step nearer to the target `pos`, `angles` (n, 3).

    Reads the tool's pose (n, 3), (n, 4), its Jacobians (n, 6, j) and joint positions (n, >= j); writes the
    first j columns of `ctrl`.
    """
    joints = jacobians.shape[2]
    error, step, pull = np.empty(6), np.empty(joints), np.empty(joints)
    for i in range(len(pos)):
        wanted = tool_quat(angles[i, 0], angles[i, 1], angles[i, 2])
        error[3], error[4], error[5] = rotation_error(wanted, quat[i])
        for axis in range(3):
            error[axis] = pos[i, axis] - tool_pos[i, axis]
        # The pull home must not move the tool: the step makes up for what it would (null-space projection).
        for j in range(joints):
            pull[j] = HOME_PULL[j] * (home[j] - qpos[i, j])
            for a in range(6):
                error[a] -= jacobians[i, a, j] * pull[j]
        joint_step(jacobians[i], error, step)
        for j in range(joints):
            ctrl[i, j] = qpos[i, j] + _clip(step[j] + pull[j], -MAX_JOINT_STEP, MAX_JOINT_STEP)


@compiled
def locate_tool(
    rows: NDArray[np.int32],
    seconds: float,
    site: Array,
    hand_quat: Array,
    anchors: Array,
    axes: Array,
    qvel: Array,
    tool_pos: Array,
    quat: Array,
    jacobians: Array,
) -> None:
    """Writes the tool's pose (n, 3), (n, 4) and Jacobian (n, 6, j) for `rows` of the environments.

    After a step, MuJoCo's derived fields (the tool's `site` and `hand_quat`, the hinges' anchors and axes)
    describe the state before the last substep. Computing them anew costs a tenth of the speed, most of it
    collision detection; going on along the velocities for `seconds` gives the tool's pose to 0.1 mm.
    """
    joints = jacobians.shape[2]
    moved = np.empty(6)
    for i in rows:
        _jacobian(anchors[i], axes[i], site[i], jacobians[i])
        for a in range(6):
            moved[a] = 0.0
            for j in range(joints):
                moved[a] += seconds * jacobians[i, a, j] * qvel[i, j]
        for axis in range(3):
            tool_pos[i, axis] = site[i, axis] + moved[axis]
        turned = rotate(hand_quat[i], moved[3], moved[4], moved[5])
        for part in range(4):
            quat[i, part] = turned[part]


@compiled
def locate_hand(rows: NDArray[np.int32], qpos: Array, tool_pos: Array, quat: Array) -> None:
    """Writes the floating hand's pose (n, 3), (n, 4) from its six joints, for `rows` of the environments."""
    for i in rows:
        turned = tool_quat(qpos[i, 3], qpos[i, 4], qpos[i, 5])
        for part in range(4):
            quat[i, part] = turned[part]
        for axis in range(3):
            tool_pos[i, axis] = qpos[i, axis]


class PandaPoses:
    """Joint positions that hold the Panda's tool anywhere in the workspace, pointing down at its home yaw.

    Turning the first joint moves the tool around the base and the last one turns it back, so that a table
    over the distance from the base and the height is enough. Interpolation is good to a millimetre.
    """

    RADII = np.linspace(0.28, 0.8, 27)
    HEIGHTS = np.linspace(0.0, 0.5, 26)

    def __init__(self, model: mujoco.MjModel, tool: int, hand: int) -> None:
        import mujoco

        self._table = np.zeros((len(self.RADII), len(self.HEIGHTS), 7))
        data = mujoco.MjData(model)
        start = np.array([0, 0.2, 0, -2.2, 0, 2.4, np.pi / 4])
        limits = model.jnt_range[:7]
        for i, radius in enumerate(self.RADII):
            data.qpos[:7] = start if i == 0 else self._table[i - 1, 0]
            for j, height in enumerate(self.HEIGHTS):
                self._solve(model, data, tool, hand, np.array([BASE_X + radius, 0, height]))
                data.qpos[:7] = np.clip(data.qpos[:7], limits[:, 0] + 0.01, limits[:, 1] - 0.01)
                self._table[i, j] = data.qpos[:7]

    @staticmethod
    def _solve(model: mujoco.MjModel, data: mujoco.MjData, tool: int, hand: int, wanted: Array) -> None:
        import mujoco

        jacobian, step = np.zeros((6, model.nv)), np.zeros(7)
        for _ in range(30):
            mujoco.mj_kinematics(model, data)
            mujoco.mj_comPos(model, data)
            mujoco.mj_jacSite(model, data, jacobian[:3], jacobian[3:], tool)
            turn = rotation_error(TOOL_DOWN, data.xquat[hand])
            error = np.concatenate([wanted - data.site_xpos[tool], turn])
            if np.abs(error).max() < 1e-4:
                return
            joint_step(jacobian[:, :7].copy(), error, step)
            data.qpos[:7] += step

    def joints(self, tool: Array) -> Array:
        """Joint positions (k, 7) for tool positions (k, 3)."""
        x, y = tool[:, 0] - BASE_X, tool[:, 1]
        around = np.arctan2(y, x)
        i, u = _cell(np.hypot(x, y), self.RADII)
        j, v = _cell(tool[:, 2], self.HEIGHTS)
        table, u, v = self._table, u[:, None], v[:, None]
        joints = (1 - u) * ((1 - v) * table[i, j] + v * table[i, j + 1])
        joints += u * ((1 - v) * table[i + 1, j] + v * table[i + 1, j + 1])
        joints[:, 0] += around
        joints[:, 6] += around
        joints[:, 6] -= HOME_YAW  # the last joint's axis points down
        return joints


def _cell(values: Array, grid: Array) -> tuple[NDArray[np.int64], Array]:
    """Index of the grid cell of each value and the place within it, 0 to 1; outside, the nearest edge."""
    place = (np.clip(values, grid[0], grid[-1]) - grid[0]) / (grid[1] - grid[0])
    index = np.minimum(place.astype(np.int64), len(grid) - 2)
    return index, place - index
