"""A LeRobot dataset in other formats: robomimic's HDF5, and the Zarr of diffusion policies' replay buffers.

Episode by episode, so that memory holds one of them. An export that was broken off goes on behind its last
whole episode. h5py and zarr are imported here and nowhere else.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from video2policy.dataset import checksums
from video2policy.dataset.lerobot import Episode, Reader

log = logging.getLogger("video2policy")

Arrays = dict[str, npt.NDArray[Any]]
DONE = "episodes_written"


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
        DatasetError: the source is not as it was written.
    """
    import h5py

    checksums.verify(source)
    reader = Reader(source)
    with h5py.File(target, "a") as file:
        data = file.require_group("data")
        first = int(data.attrs.get(DONE, 0))
        data.attrs["env_args"] = json.dumps(
            {"env_name": reader.info["robot_type"], "type": 0, "env_kwargs": {"control_freq": reader.fps}}
        )
        for index in range(first, len(reader)):
            episode = reader.episode(index)
            name = f"demo_{index}"
            if name in data:  # broken off within it
                del data[name]
            demo = data.create_group(name)
            length = len(episode.action)
            demo.attrs["num_samples"] = length
            demo["actions"] = episode.action
            demo["rewards"] = episode.success.astype(np.float32)
            demo["dones"] = (np.arange(length) == length - 1).astype(np.int64)
            for key, values in observations(episode).items():
                chunks = (1, *values.shape[1:]) if values.ndim > 2 else True
                demo.create_dataset(f"obs/{key}", data=values, chunks=chunks, compression="gzip")
            data.attrs[DONE] = index + 1
            file.flush()
            _tell(index, len(reader), target)
        data.attrs["total"] = int(reader.info["total_frames"])
        names = [f"demo_{i}" for i in range(len(reader))]
        for split, chosen in (
            ("train", [n for i, n in enumerate(names) if i % 10 != 9]),
            ("valid", names[9::10]),
        ):
            if f"mask/{split}" in file:
                del file[f"mask/{split}"]
            file[f"mask/{split}"] = np.array(chosen, dtype="S")
    return len(reader)


def to_zarr(source: Path, target: Path) -> int:
    """Write the folder `target` (Zarr format 2): data/*, all frames in a row, and meta/episode_ends.

    Raises:
        DatasetError: the source is not as it was written.
    """
    import zarr

    checksums.verify(source)
    reader = Reader(source)
    root = zarr.open_group(str(target), mode="a", zarr_format=2)
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
                    key, shape=(0, *values.shape[1:]), chunks=(chunk, *values.shape[1:]), dtype=values.dtype
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


def _tell(index: int, count: int, target: Path) -> None:
    if (index + 1) % 10 == 0 or index + 1 == count:
        log.info("%s: %d of %d episodes", target.name, index + 1, count)


EXPORTS: dict[str, Callable[[Path, Path], int]] = {".hdf5": to_robomimic, ".zarr": to_zarr}
"""End of the target's name -> what writes it."""
