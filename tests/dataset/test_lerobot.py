"""Datasets read back as written, and opened by the real `lerobot` package where it is installed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from video2policy.dataset.lerobot import DatasetError, Reader, Writer

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


def test_the_real_package_opens_it(tmp_path):
    lerobot = pytest.importorskip(
        "lerobot.datasets.lerobot_dataset",
        reason="lerobot is not installed (it needs Python 3.12 and 7.6 GB)",
    )
    write(tmp_path, [episode(0), episode(1, length=5)])
    dataset = lerobot.LeRobotDataset("local/test", root=tmp_path, video_backend="pyav")
    assert len(dataset) == 17 and dataset.num_episodes == 2
    for index, one in ((0, episode(0)), (11, episode(0)), (14, episode(1, length=5))):
        item = dataset[index]
        frame = index if index < 12 else index - 12
        assert item["task"] == one["task"]
        np.testing.assert_allclose(item["action"].numpy(), one["action"][frame], rtol=1e-6)
        image = item["observation.images.front"].permute(1, 2, 0).numpy() * 255
        assert np.abs(image - one["images"]["front"][frame]).mean() < 6
