"""Datasets read back as written, joined, and opened by the real `lerobot` package."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.lerobot import environment
from video2policy.dataset.checksums import seal, verify
from video2policy.dataset.lerobot import (
    DEPTH_MAX,
    DatasetError,
    Reader,
    Writer,
    labels_of,
    merge,
    picture_of,
)

FPS = 20
NAMES = [f"action_{i}" for i in range(7)]


def episode(seed: int, length: int = 12, size: int = 64) -> dict:
    """A bar moves over a background whose shade tells the episode; every value tells its place."""
    frames = np.full((length, size, size, 3), 40 + 30 * seed, np.uint8)
    for t in range(length):
        frames[t, :, 4 * t : 4 * t + 4] = (250, 60, 20)
    rows = seed * 100 + np.arange(length, dtype=np.float32)[:, None]
    return {
        "task": f"task {seed % 2}",
        "state": rows + np.linspace(0, 0.5, 3),
        "action": rows / 1000 + np.linspace(0, 0.5, 7),
        "success": np.arange(length) > length // 2,
        "images": {"front": frames, "wrist": frames[:, ::-1]},
    }


def write(root: Path, episodes: list[dict], **options: float) -> None:
    cameras = {"front": (64, 64), "wrist": (64, 64)}
    writer = Writer(root, FPS, "panda", cameras, ["x", "y", "z"], NAMES, **options)
    for one in episodes:
        writer.add_episode(**one)
    writer.close()


@pytest.mark.parametrize(
    "options", [{}, {"data_file_mb": 1e-4, "video_file_mb": 1e-4}], ids=["one file", "many files"]
)
def test_episodes_read_back_as_written(tmp_path, options):
    episodes = [episode(0), episode(1, length=5), episode(2, length=3)]
    write(tmp_path, episodes, **options)
    reader = Reader(tmp_path)
    assert len(reader) == 3 and reader.cameras == ["front", "wrist"] and reader.fps == FPS
    for written, read in zip(episodes, reader, strict=True):
        assert read.task == written["task"]
        np.testing.assert_allclose(read.state, written["state"], rtol=1e-6)
        np.testing.assert_allclose(read.action, written["action"], rtol=1e-6)
        assert read.success.tolist() == written["success"].tolist()
        for camera, frames in written["images"].items():
            difference = np.abs(read.images[camera].astype(int) - frames)
            assert (
                difference.mean() < 6
            )  # the bar is in the same place in every frame; the codec loses a little
            assert difference[:, :, ::8].max() < 120
    many = len(list(tmp_path.glob("videos/observation.images.front/*/*.mp4")))
    assert many == (3 if options else 1)


def test_the_description_counts_what_is_there(tmp_path):
    write(tmp_path, [episode(0), episode(1, length=5), episode(2)])
    info = json.loads((tmp_path / "meta/info.json").read_text())
    assert (info["total_episodes"], info["total_frames"], info["total_tasks"]) == (3, 29, 2)
    statistics = json.loads((tmp_path / "meta/stats.json").read_text())
    assert statistics["action"]["count"] == [29] and len(statistics["action"]["mean"]) == 7
    assert statistics["observation.state"]["max"][2] == pytest.approx(211.5)
    assert np.shape(statistics["observation.images.front"]["mean"]) == (3, 1, 1)
    assert 0 < statistics["observation.images.front"]["mean"][0][0][0] < 1
    rows = pq.read_table(tmp_path / "data/chunk-000/file-000.parquet")
    assert rows["index"].to_pylist() == list(range(29))
    assert rows["episode_index"].to_pylist() == [0] * 12 + [1] * 5 + [2] * 12


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"state": np.zeros((12, 4))}, r"observation.state has the shape \(12, 4\), expected \(12, 3\)"),
        ({"action": np.full((12, 7), np.nan)}, "not finite"),
        ({"success": np.zeros(3, bool)}, "next.success"),
        ({"images": {"front": episode(0)["images"]["front"]}}, "the cameras are"),
        ({"images": {k: v[:-1] for k, v in episode(0)["images"].items()}}, "11 images for 12 actions"),
        ({"images": {k: v[:, :32] for k, v in episode(0)["images"].items()}}, "expected uint8"),
    ],
)
def test_an_episode_that_does_not_fit_is_refused(tmp_path, change, message):
    with pytest.raises(DatasetError, match=message):
        write(tmp_path, [episode(0) | change])


def test_what_is_no_dataset_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"meta/info.json is absent"):
        Reader(tmp_path)
    with pytest.raises(DatasetError, match="at least one episode"):
        write(tmp_path, [])
    with pytest.raises(DatasetError, match="even sizes"):
        Writer(tmp_path, FPS, "panda", {"front": (65, 64)}, ["x"], NAMES)


def seen_by_every_camera(seed: int) -> dict:
    """An episode with labels and depth beside its colours."""
    one = episode(seed, length=6)
    rng = np.random.default_rng(seed)
    one["images"]["front_mask"] = picture_of(rng.integers(0, 8, (6, 64, 64)))
    one["images"]["front_depth"] = rng.integers(0, DEPTH_MAX + 1, (6, 64, 64)).astype(np.uint16)
    one["environment"] = np.arange(6)[:, None] + np.linspace(0, 1, 7)
    return one


def write_every_camera(root: Path, episodes: list[dict]) -> None:
    cameras = dict.fromkeys(("front", "wrist", "front_mask", "front_depth"), (64, 64))
    writer = Writer(root, FPS, "panda", cameras, ["x", "y", "z"], NAMES, [f"pose_{i}" for i in range(7)])
    for one in episodes:
        writer.add_episode(**one)
    writer.close()


def test_labels_and_depth_read_back_exactly(tmp_path):
    one = seen_by_every_camera(1)
    write_every_camera(tmp_path, [seen_by_every_camera(0), one])
    read = Reader(tmp_path).episode(1)
    assert set(read.images) == {"front", "wrist"}
    np.testing.assert_array_equal(picture_of(read.masks["front"]), one["images"]["front_mask"])
    np.testing.assert_array_equal(read.depths["front"], one["images"]["front_depth"])
    np.testing.assert_allclose(read.environment, one["environment"], rtol=1e-6)
    assert set(Reader(tmp_path).episode(0, ["front"]).images) == {"front"}
    with pytest.raises(DatasetError, match="holds 8 labels, not 9"):
        picture_of(np.full((2, 2), 8))


def test_joined_datasets_read_as_one(tmp_path):
    parts, episodes = [tmp_path / str(i) for i in range(3)], [seen_by_every_camera(i) for i in range(4)]
    for part, some in zip(parts, (episodes[:1], episodes[1:3], episodes[3:]), strict=True):
        write_every_camera(part, some)
    merge(parts, tmp_path / "joined")
    write_every_camera(tmp_path / "whole", episodes)
    joined, whole = Reader(tmp_path / "joined"), Reader(tmp_path / "whole")
    assert joined.info == whole.info
    for a, b, one in zip(joined, whole, episodes, strict=True):
        assert a.task == b.task == one["task"]
        np.testing.assert_array_equal(a.state, b.state)
        np.testing.assert_array_equal(a.depths["front"], one["images"]["front_depth"])
        # Where a file begins decides how well the codec does.
        assert np.abs(a.images["wrist"].astype(int) - b.images["wrist"]).max() < 12
    statistics = [json.loads((r.root / "meta/stats.json").read_text()) for r in (joined, whole)]
    assert statistics[0].keys() == statistics[1].keys()
    for key, values in statistics[0].items():
        for name in ("min", "max", "mean", "std", "count"):
            np.testing.assert_allclose(values[name], statistics[1][key][name], rtol=1e-9, err_msg=key)
    rows = pq.read_table(tmp_path / "joined/data/chunk-000/file-000.parquet")
    assert rows["index"].to_pylist() == list(range(24))


def test_datasets_that_differ_are_not_joined(tmp_path):
    write(tmp_path / "a", [episode(0)])
    write_every_camera(tmp_path / "b", [seen_by_every_camera(0)])
    with pytest.raises(DatasetError, match="another features"):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "c")
    with pytest.raises(DatasetError, match="no dataset to join"):
        merge([], tmp_path / "c")


def test_a_changed_file_is_told(tmp_path):
    write(tmp_path, [episode(0)])
    with pytest.raises(DatasetError, match="no whole dataset"):
        verify(tmp_path)
    seal(tmp_path)
    assert verify(tmp_path) == 7
    with (tmp_path / "data/chunk-000/file-000.parquet").open("ab") as file:
        file.write(b"x")
    (tmp_path / "added").write_text("")
    with pytest.raises(DatasetError, match=r"added, data/chunk-000/file-000.parquet differ"):
        verify(tmp_path)


OPENED_BY_LEROBOT = """
import json, sys
import torch
from lerobot.datasets.lerobot_dataset import LeRobotDataset

data = LeRobotDataset("local/test", root=sys.argv[1], video_backend="pyav")
items = [data[i] for i in range(len(data))]
batches = sum(1 for _ in torch.utils.data.DataLoader(data, batch_size=4))
print(json.dumps({
    "length": len(data),
    "episodes": data.num_episodes,
    "batches": batches,
    "depth_keys": data.meta.depth_keys,
    "tasks": [item["task"] for item in items],
    "action": [item["action"].tolist() for item in items],
    "environment": [item["observation.environment_state"].tolist() for item in items],
    "success": [bool(item["next.success"]) for item in items],
    "mask": [(item["observation.images.front_mask"][0] * 255 / 32).round().int().tolist() for item in items],
    "depth": [item["observation.images.front_depth"].squeeze().tolist() for item in items],
}))
"""


@pytest.mark.heavy
@pytest.mark.timeout(1800)
def test_the_real_package_opens_and_iterates_it(tmp_path):
    prefix = environment(tmp_path)
    episodes = [seen_by_every_camera(i) for i in range(3)]
    write_every_camera(tmp_path / "a", episodes[:2])
    write_every_camera(tmp_path / "b", episodes[2:])
    merge([tmp_path / "a", tmp_path / "b"], tmp_path / "joined")
    command = [prefix / "bin/python", "-c", OPENED_BY_LEROBOT, tmp_path / "joined"]
    ran = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    assert ran.returncode == 0, ran.stderr
    read = json.loads(ran.stdout.splitlines()[-1])
    assert (read["length"], read["episodes"], read["batches"]) == (18, 3, 5)
    assert read["depth_keys"] == ["observation.images.front_depth"]
    assert read["tasks"] == [one["task"] for one in episodes for _ in range(6)]
    np.testing.assert_allclose(read["action"], np.concatenate([o["action"] for o in episodes]), rtol=1e-6)
    together = np.concatenate([one["environment"] for one in episodes])
    np.testing.assert_allclose(read["environment"], together, rtol=1e-6)
    assert read["success"] == [bool(s) for one in episodes for s in one["success"]]
    for name, of in (
        ("mask", lambda o: labels_of(o["images"]["front_mask"])),
        ("depth", lambda o: o["images"]["front_depth"]),
    ):
        np.testing.assert_allclose(read[name], np.concatenate([of(one) for one in episodes]), atol=0.01)
