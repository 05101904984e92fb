"""The GPU engine: MuJoCo Warp, the same MJCF on CUDA; on Warp's CPU device for tests.

All that the scenes use is there: the discrete integrator, elliptic cones, multi-point convex contacts,
contact sensors. It computes in float32, so trajectories part from MuJoCo's slowly. The physics stays on the
device. Once a control step, joint positions, velocities and what the tool's control reads go to the host and
back: control, states and task code run there. On a GPU sums are taken in any order, so that runs of one seed
agree, but not to the bit.
"""

import copy
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import mujoco
import mujoco_warp as mjw
import numpy as np
import torch
import warp as wp
from numpy.typing import NDArray

from video2policy.scene import Scene
from video2policy.sim.mujoco import MujocoSim
from video2policy.sim.randomise import PRESETS, Randomisation
from video2policy.sim.tabletop import POSITION, Array, Tabletop
from video2policy.sim.variation import Variation

REHEARSALS = 16
"""Simulations on the CPU whose peaks size the memory for contacts."""
REHEARSAL_STEPS = 40
HEADROOM = 2.5
"""Memory over those peaks: thousands of environments meet rarer heaps than the rehearsal."""

STATE = ("qpos", "qvel", "ctrl", "qacc_warmstart")
"""Fields that the next step starts from; nothing in the scenes has other memory."""
DIVERGED = 1e10
"""As MuJoCo's mjMAXVAL: positions and velocities beyond it have diverged."""
LOST = (
    mjw.OverflowType.NEFC
    | mjw.OverflowType.NJMAX_NNZ
    | mjw.OverflowType.BROADPHASE
    | mjw.OverflowType.NARROWPHASE
    | mjw.OverflowType.CCD
    | mjw.OverflowType.CONTACT_MATCH
)
"""Overflows that lose contacts; the others only say that the solver used all its iterations."""

ROWS = 64
"""Room for constraints comes in so many rows: few sizes, since kernels are compiled for each, and a multiple
of 16, since MuJoCo Warp 4.0.0 reads behind the memory where an overflow happens within its padding
(`_regularize_constraint` runs over padded rows)."""

Ids = NDArray[np.int32] | None


class ContactOverflow(RuntimeError):
    """More contacts than there is memory for: objects would pass through each other."""


class DeviceError(RuntimeError):
    """The device that was asked for is not there; one sentence."""


class WarpSim(Tabletop):
    """See `video2policy.sim.tabletop.Tabletop`.

    `device` is "auto" (a GPU where there is one), "cpu" or "cuda". `room` is the memory for each environment:
    contacts, pairs of geoms that come near included, and constraints; by default it is rehearsed on the CPU.
    """

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
        room: tuple[int, int] | None = None,
        randomise: Randomisation = PRESETS["none"],
    ) -> None:
        chosen = choose_device(device)
        if room is None:
            room = rehearse(
                MujocoSim(scene, scene_root, REHEARSALS, robot, fit_gripper=fit_gripper, randomise=randomise)
            )

        def start(model: mujoco.MjModel, variation: Variation | None) -> WarpBatch:
            batch = WarpBatch(model, n_envs, chosen, *room)
            if variation:
                variation.attach(model, batch)
            return batch

        super().__init__(
            scene,
            scene_root,
            n_envs,
            robot,
            seed,
            horizon,
            fit_gripper,
            start,
            randomise,
        )

    def _distances(self, ids: NDArray) -> Array:
        """By MuJoCo on the host: MuJoCo Warp misses the contact of boxes that overlap almost entirely."""
        data, model = mujoco.MjData(self.model), self.model
        distances = np.empty((len(ids), self.model.nsensordata))
        for row, environment in enumerate(ids):
            if self._variation:
                model = self._batch.get_model(environment)
            data.qpos[:] = self._qpos[environment]
            mujoco.mj_fwdPosition(model, data)
            mujoco.mj_sensorPos(model, data)
            distances[row] = data.sensordata
        return distances


def choose_device(name: str) -> str:
    """Warp's name of the device: "cuda:0" or "cpu". Raises DeviceError where it is not there."""
    if name not in ("auto", "cpu", "cuda"):
        raise DeviceError(f"no device {name!r}; there are auto, cpu, cuda")
    wp.config.log_level = wp.LOG_WARNING
    if "WARP_CACHE_PATH" not in os.environ and os.access(sys.prefix, os.W_OK):
        # A worker's home is a folder of its own: what is compiled there would be compiled for every job.
        wp.config.kernel_cache_dir = str(Path(sys.prefix) / "var" / "warp")
    wp.init()
    if name == "cuda" and not wp.is_cuda_available():
        raise DeviceError("simulation.device: cuda, but Warp finds no CUDA device; choose cpu or auto")
    return "cpu" if name == "cpu" or not wp.is_cuda_available() else "cuda:0"


def rehearse(sim: Tabletop) -> tuple[int, int]:
    """Contacts and constraints to make room for: the peaks while the hand comes down on each object.

    With the headroom on top, as the pairs of geoms near each other use the contacts' memory as well.
    """
    contacts, constraints = sim._batch.bind("ncon"), sim._batch.bind("nefc")
    ids = torch.arange(sim.n_envs)
    generator = torch.Generator().manual_seed(0)
    most_contacts = most_constraints = 0
    for name in sim.object_names:
        sim.reset(ids, sim.sample_object_poses(ids))
        for step in range(REHEARSAL_STEPS):
            states = sim.states()
            action = 0.3 * torch.randn(sim.n_envs, 7, generator=generator)
            action[:, :3] += 100 * (states[f"{name}_pos"] - states["eef_pos"])
            action[:, 6] = 1 if step < REHEARSAL_STEPS / 2 else -1
            sim.step(action)
            most_contacts = max(most_contacts, int(contacts.max()))
            most_constraints = max(most_constraints, int(constraints.max()))
    return _roomy(most_contacts), _roomy(most_constraints)


def _roomy(peak: int) -> int:
    return int(np.ceil(HEADROOM * peak))


class WarpBatch:
    """`n` simulations of one model on a device; see `video2policy.sim.tabletop.Batch`.

    The host's arrays are the truth: a call copies `STATE` to the device, runs there, and copies back the
    rows that it is about. So it leaves the other simulations alone, although the device runs them all.
    """

    def __init__(self, model: mujoco.MjModel, n: int, device: str, contacts: int, constraints: int) -> None:
        self._host_model = model
        self._n = n
        self._device = wp.get_device(device)
        constraints = ROWS * -(-constraints // ROWS)
        self._room = contacts, constraints
        self.warning = np.zeros((n, int(mujoco.mjtWarning.mjNWARNING), 2), dtype=np.int32)
        self._bound: dict[str, tuple[Array, wp.array, NDArray[np.float32], wp.array]] = {}
        self._graphs: dict[tuple[int, bool], wp.Graph] = {}
        """By the number of steps, and whether each has commands of its own."""
        self._commands: dict[int, list[wp.array]] = {}
        self._own: dict[str, NDArray] = {}
        """Fields of the model that each simulation has for itself, as they are on the host."""
        self._unsent: set[str] = set()
        with wp.ScopedDevice(self._device):
            self._model = mjw.put_model(model)
            self._model.opt.warn_overflow = 0  # told once, by an error
            self._data = mjw.make_data(model, nworld=n, nconmax=contacts, njmax=constraints)
            if self._device.is_cuda:  # kernels cannot be compiled while a graph is captured
                mjw.step(self._model, self._data)
                mjw.reset_data(self._model, self._data)
        for name in STATE:
            self.bind(name)
        self._start = self.bind("qpos")[:1].copy()

    def bind(self, name: str) -> Array:
        """The live array (n, ...) of a field of MjData."""
        if name not in self._bound:
            on_device = getattr(self._data, name)
            # Page-locked memory is what a GPU copies from and to without a detour.
            staged = wp.empty_like(on_device, device="cpu", pinned=self._device.is_cuda)
            wp.copy(staged, on_device)
            wp.synchronize_device(self._device)
            self._bound[name] = staged.numpy().astype(np.float64), staged, staged.numpy(), on_device
        return self._bound[name][0]

    def expand(self, name: str) -> NDArray:
        """The live array (n, ...) of a field of MjModel, which each simulation then has for itself.

        Its values reach the device with the next call that runs there, if MuJoCo Warp has such a field: it
        does without the bounding volumes and the short cuts that MuJoCo keeps.
        """
        if name not in self._own:
            field = np.asarray(getattr(self._host_model, name))
            self._own[name] = np.repeat(field[None], self._n, axis=0)
        if hasattr(self._model, name):
            self._unsent.add(name)
        return self._own[name]

    def get_model(self, sim: int, model: mujoco.MjModel | None = None) -> mujoco.MjModel:
        """One simulation's model on the host."""
        model = copy.copy(self._host_model) if model is None else model
        for name, values in self._own.items():
            getattr(model, name)[:] = values[sim]
        return model

    def _send(self) -> None:
        """Bring the simulations' own fields of the model to the device."""
        for name in self._unsent:
            there, values = getattr(self._model, name), self._own[name]
            if there.shape[0] != self._n:  # one for all so far; a graph would go on reading that
                self._graphs.clear()
                shape = (self._n, *there.shape[1:])
                there = wp.empty(shape, dtype=there.dtype, device=self._device)
                setattr(self._model, name, there)
            there.assign(np.ascontiguousarray(values).reshape(there.numpy().shape))
        self._unsent.clear()

    def reset(self, *, ids: Ids = None, stage: int = 0) -> None:
        """Back to the model's start; derived fields only with a `stage`."""
        rows = self._rows(ids)
        for name in STATE:
            self._bound[name][0][rows] = self._start if name == "qpos" else 0
        if stage:
            self.forward(ids=ids, stage=stage)

    def forward(self, *, ids: Ids = None, stage: int = POSITION) -> None:
        """Derived fields anew, up to positions: kinematics, contacts, sensors of both."""
        assert stage == POSITION
        self._upload()
        with wp.ScopedDevice(self._device):
            mjw.fwd_position(self._model, self._data)
            self._data.sensordata.zero_()
            mjw.sensor_pos(self._model, self._data)
        self._download(self._rows(ids))

    def step(self, *, ids: Ids = None, nstep: int = 1) -> None:
        """Physics steps. Raises ContactOverflow when contacts were lost."""
        self._run(nstep, None, self._rows(ids))

    def rollout(self, nstep: int, control: Array, *, record: Sequence[str] = ()) -> None:
        """Physics steps of all, each with its own commands: `control` is (n, nstep, nu). Raises as `step`."""
        assert not record
        if nstep not in self._commands:
            shape = (self._n, control.shape[2])
            self._commands[nstep] = [
                wp.empty(shape, dtype=wp.float32, device=self._device) for _ in range(nstep)
            ]
        for number, commands in enumerate(self._commands[nstep]):
            commands.assign(np.ascontiguousarray(control[:, number], dtype=np.float32))
        self._run(nstep, self._commands[nstep], self._rows(None))

    def get_data(self, sim: int, data: mujoco.MjData | None = None) -> mujoco.MjData:
        """One simulation's state on the host."""
        data = mujoco.MjData(self._host_model) if data is None else data
        for name in STATE:
            getattr(data, name)[:] = self._bound[name][0][sim]
        return data

    def _rows(self, ids: Sequence[int] | Ids) -> NDArray[np.int64]:
        return np.arange(self._n) if ids is None else np.asarray(ids, dtype=np.int64)

    def _run(self, nstep: int, commands: list[wp.array] | None, rows: NDArray[np.int64]) -> None:
        self._upload()
        with wp.ScopedDevice(self._device):
            if self._device.is_cuda:
                kind = nstep, commands is not None
                if kind not in self._graphs:
                    with wp.ScopedCapture() as capture:
                        self._advance(nstep, commands)
                    self._graphs[kind] = capture.graph
                wp.capture_launch(self._graphs[kind])
            else:
                self._advance(nstep, commands)
        self._download(rows)
        diverged = self._restart_diverged(rows)
        self._check_room(np.setdiff1d(rows, diverged))

    def _advance(self, nstep: int, commands: list[wp.array] | None) -> None:
        self._data.overflow.zero_()
        for number in range(nstep):
            if commands is not None:
                wp.copy(self._data.ctrl, commands[number])
            mjw.step(self._model, self._data)

    def _upload(self) -> None:
        self._send()
        for name in STATE:
            live, staged, host, on_device = self._bound[name]
            host[:] = live
            wp.copy(on_device, staged)

    def _download(self, rows: NDArray[np.int64]) -> None:
        for _, staged, _, on_device in self._bound.values():
            wp.copy(staged, on_device)
        wp.synchronize_device(self._device)
        for live, _, host, _ in self._bound.values():
            live[rows] = host[rows]

    def _restart_diverged(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Simulations whose physics diverged start anew, as in MuJoCo, and count a warning."""
        moving = np.concatenate([self.bind("qpos")[rows], self.bind("qvel")[rows]], axis=1)
        with np.errstate(invalid="ignore"):
            diverged = rows[~(np.abs(moving) < DIVERGED).all(axis=1)]
        if len(diverged):
            self.warning[diverged, int(mujoco.mjtWarning.mjWARN_BADQPOS), 1] += 1
            self.reset(ids=diverged.astype(np.int32), stage=POSITION)
        return diverged

    def used(self) -> float:
        """Part of the memory for contacts and constraints that the last step took, whichever is fuller."""
        return max(taken / room for taken, room in zip(self._taken(), self._room, strict=True))

    def _taken(self) -> tuple[float, int]:
        """Contacts or near pairs of an environment on average, and constraints of the fullest."""
        near = max(int(self._data.nacon.numpy()[0]), int(self._data.ncollision.numpy()[0]))
        return near / self._n, int(self._data.nefc.numpy().max())

    def _check_room(self, rows: NDArray[np.int64]) -> None:
        if not (self._data.overflow.numpy()[rows] & int(LOST)).any():
            return
        contacts, constraints = self._room
        near, most = self._taken()
        raise ContactOverflow(
            f"MuJoCo Warp lost contacts: the fullest environment has {most} "
            f"constraints and memory for {constraints}, all have {near:.1f} contacts or near pairs on "
            f"average and memory for {contacts}: raise HEADROOM in video2policy/sim/warp.py"
        )
