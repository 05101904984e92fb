"""Isaac Gym Preview 4 behind the simulator contract. NOT RUN: nobody of this project had it at hand.

Written from its documentation and type-checked against its stubs (tests/sim/test_isaacgym.py). Python 3.8, as
Isaac Gym is; one simulation per process. What differs from the MuJoCo engines:

- torques from operational space control (Khatib 1987; stiffness 150) drive the arm, not joint servos;
- only the Panda, the one in Isaac Gym's own assets;
- the GPU pipeline gives one contact force per body, not pairs: two bodies count as touching when both bear a
  force and their hulls are within 4 mm of each other;
- a reset does not raise objects out of each other: PhysX pushes them apart in the first steps;
- an object collides as the pieces of its URDF, its hull is not used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import isaacgym  # before torch, which it would refuse otherwise
from isaacgym import gymapi, gymtorch

# isort: split
import numpy as np
import torch
import trimesh
from numpy.typing import NDArray

from video2policy.scene import Scene, goes_in_on_end
from video2policy.shape import (
    SceneError,
    grasped_objects,
    gripper_scale,
    known_robot,
    load_shape,
    table_of,
)
from video2policy.sim import panda, states
from video2policy.sim import robot as arms
from video2policy.sim.base import CAMERAS, Arrays, Kind, States
from video2policy.sim.placing import Placing, checked
from video2policy.sim.randomise import Draws
from video2policy.task import Poses

SUBSTEPS, TIMESTEP = 5, 0.01
FLOOR = -0.3
ARM, FINGERS = 7, 2
JOINTS = ARM + FINGERS
STIFFNESS, POSTURE = 150.0, 10.0
"""Of the tool and of the arm's posture, 1/s^2; dampings are critical."""
TORQUES = (87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0)
TOOL_BELOW_HAND = 0.1034
FRICTION, PAD_FRICTION = 0.5, 1.2
NEAR = 0.004
PAD_DEPTH = 0.026
"""Half the length of a finger's pad, metres: how far its surface is from its body's tool end at most."""
FORCE = 1e-3
CLEARANCE, HOME_X, LOWEST_HOME, HOME_NOISE = 0.05, -0.02, 0.15, 0.03
SPACING = 1.5
VIEWS = {
    "front": ((-0.68, -0.56, 0.66), (-0.02, 0.02, 0.15), 52.0),
    "side": ((0.1, -0.95, 0.42), (-0.05, 0.0, 0.14), 44.0),
}
"""Position, target (metres) and vertical field of view (degrees), as in mjcf."""

Array = NDArray[np.float64]


class IsaacGymSim:
    """See `video2policy.sim.base.Simulator`; device "auto" is the GPU where torch sees one."""

    def __init__(
        self,
        scene: Scene,
        scene_root: Path,
        n_envs: int,
        robot: str = "panda",
        seed: int = 0,
        horizon: int = 100,
        fit_gripper: bool = True,
        device: str = "auto",
    ) -> None:
        if robot != "panda":
            raise SceneError(f"Isaac Gym has no robot {robot!r}; there is panda")
        if device == "cuda" and not torch.cuda.is_available():
            raise SceneError("simulation.device: cuda, but torch finds no CUDA device; choose cpu or auto")
        self.scene = scene
        self.n_envs = n_envs
        self.horizon = horizon
        self.control_step = SUBSTEPS * TIMESTEP
        self.device = torch.device("cpu")
        self._where = torch.device("cuda:0" if device != "cpu" and torch.cuda.is_available() else "cpu")
        self.object_names: Sequence[str] = tuple(scene.names)
        self.hand = known_robot(robot)
        self._grasped = grasped_objects(scene)
        self._on_end = goes_in_on_end(scene)
        self.scale = gripper_scale(scene, scene_root, self._grasped if fit_gripper else [], robot)
        self._shapes = [load_shape(item, scene_root, self.scale) for item in scene.objects]
        self.object_sizes: Mapping[str, Sequence[float]] = {
            shape.name: tuple(map(float, shape.size)) for shape in self._shapes
        }
        self._hulls = [_Hull(shape.hull, self._where) for shape in self._shapes]
        self._rng = np.random.default_rng(seed)
        self._placing = Placing(self._shapes, self._rng, table=table_of(scene))
        self._rests = np.array([item.rest_quat for item in scene.objects])

        self._gym = gymapi.acquire_gym()
        self._sim = self._create()
        self._envs: list[gymapi.Env] = []
        self._cameras: dict[tuple[int, str, int, int], int] = {}
        self._populate(scene, scene_root)
        self._gym.prepare_sim(self._sim)
        self._acquire()

        count = len(self.object_names)
        self.elapsed = np.zeros(n_envs, dtype=np.int64)
        self.failed: NDArray[np.bool_] = np.zeros(n_envs, dtype=bool)
        self._qpos, self._qvel = (
            np.zeros((n_envs, JOINTS + 7 * count)),
            np.zeros((n_envs, JOINTS + 6 * count)),
        )
        self._joints = states.Bodies(
            self._qpos,
            self._qvel,
            JOINTS,
            np.array([shape.grasp_yaw for shape in self._shapes]),
            np.array([shape.grasp_period for shape in self._shapes]),
            np.array([shape.long for shape in self._shapes]),
        )
        self._contacts = _columns(count)
        self._touching = np.zeros((n_envs, 4 * count + count * (count - 1)))
        self._memory = states.Memory.empty(n_envs, count)
        self._buffer = states.Buffer(n_envs, self.object_names)
        self._buffer.objects.size[:] = [self.object_sizes[name] for name in self.object_names]
        self._buffer.robot.table_half[:] = table_of(scene)
        self._angles = np.zeros((n_envs, 3))
        self._tool = states.Tool(
            pos=np.zeros((n_envs, 3)),
            quat=np.tile(arms.TOOL_DOWN, (n_envs, 1)),
            velocity=np.zeros((n_envs, 3)),
            target=np.zeros((n_envs, 3)),
            finger=np.zeros(n_envs),
        )
        self._all = np.arange(n_envs, dtype=np.int32)

    # ---------------------------------------------------------------- building

    def _create(self) -> gymapi.Sim:
        params = gymapi.SimParams()
        params.dt, params.substeps = TIMESTEP, 2
        params.up_axis = gymapi.UP_AXIS_Z
        params.gravity = gymapi.Vec3(0.0, 0.0, -9.81)
        params.use_gpu_pipeline = params.physx.use_gpu = self._where.type == "cuda"
        params.physx.solver_type = 1
        params.physx.num_position_iterations, params.physx.num_velocity_iterations = 8, 1
        params.physx.contact_offset, params.physx.rest_offset = 0.002, 0.0
        sim = self._gym.create_sim(0, 0, gymapi.SIM_PHYSX, params)
        if sim is None:
            raise SceneError("Isaac Gym could not create a simulation on this machine")
        floor = gymapi.PlaneParams()
        floor.normal, floor.distance = gymapi.Vec3(0.0, 0.0, 1.0), -FLOOR
        self._gym.add_ground(sim, floor)
        return sim

    def _populate(self, scene: Scene, root: Path) -> None:
        """The environments, their actors in the same order: the arm first, the table, the objects."""
        gym, sim = self._gym, self._sim
        fixed = gymapi.AssetOptions()
        fixed.fix_base_link = fixed.disable_gravity = True
        fixed.flip_visual_attachments = True
        assets = Path(isaacgym.__file__).resolve().parents[2] / "assets"
        arm = gym.load_asset(sim, str(assets), "urdf/franka_description/robots/franka_panda.urdf", fixed)
        slab = gymapi.AssetOptions()
        slab.fix_base_link = True
        half = table_of(scene)
        table = gym.create_box(sim, 2 * half[0], 2 * half[1], -FLOOR, slab)
        free = gymapi.AssetOptions()
        free.vhacd_enabled = False  # the URDF's pieces are convex already
        bodies = [
            gym.load_asset(sim, str((root / item.urdf).parent), Path(item.urdf).name, free)
            for item in scene.objects
        ]
        corner = gymapi.Vec3(SPACING / 2, SPACING / 2, SPACING / 2)
        low = gymapi.Vec3(-SPACING / 2, -SPACING / 2, 0.0)
        per_row = int(np.ceil(np.sqrt(self.n_envs)))
        for index in range(self.n_envs):
            env = gym.create_env(sim, low, corner, per_row)
            self._envs.append(env)
            label = len(bodies) + 1
            franka = gym.create_actor(env, arm, _placed(arms.BASE_X, 0.0), "franka", index, 0, label)
            self._set_drives(env, franka)
            board = gym.create_actor(env, table, _placed(0.0, FLOOR / 2), "table", index, 0, 0)
            self._set_friction(env, board, FRICTION)
            for k, (body, shape) in enumerate(zip(bodies, self._shapes)):  # noqa: B905 - Python 3.8
                start = _placed(0.0, shape.rest_height + 0.3 * k)
                actor = gym.create_actor(env, body, start, shape.name, index, 0, k + 1)
                gym.set_actor_scale(env, actor, self.scale)
                self._set_friction(env, actor, FRICTION)

    def _set_drives(self, env: gymapi.Env, franka: int) -> None:
        drives = self._gym.get_actor_dof_properties(env, franka)
        drives["driveMode"][:ARM] = int(gymapi.DOF_MODE_EFFORT)
        drives["stiffness"][:ARM], drives["damping"][:ARM] = 0.0, 0.0
        drives["effort"][:ARM] = TORQUES
        drives["driveMode"][ARM:] = int(gymapi.DOF_MODE_POS)
        drives["stiffness"][ARM:], drives["damping"][ARM:], drives["effort"][ARM:] = 1000.0, 40.0, 20.0
        self._gym.set_actor_dof_properties(env, franka, drives)
        self._set_friction(env, franka, PAD_FRICTION)

    def _set_friction(self, env: gymapi.Env, actor: int, friction: float) -> None:
        properties = self._gym.get_actor_rigid_shape_properties(env, actor)
        for item in properties:
            item.friction = friction
        self._gym.set_actor_rigid_shape_properties(env, actor, properties)

    def _acquire(self) -> None:
        gym, sim, n, env = self._gym, self._sim, self.n_envs, self._envs[0]
        franka, first = 0, 2  # places in the actor list
        self._roots = gymtorch.wrap_tensor(gym.acquire_actor_root_state_tensor(sim)).view(n, -1, 13)
        self._dofs = gymtorch.wrap_tensor(gym.acquire_dof_state_tensor(sim)).view(n, JOINTS, 2)
        self._links = gymtorch.wrap_tensor(gym.acquire_rigid_body_state_tensor(sim)).view(n, -1, 13)
        self._forces = gymtorch.wrap_tensor(gym.acquire_net_contact_force_tensor(sim)).view(n, -1, 3)
        self._mass = gymtorch.wrap_tensor(gym.acquire_mass_matrix_tensor(sim, "franka"))
        jacobian = gymtorch.wrap_tensor(gym.acquire_jacobian_tensor(sim, "franka"))
        # The base is fixed, so that link k's rows are those of the joint that ends there.
        self._jacobian = jacobian[:, gym.get_actor_joint_dict(env, franka)["panda_hand_joint"], :, :ARM]

        def link(actor: int, name: str) -> int:
            return gym.find_actor_rigid_body_index(env, actor, name, gymapi.DOMAIN_ENV)

        self._hand = link(franka, "panda_hand")
        self._pads = [link(franka, "panda_leftfinger"), link(franka, "panda_rightfinger")]
        self._bodies = [
            gym.get_actor_rigid_body_index(env, first + k, 0, gymapi.DOMAIN_ENV)
            for k in range(len(self._shapes))
        ]
        actors = torch.arange(n * (first + len(self._shapes)), dtype=torch.int32, device=self._where)
        self._actor_ids = actors.view(n, -1)
        self._torques = torch.zeros(n, JOINTS, device=self._where)
        self._grip = torch.zeros(n, JOINTS, device=self._where)
        self._limits = torch.tensor(TORQUES, device=self._where)
        self._relaxed = torch.as_tensor(panda.RELAXED, dtype=torch.float32, device=self._where)
        self._first = first

    # ---------------------------------------------------------------- resets

    def sample_object_poses(self, env_ids: torch.Tensor) -> Poses:
        """Random, collision-free poses on the table: object -> (k, 7), any yaw."""
        return self._placing.sample(len(env_ids))

    def reseed(self, seed: int) -> None:
        """Draw poses and noise from `seed`, from the next reset on."""
        self._placing.reseed(seed)

    def reset(self, env_ids: torch.Tensor, poses: Poses) -> None:
        """Start episodes; raises SceneError for poses that are not finite or off the table."""
        ids = np.asarray(env_ids, dtype=np.int32)
        if len(ids) == 0:
            return
        wanted = checked(self._shapes, self._grasped, len(ids), poses)
        tops = np.array([max(shape.top, shape.rest_height) for shape in self._shapes])
        tool = np.zeros((len(ids), 3))
        tool[:, 0] = HOME_X
        tool[:, 2] = np.maximum(LOWEST_HOME, (wanted[:, :, 2] + tops).max(1) + CLEARANCE)
        tool += self._rng.uniform(-HOME_NOISE, HOME_NOISE, tool.shape)
        joints = np.concatenate(
            [panda.joints_at(tool), np.full((len(ids), FINGERS), self.hand.opening / 2)], 1
        )

        rows = torch.as_tensor(ids, dtype=torch.long, device=self._where)
        self._dofs[rows, :, 0] = torch.as_tensor(joints, dtype=torch.float32, device=self._where)
        self._dofs[rows, :, 1] = 0.0
        self._torques[rows], self._grip[rows] = 0.0, self.hand.opening / 2
        for k, rest in enumerate(self._rests):
            turned = np.stack([arms.multiply(quat, rest) for quat in wanted[:, k, 3:]])
            place = np.concatenate([wanted[:, k, :3], xyzw(turned)], axis=1)
            self._roots[rows, self._first + k, :7] = torch.as_tensor(
                place, dtype=torch.float32, device=self._where
            )
            self._roots[rows, self._first + k, 7:] = 0.0
        objects = self._actor_ids[rows, self._first :].flatten().contiguous()
        franka = self._actor_ids[rows, 0].contiguous()
        gym, sim = self._gym, self._sim
        gym.set_actor_root_state_tensor_indexed(
            sim, gymtorch.unwrap_tensor(self._roots), gymtorch.unwrap_tensor(objects), len(objects)
        )
        gym.set_dof_state_tensor_indexed(
            sim, gymtorch.unwrap_tensor(self._dofs), gymtorch.unwrap_tensor(franka), len(franka)
        )

        self.elapsed[ids] = 0
        self.failed[ids] = False
        self._qpos[ids] = np.concatenate([joints, wanted.reshape(len(ids), -1)], axis=1)
        self._qvel[ids] = 0
        self._touching[ids] = 0
        self._tool.pos[ids], self._tool.quat[ids] = tool, arms.tool_quat(arms.HOME_YAW, 0.0, 0.0)
        self._tool.velocity[ids] = 0
        self._tool.target[ids] = np.clip(tool, arms.LOW, arms.HIGH)
        self._tool.finger[ids] = self.hand.opening / 2
        self._angles[ids] = [arms.HOME_YAW, 0, 0]
        states.begin(ids, self._joints, self._memory)
        self._write(ids)

    def draws(self) -> Draws:
        """Empty: this engine randomises nothing."""
        return {}

    def randomise(self, env_ids: NDArray[np.int32], draws: Draws) -> None:
        """Raises ValueError: there are no draws to repeat."""
        raise ValueError("the engine isaacgym has no randomisation: it has no draws to repeat")

    # ---------------------------------------------------------------- step

    def step(self, actions: torch.Tensor) -> None:
        """Advance all environments by one control step; actions (n_envs, 7), clipped to [-1, 1]."""
        tool = self._tool
        wanted = np.asarray(actions.detach().cpu(), dtype=float)
        earlier = self._wishes()
        arms.move_target(
            wanted,
            tool.pos,
            self._qpos[:, ARM : ARM + 2],
            tool.target,
            self._angles,
            tool.finger,
            self.hand.opening,
            self.hand.wrist_above_tool,
            self._on_end,
        )
        later = self._wishes()
        franka = self._actor_ids[:, 0].contiguous()
        gym, sim, n = self._gym, self._sim, self.n_envs
        before = tool.pos.copy()
        for number in range(SUBSTEPS):
            part = (number + 1) / SUBSTEPS  # as `robot.ramp`
            place, turn, finger = torch.lerp(earlier, later, part).split((3, 4, 1), dim=1)
            turn = torch.nn.functional.normalize(turn, dim=1)
            self._grip[:, ARM:] = finger
            self._refresh()
            self._torques[:, :ARM] = self._torque(place, turn)
            gym.set_dof_actuation_force_tensor_indexed(
                sim, gymtorch.unwrap_tensor(self._torques), gymtorch.unwrap_tensor(franka), n
            )
            gym.set_dof_position_target_tensor_indexed(
                sim, gymtorch.unwrap_tensor(self._grip), gymtorch.unwrap_tensor(franka), n
            )
            gym.simulate(sim)
            gym.fetch_results(sim, True)
        self._refresh()
        self.elapsed += 1
        self._read()
        tool.velocity[:] = (tool.pos - before) / self.control_step
        states.remember(tool, self._joints, self._touching, self._contacts, self._memory)
        self._write(self._all)

    def _wishes(self) -> torch.Tensor:
        """The target (n, 8): its place, its turn wxyz, and the fingers'."""
        turns = np.array([arms.tool_quat(*angles) for angles in self._angles])
        wishes = np.concatenate([self._tool.target, turns, self._tool.finger[:, None]], axis=1)
        return torch.as_tensor(wishes, dtype=torch.float32, device=self._where)

    def _refresh(self) -> None:
        gym, sim = self._gym, self._sim
        gym.refresh_actor_root_state_tensor(sim)
        gym.refresh_dof_state_tensor(sim)
        gym.refresh_rigid_body_state_tensor(sim)
        gym.refresh_net_contact_force_tensor(sim)
        gym.refresh_jacobian_tensors(sim)
        gym.refresh_mass_matrix_tensors(sim)

    def _torque(self, place: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
        """Joint torques (n, 7) that draw the tool to `place` (n, 3) and `turn` (n, 4) wxyz."""
        tool, quat = self._tool_pose()
        down = tool - self._links[:, self._hand, :3]
        angular = self._jacobian[:, 3:]
        linear = self._jacobian[:, :3] + torch.cross(
            angular.transpose(1, 2), down[:, None].expand(-1, ARM, -1), dim=2
        ).transpose(1, 2)
        jacobian = torch.cat([linear, angular], dim=1)
        error = torch.cat([place - tool, rotation_error(turn, quat)], dim=1)
        joints, speeds = self._dofs[:, :ARM, 0], self._dofs[:, :ARM, 1]
        velocity = (jacobian @ speeds[:, :, None])[:, :, 0]
        mass = self._mass[:, :ARM, :ARM]
        inverse = torch.inverse(mass)
        damping = 1e-4 * torch.eye(6, device=self._where)
        seen = torch.inverse(jacobian @ inverse @ jacobian.transpose(1, 2) + damping)
        pull = STIFFNESS * error - 2 * STIFFNESS**0.5 * velocity
        torque = jacobian.transpose(1, 2) @ seen @ pull[:, :, None]
        posture = POSTURE * (self._relaxed - joints) - 2 * POSTURE**0.5 * speeds
        dynamic = seen @ jacobian @ inverse
        free = torch.eye(ARM, device=self._where) - jacobian.transpose(1, 2) @ dynamic
        torque = torque + free @ mass @ posture[:, :, None]
        return torch.maximum(torch.minimum(torque[:, :, 0], self._limits), -self._limits)

    def _tool_pose(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The tool's position (n, 3) and quaternion (n, 4) wxyz, on the device."""
        hand = self._links[:, self._hand]
        quat = hand[:, [6, 3, 4, 5]]
        return hand[:, :3] + TOOL_BELOW_HAND * rotated(quat, hand.new_tensor([0.0, 0.0, 1.0])), quat

    def _read(self) -> None:
        """The host's copies of the tool, the joints, the objects and who touches whom."""
        place, quat = self._tool_pose()
        self._tool.pos[:], self._tool.quat[:] = place.cpu().numpy(), quat.cpu().numpy()
        dofs, roots = self._dofs.cpu().numpy(), self._roots[:, self._first :].cpu().numpy()
        self._qpos[:, :JOINTS], self._qvel[:, :JOINTS] = dofs[:, :, 0], dofs[:, :, 1]
        for k, (x, y, z, w) in enumerate(self._rests[:, [1, 2, 3, 0]]):
            at, speed, body = JOINTS + 7 * k, JOINTS + 6 * k, roots[:, k]
            self._qpos[:, at : at + 3] = body[:, :3]
            for i, q in enumerate(wxyz(body[:, 3:7])):
                turn = arms.multiply(q, (w, -x, -y, -z))
                self._qpos[i, at + 3 : at + 7] = turn
                # As MuJoCo has it: the spin in the body's own frame.
                self._qvel[i, speed + 3 : speed + 6] = np.transpose(arms.matrix(turn)) @ body[i, 10:13]
            self._qvel[:, speed : speed + 3] = body[:, 7:10]
        self._touching[:] = self._touches().cpu().numpy()
        finite = np.isfinite(self._qpos).all(axis=1) & np.isfinite(self._qvel).all(axis=1)
        self.failed = np.logical_not(finite)
        self._qpos[self.failed] = 0.0
        self._qvel[self.failed] = 0.0
        self._qpos[self.failed, JOINTS + 3 :: 7] = 1.0

    def _touches(self) -> torch.Tensor:
        """-1 where two bodies touch, like a contact sensor's negative distance; in `_columns`' order."""
        count = len(self._shapes)
        poses = torch.as_tensor(self._qpos[:, JOINTS:], dtype=torch.float32, device=self._where)
        poses = poses.view(self.n_envs, count, 7)
        pressed = self._forces.norm(dim=2) > FORCE
        bears = [pressed[:, body] for body in self._bodies]
        pads = self._links[:, self._pads]
        tips = pads[:, :, :3] + PAD_DEPTH * rotated(
            pads[:, :, [6, 3, 4, 5]], pads.new_tensor([0.0, 0.0, 1.0])
        )
        vertices = [h.vertices_at(poses[:, k]) for k, h in enumerate(self._hulls)]
        left, right = (
            [
                bears[k] & pressed[:, pad] & (hull.distance(poses[:, k], tips[:, [side]]) < PAD_DEPTH)
                for k, hull in enumerate(self._hulls)
            ]
            for side, pad in enumerate(self._pads)
        )
        palm = pressed[:, self._hand]
        above = self._links[:, [self._hand], :3]
        hand = [
            left[k] | right[k] | (bears[k] & palm & (hull.distance(poses[:, k], above) < TOOL_BELOW_HAND))
            for k, hull in enumerate(self._hulls)
        ]
        table = [bears[k] & (vertices[k][:, :, 2].min(dim=1).values < NEAR) for k in range(count)]
        pairs = [
            bears[a] & bears[b] & (self._hulls[b].distance(poses[:, b], vertices[a]) < NEAR)
            | bears[a] & bears[b] & (self._hulls[a].distance(poses[:, a], vertices[b]) < NEAR)
            for a in range(count)
            for b in range(count)
            if a != b
        ]
        return -torch.stack([*left, *right, *hand, *table, *pairs], dim=1).double()

    # ---------------------------------------------------------------- states and images

    def states(self) -> States:
        """Fresh tensors, one per key of `video2policy.task.state_widths`."""
        return self._buffer.tensors()

    def arrays(self) -> Arrays:
        """The same states as fresh arrays."""
        return self._buffer.arrays()

    def _write(self, rows: NDArray[np.int32]) -> None:
        buffer = self._buffer
        states.write(
            rows,
            self._tool,
            self.elapsed,
            self.horizon,
            self._joints,
            self._touching,
            self._contacts,
            self._memory,
            buffer.robot,
            buffer.objects,
            buffer.pairs,
        )

    def render(self, env_id: int, camera: str, width: int, height: int, kind: Kind = "rgb") -> NDArray:
        """One image of one environment; see `Simulator.render`. Raises ValueError for unknown names."""
        images = {
            "rgb": gymapi.IMAGE_COLOR,
            "depth": gymapi.IMAGE_DEPTH,
            "segmentation": gymapi.IMAGE_SEGMENTATION,
        }
        if camera not in CAMERAS:
            raise ValueError(f"no camera {camera!r}; there are {', '.join(CAMERAS)}")
        if kind not in images:
            raise ValueError(f"no image kind {kind!r}; there are {', '.join(images)}")
        gym, sim, env = self._gym, self._sim, self._envs[env_id]
        sensor = self._camera(env_id, camera, width, height)
        gym.step_graphics(sim)
        gym.render_all_camera_sensors(sim)
        image = np.asarray(gym.get_camera_image(sim, env, sensor, images[kind]))
        if kind == "rgb":
            return image.reshape(height, width, 4)[:, :, :3].astype(np.uint8)
        if kind == "depth":  # along -z, and endless where there is nothing
            return -image.astype(np.float32)
        return image.astype(np.int32)

    def _camera(self, env_id: int, camera: str, width: int, height: int) -> int:
        key = env_id, camera, width, height
        if key in self._cameras:
            return self._cameras[key]
        properties = gymapi.CameraProperties()
        properties.width, properties.height = width, height
        upright = VIEWS[camera][2] if camera in VIEWS else 75.0
        across = 2 * np.arctan(np.tan(np.radians(upright) / 2) * width / height)
        properties.horizontal_fov = float(np.degrees(across))
        gym, env = self._gym, self._envs[env_id]
        sensor = gym.create_camera_sensor(env, properties)
        if camera in VIEWS:
            place, target, _ = VIEWS[camera]
            gym.set_camera_location(sensor, env, gymapi.Vec3(*place), gymapi.Vec3(*target))
        else:
            # Isaac Gym's cameras look along x, z up: half a turn about an axis between the hand's x and z.
            local = gymapi.Transform(
                gymapi.Vec3(0.075, 0.0, TOOL_BELOW_HAND - 0.05), gymapi.Quat(0.4, 0.0, 0.9165, 0.0)
            )
            body = gym.find_actor_rigid_body_handle(env, 0, "panda_hand")
            gym.attach_camera_to_body(sensor, env, body, local, gymapi.FOLLOW_TRANSFORM)
        self._cameras[key] = sensor
        return sensor

    def close(self) -> None:
        """End the simulation; a process can have no second one."""
        self._gym.destroy_sim(self._sim)


class _Hull:
    """A convex hull on the device: where its vertices are, and how far points are from it."""

    def __init__(self, hull: trimesh.Trimesh, device: torch.device) -> None:
        def tensor(values: Array) -> torch.Tensor:
            return torch.as_tensor(np.array(values), dtype=torch.float32, device=device)

        self.vertices = tensor(hull.vertices)
        self.normals = tensor(hull.face_normals)
        self.offsets = tensor((hull.face_normals * hull.triangles[:, 0]).sum(1))

    def vertices_at(self, pose: torch.Tensor) -> torch.Tensor:
        """Vertices (n, v, 3) in the world at `pose` (n, 7), wxyz."""
        return rotated(pose[:, None, 3:], self.vertices[None]) + pose[:, None, :3]

    def distance(self, pose: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        """The least distance (n,) of `points` (n, p, 3): a lower bound, exact over faces, negative inside."""
        inverse = pose[:, None, 3:] * pose.new_tensor([1.0, -1.0, -1.0, -1.0])
        local = rotated(inverse, points - pose[:, None, :3])
        return (local @ self.normals.T - self.offsets).max(dim=2).values.min(dim=1).values


def _columns(count: int) -> states.Contacts:
    """Where in `_touches` which contact is."""
    left, right, hand, table = np.arange(4 * count, dtype=np.int64).reshape(4, count)
    return states.Contacts(
        left, right, hand, table, np.arange(4 * count, 4 * count + count * (count - 1), dtype=np.int64)
    )


def _placed(x: float, z: float) -> gymapi.Transform:
    return gymapi.Transform(gymapi.Vec3(x, 0.0, z), gymapi.Quat(0.0, 0.0, 0.0, 1.0))


def xyzw(quat: Array) -> Array:
    """Quaternions (k, 4) in this project's order, wxyz, in Isaac Gym's."""
    return quat[:, [1, 2, 3, 0]]


def wxyz(quat: Array) -> Array:
    """Quaternions (k, 4) in Isaac Gym's order, xyzw, in this project's."""
    return quat[:, [3, 0, 1, 2]]


def rotated(quat: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
    """Vectors (..., 3) turned by unit quaternions (..., 4), wxyz."""
    axis = quat[..., 1:].expand(torch.broadcast_shapes(quat[..., 1:].shape, vector.shape))
    vector = vector.expand(axis.shape)
    twice = 2 * torch.cross(axis, vector, dim=-1)
    return vector + quat[..., :1] * twice + torch.cross(axis, twice, dim=-1)


def rotation_error(wanted: torch.Tensor, current: torch.Tensor) -> torch.Tensor:
    """Rotation vectors (n, 3), to first order, that turn `current` (n, 4) into `wanted` (n, 4), wxyz."""
    w, v = wanted[:, :1], wanted[:, 1:]
    cw, cv = current[:, :1], current[:, 1:]
    real = w * cw + (v * cv).sum(1, keepdim=True)
    imaginary = v * cw - w * cv - torch.cross(v, cv, dim=1)
    return 2 * torch.where(real < 0, -imaginary, imaginary)
