"""The task environment: reward, success, automatic reset, broken task code."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.scenes import primitive_scene
from video2policy.scene import Scene
from video2policy.sim.environment import Environment, TaskError
from video2policy.sim.mujoco import MujocoSim
from video2policy.task import Task

N = 4


class Raise(Task):
    """Succeeds in every other environment; adds one observation and spoils the states it is given."""

    def compute_observation_key(self, states: dict[str, torch.Tensor]) -> list[str]:
        states["height"] = states["cube_pos"][:, 2] * 1.0
        return [*super().compute_observation_key(states), "height"]

    def get_observation_space(self) -> int:
        return super().get_observation_space() + 1

    def compute_success(self, states: dict[str, torch.Tensor]) -> torch.Tensor:
        states["cube_pos"].zero_()
        return torch.arange(len(states["height"])) % 2 == 0

    def compute_reward(
        self, actions: torch.Tensor, states: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        return states["height"], {"height": states["height"]}


@pytest.fixture
def sim(tmp_path: Path) -> MujocoSim:
    path = primitive_scene(tmp_path)
    return MujocoSim(Scene.load(path), path.parent, N, "floating", horizon=5)


def task(sim: MujocoSim, kind: type[Task] = Raise) -> Task:
    return kind(sim, "", {"objects": ["cube"]})


def test_reward_success_and_reset(sim: MujocoSim) -> None:
    env = Environment(sim, task(sim), success_weight=50.0, record=True)
    observation = env.reset()
    assert observation.shape == (N, env.observation_size)
    first = sim.states()["cube_init_pos"]
    for step in range(1, 6):
        observation, reward, done, info = env.step(torch.zeros(N, 7))
        height = torch.from_numpy(info["raw_states"]["cube_pos"][:, 2])
        assert (height > 0.02).all(), "raw states are copied before task code can change them"
        assert torch.allclose(reward, height + 50.0 * torch.tensor([1.0, 0, 1, 0]))
        assert torch.equal(info["success"], torch.tensor([True, False, True, False]))
        assert torch.equal(info["components"]["height"], height)
        assert done.all() == (step == 5) and torch.equal(info["time_outs"], done)
    assert info["raw_states"]["time_left"].max() == 0, "the last states are those before the reset"
    assert not torch.equal(sim.states()["cube_init_pos"], first)
    assert (sim.elapsed == 0).all()


def test_episodes_end_one_by_one(sim: MujocoSim) -> None:
    env = Environment(sim, task(sim))
    env.reset()
    sim.elapsed[:] = [0, 1, 2, 3]
    ends = [env.step(torch.zeros(N, 7))[2].nonzero()[:, 0].tolist() for _ in range(5)]
    assert ends == [[], [3], [2], [1], [0]]


def test_staggered_episodes_end_in_groups(sim: MujocoSim) -> None:
    sim.horizon = 20
    env = Environment(sim, task(sim))
    env.reset()
    env.stagger(0)
    phases = sim.elapsed.copy()
    assert len(set(phases)) > 1 and (phases % 2 == 0).all() and phases.max() < 20
    for step in range(1, 21):
        done = env.step(torch.zeros(N, 7))[2].numpy()
        assert (done == (phases + step == 20)).all()


def test_a_diverged_simulation_ends_without_success_and_is_no_time_out(sim: MujocoSim) -> None:
    env = Environment(sim, task(sim))
    env.reset()
    sim._qvel[0, 2] = 1e12
    observation, reward, done, info = env.step(torch.zeros(N, 7))
    assert done.tolist() == [True, False, False, False]
    assert not info["time_outs"].any() and not info["success"][0] and reward[0] == 0
    assert torch.isfinite(observation).all()


def wrong(method: str, result: Callable[..., object]) -> type[Task]:
    return type("Wrong", (Raise,), {method: lambda self, *arguments: result(*arguments)})


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (wrong("compute_success", lambda states: torch.zeros(N, 1)), r"compute_success .* shape \(4,\)"),
        (wrong("compute_success", lambda states: True), "compute_success .* not bool"),
        (wrong("compute_reward", lambda a, s: (torch.zeros(1), {})), r"compute_reward .* \(4,\), not \(1,\)"),
        (wrong("compute_reward", lambda a, s: (torch.zeros(N) / 0, {})), "not finite$"),
        (
            wrong("compute_reward", lambda a, s: (torch.zeros(N) / 0, {"far": torch.zeros(N) / 0})),
            "not finite, in its component 'far'",
        ),
        (
            wrong("compute_reward", lambda a, s: (torch.zeros(N), {"grip": torch.zeros(())})),
            "component 'grip'",
        ),
        (
            wrong("compute_observation_key", lambda states: ["cube_colour"]),
            "'cube_colour', which is not a state",
        ),
        (wrong("get_observation_space", lambda: 3), "says 3, but the observation has"),
    ],
)
def test_broken_task_code_ends_in_a_sentence(sim: MujocoSim, kind: type[Task], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        env = Environment(sim, task(sim, kind))
        env.reset()
        env.step(torch.zeros(N, 7))
