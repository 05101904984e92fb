"""Evaluation end to end on a small scene: a worker rolls out, the judge decides, the film shows it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from scripts import evaluate as script
from tests.evaluate.pushing import pushing
from tests.evaluate.test_rollout import frames
from video2policy.evaluate.evaluation import evaluate, film
from video2policy.evaluate.recording import Recording, RecordingError
from video2policy.evaluate.worker import NOISE_MEMORY, pushes
from video2policy.guard import lockdown
from video2policy.guard.process import WorkerError


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return pushing(tmp_path_factory.mktemp("evaluation"))


@pytest.fixture(scope="module")
def recording(scene) -> Recording:
    rollouts, policy = scene
    return rollouts.run(policy, episodes=8, seed=3)


def test_the_judge_sees_what_the_simulator_did(scene, recording):
    rollouts, _ = scene
    verdicts = rollouts.judge(recording)
    assert verdicts.success.tolist() == [True, True, True, False] * 2
    moved = recording.states["cube_init_pos"][0, :, 1] - recording.states["cube_pos"][-1, :, 1]
    assert (moved[verdicts.success] > 0.05).all() and (np.abs(moved[~verdicts.success]) < 0.01).all()
    assert recording.generated_success().tolist() == verdicts.success.tolist()


def test_a_recording_begins_at_the_reset_and_ends_before_the_next(recording):
    assert recording.states["cube_pos"].shape == (61, 8, 3) and recording.actions.shape == (60, 8, 7)
    assert recording.states["time_left"][0].tolist() == [1.0] * 8
    assert recording.states["time_left"][-1].tolist() == [0.0] * 8
    np.testing.assert_array_equal(recording.states["cube_pos"][0], recording.states["cube_init_pos"][0])


def test_the_same_seed_gives_the_same_numbers(scene, recording):
    rollouts, policy = scene
    again = rollouts.run(policy, 8, seed=3)
    for name, value in recording.states.items():
        np.testing.assert_array_equal(again.states[name], value, err_msg=name)


def test_noise_moves_the_tool_but_not_the_recorded_action(scene, recording):
    rollouts, policy = scene
    noisy = rollouts.run(policy, 8, seed=3, action_noise=0.3)
    # The first action comes from the same observation; what it led to differs.
    np.testing.assert_array_equal(noisy.actions[0], recording.actions[0])
    assert not np.array_equal(noisy.states["eef_pos"][1], recording.states["eef_pos"][1])


def test_pushes_are_of_unit_size_and_last_a_while():
    steps = torch.stack(list(islice(pushes(500, torch.Generator().manual_seed(0)), 60)))
    assert steps.shape == (60, 500, 6)
    for step in (0, 1, 59):
        assert abs(float(steps[step].std()) - 1) < 0.05
    assert abs(float((steps[1:] * steps[:-1]).mean()) - NOISE_MEMORY) < 0.02


def test_the_film_shows_the_recorded_episode(scene, recording):
    rollouts, _ = scene
    sim = rollouts.simulator()
    pushed = list(film(sim, recording, 0, "side", 64, 64))
    left = list(film(sim, recording, 3, "side", 64, 64))
    sim.close()
    assert len(pushed) == 60 and pushed[0].shape == (64, 64, 3)
    assert np.abs(pushed[0].astype(int) - pushed[-1]).max() > 40
    assert np.abs(pushed[0].astype(int) - left[0]).max() > 40


@pytest.mark.slow
def test_the_rule_writes_the_same_eval_json_twice_and_a_video(scene, tmp_path):
    rollouts, policy = scene
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    shutil.copy(policy, seeds / "seed_0.safetensors")
    simulation = {
        "engine": "mujoco",
        "device": "auto",
        "robot": "floating",
        "horizon": 60,
        "fit_gripper": True,
        "environments": 64,
    }
    texts = []
    for run in ("a", "b"):
        script.main(
            scene=rollouts.scene,
            task=rollouts.task,
            seeds=seeds,
            eval_json=tmp_path / f"{run}.json",
            rollout=tmp_path / f"{run}.mp4",
            video="push",
            variant="v2p",
            evaluation={"episodes": 8, "seed": 3, "seeds": 1},
            simulation=simulation,
        )
        texts.append((tmp_path / f"{run}.json").read_text())
    assert texts[0] == texts[1]
    result = json.loads(texts[0])
    assert (result["successes"], result["episodes"], result["success_rate"]) == (6, 8, 0.75)
    assert result["judge"] == "push_right" and result["training_seeds"] == 1 and result["sim_scale"] == 1.0
    assert result["ci95"][0] < 0.75 < result["ci95"][1]
    assert frames(tmp_path / "a.mp4").shape[0] == 80


def test_every_training_seed_is_judged_on_episodes_of_its_own(scene, recording, monkeypatch):
    rollouts, policy = scene
    asked = []

    def run(self, path, episodes, seed, **more):
        asked.append(seed)
        return recording

    monkeypatch.setattr(type(rollouts), "run", run)
    result, recordings, verdicts = evaluate(rollouts, [policy] * 3, 8, seed=3)
    assert len(set(asked)) == 3 and len(recordings) == len(verdicts) == 3
    assert [row["successes"] for row in result["per_seed"]] == [6, 6, 6]
    assert (result["successes"], result["episodes"]) == (18, 24)
    assert result["ci_method"] == "wilson, clustered by training run"


def test_a_worker_that_fails_says_why(scene, tmp_path):
    rollouts, policy = scene
    (tmp_path / "task.py").write_text("scene_info = {}\n")
    broken = type(rollouts)(rollouts.scene, tmp_path / "task.py", "floating", 60)
    with pytest.raises(WorkerError, match="defines 0 classes that derive from Task"):
        evaluate(broken, [policy], 2, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"actions": np.zeros((3, 2, 7))}, "actions"),
        ({"valid": np.ones((2, 2), bool)}, "valid"),
        ({"states/eef_pos": np.zeros((4, 2, 3))}, "eef_pos"),
        ({"states/eef_pos": np.array([{"code": 1}], dtype=object)}, "no recording"),
        ({"draws/size": np.ones(3)}, "draws/size"),
        ({"draws/size": np.full(2, np.nan)}, "draws/size"),
        ({"draws/sizes": np.ones(2)}, "draws/sizes"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path, change, message):
    steps, n = 4, 2
    arrays = {
        "states/eef_pos": np.zeros((steps + 1, n, 3)),
        "actions": np.zeros((steps, n, 7)),
        "generated": np.zeros((steps, n), bool),
        "valid": np.ones((steps + 1, n), bool),
        "configuration": np.zeros((steps, n, 16)),
        "draws/size": np.ones(n),
    }
    np.savez(tmp_path / "good.npz", **arrays)
    assert Recording.load(tmp_path / "good.npz", steps, n, draws={"size": ()}).episodes == n
    np.savez(tmp_path / "bad.npz", **(arrays | change))
    with pytest.raises(RecordingError, match=message):
        Recording.load(tmp_path / "bad.npz", steps, n, draws={"size": ()})


def test_a_single_episode_on_two_threads_is_contained_as_well(scene):
    """One row is laid out in memory unlike many, and threads start after the lockdown."""
    rollouts, policy = scene
    recording = replace(rollouts, threads=2).run(policy, 1, 3)
    assert recording.episodes == 1
    alone = rollouts.run(policy, 1, 3)
    assert (recording.configuration == alone.configuration).all()
    assert recording.sandbox["level"] in lockdown.LEVELS


def test_what_was_randomised_is_recorded_and_drawn_again(scene, recording):
    rollouts, policy = scene
    varied = replace(rollouts, randomise="wide")
    drawn = varied.run(policy, 4, 3)
    sizes = drawn.states["cube_size"][0, :, 2]
    np.testing.assert_allclose(
        sizes, recording.states["cube_size"][0, :4, 2] * drawn.draws["size"], rtol=1e-5
    )
    assert drawn.sandbox["level"] in lockdown.LEVELS and len(set(drawn.draws["friction"])) == 4
    sim = varied.simulator()
    first, second = (next(iter(film(sim, drawn, episode, "front", 48, 48))) for episode in (0, 1))
    sim.close()
    assert np.abs(first.astype(int) - second).mean() > 1
    assert recording.draws == {}
