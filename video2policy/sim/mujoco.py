"""The CPU engine: MuJoCo's batch of simulations (mujoco.batch), a thread pool over identical scenes.

Bit-identical at any number of threads. One control step is five physics steps (20 Hz).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import torch
from mujoco.batch import Batch
from numpy.typing import NDArray

from video2policy import mjcf, task
from video2policy.scene import Scene
from video2policy.sim import robot as arms
from video2policy.sim.base import CAMERAS, Kind, States
from video2policy.task import Poses

Array = NDArray[np.float64]

SUBSTEPS = 5
POSITION = int(mujoco.mjtStage.mjSTAGE_POS)

CLEARANCE = 0.05
"""Metres between the tool and the highest object when an episode starts."""
HOME_X = -0.02
LOWEST_HOME = 0.15
HOME_NOISE = 0.03
"""Metres per axis by which the tool's start varies."""

POOL = 256
"""Object poses drawn at once."""
PENETRATION = 1e-3
"""Metres of overlap at reset that are left to the solver."""
RAISE = 0.004
SETTLE_STEPS = 60

LIFTED = 0.02
"""Metres above its start, while grasped, from which an object counts as lifted."""

POSTURE = 0.05 * np.array([0, 0, 1.0, 0, 1.0, 0, 0])
"""Pull per step on the joints that a tool pose leaves free (the elbow) towards home."""


class MujocoSim:
    """`n_envs` copies of a scene; see `video2policy.sim.base.Simulator`.

    Raises mjcf.SceneError when the scene cannot be simulated.
    """

    def __init__(
        self,
        scene: Scene,
        scene_root: Path,
        n_envs: int,
        robot: str = "panda",
        threads: int = 1,
        seed: int = 0,
        horizon: int = 100,
        fit_gripper: bool = True,
    ) -> None:
        self.scene = scene
        self.n_envs = n_envs
        self.horizon = horizon
        self.control_step = SUBSTEPS * mjcf.TIMESTEP
        self.device = torch.device("cpu")
        self.object_names: Sequence[str] = tuple(scene.names)
        grasped = mjcf.grasped_objects(scene) if fit_gripper else []
        self.scale = mjcf.gripper_scale(scene, scene_root, grasped)
        self._shapes = [mjcf.load_shape(item, scene_root, self.scale) for item in scene.objects]
        self.object_sizes: Mapping[str, Sequence[float]] = {
            shape.name: tuple(map(float, shape.size)) for shape in self._shapes
        }
        self.limits = arms.Limits()
        self._rng = np.random.default_rng(seed)
        self._pool = np.zeros((0, len(self._shapes), 7), dtype=np.float32)

        model = mjcf.build(scene, scene_root, robot, self.scale, self._shapes).compile()
        self.model = model
        self._batch = Batch(model, n_envs, threads)
        self._batch.reset()
        self._qpos, self._qvel = self._batch.bind("qpos"), self._batch.bind("qvel")
        self._ctrl = self._batch.bind("ctrl")
        self._site, self._xquat = self._batch.bind("site_xpos"), self._batch.bind("xquat")
        self._sensors = self._batch.bind("sensordata")
        self._tool = model.site(f"{mjcf.GRIPPER}tool").id
        self._hand = model.body(f"{mjcf.GRIPPER}hand").id
        self._bodies = np.array([model.body(mjcf.body_name(name)).id for name in self.object_names])
        count = len(self.object_names)
        self._n_arm = model.nv - 2 - 6 * count
        self._has_arm = robot != "floating"
        self._poses = arms.PandaPoses(model, self._tool, self._hand) if self._has_arm else None
        self._home = self._start_joints(np.array([[HOME_X, 0, LOWEST_HOME]]))[0]
        self._contacts = _ContactColumns(model, self.object_names)
        self._layout = _Layout(self.object_names)
        self._buffer = np.zeros((n_envs, self._layout.width), dtype=np.float32)
        self._robot_columns = self._layout.robot(self._buffer)
        self._object_columns = self._layout.objects(self._buffer)
        self._pair_columns = self._layout.pairs(self._buffer)
        self._object_columns["size"][:] = [self.object_sizes[name] for name in self.object_names]
        self._floor_heights = np.array([shape.rest_height for shape in self._shapes])
        self._tops = np.array([shape.top for shape in self._shapes])

        self.elapsed = np.zeros(n_envs, dtype=np.int64)
        self.failed = np.zeros(n_envs, dtype=bool)
        self._diverged = self._batch.warning[:, int(mujoco.mjtWarning.mjWARN_BADQPOS) :, 1]
        self._diverged_before = self._diverged.copy()
        self._target = arms.Target(np.zeros((n_envs, 3)), np.zeros((n_envs, 3)), np.zeros(n_envs))
        self._tool_pos, self._tool_quat = np.zeros((n_envs, 3)), np.tile(arms.TOOL_DOWN, (n_envs, 1))
        self._jacobian = np.zeros((n_envs, 6, self._n_arm))
        self._tool_velocity = np.zeros((n_envs, 3))
        self._start_pos = np.zeros((n_envs, count, 3))
        self._start_quat = np.zeros((n_envs, count, 4))
        self._last_quat = np.zeros((n_envs, count, 4))
        self._turn = np.zeros((n_envs, count))
        self._lifted = np.zeros((n_envs, count), dtype=bool)
        self._released = np.zeros((n_envs, count), dtype=bool)
        self._renderers: dict[tuple[int, int], mujoco.Renderer] = {}

    # ---------------------------------------------------------------- reset

    def sample_object_poses(self, env_ids: torch.Tensor) -> Poses:
        """Random, collision-free poses on the table: object -> (k, 7), any yaw.

        Each object lies within a region around the origin that grows only when the objects do not fit.
        """
        k = len(env_ids)
        if len(self._pool) < k:  # drawn by the hundred: most of the cost does not depend on the number
            self._pool = np.concatenate([self._pool, self._draw_poses(max(k, POOL))])
        drawn, self._pool = self._pool[:k], self._pool[k:]
        return {name: torch.from_numpy(drawn[:, i].copy()) for i, name in enumerate(self.object_names)}

    def _draw_poses(self, k: int) -> NDArray[np.float32]:
        """Poses (k, objects, 7) for `sample_object_poses`."""
        region = np.array([0.08, 0.08]) if len(self._shapes) == 1 else np.array([0.11, 0.16])
        poses = np.zeros((k, len(self._shapes), 7), dtype=np.float32)
        order = np.argsort([-shape.radius for shape in self._shapes])  # the largest first
        for rank, index in enumerate(order):
            shape, others = self._shapes[index], order[:rank]
            distance = np.array([shape.radius + self._shapes[i].radius + 0.01 for i in others])
            room = np.array(mjcf.TABLE) - shape.radius
            open_ids = np.arange(k)
            for attempt in range(400):
                reach = np.minimum(region * (1 + attempt / 40), np.maximum(room, 0.01))
                poses[open_ids, index, :2] = self._rng.uniform(-reach, reach, (len(open_ids), 2))
                placed = poses[open_ids, :, :2]
                gaps = np.linalg.norm(placed[:, index, None] - placed[:, others], axis=2)
                open_ids = open_ids[(gaps < distance).any(axis=1)]
                if len(open_ids) == 0:
                    break
            else:
                raise mjcf.SceneError(f"object {shape.name!r} finds no free place on the table")
            yaw = self._rng.uniform(-np.pi, np.pi, k)
            poses[:, index, 2] = shape.rest_height
            poses[:, index, 3], poses[:, index, 6] = np.cos(yaw / 2), np.sin(yaw / 2)
        return poses

    def reset(self, env_ids: torch.Tensor, poses: Poses) -> None:
        """Start episodes; raises mjcf.SceneError for poses that are not finite or off the table."""
        ids = np.asarray(env_ids, dtype=np.int32)
        if len(ids) == 0:
            return
        wanted = self._checked(ids, poses)
        self._batch.reset(ids=ids, stage=0)
        self._qvel[ids] = 0
        self._set_objects(ids, wanted)
        self._go_home(ids)
        self._batch.forward(ids=ids, stage=POSITION)
        if len(self._shapes) > 1:
            self._separate(ids)

        self.elapsed[ids] = 0
        self.failed[ids] = False
        tool = self._site[ids, self._tool]
        self._tool_pos[ids], self._tool_quat[ids] = tool, self._xquat[ids, self._hand]
        self._tool_velocity[ids] = 0
        if self._has_arm:
            self._jacobian[ids] = self._arm_jacobian(tool, ids)
        self._target.pos[ids] = np.clip(tool, self.limits.low, self.limits.high)
        self._target.angles[ids] = 0
        self._target.finger[ids] = arms.MAX_OPENING / 2
        self._start_pos[ids], self._start_quat[ids] = self._object_poses(ids)
        self._last_quat[ids] = self._start_quat[ids]
        self._turn[ids] = 0
        self._lifted[ids] = self._released[ids] = False
        self._write(ids)

    def _checked(self, ids: NDArray, poses: Poses) -> Array:
        """Poses as one array (k, objects, 7) with unit quaternions."""
        rows = []
        for name in self.object_names:
            if name not in poses or poses[name].shape != (len(ids), 7):
                raise mjcf.SceneError(f"the reset gives no ({len(ids)}, 7) poses for {name!r}")
            rows.append(np.asarray(poses[name], dtype=float))
        wanted = np.stack(rows, axis=1)
        for index, name in enumerate(self.object_names):
            pose = wanted[:, index]
            if not np.isfinite(pose).all():
                raise mjcf.SceneError(f"the reset puts {name!r} at a pose that is not finite")
            if (np.abs(pose[:, :2]) > mjcf.TABLE).any() or (pose[:, 2] < 0).any():
                raise mjcf.SceneError(f"the reset puts {name!r} off the table")
        length = np.linalg.norm(wanted[:, :, 3:], axis=2, keepdims=True)
        if (length < 1e-6).any():
            raise mjcf.SceneError("the reset gives a quaternion of length zero")
        wanted[:, :, 3:] /= length
        return wanted

    def _set_objects(self, ids: NDArray, poses: Array) -> None:
        self._qpos[ids, self._n_arm + 2 :] = poses.reshape(len(ids), -1)

    def _go_home(self, ids: NDArray) -> None:
        """The tool at rest above the highest object, pointing down, with a little noise."""
        heights = self._qpos[ids][:, self._n_arm + 4 :: 7] + np.maximum(self._tops, self._floor_heights)
        tool = np.zeros((len(ids), 3))
        tool[:, 0], tool[:, 2] = HOME_X, np.maximum(LOWEST_HOME, heights.max(1) + CLEARANCE)
        tool += self._rng.uniform(-HOME_NOISE, HOME_NOISE, tool.shape)
        self._set_robot(ids, tool)

    def _set_robot(self, ids: NDArray, tool: Array) -> None:
        """The tool at `tool` (k, 3), pointing down; fingers open, commands at rest."""
        joints = self._start_joints(tool)
        self._qpos[ids, : self._n_arm] = joints
        self._qpos[ids, self._n_arm : self._n_arm + 2] = arms.MAX_OPENING / 2
        self._ctrl[ids, : self._n_arm] = joints
        self._ctrl[ids, self._n_arm :] = arms.MAX_OPENING / 2

    def _start_joints(self, tool: Array) -> Array:
        """Joint positions (k, joints) that hold the tool there."""
        if self._poses is not None:
            return self._poses.joints(tool)
        joints = np.zeros((len(tool), self._n_arm))
        joints[:, :3] = tool
        return joints

    def _separate(self, ids: NDArray) -> None:
        """Raise objects out of each other, then let what does not stand on the table settle."""
        first = self._n_arm + 2
        heights = self._qpos[ids][:, first + 2 :: 7]
        moved = np.abs(heights - self._floor_heights).max(1) > 0.002
        for _ in range(150):
            deep = ids[(self._contacts.between(self._sensors[ids]) < -PENETRATION).any(1)]
            if len(deep) == 0:
                break
            pairs = self._contacts.between(self._sensors[deep]) < -PENETRATION
            for row, pair in zip(deep, pairs, strict=True):
                for a, b in np.array(self._contacts.pairs)[pair]:
                    columns = [first + 7 * i + 2 for i in (a, b)]
                    self._qpos[row, max(columns, key=lambda c: self._qpos[row, c])] += RAISE
            moved |= np.isin(ids, deep)
            self._batch.forward(ids=deep, stage=POSITION)
        else:
            raise mjcf.SceneError(
                f"the objects {', '.join(self.object_names)} cannot be pulled apart at reset"
            )
        if not moved.any():
            return
        ids = ids[moved]
        self._go_home(ids)
        self._batch.step(ids=ids, nstep=SETTLE_STEPS)
        self._qvel[ids] = 0
        self._batch.forward(ids=ids, stage=POSITION)

    # ---------------------------------------------------------------- step

    def step(self, actions: torch.Tensor) -> None:
        """Advance all environments by one control step; actions (n_envs, 7), clipped to [-1, 1]."""
        clipped = np.clip(np.asarray(actions.detach(), dtype=float), -1, 1)
        self._target.move(clipped, self._tool_pos, self.limits)
        if self._has_arm:
            self._ctrl[:, : self._n_arm] = self._arm_command()
        else:
            self._ctrl[:, :3] = self._target.pos
            self._ctrl[:, 3:6] = self._target.angles
        self._ctrl[:, self._n_arm :] = self._target.finger[:, None]
        before = self._tool_pos.copy()
        self._batch.step(nstep=SUBSTEPS)
        self.elapsed += 1
        self._locate_tool()
        self._tool_velocity = (self._tool_pos - before) / self.control_step
        self._remember()
        self._write(slice(None))

    def _arm_command(self) -> Array:
        """Joint positions (n, 7) one damped least-squares step nearer to the target."""
        turn = arms.rotation_error(self._target.quat(), self._tool_quat)
        error = np.concatenate([self._target.pos - self._tool_pos, turn], axis=1)
        joints = self._qpos[:, : self._n_arm]
        return joints + arms.joint_step(self._jacobian, error, POSTURE * (self._home - joints))

    def _locate_tool(self) -> None:
        """The tool's pose and Jacobian now.

        After a step, MuJoCo's derived fields describe the state before the last substep. Computing them anew
        costs a tenth of the speed, most of it collision detection; one step along the velocities gives the
        tool's pose to 0.1 mm. Contacts stay 10 ms old.
        """
        if not self._has_arm:
            self._tool_pos = self._qpos[:, :3].copy()
            self._tool_quat = arms.tool_quat(self._qpos[:, 3:6])
            return
        tool = self._site[:, self._tool]
        self._jacobian = self._arm_jacobian(tool)
        moved = (self._jacobian @ self._qvel[:, : self._n_arm, None])[..., 0] * mjcf.TIMESTEP
        self._tool_pos = tool + moved[:, :3]
        self._tool_quat = arms.rotate(self._xquat[:, self._hand], moved[:, 3:])

    def _arm_jacobian(self, points: Array, ids: NDArray | None = None) -> Array:
        """Jacobian (k, 6, joints) of points (k, 3) on the hand, at the current state."""
        translation, rotation = self._batch.jac(self._hand, points, ids)
        return np.concatenate([translation[:, :, : self._n_arm], rotation[:, :, : self._n_arm]], axis=1)

    def _remember(self) -> None:
        """Update what `states` remember over an episode."""
        pos, quat = self._object_poses(slice(None))
        step = arms.multiply(quat, arms.conjugate(self._last_quat))
        twist = 2 * np.arctan2(step[..., 3], step[..., 0])
        self._turn += (twist + np.pi) % (2 * np.pi) - np.pi
        self._last_quat = quat
        touched, grasped = self._contacts.gripper(self._sensors)
        self._lifted |= grasped & (pos[..., 2] - self._start_pos[..., 2] > LIFTED)
        self._released |= self._lifted & ~touched
        # MuJoCo resets a simulation that diverges by itself and only counts it.
        self.failed = (self._diverged > self._diverged_before).any(axis=1)
        self._diverged_before[:] = self._diverged

    def _object_poses(self, rows: slice | NDArray) -> tuple[Array, Array]:
        """Positions (k, objects, 3) and unit quaternions (k, objects, 4)."""
        poses = self._qpos[rows, self._n_arm + 2 :].reshape(-1, len(self.object_names), 7)
        quat = poses[..., 3:]
        return poses[..., :3], quat / np.sqrt(np.einsum("...i,...i->...", quat, quat))[..., None]

    # ---------------------------------------------------------------- states

    def states(self) -> States:
        """Fresh tensors, one per key of `video2policy.task.state_widths`."""
        return self._layout.tensors(self._buffer.copy())

    def _write(self, rows: slice | NDArray) -> None:
        """Bring the given rows of the buffer behind `states` up to date."""
        robot, objects = self._robot_columns, self._object_columns
        tool, tool_quat = self._tool_pos[rows], self._tool_quat[rows]
        pos, quat = self._object_poses(rows)
        n, count = pos.shape[:2]
        matrix = arms.matrices(np.concatenate([tool_quat[:, None], quat], axis=1))
        rot6d = matrix[..., :2].swapaxes(-1, -2).reshape(n, count + 1, 6)

        robot["eef_pos"][rows] = tool
        robot["eef_quat"][rows] = tool_quat
        robot["eef_rot6d"][rows] = rot6d[:, 0]
        robot["eef_vel_linear"][rows] = self._tool_velocity[rows]
        robot["target_error"][rows] = self._target.pos[rows] - tool
        robot["gripper_opening"][rows, 0] = self._qpos[rows, self._n_arm] + self._qpos[rows, self._n_arm + 1]
        robot["gripper_command"][rows, 0] = 2 * self._target.finger[rows]
        robot["time_left"][rows, 0] = 1 - self.elapsed[rows] / self.horizon

        sensors = self._sensors[rows]
        touched, grasped = self._contacts.gripper(sensors)
        velocity = self._qvel[rows, self._n_arm + 2 :].reshape(n, count, 6)
        start = self._start_pos[rows]
        objects["pos"][rows] = pos
        objects["quat"][rows] = quat
        objects["rot6d"][rows] = rot6d[:, 1:]
        objects["vel_linear"][rows] = velocity[..., :3]
        objects["vel_angular"][rows] = (matrix[:, 1:] @ velocity[..., 3:, None])[..., 0]
        objects["init_pos"][rows] = start
        objects["init_quat"][rows] = self._start_quat[rows]
        objects["from_eef"][rows] = (pos - tool[:, None]) @ matrix[:, 0]
        objects["displacement"][rows] = pos - start
        objects["up"][rows, :, 0] = matrix[:, 1:, 2, 2]
        objects["contact_gripper"][rows, :, 0] = touched
        objects["contact_table"][rows, :, 0] = self._contacts.table(sensors)
        objects["grasped"][rows, :, 0] = grasped
        objects["ever_lifted"][rows, :, 0] = self._lifted[rows]
        objects["ever_released"][rows, :, 0] = self._released[rows]
        objects["turn"][rows, :, 0] = self._turn[rows]
        if count > 1:
            self._pair_columns[rows] = self._contacts.both_ways(sensors)

    # ---------------------------------------------------------------- images

    def configuration(self) -> Array:
        """Joint positions of all environments (n_envs, nq): enough to draw them again with `show`."""
        return self._qpos.copy()

    def show(self, env_id: int, configuration: Array) -> None:
        """Put one environment into a recorded `configuration` (nq,) for rendering; ends its episode."""
        if configuration.shape != (self.model.nq,):
            raise ValueError(f"a configuration has {self.model.nq} numbers, not {configuration.shape}")
        self._qpos[env_id] = configuration
        self._qvel[env_id] = 0

    def render(self, env_id: int, camera: str, width: int, height: int, kind: Kind = "rgb") -> NDArray:
        """One image of one environment; see `Simulator.render`. Raises ValueError for unknown names."""
        if camera not in CAMERAS:
            raise ValueError(f"no camera {camera!r}; there are {', '.join(CAMERAS)}")
        if (width, height) not in self._renderers:
            self._renderers[width, height] = mujoco.Renderer(self.model, height, width)
            # A shadow map costs fifty images' time where a processor draws.
            self._renderers[width, height].scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = False
        renderer = self._renderers[width, height]
        data = self._batch.get_data(env_id)
        mujoco.mj_forward(self.model, data)
        prefix = mjcf.GRIPPER if camera == "wrist" else ""
        renderer.update_scene(data, camera=prefix + camera)
        if kind == "rgb":
            return renderer.render().copy()
        if kind == "depth":
            renderer.enable_depth_rendering()
            image = renderer.render().astype(np.float32)
            renderer.disable_depth_rendering()
            return image
        if kind != "segmentation":
            raise ValueError(f"no image kind {kind!r}; there are rgb, depth, segmentation")
        renderer.enable_segmentation_rendering()
        geoms = renderer.render()[..., 0]
        renderer.disable_segmentation_rendering()
        return np.where(geoms >= 0, self._labels()[geoms], 0)

    def _labels(self) -> NDArray[np.int32]:
        """Segmentation label of every geom."""
        owner = self.model.geom_bodyid
        labels = np.where(owner == 0, 0, len(self.object_names) + 1)
        for index, body in enumerate(self._bodies):
            labels[owner == body] = index + 1
        return labels.astype(np.int32)

    def close(self) -> None:
        """Free the renderers' graphics contexts."""
        for renderer in self._renderers.values():
            renderer.close()
        self._renderers.clear()


class _ContactColumns:
    """Where in `sensordata` (n, m) which contact is; a sensor is the deepest distance, 0 without contact."""

    def __init__(self, model: mujoco.MjModel, names: Sequence[str]) -> None:
        def columns(part: str) -> NDArray[np.int64]:
            return np.array([model.sensor(mjcf.sensor_name(name, part)).adr[0] for name in names])

        self._left, self._right = columns("left_finger"), columns("right_finger")
        self._hand, self._table = columns("hand"), columns("table")
        self.pairs = [(a, b) for b in range(len(names)) for a in range(b)]
        self._between = np.array(
            [model.sensor(mjcf.sensor_name(names[a], names[b])).adr[0] for a, b in self.pairs], dtype=int
        )
        order = [(a, b) for a in range(len(names)) for b in range(len(names)) if a != b]
        self._both_ways = np.array(
            [self._between[self.pairs.index((min(p), max(p)))] for p in order], dtype=int
        )

    def gripper(self, sensors: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Per object (n, objects): touched by the hand or a finger; touched by both fingers."""
        touched = sensors[:, self._hand] < 0
        grasped = (sensors[:, self._left] < 0) & (sensors[:, self._right] < 0)
        return touched, grasped

    def table(self, sensors: Array) -> NDArray[np.bool_]:
        """Per object (n, objects): touches the table."""
        return sensors[:, self._table] < 0

    def between(self, sensors: Array) -> Array:
        """Deepest distance per pair of objects (n, pairs), negative where they overlap."""
        return sensors[:, self._between]

    def both_ways(self, sensors: Array) -> NDArray[np.bool_]:
        """Contact per ordered pair of objects, (n, ordered pairs)."""
        return sensors[:, self._both_ways] < 0


class _Layout:
    """All states of a batch in one float32 array (n, width), so that copies and tensors cost little."""

    def __init__(self, names: Sequence[str]) -> None:
        widths = task.state_widths(names)
        self._count = len(names)
        self._keys = list(widths)
        self._widths = list(widths.values())
        self.width = sum(self._widths)
        self._robot = sum(task.ROBOT_STATES.values())
        self._object = sum(task.OBJECT_STATES.values())

    def robot(self, buffer: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Robot states as views (n, width)."""
        return _views(buffer[:, : self._robot], task.ROBOT_STATES)

    def objects(self, buffer: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Object states as views (n, objects, width)."""
        block = buffer[:, self._robot : self._robot + self._count * self._object]
        return _views(block.reshape(len(buffer), self._count, self._object), task.OBJECT_STATES)

    def pairs(self, buffer: NDArray[np.float32]) -> NDArray[np.float32]:
        """Contacts between objects as a view (n, ordered pairs)."""
        return buffer[:, self._robot + self._count * self._object :]

    def tensors(self, buffer: NDArray[np.float32]) -> States:
        """States by name; width 1 becomes shape (n,)."""
        parts = torch.from_numpy(buffer).split(self._widths, dim=1)
        return {
            key: part if width > 1 else part[:, 0]
            for key, width, part in zip(self._keys, self._widths, parts, strict=True)
        }


def _views(array: NDArray[Any], widths: dict[str, int]) -> dict[str, NDArray[Any]]:
    ends = np.cumsum(list(widths.values()))
    return {
        key: array[..., end - width : end] for (key, width), end in zip(widths.items(), ends, strict=True)
    }
