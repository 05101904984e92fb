"""LeRobot datasets, format v3.0, written and read with PyArrow and PyAV alone.

Layout (https://huggingface.co/docs/lerobot/lerobot-dataset-v3):

    meta/info.json, meta/stats.json, meta/tasks.parquet, meta/episodes/chunk-000/file-000.parquet
    data/chunk-000/file-000.parquet                          one row per frame, episodes one after the other
    videos/observation.images.<camera>/chunk-000/file-000.mp4  likewise

Many episodes share one file; the episodes' table says where each begins. Files roll over at the sizes that
`info.json` states. The `lerobot` package itself is not needed; a test opens what this writes with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from av.video.stream import VideoStream

VERSION = "v3.0"
CHUNK_FILES = 1000
DATA_FILE_MB = 100
VIDEO_FILE_MB = 200
KEYFRAME_EVERY = 10
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES_PATH = "meta/episodes/chunk-000/file-000.parquet"
IMAGE_PREFIX = "observation.images."
STATE, ACTION, SUCCESS = "observation.state", "action", "next.success"
INDEX_COLUMNS = ("frame_index", "episode_index", "index", "task_index")
QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}

Images = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Statistics = dict[str, Any]


class DatasetError(ValueError):
    """A folder is no dataset that this module reads, or an episode does not fit the dataset."""


@dataclass
class _File:
    """Where the next rows or frames go."""

    chunk_index: int = 0
    file_index: int = 0

    def advance(self) -> None:
        self.file_index += 1
        if self.file_index == CHUNK_FILES:
            self.chunk_index, self.file_index = self.chunk_index + 1, 0


@dataclass
class _Video:
    """One camera's current file; frames are encoded as they come."""

    key: str
    root: Path
    fps: int
    shape: tuple[int, int]
    limit: int
    file: _File = field(default_factory=_File)
    frames: int = 0
    """Frames in the current file."""
    bytes: int = 0
    """Encoded so far in the current file (the file itself lags behind, it is buffered)."""
    _container: Any = None
    _stream: VideoStream | None = None

    @property
    def path(self) -> Path:
        return self.root / VIDEO_PATH.format(
            video_key=self.key, chunk_index=self.file.chunk_index, file_index=self.file.file_index
        )

    def begin_episode(self) -> float:
        """Roll over when the file is full; return the time in seconds at which the episode begins in it."""
        if self._container is not None and self.bytes > self.limit:
            self.close()
            self.file.advance()
        if self._container is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(str(self.path), "w")
            # No B-frames and short groups: any frame is found at its exact time after few decoded ones.
            self._stream = cast(VideoStream, self._container.add_stream("libx264", rate=self.fps))
            self._stream.height, self._stream.width = self.shape
            self._stream.pix_fmt = "yuv420p"
            self._stream.gop_size = KEYFRAME_EVERY
            self._stream.thread_count = 1
            self._stream.options = {"crf": "20", "preset": "veryfast", "tune": "zerolatency"}
            self.frames = self.bytes = 0
        return self.frames / self.fps

    def add(self, image: Images) -> None:
        assert self._stream is not None
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame.pts, frame.time_base = self.frames, Fraction(1, self.fps)
        for packet in self._stream.encode(frame):
            self.bytes += packet.size
            self._container.mux(packet)
        self.frames += 1

    def close(self) -> None:
        if self._container is not None:
            assert self._stream is not None
            for packet in self._stream.encode(None):
                self._container.mux(packet)
            self._container.close()
            self._container = self._stream = None


class Writer:
    """Appends episodes to a new dataset; `close` writes what describes them.

    Args:
        root: the dataset's folder; it must not hold a dataset yet.
        fps: control steps a second.
        robot: robot_type in info.json.
        cameras: camera name -> (height, width) in pixels, both even (the codec halves chroma).
        state_names, action_names: one name per dimension.
    """

    def __init__(
        self,
        root: Path,
        fps: int,
        robot: str,
        cameras: Mapping[str, tuple[int, int]],
        state_names: Sequence[str],
        action_names: Sequence[str],
        data_file_mb: float = DATA_FILE_MB,
        video_file_mb: float = VIDEO_FILE_MB,
    ) -> None:
        if (root / "meta" / "info.json").exists():
            raise DatasetError(f"{root} holds a dataset already")
        for name, (height, width) in cameras.items():
            if height % 2 or width % 2:
                raise DatasetError(
                    f"camera {name}: {width} x {height} px, but the video codec needs even sizes"
                )
        self.root, self.fps, self.robot = root, fps, robot
        self.state_names, self.action_names = list(state_names), list(action_names)
        self._limits = (data_file_mb, video_file_mb)
        self._videos = {
            IMAGE_PREFIX + name: _Video(IMAGE_PREFIX + name, root, fps, shape, int(video_file_mb * 2**20))
            for name, shape in cameras.items()
        }
        self._tasks: dict[str, int] = {}
        self._episodes: list[dict[str, Any]] = []
        self._seen: dict[str, list[npt.NDArray[Any]]] = {}
        self._data_file, self._data_writer = _File(), cast(pq.ParquetWriter | None, None)
        self._frames = 0

    def add_episode(
        self,
        task: str,
        state: npt.ArrayLike,
        action: npt.ArrayLike,
        success: npt.ArrayLike,
        images: Mapping[str, Iterable[Images]],
    ) -> None:
        """Append one episode of T frames.

        Args:
            task: what the episode does, in words.
            state: (T, len(state_names)). action: (T, len(action_names)). success: (T,) bool after the action.
            images: camera name -> T images (height, width, 3) uint8 RGB.

        Raises:
            DatasetError: shapes or numbers of frames that do not fit, or values that are not finite.
        """
        rows = {STATE: np.asarray(state, np.float32), ACTION: np.asarray(action, np.float32)}
        length = len(rows[ACTION])
        for key, width in ((STATE, len(self.state_names)), (ACTION, len(self.action_names))):
            if rows[key].shape != (length, width) or length == 0:
                raise DatasetError(f"{key} has the shape {rows[key].shape}, expected ({length}, {width})")
            if not np.isfinite(rows[key]).all():
                raise DatasetError(f"{key} holds values that are not finite")
        after = np.asarray(success, bool)
        if after.shape != (length,):
            raise DatasetError(f"{SUCCESS} has the shape {after.shape}, expected ({length},)")
        if {IMAGE_PREFIX + name for name in images} != set(self._videos):
            raise DatasetError(f"images of {sorted(images)}, but the cameras are {sorted(self._videos)}")
        frame = np.arange(length)
        columns: dict[str, npt.NDArray[Any]] = {
            **rows,
            SUCCESS: after,
            "timestamp": (frame / self.fps).astype(np.float32),
            "frame_index": frame,
            "episode_index": np.full(length, len(self._episodes)),
            "index": frame + self._frames,
            "task_index": np.full(length, self._tasks.setdefault(task, len(self._tasks))),
        }
        where = self._add_images(images, length)
        where |= {
            "data/chunk_index": self._data_file.chunk_index,
            "data/file_index": self._data_file.file_index,
            "dataset_from_index": self._frames,
            "dataset_to_index": self._frames + length,
        }
        samples = {
            **where.pop("samples"),
            **{key: value.reshape(length, -1) for key, value in columns.items()},
        }
        statistics = {
            f"stats/{key}/{name}": value
            for key, sample in samples.items()
            for name, value in _statistics(sample, key in self._videos).items()
        }
        for key, sample in samples.items():
            self._seen.setdefault(key, []).append(sample)
        self._add_rows(columns)
        self._episodes.append(
            {
                "episode_index": len(self._episodes),
                "tasks": [task],
                "length": length,
                **where,
                **statistics,
                "meta/episodes/chunk_index": 0,
                "meta/episodes/file_index": 0,
            }
        )
        self._frames += length

    def _add_images(self, images: Mapping[str, Iterable[Images]], length: int) -> dict[str, Any]:
        where: dict[str, Any] = {"samples": {}}
        for name, frames in images.items():
            video = self._videos[IMAGE_PREFIX + name]
            start = video.begin_episode()
            samples = []
            count = 0
            for count, image in enumerate(frames, start=1):
                if image.shape != (*video.shape, 3) or image.dtype != np.uint8:
                    raise DatasetError(
                        f"camera {name}: an image of {image.dtype} {image.shape}, "
                        f"expected uint8 {(*video.shape, 3)}"
                    )
                video.add(image)
                if (count - 1) % max(1, length // 4) == 0:
                    step = max(1, min(video.shape) // 64)
                    samples.append(image[::step, ::step].reshape(-1, 3))
            if count != length:
                raise DatasetError(f"camera {name}: {count} images for {length} actions")
            where["samples"][video.key] = np.concatenate(samples)
            where |= {
                f"videos/{video.key}/chunk_index": video.file.chunk_index,
                f"videos/{video.key}/file_index": video.file.file_index,
                f"videos/{video.key}/from_timestamp": start,
                f"videos/{video.key}/to_timestamp": video.frames / self.fps,
            }
        return where

    def _add_rows(self, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        arrays: dict[str, pa.Array] = {}
        for key, value in columns.items():
            if key in (STATE, ACTION):
                arrays[key] = pa.FixedSizeListArray.from_arrays(pa.array(value.reshape(-1)), value.shape[1])
            else:
                arrays[key] = pa.array(value)
        table = pa.table(arrays)
        if self._data_writer is None:
            path = self.root / DATA_PATH.format(**vars(self._data_file))
            path.parent.mkdir(parents=True, exist_ok=True)
            self._data_writer = pq.ParquetWriter(path, table.schema)
            self._data_bytes = 0
        self._data_writer.write_table(table)
        self._data_bytes += table.nbytes
        if self._data_bytes > self._limits[0] * 2**20:
            self._data_writer.close()
            self._data_writer = None
            self._data_file.advance()

    def close(self) -> None:
        """Finish the files and write `meta/`.

        Raises:
            DatasetError: no episode was added (the format cannot say that).
        """
        if not self._episodes:
            raise DatasetError("a dataset needs at least one episode")
        for video in self._videos.values():
            video.close()
        if self._data_writer is not None:
            self._data_writer.close()
        meta = self.root / "meta"
        (self.root / EPISODES_PATH).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(self._episodes), self.root / EPISODES_PATH)
        _write_tasks(list(self._tasks), meta / "tasks.parquet")
        statistics = {
            key: _statistics(np.concatenate(samples), key in self._videos)
            for key, samples in self._seen.items()
        }
        (meta / "stats.json").write_text(json.dumps(statistics, indent=1) + "\n")
        (meta / "info.json").write_text(json.dumps(self._info(), indent=1) + "\n")

    def _info(self) -> dict[str, Any]:
        features: dict[str, Any] = {
            STATE: {"dtype": "float32", "shape": [len(self.state_names)], "names": self.state_names},
            ACTION: {"dtype": "float32", "shape": [len(self.action_names)], "names": self.action_names},
            SUCCESS: {"dtype": "bool", "shape": [1], "names": None},
        }
        for key, video in self._videos.items():
            features[key] = {
                "dtype": "video",
                "shape": [*video.shape, 3],
                "names": ["height", "width", "channels"],
                "info": {
                    "video.height": video.shape[0],
                    "video.width": video.shape[1],
                    "video.codec": "h264",
                    "video.pix_fmt": "yuv420p",
                    "video.is_depth_map": False,
                    "video.fps": self.fps,
                    "video.channels": 3,
                    "has_audio": False,
                },
            }
        features["timestamp"] = {"dtype": "float32", "shape": [1], "names": None}
        features |= {key: {"dtype": "int64", "shape": [1], "names": None} for key in INDEX_COLUMNS}
        return {
            "codebase_version": VERSION,
            "robot_type": self.robot,
            "total_episodes": len(self._episodes),
            "total_frames": self._frames,
            "total_tasks": len(self._tasks),
            "chunks_size": CHUNK_FILES,
            "data_files_size_in_mb": self._limits[0],
            "video_files_size_in_mb": self._limits[1],
            "fps": self.fps,
            "splits": {"train": f"0:{len(self._episodes)}"},
            "data_path": DATA_PATH,
            "video_path": VIDEO_PATH,
            "features": features,
        }


def _statistics(sample: npt.NDArray[Any], image: bool) -> Statistics:
    """Statistics of the rows of `sample` (n, d), as lists; images as (3, 1, 1) in [0, 1], as in LeRobot."""
    values = sample.astype(np.float64) / (255.0 if image else 1.0)
    out = {"min": values.min(0), "max": values.max(0), "mean": values.mean(0), "std": values.std(0)}
    out |= dict(zip(QUANTILES, np.quantile(values, list(QUANTILES.values()), axis=0), strict=True))
    shape = (3, 1, 1) if image else (-1,)
    return {name: value.reshape(shape).tolist() for name, value in out.items()} | {"count": [len(values)]}


def _write_tasks(tasks: Sequence[str], path: Path) -> None:
    """The tasks' table: a pandas frame indexed by the task's text, which pandas finds in the metadata."""
    table = pa.table({"task_index": pa.array(range(len(tasks)), pa.int64()), "task": pa.array(tasks)})
    pandas = {
        "index_columns": ["task"],
        "column_indexes": [],
        "columns": [
            {"name": "task_index", "field_name": "task_index", "pandas_type": "int64", "numpy_type": "int64"},
            {"name": "task", "field_name": "task", "pandas_type": "unicode", "numpy_type": "object"},
        ],
        "pandas_version": "2.0.0",
    }
    for column in cast(list[dict[str, Any]], pandas["columns"]):
        column["metadata"] = None
    pq.write_table(table.replace_schema_metadata({"pandas": json.dumps(pandas)}), path)


@dataclass(frozen=True)
class Episode:
    """One episode as arrays.

    Attributes:
        state: (T, d) float32. action: (T, a) float32. success: (T,) bool.
        images: camera name -> (T, height, width, 3) uint8 RGB.
    """

    task: str
    state: Floats
    action: Floats
    success: npt.NDArray[np.bool_]
    images: dict[str, Images]


class Reader:
    """Reads a dataset of the layout above.

    Raises:
        DatasetError: the folder holds no dataset of format v3.0, or a file that it names is absent.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        if not (root / "meta" / "info.json").is_file():
            raise DatasetError(f"{root} holds no LeRobot dataset (meta/info.json is absent)")
        self.info: dict[str, Any] = json.loads((root / "meta" / "info.json").read_text())
        if self.info.get("codebase_version") != VERSION:
            raise DatasetError(
                f"{root} is of format {self.info.get('codebase_version')}, this reads {VERSION}"
            )
        self.fps = int(self.info["fps"])
        features = self.info["features"]
        self.cameras = [key[len(IMAGE_PREFIX) :] for key, f in features.items() if f["dtype"] == "video"]
        self.state_names: list[str] = features[STATE]["names"]
        columns = [c for c in pq.read_schema(root / EPISODES_PATH).names if not c.startswith("stats/")]
        self._episodes = pq.read_table(root / EPISODES_PATH, columns=columns).to_pylist()

    def __len__(self) -> int:
        return len(self._episodes)

    def __iter__(self) -> Iterator[Episode]:
        return (self.episode(i) for i in range(len(self)))

    def episode(self, index: int, cameras: Sequence[str] | None = None) -> Episode:
        """One episode with the images of the named cameras (all by default)."""
        row = self._episodes[index]
        path = self.root / DATA_PATH.format(
            chunk_index=row["data/chunk_index"], file_index=row["data/file_index"]
        )
        table = pq.read_table(path, filters=[("episode_index", "=", row["episode_index"])])
        columns = {
            key: np.stack(table[key].to_numpy()).astype(np.float32, copy=False) for key in (STATE, ACTION)
        }
        success = table[SUCCESS].to_numpy()
        names = self.cameras if cameras is None else cameras
        images = {name: self._frames(row, IMAGE_PREFIX + name) for name in names}
        return Episode(row["tasks"][0], columns[STATE], columns[ACTION], success, images)

    def _frames(self, row: Mapping[str, Any], key: str) -> Images:
        path = self.root / VIDEO_PATH.format(
            video_key=key,
            chunk_index=row[f"videos/{key}/chunk_index"],
            file_index=row[f"videos/{key}/file_index"],
        )
        first = round(row[f"videos/{key}/from_timestamp"] * self.fps)
        frames = []
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert stream.time_base is not None
            container.seek(round(Fraction(first, self.fps) / stream.time_base), stream=stream)
            for frame in container.decode(stream):
                if frame.pts is not None and round(frame.pts * stream.time_base * self.fps) >= first:
                    frames.append(frame.to_ndarray(format="rgb24"))
                if len(frames) == row["length"]:
                    break
        if len(frames) != row["length"]:
            raise DatasetError(
                f"{path} ends {row['length'] - len(frames)} frames before episode {row['episode_index']}"
            )
        return np.stack(frames)
