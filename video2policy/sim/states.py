"""The `states` of video2policy.task from a batch's arrays: one float32 buffer, written in place.

Arrays have leading dimension n (environments), quaternions are wxyz, all in the world frame; `compiled` as in
video2policy.sim.robot.
"""

from __future__ import annotations

import itertools
import math
from collections import namedtuple
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from video2policy import task
from video2policy.sim.base import Arrays, States
from video2policy.sim.robot import Array, compiled, matrix, multiply, unit

if TYPE_CHECKING:  # Isaac Gym has no MuJoCo beside it
    import mujoco

LIFTED = 0.02
"""Metres above its start, while grasped, from which an object counts as lifted."""

FLIGHT, FLYING = 0.10, 0.5
"""Metres from the tool, and m/s, above which what was let go of counts as flown."""

TILTED = (math.cos(math.radians(75)), math.cos(math.radians(15)))
"""z of the axis that points up at rest, between which what stands on an edge counts as tilted."""

SLIP = 0.5
"""Speed at the point of contact over that of the centre, below which what moves counts as rolling."""

Flags = NDArray[np.bool_]

# One field per name in the contract, so that the type checker cannot know them.
RobotColumns: Any = namedtuple("RobotColumns", tuple(task.ROBOT_STATES))  # type: ignore[misc]
ObjectColumns: Any = namedtuple("ObjectColumns", tuple(task.OBJECT_STATES))  # type: ignore[misc]


class Tool(NamedTuple):
    """The tool and its target, as of now."""

    pos: Array  # (n, 3)
    quat: Array  # (n, 4)
    velocity: Array  # (n, 3)
    target: Array  # (n, 3)
    finger: Array  # (n,) commanded metres per finger


class Bodies(NamedTuple):
    """MuJoCo's own arrays; after the robot's columns (its fingers last) come the objects' free joints."""

    qpos: Array
    qvel: Array
    robot: int
    """Number of the robot's joints."""
    grasp_yaw: Array
    """Direction of each object's narrowest width in its resting frame, (objects,)."""
    grasp_period: Array
    """Yaw after which a grasp is as good again, (objects,); 0 for what is round."""
    long: Array
    """From each object's centre to its end in its resting frame, (objects, 3)."""


class Memory(NamedTuple):
    """What is remembered of each object over an episode."""

    start_pos: Array  # (n, objects, 3)
    start_quat: Array  # (n, objects, 4)
    last_quat: Array  # (n, objects, 4)
    turn: Array  # (n, objects) yaw since the reset
    lifted: Flags  # (n, objects)
    released: Flags  # (n, objects)
    flown: Flags  # (n, objects)
    struck: Flags  # (n, objects)
    touched: Flags  # (n, objects)
    tilted: Flags  # (n, objects)
    last_pos: Array  # (n, objects, 3)
    let_go: Array  # (n, objects) height at which the gripper last touched it
    peak: Array  # (n, objects)
    flight_rise: Array  # (n, objects)
    rolled: Array  # (n, objects)

    @classmethod
    def empty(cls, n: int, objects: int) -> Memory:
        """Nothing remembered yet."""
        return cls(
            start_pos=np.zeros((n, objects, 3)),
            start_quat=np.zeros((n, objects, 4)),
            last_quat=np.zeros((n, objects, 4)),
            turn=np.zeros((n, objects)),
            lifted=np.zeros((n, objects), dtype=bool),
            released=np.zeros((n, objects), dtype=bool),
            flown=np.zeros((n, objects), dtype=bool),
            struck=np.zeros((n, objects), dtype=bool),
            touched=np.zeros((n, objects), dtype=bool),
            tilted=np.zeros((n, objects), dtype=bool),
            last_pos=np.zeros((n, objects, 3)),
            let_go=np.zeros((n, objects)),
            peak=np.zeros((n, objects)),
            flight_rise=np.zeros((n, objects)),
            rolled=np.zeros((n, objects)),
        )


class Contacts(NamedTuple):
    """Where in `sensordata` which contact is; a sensor is the deepest distance, 0 without contact.

    They are as old as the last physics step: 10 ms.
    """

    left: NDArray[np.int64]  # (objects,), like the next three
    right: NDArray[np.int64]
    hand: NDArray[np.int64]
    table: NDArray[np.int64]
    pairs: NDArray[np.int64]  # (objects (objects - 1),): a with each other b, for each a

    @classmethod
    def of(cls, model: mujoco.MjModel, names: Sequence[str]) -> Contacts:
        """The columns in a compiled scene."""

        from video2policy import mjcf

        def column(*parts: str) -> int:
            return int(model.sensor(mjcf.sensor_name(*parts)).adr[0])

        def columns(part: str) -> NDArray[np.int64]:
            return np.array([column(name, part) for name in names])

        pairs = [column(*sorted(pair, key=names.index)) for pair in itertools.permutations(names, 2)]
        return cls(
            left=columns("left_finger"),
            right=columns("right_finger"),
            hand=columns("hand"),
            table=columns("table"),
            pairs=np.array(pairs, dtype=np.int64),
        )


class Buffer:
    """All states of a batch in one float32 array (n, width), so that copies and tensors cost little."""

    def __init__(self, n: int, names: Sequence[str]) -> None:
        widths = task.state_widths(names)
        starts = np.cumsum([0, *widths.values()]).tolist()
        self._columns: dict[str, int | slice] = {
            key: start if width == 1 else slice(start, start + width)
            for (key, width), start in zip(widths.items(), starts)  # noqa: B905 - Python 3.8
        }
        self._array = np.zeros((n, starts[-1]), dtype=np.float32)
        ends = np.cumsum([sum(task.ROBOT_STATES.values()), len(names) * sum(task.OBJECT_STATES.values())])
        robot, objects, self.pairs = np.split(self._array, ends, axis=1)
        self.robot: Any = RobotColumns(*_columns(robot, task.ROBOT_STATES))
        """Robot states as views (n, width)."""
        self.objects: Any = ObjectColumns(*_columns(objects.reshape(n, len(names), -1), task.OBJECT_STATES))
        """Object states as views (n, objects, width)."""

    def arrays(self) -> Arrays:
        """A copy of the states by name; width 1 becomes shape (n,)."""
        copy = self._array.copy()
        return {key: copy[:, columns] for key, columns in self._columns.items()}

    def tensors(self) -> States:
        """The same as tensors, each a copy."""
        return {key: torch.from_numpy(array) for key, array in self.arrays().items()}


def _columns(array: NDArray[np.float32], widths: dict[str, int]) -> list[NDArray[np.float32]]:
    return np.split(array, np.cumsum(list(widths.values()))[:-1], axis=-1)


@compiled
def remember(tool: Tool, bodies: Bodies, sensors: Array, contacts: Contacts, memory: Memory) -> None:
    """Update what is remembered, after a step of all environments. `tool` is where it is by now."""
    for i in range(len(sensors)):
        for k in range(len(contacts.hand)):
            first, velocity = bodies.robot + 7 * k, bodies.robot + 6 * k
            quat = unit(bodies.qpos[i, first + 3 : first + 7])
            last = memory.last_quat[i, k]
            step = multiply(quat, (last[0], -last[1], -last[2], -last[3]))
            turned = 2 * math.atan2(step[3], step[0])
            memory.turn[i, k] += (turned + math.pi) % (2 * math.pi) - math.pi
            for part in range(4):
                last[part] = quat[part]
            grasped = sensors[i, contacts.left[k]] < 0 and sensors[i, contacts.right[k]] < 0
            if grasped and bodies.qpos[i, first + 2] - memory.start_pos[i, k, 2] > LIFTED:
                memory.lifted[i, k] = True
            if memory.lifted[i, k] and not sensors[i, contacts.hand[k]] < 0:
                memory.released[i, k] = True
                away = speed = 0.0
                for axis in range(3):
                    away += (bodies.qpos[i, first + axis] - tool.pos[i, axis]) ** 2
                    speed += bodies.qvel[i, velocity + axis] ** 2
                if away > FLIGHT**2 and speed > FLYING**2:
                    memory.flown[i, k] = True
            _remember_way(i, k, quat, bodies, sensors, contacts, memory)


@compiled
def _remember_way(
    i: int, k: int, quat: Any, bodies: Bodies, sensors: Array, contacts: Contacts, memory: Memory
) -> None:
    """What object `k` of environment `i`, now at `quat`, touched on its way and how it moved."""
    first, velocity = bodies.robot + 7 * k, bodies.robot + 6 * k
    height = bodies.qpos[i, first + 2]
    on_table = sensors[i, contacts.table[k]] < 0
    if sensors[i, contacts.hand[k]] < 0:
        memory.touched[i, k] = True
        memory.let_go[i, k] = height
        up = 1 - 2 * (quat[1] ** 2 + quat[2] ** 2)
        if on_table and TILTED[0] < up < TILTED[1]:
            memory.tilted[i, k] = True
    elif memory.lifted[i, k]:
        memory.flight_rise[i, k] = max(memory.flight_rise[i, k], height - memory.let_go[i, k])
    memory.peak[i, k] = max(memory.peak[i, k], height - memory.start_pos[i, k, 2])
    others = len(contacts.hand) - 1
    for other in range(k * others, (k + 1) * others):
        if memory.flown[i, k] and sensors[i, contacts.pairs[other]] < 0:
            memory.struck[i, k] = True
    if on_table and not sensors[i, contacts.hand[k]] < 0:
        turn = matrix(quat)
        spin_x = spin_y = 0.0
        for c in range(3):  # given in the object's frame
            spin_x += turn[0][c] * bodies.qvel[i, velocity + 3 + c]
            spin_y += turn[1][c] * bodies.qvel[i, velocity + 3 + c]
        along, across = bodies.qvel[i, velocity], bodies.qvel[i, velocity + 1]
        slip = math.hypot(along - spin_y * height, across + spin_x * height)
        if slip < SLIP * math.hypot(along, across):
            memory.rolled[i, k] += math.hypot(
                bodies.qpos[i, first] - memory.last_pos[i, k, 0],
                bodies.qpos[i, first + 1] - memory.last_pos[i, k, 1],
            )
    for axis in range(3):
        memory.last_pos[i, k, axis] = bodies.qpos[i, first + axis]


@compiled
def begin(rows: NDArray[np.int32], bodies: Bodies, memory: Memory) -> None:
    """Forget what was; the objects of `rows` start from where they are."""
    for i in rows:
        for k in range(memory.turn.shape[1]):
            first = bodies.robot + 7 * k
            quat = unit(bodies.qpos[i, first + 3 : first + 7])
            for axis in range(3):
                memory.start_pos[i, k, axis] = memory.last_pos[i, k, axis] = bodies.qpos[i, first + axis]
            for part in range(4):
                memory.start_quat[i, k, part] = memory.last_quat[i, k, part] = quat[part]
            memory.turn[i, k] = memory.peak[i, k] = memory.flight_rise[i, k] = memory.rolled[i, k] = 0.0
            memory.let_go[i, k] = bodies.qpos[i, first + 2]
            memory.lifted[i, k] = memory.released[i, k] = memory.flown[i, k] = memory.struck[i, k] = False
            memory.touched[i, k] = memory.tilted[i, k] = False


@compiled
def write(
    rows: NDArray[np.int32],
    tool: Tool,
    elapsed: NDArray[np.int64],
    horizon: int,
    bodies: Bodies,
    sensors: Array,
    contacts: Contacts,
    memory: Memory,
    robot: Any,
    objects: Any,
    pairs: NDArray[np.float32],
) -> None:
    """Bring `rows` of the buffer's `robot`, `objects` and `pairs` up to date."""
    for i in rows:
        hand = matrix(tool.quat[i])
        fingers = math.atan2(hand[1][1], hand[0][1])
        for axis in range(3):
            robot.eef_pos[i, axis] = tool.pos[i, axis]
            robot.eef_rot6d[i, axis] = hand[axis][0]
            robot.eef_rot6d[i, 3 + axis] = hand[axis][1]
            robot.eef_vel_linear[i, axis] = tool.velocity[i, axis]
            robot.target_error[i, axis] = tool.target[i, axis] - tool.pos[i, axis]
        for part in range(4):
            robot.eef_quat[i, part] = tool.quat[i, part]
        robot.gripper_opening[i, 0] = bodies.qpos[i, bodies.robot - 2] + bodies.qpos[i, bodies.robot - 1]
        robot.gripper_command[i, 0] = max(2 * tool.finger[i], 0.0)
        robot.time_left[i, 0] = 1 - elapsed[i] / horizon

        for k in range(len(contacts.hand)):
            first, velocity = bodies.robot + 7 * k, bodies.robot + 6 * k
            quat = unit(bodies.qpos[i, first + 3 : first + 7])
            turn = matrix(quat)
            for part in range(4):
                objects.quat[i, k, part] = quat[part]
                objects.init_quat[i, k, part] = memory.start_quat[i, k, part]
            for axis in range(3):
                position, start = bodies.qpos[i, first + axis], memory.start_pos[i, k, axis]
                objects.pos[i, k, axis] = position
                objects.init_pos[i, k, axis] = start
                objects.displacement[i, k, axis] = position - start
                objects.rot6d[i, k, axis] = turn[axis][0]
                objects.rot6d[i, k, 3 + axis] = turn[axis][1]
                objects.long[i, k, axis] = (
                    turn[axis][0] * bodies.long[k, 0] + turn[axis][1] * bodies.long[k, 1]
                )
                objects.vel_linear[i, k, axis] = bodies.qvel[i, velocity + axis]
                spin = from_tool = 0.0
                for c in range(3):
                    spin += turn[axis][c] * bodies.qvel[i, velocity + 3 + c]  # given in the object's frame
                    from_tool += hand[c][axis] * (bodies.qpos[i, first + c] - tool.pos[i, c])
                objects.vel_angular[i, k, axis] = spin
                objects.from_eef[i, k, axis] = from_tool
            period, yaw = bodies.grasp_period[k], math.atan2(turn[1][0], turn[0][0])
            if period > 0:
                apart = yaw + bodies.grasp_yaw[k] - fingers
                objects.grasp_turn[i, k, 0] = (apart + period / 2) % period - period / 2
            objects.up[i, k, 0] = turn[2][2]
            left, right = sensors[i, contacts.left[k]] < 0, sensors[i, contacts.right[k]] < 0
            objects.contact_gripper[i, k, 0] = sensors[i, contacts.hand[k]] < 0
            objects.contact_table[i, k, 0] = sensors[i, contacts.table[k]] < 0
            objects.grasped[i, k, 0] = left and right
            objects.ever_lifted[i, k, 0] = memory.lifted[i, k]
            objects.ever_released[i, k, 0] = memory.released[i, k]
            objects.ever_flown[i, k, 0] = memory.flown[i, k]
            objects.ever_struck[i, k, 0] = memory.struck[i, k]
            objects.ever_touched[i, k, 0] = memory.touched[i, k]
            objects.ever_tilted[i, k, 0] = memory.tilted[i, k]
            objects.peak[i, k, 0] = memory.peak[i, k]
            objects.let_go_rise[i, k, 0] = memory.let_go[i, k] - memory.start_pos[i, k, 2]
            objects.flight_rise[i, k, 0] = memory.flight_rise[i, k]
            objects.rolled[i, k, 0] = memory.rolled[i, k]
            objects.turn[i, k, 0] = memory.turn[i, k]
        for column in range(len(contacts.pairs)):
            pairs[i, column] = sensors[i, contacts.pairs[column]] < 0
