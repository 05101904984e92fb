"""A table top with one robot, for every engine that steps MuJoCo models: resets, control, states, images.

An engine (sim.mujoco, sim.warp) steps the physics and nothing else, behind `Batch`. One control step is five
physics steps (20 Hz).
"""

import copy
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import mujoco
import numpy as np
import torch
from numpy.typing import NDArray

from video2policy import mjcf
from video2policy.scene import Scene, goes_in_on_end
from video2policy.sim import linkage, states
from video2policy.sim import robot as arms
from video2policy.sim.base import CAMERAS, Arrays, Kind, States
from video2policy.sim.placing import Placing, checked
from video2policy.sim.randomise import PRESETS, Draws, Randomisation
from video2policy.sim.variation import Variation
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

PENETRATION = 1e-3
"""Metres of overlap at reset that are left to the solver."""
RAISE = 0.004
SETTLE_STEPS = 60


class Batch(Protocol):
    """`n` simulations of one model, as mujoco.batch.Batch offers them; the part of it that is used here.

    `ids` are the simulations that a call is about, None for all; nothing else changes.
    """

    warning: NDArray[np.int32]
    """Per simulation and kind of warning, its last info and how often it came, (n, kinds, 2)."""

    def bind(self, name: str) -> Array:
        """The live array (n, ...) of a field of MjData; a state may be written, for the next call."""

    def reset(self, *, ids: NDArray[np.int32] | None = None, stage: int = 0) -> None:
        """Back to the model's start, up to `stage` of the pipeline."""

    def forward(self, *, ids: NDArray[np.int32] | None = None, stage: int = POSITION) -> None:
        """Derived fields anew, up to `stage` of the pipeline."""

    def step(self, *, ids: NDArray[np.int32] | None = None, nstep: int = 1) -> None:
        """Physics steps; a simulation that diverges starts anew and counts a warning."""

    def rollout(self, nstep: int, control: Array, *, record: Sequence[str] = ()) -> object:
        """Physics steps of all, each with its own commands: `control` is (n, nstep, nu). Records nothing."""

    def get_data(self, sim: int, data: mujoco.MjData | None = None) -> mujoco.MjData:
        """One simulation's state, into `data` where it is given: to draw it."""

    def get_model(self, sim: int, model: mujoco.MjModel | None = None) -> mujoco.MjModel:
        """One simulation's model, into `model` where it is given."""


class Tabletop:
    """`n_envs` copies of a scene; see `video2policy.sim.base.Simulator`.

    `start` makes the engine's simulations of the compiled scene, and attaches what varies between them where
    there is a `randomise`. Raises mjcf.SceneError when the scene cannot be simulated.
    """

    def __init__(
        self,
        scene: Scene,
        scene_root: Path,
        n_envs: int,
        robot: str,
        seed: int,
        horizon: int,
        fit_gripper: bool,
        start: Callable[[mujoco.MjModel, Variation | None], Batch],
        randomise: Randomisation = PRESETS["none"],
    ) -> None:
        self.scene = scene
        self.hand = mjcf.known_robot(robot)
        self.n_envs = n_envs
        self.horizon = horizon
        self.control_step = SUBSTEPS * mjcf.TIMESTEP
        self.device = torch.device("cpu")
        self.object_names: Sequence[str] = tuple(scene.names)
        self._grasped = mjcf.grasped_objects(scene)
        self._on_end = goes_in_on_end(scene)
        grasped = self._grasped if fit_gripper else []
        self.scale = mjcf.gripper_scale(scene, scene_root, grasped, robot)
        self._shapes = [mjcf.load_shape(item, scene_root, self.scale) for item in scene.objects]
        for shape in self._shapes:
            if shape.size[2] + CLEARANCE > arms.HIGH[2]:
                raise mjcf.SceneError(
                    f"object {shape.name!r} is {shape.size[2]:.2f} m tall: the arm does not reach above it"
                )
        self.object_sizes: Mapping[str, Sequence[float]] = {
            shape.name: tuple(map(float, shape.size)) for shape in self._shapes
        }
        self._rng = np.random.default_rng(seed)

        spec = mjcf.build(scene, scene_root, robot, self.scale, self._shapes)
        self._variation: Variation | None = None
        if randomise != PRESETS["none"]:
            widths = [shape.grasp_width for shape in self._shapes if shape.name in grasped]
            largest = self.hand.graspable / max(widths, default=1e-9)
            self._variation = Variation(randomise, scene, scene_root, self.scale, largest, seed)
            self._variation.add_assets(spec)
        largest = self._variation.largest if self._variation else 1.0
        self._placing = Placing(self._shapes, self._rng, largest, mjcf.table_of(scene))
        model = spec.compile()
        self.model = model
        self._batch = start(model, self._variation)
        self._batch.reset()
        self._qpos, self._qvel = self._batch.bind("qpos"), self._batch.bind("qvel")
        self._ctrl = self._batch.bind("ctrl")
        self._site, self._xquat = self._batch.bind("site_xpos"), self._batch.bind("xquat")
        self._sensors = self._batch.bind("sensordata")
        self._tool_site = model.site(f"{mjcf.GRIPPER}tool").id
        self._hand = model.body(f"{mjcf.GRIPPER}hand").id
        self._bodies = np.array([model.body(mjcf.body_name(name)).id for name in self.object_names])
        count = len(self.object_names)
        self._n_arm = model.nv - 2 - 6 * count
        self._has_arm = robot != "floating"
        self._poses = arms.PandaPoses(model, self._tool_site, self._hand) if self._has_arm else None
        self._home = self._start_joints(np.array([[HOME_X, 0, LOWEST_HOME]]))[0]
        self._anchors, self._axes = self._batch.bind("xanchor"), self._batch.bind("xaxis")
        self._contacts = states.Contacts.of(model, self.object_names)
        self._buffer = states.Buffer(n_envs, self.object_names)
        self._buffer.objects.size[:] = [self.object_sizes[name] for name in self.object_names]
        self._buffer.robot.table_half[:] = mjcf.table_of(scene)
        self._joints = states.Bodies(
            self._qpos,
            self._qvel,
            self._n_arm + 2,
            np.array([shape.grasp_yaw for shape in self._shapes]),
            np.array([shape.grasp_period for shape in self._shapes]),
            np.array([shape.long for shape in self._shapes]),
        )
        self._floor_heights = np.array([shape.rest_height for shape in self._shapes])
        self._tops = np.array([shape.top for shape in self._shapes])

        self._all = np.arange(n_envs, dtype=np.int32)
        self.elapsed = np.zeros(n_envs, dtype=np.int64)
        self._episodes = np.full(n_envs, -1)
        self._growth = np.ones(n_envs)
        self._draws: Draws = {}
        self.failed = np.zeros(n_envs, dtype=bool)
        self._diverged = self._batch.warning[:, int(mujoco.mjtWarning.mjWARN_BADQPOS) :, 1]
        self._diverged_before = self._diverged.copy()
        self._target_angles = np.zeros((n_envs, 3))
        self._tool = states.Tool(
            pos=np.zeros((n_envs, 3)),
            quat=np.tile(arms.TOOL_DOWN, (n_envs, 1)),
            velocity=np.zeros((n_envs, 3)),
            target=np.zeros((n_envs, 3)),
            finger=np.zeros(n_envs),
        )
        self._jacobians = np.zeros((n_envs, 6, self._n_arm))
        self._memory = states.Memory.empty(n_envs, count)
        self._renderers: dict[tuple[int, int], mujoco.Renderer] = {}
        self._drawn = copy.copy(model) if self._variation else model
        """The model that images are drawn with; with randomisation, that of the environment drawn last."""
        self._view = mujoco.MjData(model)

    # ---------------------------------------------------------------- reset

    def sample_object_poses(self, env_ids: torch.Tensor) -> Poses:
        """Random, collision-free poses on the table: object -> (k, 7), any yaw."""
        return self._placing.sample(len(env_ids))

    def reseed(self, seed: int) -> None:
        """Draw poses, noise and what is randomised from `seed`, from the next reset on."""
        self._placing.reseed(seed)
        if self._variation:
            self._variation.reseed(seed)
            self._episodes[:] = -1

    def reset(self, env_ids: torch.Tensor, poses: Poses) -> None:
        """Start episodes; raises mjcf.SceneError for poses that are not finite or off the table."""
        ids = np.asarray(env_ids, dtype=np.int32)
        if len(ids) == 0:
            return
        wanted = checked(self._shapes, self._grasped, len(ids), poses)
        if self._variation:
            self._episodes[ids] += 1
            self.randomise(ids, self._variation.draw(ids.tolist(), self._episodes[ids].tolist()))
            wanted[:, :, 2] *= self._growth[ids, None]
        self._batch.reset(ids=ids, stage=0)
        self._qvel[ids] = 0
        self._set_objects(ids, wanted)
        self._go_home(ids)
        self._batch.forward(ids=ids, stage=POSITION)
        if len(self._shapes) > 1:
            self._separate(ids)

        self.elapsed[ids] = 0
        self.failed[ids] = False
        self._locate_tool(ids, 0.0)
        tool = self._tool
        tool.velocity[ids] = 0
        tool.target[ids] = np.clip(tool.pos[ids], arms.LOW, arms.HIGH)
        tool.finger[ids] = self.hand.opening / 2
        self._target_angles[ids] = [arms.HOME_YAW, 0, 0]
        states.begin(ids, self._joints, self._memory)
        self._write(ids)

    def draws(self) -> Draws:
        """What is randomised in each environment's running episode, (n_envs, ...); empty where nothing is."""
        return {name: values.copy() for name, values in self._draws.items()}

    def randomise(self, env_ids: NDArray[np.int32], draws: Draws) -> None:
        """Give environments (k,) the size, mass, friction, looks and delay of `draws`, leading dimension k.

        `reset` does so by itself; this repeats draws that were recorded. Raises ValueError where the
        simulator was made without randomisation.
        """
        if self._variation is None:
            raise ValueError("this simulator was made without randomisation: it has no draws to repeat")
        ids = np.asarray(env_ids, dtype=np.int32)
        for name, values in draws.items():
            if name not in self._draws:
                self._draws[name] = np.zeros((self.n_envs, *values.shape[1:]))
            self._draws[name][ids] = values
        self._variation.apply(ids, draws)
        self._growth[ids] = draws["size"]
        nominal = np.array([self.object_sizes[name] for name in self.object_names])
        self._buffer.objects.size[ids] = nominal * draws["size"][:, None, None]

    def _set_objects(self, ids: NDArray, poses: Array) -> None:
        self._qpos[ids, self._n_arm + 2 :] = poses.reshape(len(ids), -1)

    def _go_home(self, ids: NDArray) -> None:
        """The tool at rest above the highest object, pointing down, with a little noise."""
        heights = self._qpos[ids][:, self._n_arm + 4 :: 7] + self._growth[ids, None] * np.maximum(
            self._tops, self._floor_heights
        )
        tool = np.zeros((len(ids), 3))
        tool[:, 0], tool[:, 2] = HOME_X, np.maximum(LOWEST_HOME, heights.max(1) + CLEARANCE)
        tool += self._rng.uniform(-HOME_NOISE, HOME_NOISE, tool.shape)
        self._set_robot(ids, tool)

    def _set_robot(self, ids: NDArray, tool: Array) -> None:
        """The tool at `tool` (k, 3), pointing down; fingers open, commands at rest."""
        joints = self._start_joints(tool)
        self._qpos[ids, : self._n_arm] = joints
        self._qpos[ids, self._n_arm : self._n_arm + 2] = self.hand.opening / 2
        self._ctrl[ids, : self._n_arm] = joints
        self._ctrl[ids, self._n_arm :] = self.hand.opening / 2

    def _start_joints(self, tool: Array) -> Array:
        """Joint positions (k, joints) that hold the tool there."""
        if self._poses is not None:
            return self._poses.joints(tool)
        joints = np.zeros((len(tool), self._n_arm))
        joints[:, :3], joints[:, 3] = tool, arms.HOME_YAW
        return joints

    def _distances(self, ids: NDArray) -> Array:
        """The sensors (k, sensors) of environments `ids` where their objects are now."""
        return self._sensors[ids]

    def _separate(self, ids: NDArray) -> None:
        """Raise objects out of each other, then let what does not stand on the table settle."""
        first = self._n_arm + 2
        heights = self._qpos[ids][:, first + 2 :: 7]
        moved = np.abs(heights - self._growth[ids, None] * self._floor_heights).max(1) > 0.002
        both_ways = itertools.permutations(range(len(self._shapes)), 2)
        # The sensor of a with b is that of b with a: once is enough.
        columns = {
            pair: column
            for pair, column in zip(both_ways, self._contacts.pairs, strict=True)
            if pair[0] < pair[1]
        }
        for _ in range(150):
            overlap = self._distances(ids)[:, list(columns.values())] < -PENETRATION
            touching = overlap.any(axis=1)
            deep = ids[touching]
            if len(deep) == 0:
                break
            for row, touched in zip(deep, overlap[touching], strict=True):
                for pair in itertools.compress(columns, touched):
                    ends = [first + 7 * i + 2 for i in pair]
                    self._qpos[row, max(ends, key=lambda c: self._qpos[row, c])] += RAISE
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
        tool = self._tool
        wanted = np.asarray(actions.detach(), dtype=float)
        if self._variation:
            wanted = self._variation.disturb(wanted)
        earlier = self._ctrl.copy()
        arms.move_target(
            wanted,
            tool.pos,
            self._qpos[:, self._n_arm : self._n_arm + 2],
            tool.target,
            self._target_angles,
            tool.finger,
            self.hand.opening,
            self.hand.wrist_above_tool,
            self._on_end,
        )
        if self._has_arm:
            arms.command_arm(
                tool.target,
                self._target_angles,
                tool.pos,
                tool.quat,
                self._jacobians,
                self._qpos,
                self._home,
                self._ctrl,
            )
        else:
            self._ctrl[:, :3], self._ctrl[:, 3:6] = tool.target, self._target_angles
        self._ctrl[:, self._n_arm :] = tool.finger[:, None]
        before = tool.pos.copy()
        delay = self._draws["delay"] if self._variation else np.zeros(self.n_envs)
        commands = arms.ramp(earlier, self._ctrl, delay / mjcf.TIMESTEP, SUBSTEPS)
        self._batch.rollout(SUBSTEPS, commands, record=())
        self.elapsed += 1
        self._locate_tool(self._all, mjcf.TIMESTEP)
        np.divide(tool.pos - before, self.control_step, out=tool.velocity)
        states.remember(self._tool, self._joints, self._sensors, self._contacts, self._memory)
        # MuJoCo resets a simulation that diverges by itself and only counts it.
        self.failed = np.any(self._diverged > self._diverged_before, axis=1)
        self._diverged_before[:] = self._diverged
        self._write(self._all)

    def _locate_tool(self, rows: NDArray[np.int32], seconds: float) -> None:
        """The tool's pose and Jacobian, `seconds` after MuJoCo's derived fields."""
        tool = self._tool
        if not self._has_arm:
            arms.locate_hand(rows, self._qpos, tool.pos, tool.quat)
            return
        arms.locate_tool(
            rows,
            seconds,
            self._site[:, self._tool_site],
            self._xquat[:, self._hand],
            self._anchors,
            self._axes,
            self._qvel,
            tool.pos,
            tool.quat,
            self._jacobians,
        )

    # ---------------------------------------------------------------- states

    def states(self) -> States:
        """Fresh tensors, one per key of `video2policy.task.state_widths`."""
        return self._buffer.tensors()

    def arrays(self) -> Arrays:
        """The same states as fresh arrays."""
        return self._buffer.arrays()

    def _write(self, rows: NDArray[np.int32]) -> None:
        """Bring the given rows of the buffer behind `states` up to date."""
        buffer = self._buffer
        states.write(
            rows,
            self._tool,
            self.elapsed,
            self.horizon,
            self._joints,
            self._sensors,
            self._contacts,
            self._memory,
            buffer.robot,
            buffer.objects,
            buffer.pairs,
        )

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
        return self.images(env_id, camera, width, height, (kind,))[0]

    def images(
        self, env_id: int, camera: str, width: int, height: int, kinds: Sequence[Kind]
    ) -> list[NDArray]:
        """Several kinds of image of the same view, which cost less together; as `render`."""
        if camera not in CAMERAS:
            raise ValueError(f"no camera {camera!r}; there are {', '.join(CAMERAS)}")
        unknown = [kind for kind in kinds if kind not in ("rgb", "depth", "segmentation")]
        if unknown:
            raise ValueError(f"no image kind {unknown[0]!r}; there are rgb, depth, segmentation")
        if (width, height) not in self._renderers:
            self._renderers[width, height] = mujoco.Renderer(self._drawn, height, width)
            # A shadow map costs fifty images' time where a processor draws.
            self._renderers[width, height].scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = False
        renderer = self._renderers[width, height]
        model, data = self._drawn, self._view
        self._batch.get_data(env_id, data)
        if self._variation and self._draws:
            self._variation.dress(env_id, model, {k: v[[env_id]] for k, v in self._draws.items()})
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_camlight(model, data)
        if self.hand.hand == "robotiq":
            linkage.draw(model, data)
        prefix = mjcf.GRIPPER if camera == "wrist" else ""
        renderer.update_scene(data, camera=prefix + camera)
        return [self._image(renderer, kind) for kind in kinds]

    def _image(self, renderer: mujoco.Renderer, kind: Kind) -> NDArray:
        """The renderer's scene as one kind of image."""
        if kind == "rgb":
            return renderer.render().copy()
        if kind == "depth":
            renderer.enable_depth_rendering()
            image = renderer.render().astype(np.float32)
            renderer.disable_depth_rendering()
            return image
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
