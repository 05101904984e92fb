"""Collection keeps judged successes, drawn from what was recorded, and says how many it tried."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from tests.evaluate.pushing import linear_policy, pushing
from video2policy.dataset import card, collection
from video2policy.dataset.checksums import verify
from video2policy.dataset.collection import ACTION_NAMES, Wish, collect, state_names
from video2policy.dataset.lerobot import Reader
from video2policy.hands import ROBOTS
from video2policy.train.policy import save_policy

WISH = Wish(episodes=4, image=32, cameras=("side",), action_noise=0.1, seed=7, masks=True, depth=True)


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


def test_masks_depth_and_poses_belong_to_the_pictures(scene, collected):
    root, about = collected
    reader = Reader(root)
    episode = reader.episode(0)
    cube = episode.masks["side"] == 1
    assert cube[0].any() and (episode.masks["side"] == 2).any()  # the cube and the robot
    # Where the cube is seen in the picture moves with its true pose.
    names = reader.environment_names
    assert names == [f"cube.{part}" for part in ("x", "y", "z", "qw", "qx", "qy", "qz")]
    moved = episode.environment[-1, names.index("cube.y")] - episode.environment[0, names.index("cube.y")]
    assert moved < -0.03  # to the right
    # The cube stands in front of the table behind it.
    depth = episode.depths["side"]
    rows, columns = np.nonzero(cube[0])
    above = depth[0, max(rows.min() - 3, 0), columns]
    assert 200 < depth[0][cube[0]].mean() < above.mean() <= 4095
    assert [set(one) for one in about["kept"]] == [{"seed", "environment"}] * 4


def test_the_card_and_the_sums_are_there(collected):
    root, _ = collected
    text = (root / "README.md").read_text()
    assert "4 successful episodes, 240 frames at 20 Hz" in text and "Apache-2.0" in text
    for name in ("episodes", "actions"):
        assert f"meta/{name}.png" in text and (root / f"meta/{name}.png").read_bytes()[1:4] == b"PNG"
    assert verify(root) > 8


def test_the_card_knows_a_robot_that_was_added(collected, tmp_path, monkeypatch):
    root, about = collected
    monkeypatch.setitem(ROBOTS, "own", replace(ROBOTS["panda"], licence="own meshes: free"))
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    card.write(tmp_path, [about | {"robot": "own"}], {})
    assert "- own meshes: free\n" in (tmp_path / "README.md").read_text()


@pytest.mark.slow
def test_a_collection_that_was_broken_off_goes_on(scene, tmp_path, monkeypatch):
    wish = replace(WISH, episodes=3, depth=False)
    recording = scene[0].run(scene[1], wish.episodes, wish.seed, wish.action_noise)
    monkeypatch.setattr(type(scene[0]), "run", lambda *_: recording)
    monkeypatch.setattr(collection, "SHARD", 1)
    drawn: list[int] = []
    add = collection._add

    def broken(*arguments):
        drawn.append(arguments[4])
        if len(drawn) == 3:
            raise KeyboardInterrupt
        add(*arguments)

    monkeypatch.setattr(collection, "_add", broken)
    root = tmp_path / "trajectories"
    with pytest.raises(KeyboardInterrupt):
        collect(*scene, wish, root)
    monkeypatch.setattr(collection, "_add", lambda *arguments: (drawn.append(arguments[4]), add(*arguments)))
    collect(*scene, wish, root)
    assert len(drawn) == 4 and drawn[3] == drawn[2]  # two episodes were there already
    collect(*scene, wish, tmp_path / "at_once")
    sums = [(folder / "meta/SHA256SUMS").read_text() for folder in (root, tmp_path / "at_once")]
    assert sums[0] == sums[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["at_once", "trajectories"]


def test_nothing_of_the_clip_is_in_a_dataset_but_an_objects_mean_colour(tmp_path):
    """As `clip_pixels: false` promises: its pictures stay out, and so does their pattern on a mesh."""
    marker, images = b"a frame of the clip", []
    for number, colours in enumerate(("1 0 0", "0 0 1"), start=1):
        rollouts, policy = pushing(tmp_path / str(number))
        mesh = next(rollouts.scene.parent.glob("objects/cube/*.obj"))
        lines, other = mesh.read_text().splitlines(), {"1 0 0": "0 0 1", "0 0 1": "1 0 0"}[colours]
        corners = [k for k, line in enumerate(lines) if line.startswith("v ")]
        for place, k in enumerate(corners):  # the same colours, elsewhere on the mesh
            lines[k] = f"{' '.join(lines[k].split()[:4])} {(colours, other)[place % 2]}"
        assert len(corners) % 2 == 0
        mesh.write_text("\n".join(lines) + "\n")
        frames = rollouts.scene.parent / "frames"
        frames.mkdir()
        (frames / "000000.jpg").write_bytes(marker)
        root = tmp_path / f"dataset_{number}"
        collect(rollouts, policy, replace(WISH, episodes=1), root)
        images.append(Reader(root).episode(0).images["side"])
        assert not [path for path in root.rglob("*") if path.is_file() and marker in path.read_bytes()]
    assert np.array_equal(*images)
