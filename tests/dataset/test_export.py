"""Exports hold what the dataset holds, and go on after a break."""

from __future__ import annotations

import json
import shutil

import h5py
import numpy as np
import pytest
import zarr

from scripts import export as script
from scripts.stage import Failed
from tests.dataset.test_lerobot import seen_by_every_camera, write_every_camera
from video2policy.dataset import export
from video2policy.dataset.checksums import NAME, seal, verify
from video2policy.dataset.lerobot import DatasetError, Reader


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp("dataset")
    write_every_camera(root, [seen_by_every_camera(i) for i in range(3)])
    seal(root)
    return root


def break_off(monkeypatch, write, source, target):
    """Let the export fail when it reads the third episode."""
    whole = Reader.episode

    def episode(self, index, cameras=None):
        if index == 2:
            raise KeyboardInterrupt
        return whole(self, index, cameras)

    monkeypatch.setattr(Reader, "episode", episode)
    with pytest.raises(KeyboardInterrupt):
        write(source, target)
    monkeypatch.setattr(Reader, "episode", whole)


def test_robomimic_reads_the_demonstrations(dataset, tmp_path, monkeypatch):
    target = tmp_path / "demo.hdf5"
    break_off(monkeypatch, export.to_robomimic, dataset, target)
    assert export.to_robomimic(dataset, target) == 3
    with h5py.File(target) as file:
        assert file["data"].attrs["total"] == 18
        assert [name.decode() for name in file["mask/train"]] == ["demo_0", "demo_1", "demo_2"]
        for index, episode in enumerate(Reader(dataset)):
            demo = file[f"data/demo_{index}"]
            assert demo.attrs["num_samples"] == 6 and demo["dones"][:].tolist() == [0, 0, 0, 0, 0, 1]
            np.testing.assert_array_equal(demo["actions"], episode.action)
            np.testing.assert_array_equal(demo["rewards"], episode.success)
            np.testing.assert_array_equal(demo["obs/front_image"], episode.images["front"])
            np.testing.assert_array_equal(demo["obs/front_depth"], episode.depths["front"])
            np.testing.assert_array_equal(demo["obs/object"], episode.environment)


def test_zarr_holds_all_frames_in_a_row(dataset, tmp_path, monkeypatch):
    target = tmp_path / "demo.zarr"
    break_off(monkeypatch, export.to_zarr, dataset, target)
    assert export.to_zarr(dataset, target) == 3
    root = zarr.open_group(str(target), mode="r")
    assert root["meta/episode_ends"][:].tolist() == [6, 12, 18]
    for index, episode in enumerate(Reader(dataset)):
        rows = slice(6 * index, 6 * index + 6)
        np.testing.assert_array_equal(root["data/action"][rows], episode.action)
        np.testing.assert_array_equal(root["data/wrist_image"][rows], episode.images["wrist"])
        np.testing.assert_array_equal(root["data/front_mask"][rows], episode.masks["front"])


def test_a_damaged_dataset_is_not_exported(tmp_path):
    write_every_camera(tmp_path / "data", [seen_by_every_camera(0)])
    with pytest.raises(DatasetError, match="no whole dataset"):
        export.to_zarr(tmp_path / "data", tmp_path / "demo.zarr")
    assert not (tmp_path / "demo.zarr").exists()


@pytest.fixture(scope="module")
def other(dataset, tmp_path_factory):
    """Another dataset, by its sums; its info.json counts what is not there."""
    root = tmp_path_factory.mktemp("other") / "dataset"
    shutil.copytree(dataset, root)
    info = root / "meta" / "info.json"
    info.write_text(json.dumps(json.loads(info.read_text()) | {"total_frames": 999}))
    seal(root)
    return root


@pytest.mark.parametrize("end", export.EXPORTS)
def test_an_export_does_not_go_on_with_another_dataset(end, dataset, other, tmp_path, monkeypatch):
    target = tmp_path / f"demo{end}"
    break_off(monkeypatch, export.EXPORTS[end], dataset, target)
    with pytest.raises(DatasetError, match="holds another dataset: remove it"):
        export.EXPORTS[end](other, target)
    assert export.EXPORTS[end](dataset, target) == 3


def test_frames_are_counted_not_believed(other, tmp_path):
    export.to_robomimic(other, tmp_path / "demo.hdf5")
    with h5py.File(tmp_path / "demo.hdf5") as file:
        assert file["data"].attrs["total"] == 18


def test_a_half_written_hdf5_is_begun_anew(dataset, tmp_path):
    target = tmp_path / "demo.hdf5"
    export.to_robomimic(dataset, target)
    target.write_bytes(target.read_bytes()[:5000])
    assert export.to_robomimic(dataset, target) == 3
    with h5py.File(target) as file:
        assert len(file["data"]) == 3


def test_no_episode_is_begun_without_space(dataset, tmp_path, monkeypatch):
    target, usage = tmp_path / "demo.hdf5", shutil.disk_usage(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
        with pytest.raises(DatasetError, match="No space left"):
            export.to_robomimic(dataset, target)
    assert export.to_robomimic(dataset, target) == 3


def test_a_target_that_cannot_be_written_is_said(dataset, tmp_path):
    (tmp_path / "junk.hdf5").write_text("junk" * 100)
    (tmp_path / "junk.zarr").write_text("junk")
    for name in ("junk.hdf5", "junk.zarr", "absent/demo.hdf5"):
        with pytest.raises(DatasetError, match=f"{name} cannot be written"):
            export.EXPORTS[name[-5:]](dataset, tmp_path / name)
    assert (tmp_path / "junk.hdf5").read_text() == "junk" * 100


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("meta/info.json", b"{oops"),
        ("meta/info.json", b"{}"),
        ("meta/info.json", b'{"codebase_version": "v3.0"}'),
        ("meta/episodes/chunk-000/file-000.parquet", b"PAR1junk"),
        ("data/chunk-000/file-000.parquet", b"PAR1junk"),
        ("videos/observation.images.front/chunk-000/file-000.mp4", b"junk"),
    ],
)
def test_a_damaged_file_is_said(name, content, dataset, tmp_path):
    root = tmp_path / "dataset"
    shutil.copytree(dataset, root)
    (root / name).write_bytes(content)
    seal(root)
    with pytest.raises(DatasetError, match=r"cannot be read|is of format None"):
        export.to_robomimic(root, tmp_path / "demo.hdf5")


@pytest.mark.parametrize("content", [b"rubbish\n", b"\xff\xfe"])
def test_sums_that_cannot_be_read_are_said(content, tmp_path):
    (tmp_path / "meta").mkdir()
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(DatasetError, match="is no list of sums"):
        verify(tmp_path)


def test_the_script_says_what_it_takes(dataset, tmp_path):
    script.main(dataset, tmp_path / "demo.hdf5")
    assert (tmp_path / "demo.hdf5").exists()
    with pytest.raises(Failed, match=r"one of \.hdf5, \.zarr"):
        script.main(dataset, tmp_path / "demo.npz")
    with pytest.raises(Failed, match="no whole dataset"):
        script.main(tmp_path, tmp_path / "other.hdf5")
