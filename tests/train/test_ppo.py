"""Training: the same seed gives the same policy, stops count steps, parents are gone on from."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.scenes import primitive_scene
from video2policy.scene import Scene
from video2policy.sim.environment import Environment
from video2policy.sim.mujoco import MujocoSim
from video2policy.task import Task
from video2policy.train.policy import load_policy, save_policy
from video2policy.train.ppo import WARM_UP, Outcome, Training, train

N = 16
TINY = Training(max_steps=4 * 32 * N, minibatch=256, units=(16, 16), window=16, check_episodes=N)

torch.set_num_threads(1)


class Rise(Task):
    """Raise the hand: learnt in a few updates."""

    GOAL = 0.25

    def compute_success(self, states: dict[str, torch.Tensor]) -> torch.Tensor:
        return states["eef_pos"][:, 2] > self.GOAL

    def compute_reward(
        self, actions: torch.Tensor, states: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        height = states["eef_pos"][:, 2]
        return height, {"height": height}


class Never(Rise):
    GOAL = 9.0

    def compute_reward(
        self, actions: torch.Tensor, states: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        nothing = torch.zeros(len(actions))
        return nothing, {"nothing": nothing}


def run(folder: Path, training: Training, kind: type[Task] = Rise, seed: int = 0, **more: object) -> Outcome:
    path = folder / "scene.json"
    if not path.exists():
        primitive_scene(folder)
    sim = MujocoSim(Scene.load(path), folder, N, "floating", seed=seed, horizon=30)
    environment = Environment(sim, kind(sim, "", {"objects": ["cube"]}))
    return train(environment, training, seed, folder / "tensorboard", **more)  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_policy_and_another_another(tmp_path: Path) -> None:
    first, again, other = (run(tmp_path, TINY, seed=seed) for seed in (1, 1, 2))
    assert first.policy.weights.keys() == again.policy.weights.keys()
    for name, value in first.policy.weights.items():
        assert torch.equal(value, again.policy.weights[name]), name
    assert first.episodes.summary() == again.episodes.summary()
    assert first.success_rate == again.success_rate
    assert any(not torch.equal(v, other.policy.weights[k]) for k, v in first.policy.weights.items())


def test_an_easy_task_is_solved_before_the_cap(tmp_path: Path) -> None:
    rows: list[dict] = []
    training = Training(max_steps=60_000, minibatch=256, units=(32, 32), window=32, check_episodes=N)
    outcome = run(tmp_path, training, progress=rows.append)
    assert outcome.stopped == "solved" and outcome.steps < 60_000
    assert outcome.success_rate >= 0.9
    assert rows == outcome.log and rows[-1]["steps"] == outcome.steps
    assert {"steps", "episodes", "success_rate", "return", "steps_per_second"} < set(rows[-1])
    assert rows[-1]["height/success"] > 0


def test_a_policy_in_a_file_acts_as_the_one_that_was_trained(tmp_path: Path) -> None:
    outcome = run(tmp_path, TINY)
    save_policy(tmp_path / "policy.safetensors", outcome.policy)
    loaded = load_policy(tmp_path / "policy.safetensors")
    observations = torch.randn(5, outcome.policy.info.observation_size)
    assert torch.equal(loaded.act(observations), outcome.policy.act(observations))
    assert loaded.info == outcome.policy.info


def test_without_progress_training_is_hopeless(tmp_path: Path) -> None:
    training = Training(
        max_steps=20 * 32 * N, minibatch=256, units=(16, 16), hopeless_after=6 * 32 * N, check_episodes=N
    )
    outcome = run(tmp_path, training, Never)
    assert outcome.stopped == "hopeless" and outcome.steps == 6 * 32 * N
    assert outcome.success_rate == 0.0


def test_the_cap_counts_steps(tmp_path: Path) -> None:
    outcome = run(tmp_path, TINY, Never)
    assert outcome.stopped == "cap" and outcome.steps == TINY.max_steps


def test_training_goes_on_from_a_parent(tmp_path: Path) -> None:
    parent = run(tmp_path, TINY)
    none = Training(
        max_steps=1, minibatch=256, units=(16, 16), learning_rate=1e-9, epochs=1, check_episodes=N
    )
    child = run(tmp_path, none, parent=parent.policy)
    name = "a2c_network.mu.weight"
    assert torch.allclose(child.policy.weights[name], parent.policy.weights[name], atol=1e-4)


def test_a_value_that_knows_nothing_yet_does_not_undo_what_the_parent_knows(tmp_path: Path) -> None:
    parent = run(tmp_path, TINY)
    name, update = "a2c_network.mu.weight", 32 * N
    begun = run(tmp_path, replace(TINY, max_steps=WARM_UP * update), Never, parent=parent.policy)
    assert torch.equal(begun.policy.weights[name], parent.policy.weights[name])
    assert not torch.equal(*(p.weights["a2c_network.value.weight"] for p in (begun.policy, parent.policy)))
    later = run(tmp_path, replace(TINY, max_steps=(WARM_UP + 2) * update), Never, parent=parent.policy)
    assert not torch.equal(later.policy.weights[name], parent.policy.weights[name])


def test_what_goes_on_is_no_worse_than_its_parent(tmp_path: Path) -> None:
    easy = Training(max_steps=60_000, minibatch=256, units=(32, 32), window=32, check_episodes=N)
    parent = run(tmp_path, easy)
    longer = replace(easy, max_steps=10 * 32 * N, solved=2.0)
    child = run(tmp_path, longer, parent=parent.policy, seed=3)
    assert child.success_rate >= parent.success_rate
    rates = [row["success_rate"] for row in child.log if row["episodes"] >= easy.window]
    assert min(rates) > 0.8


def test_sizes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="32 steps of 16 environments are not a multiple"):
        run(tmp_path, Training(minibatch=1000))
    parent = run(tmp_path, TINY)
    with pytest.raises(ValueError, match="another network"):
        run(tmp_path, Training(minibatch=256), parent=parent.policy)


def test_an_interrupted_training_gives_the_policy_of_an_undisturbed_one(tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    training = replace(TINY, max_steps=8 * 32 * N, checkpoint_episodes=2)
    undisturbed = run(tmp_path, training, seed=3, checkpoint=tmp_path / "undisturbed.safetensors")

    def kill(row: dict) -> None:
        if row["steps"] >= 6 * 32 * N:
            raise Killed

    checkpoint = tmp_path / "checkpoint.safetensors"
    with pytest.raises(Killed):
        run(tmp_path, training, seed=3, checkpoint=checkpoint, progress=kill)
    rows: list[dict] = []
    resumed = run(tmp_path, training, seed=3, checkpoint=checkpoint, progress=rows.append)
    assert rows[0]["steps"] > 2 * 30 * N  # it did not start from the beginning
    assert len(resumed.log) == len(undisturbed.log)
    for name, outcome in (("undisturbed", undisturbed), ("resumed", resumed)):
        save_policy(tmp_path / f"{name}.policy", outcome.policy)
    assert (tmp_path / "resumed.policy").read_bytes() == (tmp_path / "undisturbed.policy").read_bytes()
    assert resumed.episodes.summary() == undisturbed.episodes.summary()
    assert (resumed.success_rate, resumed.stopped) == (undisturbed.success_rate, undisturbed.stopped)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    save_policy(tmp_path / "policy.safetensors", run(tmp_path, TINY).policy)
    with pytest.raises(ValueError, match="no checkpoint of this project"):
        run(tmp_path, TINY, checkpoint=tmp_path / "policy.safetensors")
