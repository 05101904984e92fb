"""A LeRobot dataset in other formats: robomimic's HDF5, and the Zarr of diffusion policies' replay buffers.

Episode by episode, so that memory holds one of them. An export that was broken off goes on behind its last
whole episode; it knows its dataset, so that it never goes on with another one's. h5py and zarr are imported
here and nowhere else.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from video2policy.dataset import checksums
from video2policy.dataset.lerobot import DatasetError, Episode, Reader

log = logging.getLogger("video2policy")

Arrays = dict[str, npt.NDArray[Any]]
DONE = "episodes_written"
SOURCE = "source_sha256"
"""Of the dataset's SHA256SUMS."""


def observations(episode: Episode) -> Arrays:
    """What is observed in an episode, by robomimic's usual names."""
    found: Arrays = {"robot_state": episode.state}
    if episode.environment.shape[1]:
        found["object"] = episode.environment
    found |= {f"{camera}_image": images for camera, images in episode.images.items()}
    found |= {f"{camera}_mask": labels for camera, labels in episode.masks.items()}
    found |= {f"{camera}_depth": depth for camera, depth in episode.depths.items()}
    return found


def to_robomimic(source: Path, target: Path) -> int:
    """Write `target` (.hdf5): data/demo_k with actions, rewards, dones and obs; how many demonstrations.

    Rewards are 1 where the judge is satisfied; dones mark an episode's last step. `mask/train` and
    `mask/valid` split off every tenth demonstration.

    Raises:
        DatasetError: the source is not as it was written; the target holds another, or cannot be written.
    """
    checksums.verify(source)
    reader = Reader(source)
    with _faults_told(target), _opened(target) as file:
        _claim(file, source, target)
        data = file.require_group("data")
        first = int(data.attrs.get(DONE, 0))
        data.attrs["env_args"] = json.dumps(
            {"env_name": reader.info["robot_type"], "type": 0, "env_kwargs": {"control_freq": reader.fps}}
        )
        for index in range(first, len(reader)):
            episode = reader.episode(index)
            observed = observations(episode)
            if sum(values.nbytes for values in observed.values()) > shutil.disk_usage(target.parent).free:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # HDF5 would crash
            name = f"demo_{index}"
            if name in data:  # broken off within it
                del data[name]
            demo = data.create_group(name)
            length = len(episode.action)
            demo.attrs["num_samples"] = length
            demo["actions"] = episode.action
            demo["rewards"] = episode.success.astype(np.float32)
            demo["dones"] = (np.arange(length) == length - 1).astype(np.int64)
            for key, values in observed.items():
                chunks = (1, *values.shape[1:]) if values.ndim > 2 else True
                demo.create_dataset(f"obs/{key}", data=values, chunks=chunks, compression="gzip")
            data.attrs[DONE] = index + 1
            file.flush()
            _tell(index, len(reader), target)
        names = [f"demo_{i}" for i in range(len(reader))]
        data.attrs["total"] = sum(int(data[name].attrs["num_samples"]) for name in names)
        for split, chosen in (
            ("train", [n for i, n in enumerate(names) if i % 10 != 9]),
            ("valid", names[9::10]),
        ):
            if f"mask/{split}" in file:
                del file[f"mask/{split}"]
            file[f"mask/{split}"] = np.array(chosen, dtype="S")
    return len(reader)


def _opened(target: Path) -> Any:
    """The file to go on with; one that was broken off while it was written cannot be opened, and is begun
    anew."""
    import h5py

    try:
        return h5py.File(target, "a")
    except BlockingIOError:  # another job writes it
        raise
    except OSError:
        if not target.is_file() or (target.stat().st_size and not h5py.is_hdf5(target)):
            raise
    log.info("%s: half-written, begun anew", target.name)
    return h5py.File(target, "w")


def to_zarr(source: Path, target: Path) -> int:
    """Write the folder `target` (Zarr format 2): data/*, all frames in a row, and meta/episode_ends.

    Raises:
        DatasetError: the source is not as it was written; the target holds another, or cannot be written.
    """
    import zarr

    checksums.verify(source)
    reader = Reader(source)
    with _faults_told(target):
        root = zarr.open_group(str(target), mode="a", zarr_format=2)
        _claim(root, source, target)
        data, meta = root.require_group("data"), root.require_group("meta")
        ends: list[int] = list(root.attrs.get(DONE, []))  # type: ignore[arg-type]
        for index in range(len(ends), len(reader)):
            episode = reader.episode(index)
            start, length = (ends[-1] if ends else 0), len(episode.action)
            columns = {"action": episode.action, "success": episode.success, **observations(episode)}
            for key, values in columns.items():
                chunk = 1 if values.ndim > 2 else 1024
                if key not in data:
                    data.create_array(
                        key,
                        shape=(0, *values.shape[1:]),
                        chunks=(chunk, *values.shape[1:]),
                        dtype=values.dtype,
                    )
                array: Any = data[key]
                array.resize((start + length, *values.shape[1:]))
                array[start:] = values
            ends.append(start + length)
            root.attrs[DONE] = ends
            _tell(index, len(reader), target)
        if "episode_ends" in meta:
            del meta["episode_ends"]
        meta.create_array("episode_ends", data=np.asarray(ends, np.int64))
    return len(reader)


def _claim(root: Any, source: Path, target: Path) -> None:
    """Write into a new target which dataset it is of; a DatasetError where it is of another."""
    mark = checksums.mark(source)
    if not len(root) and not len(root.attrs):
        root.attrs[SOURCE] = mark
    if root.attrs.get(SOURCE) != mark:
        raise DatasetError(f"{target} holds another dataset: remove it, or export to another file")


@contextmanager
def _faults_told(target: Path) -> Iterator[None]:
    """Let a target that cannot be written raise DatasetError, whatever writes it."""
    try:
        yield
    except DatasetError:
        raise
    except (OSError, RuntimeError, LookupError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DatasetError(
            f"{target} cannot be written ({reason}): see to its folder and the space there; where it holds"
            " something else, remove it"
        ) from error


def _tell(index: int, count: int, target: Path) -> None:
    if (index + 1) % 10 == 0 or index + 1 == count:
        log.info("%s: %d of %d episodes", target.name, index + 1, count)


EXPORTS: dict[str, Callable[[Path, Path], int]] = {".hdf5": to_robomimic, ".zarr": to_zarr}
"""End of the target's name -> what writes it."""
