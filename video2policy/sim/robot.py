"""What both robots share: action limits, the persistent target of the tool, and batched inverse kinematics.

Arrays are float64 with leading dimension n (environments); quaternions wxyz; angles in radians.
"""

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TOOL_DOWN = np.array([0.0, 1.0, 0.0, 0.0])
"""Orientation of the tool that points straight down, fingers across y."""

MAX_OPENING = 0.08

SHOULDER_HEIGHT, WRIST_ABOVE_TOOL, WRIST_BEFORE_TOOL = 0.333, 0.2104, 0.088
"""Panda, metres; the wrist (axis 6) while the tool points down."""


@dataclass(frozen=True)
class Limits:
    """What one action of 1 does, and where the target of the tool may be."""

    position_step: float = 0.02
    """Metres per control step."""
    rotation_step: float = 0.05
    """Radians per control step."""
    finger_step: float = 0.01
    """Metres per finger and control step."""
    lead: float = 0.06
    """Metres by which the target may run ahead of the tool, per axis: bounds the force on what it touches."""
    low: tuple[float, float, float] = (-0.22, -0.28, 0.012)
    high: tuple[float, float, float] = (0.22, 0.28, 0.45)
    yaw: float = 2.0
    tilt: float = 0.25
    tilt_kept: float = 0.75
    """Part of the tilt that is left after a step: without action the tool comes upright again. Noise in the
    actions would otherwise leave it tilted most of the time, and knock over what it reaches for."""
    base: tuple[float, float] = (-0.55, 0.0)
    reach: float = 0.66
    """Metres from the Panda's shoulder to its wrist: 5 cm less than its straight arm, which is singular."""

    def within_reach(self, pos: Array) -> Array:
        """Positions (n, 3) of the tool pointing down, drawn towards the base where the arm cannot follow."""
        height = pos[:, 2] + WRIST_ABOVE_TOOL - SHOULDER_HEIGHT
        radius = WRIST_BEFORE_TOOL + np.sqrt(np.maximum(self.reach**2 - height**2, 0.01))
        offset = pos[:, :2] - self.base
        shrink = np.minimum(1, radius / np.maximum(np.linalg.norm(offset, axis=1), 1e-6))
        result = pos.copy()
        result[:, :2] = offset * shrink[:, None] + self.base
        return result


@dataclass
class Target:
    """Where the tool should be: it persists between actions, so that small actions add up."""

    pos: Array  # (n, 3) metres
    angles: Array  # (n, 3) yaw, pitch, roll
    finger: Array  # (n,) metres per finger

    def move(self, actions: Array, tool_pos: Array, limits: Limits) -> None:
        """Apply actions (n, 7) in [-1, 1]; the target stays near the tool and in the workspace."""
        pos = self.pos + limits.position_step * actions[:, :3]
        pos = np.clip(pos, tool_pos - limits.lead, tool_pos + limits.lead)
        self.pos = limits.within_reach(np.clip(pos, limits.low, limits.high))
        bound = np.array([limits.yaw, limits.tilt, limits.tilt])
        kept = np.array([1, limits.tilt_kept, limits.tilt_kept])
        self.angles = np.clip(
            kept * self.angles + limits.rotation_step * actions[:, [5, 4, 3]], -bound, bound
        )
        self.finger = np.clip(self.finger + limits.finger_step * actions[:, 6], 0, MAX_OPENING / 2)

    def quat(self) -> Array:
        """Orientation (n, 4) of the target."""
        return tool_quat(self.angles)


def tool_quat(angles: Array) -> Array:
    """Orientation (n, 4) of the tool for yaw, pitch and roll (n, 3): about z, y, x, then pointing down."""
    half = angles / 2
    (cz, cy, cx), (sz, sy, sx) = np.cos(half).T, np.sin(half).T
    result = np.empty((len(angles), 4))
    # Rz Ry Rx = (w, x, y, z); times TOOL_DOWN = (-x, w, z, -y)
    result[:, 0] = sz * sy * cx - cz * cy * sx
    result[:, 1] = cz * cy * cx + sz * sy * sx
    result[:, 2] = sz * cy * cx - cz * sy * sx
    result[:, 3] = -(cz * sy * cx + sz * cy * sx)
    return result


def rotate(q: Array, vector: Array) -> Array:
    """Unit quaternions (n, 4) turned by small rotation vectors (n, 3) in the world frame."""
    step = np.concatenate([np.ones((len(q), 1)), vector / 2], axis=1)
    turned = multiply(step, q)
    return turned / np.linalg.norm(turned, axis=1, keepdims=True)


def multiply(a: Array, b: Array) -> Array:
    """Hamilton product of quaternions (..., 4): the rotation `b`, then `a`."""
    aw, ax, ay, az = (a[..., i] for i in range(4))
    bw, bx, by, bz = (b[..., i] for i in range(4))
    result = np.empty(np.broadcast_shapes(a.shape, b.shape))
    result[..., 0] = aw * bw - ax * bx - ay * by - az * bz
    result[..., 1] = aw * bx + ax * bw + ay * bz - az * by
    result[..., 2] = aw * by - ax * bz + ay * bw + az * bx
    result[..., 3] = aw * bz + ax * by - ay * bx + az * bw
    return result


def conjugate(q: Array) -> Array:
    """The inverse of unit quaternions (..., 4)."""
    return q * np.array([1.0, -1.0, -1.0, -1.0])


def matrices(q: Array) -> Array:
    """Rotation matrices (..., 3, 3) of unit quaternions (..., 4)."""
    products = 2 * q[..., :, None] * q[..., None, :]
    xx, yy, zz = (products[..., i, i] for i in (1, 2, 3))
    xy, xz, yz = products[..., 1, 2], products[..., 1, 3], products[..., 2, 3]
    wx, wy, wz = (products[..., 0, i] for i in (1, 2, 3))
    result = np.empty((*q.shape[:-1], 3, 3))
    result[..., 0, 0], result[..., 0, 1], result[..., 0, 2] = 1 - yy - zz, xy - wz, xz + wy
    result[..., 1, 0], result[..., 1, 1], result[..., 1, 2] = xy + wz, 1 - xx - zz, yz - wx
    result[..., 2, 0], result[..., 2, 1], result[..., 2, 2] = xz - wy, yz + wx, 1 - xx - yy
    return result


def rotation_error(wanted: Array, current: Array) -> Array:
    """Rotation vector (n, 3), to first order, that turns `current` (n, 4) into `wanted` (n, 4)."""
    error = multiply(wanted, conjugate(current))
    return 2 * np.sign(error[:, :1]) * error[:, 1:]


def joint_step(
    jacobian: Array, error: Array, posture: Array, damping: float = 1e-3, limit: float = 0.35
) -> Array:
    """Damped least squares (Wampler 1986): the joint step (n, j) that reduces a pose error (n, 6).

    `jacobian` is (n, 6, j), position rows first; `posture` (n, j) is added (a pull towards a comfortable
    posture) and each joint's step is bounded by `limit`.
    """
    transposed = jacobian.transpose(0, 2, 1)
    system = jacobian @ transposed
    system[:, range(6), range(6)] += damping
    step = (transposed @ np.linalg.solve(system, error[..., None]))[..., 0]
    return np.clip(step + posture, -limit, limit)


class PandaPoses:
    """Joint positions that hold the Panda's tool anywhere in the workspace, pointing down.

    Turning the first joint moves the tool around the base and the last one turns it back, so that a table
    over the distance from the base and the height is enough. Interpolation is good to a millimetre.
    """

    RADII = np.linspace(0.28, 0.8, 27)
    HEIGHTS = np.linspace(0.0, 0.5, 26)

    def __init__(self, model: mujoco.MjModel, tool: int, hand: int) -> None:
        self._base = np.array(Limits().base)
        self._table = np.zeros((len(self.RADII), len(self.HEIGHTS), 7))
        data = mujoco.MjData(model)
        start = np.array([0, 0.2, 0, -2.2, 0, 2.4, np.pi / 4])
        limits = model.jnt_range[:7]
        for i, radius in enumerate(self.RADII):
            data.qpos[:7] = start if i == 0 else self._table[i - 1, 0]
            for j, height in enumerate(self.HEIGHTS):
                wanted = np.array([self._base[0] + radius, self._base[1], height])
                self._solve(model, data, tool, hand, wanted)
                data.qpos[:7] = np.clip(data.qpos[:7], limits[:, 0] + 0.01, limits[:, 1] - 0.01)
                self._table[i, j] = data.qpos[:7]

    @staticmethod
    def _solve(model: mujoco.MjModel, data: mujoco.MjData, tool: int, hand: int, wanted: Array) -> None:
        jacobian = np.zeros((6, model.nv))
        for _ in range(30):
            mujoco.mj_kinematics(model, data)
            mujoco.mj_comPos(model, data)
            mujoco.mj_jacSite(model, data, jacobian[:3], jacobian[3:], tool)
            turn = rotation_error(TOOL_DOWN[None], data.xquat[hand][None])[0]
            error = np.concatenate([wanted - data.site_xpos[tool], turn])
            if np.abs(error).max() < 1e-4:
                return
            data.qpos[:7] += joint_step(jacobian[None, :, :7], error[None], np.zeros((1, 7)))[0]

    def joints(self, tool: Array) -> Array:
        """Joint positions (k, 7) for tool positions (k, 3)."""
        offset = tool[:, :2] - self._base
        around = np.arctan2(offset[:, 1], offset[:, 0])
        i, u = _cell(np.linalg.norm(offset, axis=1), self.RADII)
        j, v = _cell(tool[:, 2], self.HEIGHTS)
        table, u, v = self._table, u[:, None], v[:, None]
        joints = (1 - u) * ((1 - v) * table[i, j] + v * table[i, j + 1])
        joints += u * ((1 - v) * table[i + 1, j] + v * table[i + 1, j + 1])
        joints[:, 0] += around
        joints[:, 6] += around
        return joints


def _cell(values: Array, grid: Array) -> tuple[NDArray[np.int64], Array]:
    """Index of the grid cell of each value and the place within it, 0 to 1; outside, the nearest edge."""
    place = (np.clip(values, grid[0], grid[-1]) - grid[0]) / (grid[1] - grid[0])
    index = np.minimum(place.astype(np.int64), len(grid) - 2)
    return index, place - index
