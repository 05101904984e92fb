"""A task on a simulator: observations, training reward, success, automatic reset."""

from typing import Any

import numpy as np
import torch

from video2policy.sim.base import Simulator, States
from video2policy.task import Task

SUCCESS_WEIGHT = 100.0
"""Weight of success in the training reward (paper, section 3.2: lambda = 100)."""

PHASES = 10


class TaskError(ValueError):
    """Generated code that breaks the contract; one sentence that names the method."""


class Environment:
    """Steps `sim.n_envs` episodes of `task`; finished ones restart by themselves.

    Episodes last `sim.horizon` steps and do not end on success: staying successful pays. With `record`, each
    step's info has the simulator's states as they were before any task code saw them.
    """

    def __init__(
        self, sim: Simulator, task: Task, success_weight: float = SUCCESS_WEIGHT, record: bool = False
    ) -> None:
        self.sim = sim
        self.task = task
        self.success_weight = success_weight
        self.record = record
        self.observation_size = int(task.get_observation_space())

    def reset(self) -> torch.Tensor:
        """Start all episodes; observations (n, d)."""
        with torch.inference_mode():
            self._restart(torch.arange(self.sim.n_envs))
            observation = self._observe(self.sim.states())
        return observation.clone()

    def stagger(self, seed: int) -> None:
        """Put the running episodes into different phases, so that they do not all end at once.

        `PHASES` groups rather than single episodes: a reset costs almost the same for one as for ten.
        """
        phases = np.random.default_rng(seed).integers(0, PHASES, self.sim.n_envs)
        self.sim.elapsed[:] = phases * self.sim.horizon // PHASES

    def step(self, actions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """One control step of all episodes; actions (n, 7) in [-1, 1].

        Returns:
            Observations (n, d), after the reset where an episode ended; training rewards (n,), the task's
            reward plus `success_weight` where it succeeds; done (n,) bool; and info: "time_outs" (n,) bool,
            "success" (n,) bool (the generated success), "components" of the reward by name, (n,) each, and
            "raw_states", the simulator's states as NumPy arrays, when they are recorded.

        Raises:
            TaskError: when the task's code returns a wrong shape or a number that is not finite.
        """
        # Without autograd's bookkeeping the dozens of small operations cost a sixth less.
        with torch.inference_mode():
            observation, total, done, info = self._step(actions)
        return observation.clone(), total.clone(), done.clone(), info

    def _step(self, actions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, dict[str, Any]]:
        self.sim.step(actions)
        raw, states = self.sim.arrays() if self.record else {}, self.sim.states()
        observation = self._observe(states)
        # What the observation's code wrote over states must not reach success, nor the reward's code success.
        states = {**states, **self.sim.states()}
        success = self._vector("compute_success", self.task.compute_success(states)).bool().clone()
        reward, components = self.task.compute_reward(actions.clone(), states)
        reward = self._vector("compute_reward", reward).float()
        components = {k: self._vector(f"component {k!r}", v).float() for k, v in components.items()}

        done = time_outs = torch.from_numpy(self.sim.elapsed >= self.sim.horizon)
        if self.sim.failed.any():  # where the physics diverged nothing was achieved
            failed = torch.from_numpy(self.sim.failed)
            success, reward = success & ~failed, reward.masked_fill(failed, 0.0)
            time_outs, done = time_outs & ~failed, time_outs | failed
        if not torch.isfinite(reward).all():
            broken = [name for name, part in components.items() if not torch.isfinite(part).all()]
            where = f", in its component {broken[0]!r}" if broken else ""
            raise TaskError(f"compute_reward returns a number that is not finite{where}")
        total = reward + self.success_weight * success
        if done.any():
            self._restart(done.nonzero()[:, 0])
            observation = self._observe(self.sim.states())
        info = {
            "time_outs": time_outs,
            "success": success,
            "components": components,
            "reward": reward,
            "raw_states": raw,
        }
        return observation, total, done, info

    def _restart(self, ids: torch.Tensor) -> None:
        self.sim.reset(ids, self.task.reset_objects_states(ids.clone()))

    def _observe(self, states: States) -> torch.Tensor:
        """Observations (n, d) in the order of the task's keys; the task may add keys to `states`."""
        keys = self.task.compute_observation_key(states)
        missing = [key for key in keys if key not in states]
        if missing:
            raise TaskError(f"compute_observation_key names {missing[0]!r}, which is not a state")
        observation = torch.column_stack([states[key] for key in keys]).float()
        if observation.shape[1] != self.observation_size:
            raise TaskError(
                f"get_observation_space says {self.observation_size}, "
                f"but the observation has {observation.shape[1]} numbers"
            )
        return observation

    def _vector(self, what: str, value: object) -> torch.Tensor:
        n = self.sim.n_envs
        if not isinstance(value, torch.Tensor) or value.shape != (n,):
            shape = tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
            raise TaskError(f"{what} must give a tensor of shape ({n},), not {shape}")
        return value
