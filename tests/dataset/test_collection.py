"""Collection keeps judged successes, drawn from what was recorded, and says how many it tried."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.evaluate.pushing import linear_policy, pushing
from video2policy.dataset.collection import ACTION_NAMES, Wish, collect, state_names
from video2policy.dataset.lerobot import Reader
from video2policy.train.policy import save_policy

WISH = Wish(episodes=4, image=32, cameras=("side",), action_noise=0.1, seed=7)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return pushing(tmp_path_factory.mktemp("collection"))


@pytest.fixture(scope="module")
def collected(scene, tmp_path_factory):
    root = tmp_path_factory.mktemp("trajectories")
    return root, collect(*scene, WISH, root)


def test_only_successes_enter_and_the_count_is_told(collected):
    root, about = collected
    reader = Reader(root)
    assert len(reader) == about["episodes"] == 4
    assert about["tried"] == 8 and about["success_rate"] == 0.75  # every fourth start is out of reach
    assert json.loads((root / "meta" / "collection.json").read_text()) == about | {
        "settings": about["settings"] | {"cameras": ["side"]}
    }
    for episode in reader:
        assert episode.task == "pushing cube from left to right"
        assert episode.success[-1] and not episode.success[0]


def test_frames_rows_and_pictures_belong_together(collected):
    root, _ = collected
    episode = Reader(root).episode(0)
    names = state_names()
    assert episode.state.shape == (60, len(names)) == (60, 14)
    assert episode.action.shape == (60, len(ACTION_NAMES))
    # The policy acts on the height of the tool: the recorded action is the one for the recorded state.
    height = episode.state[:, names.index("eef_pos.2")]
    np.testing.assert_allclose(episode.action[:, 2], np.clip(0.25 - 10 * height, -1, 1), atol=1e-4)
    # The farther the tool is from its start, the less the picture is like the first.
    away = np.linalg.norm(episode.state[:, :3] - episode.state[0, :3], axis=1)
    images = episode.images["side"].astype(int)
    change = np.abs(images - images[0]).mean(axis=(1, 2, 3))
    assert np.corrcoef(away, change)[0, 1] > 0.8


def test_what_follows_the_success_can_be_left_out(scene, tmp_path):
    collect(*scene, replace(WISH, episodes=2, after=3), tmp_path)
    for episode in Reader(tmp_path):
        satisfied = int(episode.success.argmax())
        assert len(episode.action) == satisfied + 4 < 60
        assert len(episode.images["side"]) == len(episode.state) == len(episode.action)


def test_state_names_say_nothing_of_objects():
    assert all(name.split(".")[0].startswith(("eef_", "gripper_", "target_")) for name in state_names())


def test_a_policy_that_never_succeeds_leaves_no_dataset(scene, tmp_path):
    rollouts, _ = scene
    idle = linear_policy()
    for name in ("weight", "bias"):
        idle.weights[f"a2c_network.mu.{name}"].zero_()
    save_policy(tmp_path / "idle.safetensors", idle)
    about = collect(rollouts, tmp_path / "idle.safetensors", replace(WISH, episodes=2), tmp_path / "out")
    assert (about["episodes"], about["tried"]) == (0, 2)
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()] == ["collection.json"]
