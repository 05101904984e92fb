"""PPO from rl-games, one set of hyper-parameters for all tasks (paper, section 4 and item 18 of the spec).

rl-games brings the agent; the loop, the stops and the bookkeeping are here. The same seed gives the same
result on one machine: one torch thread, stops that count steps and never seconds.
"""

import importlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch

from video2policy.sim.base import N_ACTIONS
from video2policy.sim.environment import Environment
from video2policy.train.agent import A2CAgent, AlgoObserver, DefaultRewardsShaper, IVecEnv
from video2policy.train.checkpoint import Course, restore, save, weights
from video2policy.train.episodes import Episodes
from video2policy.train.policy import Policy, PolicyInfo
from video2policy.train.skill import Skill, observed


@dataclass(frozen=True)
class Training:
    """Hyper-parameters and stops. Defaults: measured for 64 to 128 environments on a CPU, see
    docs/simulation-measured.md; the paper's scale is in configs/paper.yaml.
    """

    max_steps: int = 600_000
    """Environment steps after which training stops."""
    rollout: int = 32
    """Control steps per environment between updates."""
    minibatch: int = 512
    epochs: int = 8
    units: tuple[int, ...] = (128, 128)
    learning_rate: float = 1e-3
    kl_target: float = 0.012
    """The learning rate adapts to it, up to `learning_rate`: with more a policy can break down late."""
    gamma: float = 0.96
    gae_lambda: float = 0.95
    clip: float = 0.2
    critic: float = 2.0
    gradient_norm: float = 1.0
    bounds: float = 0.0005
    log_sigma: float = -0.9
    """Logarithm of the first standard deviation of actions."""
    solved: float = 0.95
    """Training ends when this part of a batch of episodes succeeds without exploration noise."""
    promising: float = 0.5
    """Success with noise, over the last `window` episodes, from which on that is tried."""
    window: int = 192
    check_every: int = 25_000
    """Steps between two such tries."""
    hopeless_after: int = 200_000
    """Steps after which training without any success ends if the return does not rise either."""
    check_episodes: int = 128
    """Episodes without noise behind such a try, and behind the final success rate."""
    checkpoint_episodes: int = 15
    """Episodes of every environment after which all start anew, with a checkpoint."""


@dataclass
class Outcome:
    """A finished training: the policy, why it stopped, and what was seen on the way."""

    policy: Policy
    stopped: str
    """solved, cap or hopeless."""
    steps: int
    """Environment steps trained."""
    success_rate: float
    """Generated success of the policy's mean actions over `check_episodes`."""
    episodes: Episodes
    log: list[dict[str, Any]] = field(default_factory=list)
    """One row per update: steps, episodes, success_rate, return, components, steps_per_second."""


WARM_UP, FIRST_RATE = 6, 1e-4
"""Behind a policy that is gone on from: updates in which only the value learns, and the learning rate after
them. A policy that follows a value that knows nothing yet, or in long first steps, forgets what it knew: one
that solved its task in .80 of episodes soon did so in .10 (docs/simulation-measured.md)."""

EXPERIMENT = "training"

Progress = Callable[[dict[str, Any]], None]


def train(
    environment: Environment,
    training: Training,
    seed: int,
    folder: Path,
    progress: Progress = lambda row: None,
    parent: Policy | None = None,
    skill: Skill | None = None,
    handled: str = "",
    checkpoint: Path | None = None,
) -> Outcome:
    """Train a policy; `folder` is rl-games' own (it stays empty), `parent` is a policy to go on from.

    Without one it begins with what the `skill` knows of the object called `handled`, or from nothing. What it
    began with is kept where nothing better came of it. Where there is a file called `checkpoint`, it goes on
    from that; and it writes one after every `checkpoint_episodes`. The result is the same, but for generated
    code that remembers what it saw.

    Raises ValueError for sizes that do not fit each other.
    """
    _check(training, environment, parent)
    _seed(seed)
    sim = environment.sim
    batch = _Batch(environment, seed)
    agent = _agent(batch, training, folder)
    agent.scheduler.max_lr = training.learning_rate
    if parent is not None:
        agent.model.load_state_dict(parent.weights)
    agent.init_tensors()
    agent.obs = agent.env_reset()
    inputs = observed(environment, handled)
    if parent is None and skill is not None:
        agent.model.load_state_dict(skill.start(weights(agent), inputs))

    episodes, course = batch.episodes, Course(best=weights(agent))
    warm_up = parent is not None or skill is not None
    if checkpoint is not None and checkpoint.is_file():
        course = restore(checkpoint, agent, episodes)
        batch.steps = course.kept
        _start_anew(agent, batch, seed)
    elif warm_up:
        info = PolicyInfo(environment.observation_size, training.units, seed, 0, inputs)
        course.tested = measure(environment, Policy(info, course.best), training.check_episodes)
        course.promising = course.tested >= training.promising
        agent.obs = agent.env_reset()
    warm_up = warm_up and len(course.log) < WARM_UP
    if warm_up:
        _learn_value_only(agent, True)
    stopped = "cap"
    per_update = training.rollout * sim.n_envs
    per_checkpoint = training.checkpoint_episodes * sim.horizon * sim.n_envs
    begin, begun = time.perf_counter(), batch.steps
    while batch.steps + per_update <= max(training.max_steps, per_update):
        if warm_up and len(course.log) == WARM_UP:
            _learn_value_only(agent, False)
        agent.update_epoch()
        agent.train_epoch()
        agent.dataset.update_values_dict(None)
        agent.frame += agent.curr_frames
        rate = episodes.success_rate(training.window)
        row = _row(batch, training, rate)
        row["steps_per_second"] = round((batch.steps - begun) / max(time.perf_counter() - begin, 1e-6))
        row |= {"learning_rate": round(agent.last_lr, 7), "sigma": round(_sigma(agent), 4)}
        course.log.append(row)
        progress(row)
        if not course.tested and rate >= course.best_rate:
            course.best_rate, course.best, course.best_steps = rate, weights(agent), batch.steps
        course.promising = course.promising or rate >= training.promising
        if course.promising and batch.steps - course.tried >= training.check_every:
            course.tried, tried = batch.steps, weights(agent)
            info = PolicyInfo(environment.observation_size, training.units, seed, course.tried, inputs)
            success = measure(environment, Policy(info, tried), training.check_episodes)
            if success and success >= course.tested:
                course.best, course.best_steps, course.tested = tried, course.tried, success
            if course.tested >= training.solved:
                stopped = "solved"
                break
            agent.obs = agent.env_reset()
            agent.dones.fill_(1)
        if _is_hopeless(episodes, training, batch.steps):
            stopped = "hopeless"
            break
        if batch.steps - course.kept >= per_checkpoint:
            course.kept = batch.steps
            if checkpoint is not None:
                save(checkpoint, agent, episodes, course)
            _start_anew(agent, batch, seed)

    info = PolicyInfo(environment.observation_size, training.units, seed, course.best_steps, inputs)
    policy = Policy(info, course.best)
    checked = measure(environment, policy, training.check_episodes)
    return Outcome(policy, stopped, batch.steps, checked, episodes, course.log)


def _seed(seed: int) -> None:
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def _start_anew(agent: A2CAgent, batch: "_Batch", seed: int) -> None:
    """All episodes anew, all randomness from the seed and the steps so far: as after a checkpoint is read."""
    drawn = int(np.random.SeedSequence([seed, batch.steps]).generate_state(1)[0])
    _seed(drawn)
    batch.environment.sim.reseed(drawn)
    agent.obs = agent.env_reset()
    agent.dones.fill_(1)


def _learn_value_only(agent: A2CAgent, only: bool) -> None:
    """Hold everything but the value's last layer, or let go of it and begin carefully."""
    for name, parameter in agent.model.named_parameters():
        parameter.requires_grad_(not only or name.startswith("a2c_network.value."))
    if not only:
        agent.last_lr = FIRST_RATE
        agent.update_lr(agent.last_lr)


def prepare(folder: Path) -> None:
    """Make the folders that rl-games and optimisers ask for, which a locked-down process cannot make."""
    importlib.import_module("torch._dynamo")  # makes one, and the first optimiser would import it too late
    for name in ("nn", "summaries"):
        (folder / EXPERIMENT / name).mkdir(parents=True, exist_ok=True)


def measure(environment: Environment, policy: Policy, count: int) -> float:
    """Generated success in the last step of at least `count` episodes under mean actions."""
    sim = environment.sim
    outcomes: list[torch.Tensor] = []
    while sum(len(part) for part in outcomes) < count:
        observation = environment.reset()
        for _ in range(sim.horizon):
            observation, _, _, info = environment.step(policy.act(observation))
        outcomes.append(info["success"])
    return float(torch.cat(outcomes).float().mean())


class _Batch(IVecEnv):
    """An environment as rl-games sees it, keeping count of episodes and steps."""

    def __init__(self, environment: Environment, seed: int) -> None:
        self.environment = environment
        self.episodes = Episodes(environment.sim.n_envs)
        self.steps = 0
        self._seed = seed

    def reset(self) -> torch.Tensor:
        observation = self.environment.reset()
        self.episodes.restart()
        # Episodes that all end at once would make every update see one phase of the task only.
        self.environment.stagger(self._seed)
        return observation

    def step(self, actions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, dict[str, Any]]:
        observation, reward, done, info = self.environment.step(actions)
        self.steps += len(done)
        self.episodes.add(self.steps, done, info)
        return observation, reward, done, {"time_outs": info["time_outs"]}

    def get_number_of_agents(self) -> int:
        return 1

    def get_env_info(self) -> dict[str, Any]:
        width = self.environment.observation_size
        return {
            "action_space": gymnasium.spaces.Box(-1, 1, (N_ACTIONS,), np.float32),
            "observation_space": gymnasium.spaces.Box(-np.inf, np.inf, (width,), np.float32),
        }


def _check(training: Training, environment: Environment, parent: Policy | None) -> None:
    batch = training.rollout * environment.sim.n_envs
    if batch % training.minibatch:
        raise ValueError(
            f"{training.rollout} steps of {environment.sim.n_envs} environments are not a multiple of the "
            f"minibatch of {training.minibatch}"
        )
    if parent is None:
        return
    if parent.info.observation_size != environment.observation_size or parent.info.units != training.units:
        raise ValueError("the policy to go on from has other observations or another network")


def _agent(batch: _Batch, training: Training, folder: Path) -> A2CAgent:
    """rl-games' continuous PPO agent on the CPU."""
    network = {
        "name": "actor_critic",
        "separate": False,
        "space": {
            "continuous": {
                "mu_activation": "None",
                "sigma_activation": "None",
                "mu_init": {"name": "default"},
                "sigma_init": {"name": "const_initializer", "val": training.log_sigma},
                "fixed_sigma": True,
            }
        },
        "mlp": {
            "units": list(training.units),
            "activation": "elu",
            "d2rl": False,
            "initializer": {"name": "default"},
            "regularizer": {"name": "None"},
        },
    }
    config = {
        "name": "policy",
        "full_experiment_name": EXPERIMENT,
        "train_dir": str(folder),
        "env_name": "video2policy",
        "env_info": batch.get_env_info(),
        "vec_env": batch,
        "features": {"observer": AlgoObserver()},
        "device": "cpu",
        "device_name": "cpu",
        "torch_compile": False,  # costs minutes and gains nothing at this size
        "ppo": True,
        "mixed_precision": False,
        "normalize_input": True,
        "normalize_value": True,
        "normalize_advantage": True,
        "value_bootstrap": True,
        "reward_shaper": DefaultRewardsShaper(scale_value=1.0),
        "num_actors": batch.environment.sim.n_envs,
        "horizon_length": training.rollout,
        "minibatch_size": training.minibatch,
        "mini_epochs": training.epochs,
        "gamma": training.gamma,
        "tau": training.gae_lambda,
        "learning_rate": training.learning_rate,
        "lr_schedule": "adaptive",
        "schedule_type": "standard",
        "kl_threshold": training.kl_target,
        "e_clip": training.clip,
        "clip_value": True,
        "critic_coef": training.critic,
        "entropy_coef": 0.0,
        "truncate_grads": True,
        "grad_norm": training.gradient_norm,
        "bounds_loss_coef": training.bounds,
        "print_stats": False,
    }
    model = {"name": "continuous_a2c_logstd"}
    return A2CAgent("policy", {"config": config, "network": network, "model": model})


def _sigma(agent: A2CAgent) -> float:
    """Mean standard deviation of the exploration noise."""
    return float(agent.model.a2c_network.sigma.detach().exp().mean())


def _row(batch: _Batch, training: Training, rate: float) -> dict[str, Any]:
    episodes = batch.episodes
    row: dict[str, Any] = {
        "steps": batch.steps,
        "episodes": len(episodes.finished),
        "success_rate": round(rate, 4),
        "return": round(episodes.mean_return(training.window), 4),
    }
    for name, means in episodes.component_means(training.window).items():
        for outcome, value in means.items():
            row[f"{name}/{outcome}"] = "" if value is None else value
    return row


def _is_hopeless(episodes: Episodes, training: Training, steps: int) -> bool:
    """No episode ever succeeded and the return of the last half is not above that of the first."""
    done = episodes.finished
    if steps < training.hopeless_after or any(episode.success for episode in done):
        return False
    quarter = len(done) // 4
    if quarter == 0:
        return True
    early = sum(e.total for e in done[:quarter]) / quarter
    late = sum(e.total for e in done[-quarter:]) / quarter
    return late <= early + 0.05 * abs(early)
