"""LeRobot datasets, format v3.0, written and read with PyArrow and PyAV alone.

Layout (https://huggingface.co/docs/lerobot/lerobot-dataset-v3):

    meta/info.json, meta/stats.json, meta/tasks.parquet, meta/episodes/chunk-000/file-000.parquet
    data/chunk-000/file-000.parquet                          one row per frame, episodes one after the other
    videos/observation.images.<camera>/chunk-000/file-000.mp4  likewise

Many episodes share one file; the episodes' table says where each begins. Files roll over at the sizes that
`info.json` states. The `lerobot` package itself is not needed; a test opens what this writes with it.

Beside RGB, a camera may show labels (`<camera>_mask`: lossless video, label k as grey MASK_STEP * k) and
depth (`<camera>_depth`: lossless video of 12 bits, millimetres, which LeRobot reads as a depth map).
`merge` joins datasets without encoding anew.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
ENVIRONMENT = "observation.environment_state"
MASK_SUFFIX, DEPTH_SUFFIX = "_mask", "_depth"
MASK_STEP = 32
"""Grey levels between two labels: nothing rounds one into another."""
DEPTH_MAX = 4095
"""Millimetres; what is further away counts as this far."""
DEPTH_INFO = {
    "depth_unit": "mm",
    "video.depth_min": 0.0,
    "video.depth_max": DEPTH_MAX / 1000,
    "video.shift": 0.0,
    "video.use_log": False,
}
"""How LeRobot finds the depth in the twelve bits, which here are the millimetres themselves."""
INDEX_COLUMNS = ("frame_index", "episode_index", "index", "task_index")
QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}


@dataclass(frozen=True)
class _Kind:
    """How a camera's pictures are encoded; without B-frames, so that a frame needs few others."""

    codec: str
    pixels: str
    channels: int
    options: Mapping[str, str]


_COLOUR = _Kind("libx264", "yuv420p", 3, {"crf": "20", "preset": "veryfast", "tune": "zerolatency"})
_LABELS = _Kind("libx264", "yuv420p", 3, {"qp": "0", "preset": "ultrafast", "tune": "zerolatency"})
_DEPTH = _Kind(
    "libx265",
    "gray12le",
    1,
    {"preset": "ultrafast", "tune": "zerolatency", "x265-params": "lossless=1:pools=none:log-level=error"},
)


def _kind(camera: str) -> _Kind:
    if camera.endswith(DEPTH_SUFFIX):
        return _DEPTH
    return _LABELS if camera.endswith(MASK_SUFFIX) else _COLOUR


Images = npt.NDArray[np.uint8]
Depths = npt.NDArray[np.uint16]
Picture = Images | Depths
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
            kind = _kind(self.key)
            self._stream = cast(VideoStream, self._container.add_stream(kind.codec, rate=self.fps))
            self._stream.height, self._stream.width = self.shape
            self._stream.pix_fmt = kind.pixels
            self._stream.gop_size = KEYFRAME_EVERY
            self._stream.thread_count = 1
            self._stream.options = dict(kind.options)
            self.frames = self.bytes = 0
        return self.frames / self.fps

    def expected(self) -> str:
        """Type and shape of its images, in words."""
        return f"uint16 {self.shape}" if _kind(self.key) is _DEPTH else f"uint8 {(*self.shape, 3)}"

    def add(self, image: Picture) -> None:
        assert self._stream is not None
        form = _DEPTH.pixels if image.dtype == np.uint16 else "rgb24"
        frame = av.VideoFrame.from_ndarray(cast(Any, np.ascontiguousarray(image)), format=form)
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
        cameras: camera name -> (height, width) in pixels, both even (the codec halves chroma); names
            that end in MASK_SUFFIX or DEPTH_SUFFIX are labels or depth.
        state_names, action_names: one name per dimension.
        environment_names: of what the policy must not see, such as the objects' poses; none leaves it out.
    """

    def __init__(
        self,
        root: Path,
        fps: int,
        robot: str,
        cameras: Mapping[str, tuple[int, int]],
        state_names: Sequence[str],
        action_names: Sequence[str],
        environment_names: Sequence[str] = (),
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
        self._vectors = {STATE: list(state_names), ACTION: list(action_names)}
        if environment_names:
            self._vectors[ENVIRONMENT] = list(environment_names)
        self._limits = (data_file_mb, video_file_mb)
        self._videos = {
            IMAGE_PREFIX + name: _Video(IMAGE_PREFIX + name, root, fps, shape, int(video_file_mb * 2**20))
            for name, shape in cameras.items()
        }
        self._tasks: dict[str, int] = {}
        self._episodes: list[dict[str, Any]] = []
        self._data = _Rows(root, data_file_mb)
        self._frames = 0

    def add_episode(
        self,
        task: str,
        state: npt.ArrayLike,
        action: npt.ArrayLike,
        success: npt.ArrayLike,
        images: Mapping[str, Iterable[Picture]],
        environment: npt.ArrayLike | None = None,
    ) -> None:
        """Append one episode of T frames.

        Args:
            task: what the episode does, in words.
            state: (T, len(state_names)). action: (T, len(action_names)). success: (T,) bool after the action.
            images: camera name -> T images (height, width, 3) uint8, RGB or `picture_of` labels; depth
                (height, width) uint16 in millimetres.
            environment: (T, len(environment_names)).

        Raises:
            DatasetError: shapes or numbers of frames that do not fit, or values that are not finite.
        """
        rows = {STATE: np.asarray(state, np.float32), ACTION: np.asarray(action, np.float32)}
        if environment is not None:
            rows[ENVIRONMENT] = np.asarray(environment, np.float32)
        length = len(rows[ACTION])
        if rows.keys() != self._vectors.keys():
            raise DatasetError(f"an episode has {sorted(rows)}, but the dataset {sorted(self._vectors)}")
        for key, names in self._vectors.items():
            if rows[key].shape != (length, len(names)) or length == 0:
                raise DatasetError(
                    f"{key} has the shape {rows[key].shape}, expected ({length}, {len(names)})"
                )
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
            **self._data.place(),
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
        self._data.add(_table(columns))
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

    def _add_images(self, images: Mapping[str, Iterable[Picture]], length: int) -> dict[str, Any]:
        where: dict[str, Any] = {"samples": {}}
        for name, frames in images.items():
            video = self._videos[IMAGE_PREFIX + name]
            start = video.begin_episode()
            samples = []
            count = 0
            for count, image in enumerate(frames, start=1):
                if f"{image.dtype} {image.shape}" != video.expected():
                    raise DatasetError(
                        f"camera {name}: an image of {image.dtype} {image.shape}, expected {video.expected()}"
                    )
                video.add(image)
                if (count - 1) % max(1, length // 4) == 0:
                    step = max(1, min(video.shape) // 64)
                    samples.append(image[::step, ::step].reshape(-1, _kind(name).channels))
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

    def close(self) -> None:
        """Finish the files and write `meta/`.

        Raises:
            DatasetError: no episode was added (the format cannot say that).
        """
        if not self._episodes:
            raise DatasetError("a dataset needs at least one episode")
        for video in self._videos.values():
            video.close()
        self._data.close()
        _write_meta(self.root, self._info(), list(self._tasks), self._episodes)

    def _info(self) -> dict[str, Any]:
        features: dict[str, Any] = {
            **{
                key: {"dtype": "float32", "shape": [len(names)], "names": names}
                for key, names in self._vectors.items()
            },
            SUCCESS: {"dtype": "bool", "shape": [1], "names": None},
        }
        for key, video in self._videos.items():
            kind = _kind(key)
            features[key] = {
                "dtype": "video",
                "shape": [*video.shape, kind.channels],
                "names": ["height", "width", "channels"],
                "info": {
                    "video.height": video.shape[0],
                    "video.width": video.shape[1],
                    "video.codec": "hevc" if kind is _DEPTH else "h264",
                    "video.pix_fmt": kind.pixels,
                    "is_depth_map": kind is _DEPTH,
                    "video.fps": self.fps,
                    "video.channels": kind.channels,
                    "has_audio": False,
                    **(DEPTH_INFO if kind is _DEPTH else {}),
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


class _Rows:
    """The data files: tables appended to the current one, which rolls over when it is full."""

    def __init__(self, root: Path, limit_mb: float) -> None:
        self.root, self.limit = root, limit_mb * 2**20
        self.file, self.bytes = _File(), 0
        self._writer: pq.ParquetWriter | None = None

    def place(self) -> dict[str, int]:
        """Where the next table goes, as the episodes' table says it."""
        return {"data/chunk_index": self.file.chunk_index, "data/file_index": self.file.file_index}

    def add(self, table: pa.Table) -> None:
        if self._writer is None:
            path = self.root / DATA_PATH.format(**vars(self.file))
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer, self.bytes = pq.ParquetWriter(path, table.schema, compression="zstd"), 0
        self._writer.write_table(table)
        self.bytes += table.nbytes
        if self.bytes > self.limit:
            self.close()
            self.file.advance()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _table(columns: Mapping[str, npt.NDArray[Any]]) -> pa.Table:
    """Rows of one episode; vectors as lists of fixed length."""
    arrays: dict[str, pa.Array] = {}
    for key, value in columns.items():
        arrays[key] = pa.array(value.reshape(-1))
        if value.ndim == 2:
            arrays[key] = pa.FixedSizeListArray.from_arrays(arrays[key], value.shape[1])
    return pa.table(arrays)


def _write_meta(
    root: Path, info: Mapping[str, Any], tasks: Sequence[str], episodes: Sequence[Mapping[str, Any]]
) -> None:
    (root / EPISODES_PATH).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(episodes)), root / EPISODES_PATH)
    _write_tasks(tasks, root / "meta" / "tasks.parquet")
    (root / "meta" / "stats.json").write_text(json.dumps(_pooled(episodes), indent=1) + "\n")
    (root / "meta" / "info.json").write_text(json.dumps(info, indent=1) + "\n")


def merge(parts: Sequence[Path], root: Path) -> None:
    """Join datasets of the same features into a new one; video files are linked or copied, not encoded anew.

    Raises:
        DatasetError: no dataset, or one whose features, robot or rate differ from the first's.
    """
    readers = [Reader(part) for part in parts]
    if not readers:
        raise DatasetError("there is no dataset to join")
    first = readers[0].info
    for reader in readers:
        for key in ("features", "robot_type", "fps"):
            if reader.info[key] != first[key]:
                raise DatasetError(f"{reader.root} cannot be joined to {readers[0].root}: another {key}")
    tasks: dict[str, int] = {}
    episodes: list[dict[str, Any]] = []
    data, videos = _Rows(root, first["data_files_size_in_mb"]), {c: _File() for c in readers[0].cameras}
    frames = 0
    for reader in readers:
        placed = {camera: _place_videos(reader, root, camera, file) for camera, file in videos.items()}
        rows = pq.read_table(reader.root / EPISODES_PATH).to_pylist()
        for row in rows:
            table = reader.table(row)
            shift = {"index": frames - row["dataset_from_index"], "episode_index": len(episodes)}
            label = tasks.setdefault(row["tasks"][0], len(tasks))
            length = row["length"]
            columns = {
                "index": table["index"].to_numpy() + shift["index"],
                "episode_index": np.full(length, shift["episode_index"]),
                "task_index": np.full(length, label),
            }
            for name, values in columns.items():
                table = table.set_column(table.schema.get_field_index(name), name, pa.array(values))
                for statistic, value in _statistics(values[:, None], False).items():
                    row[f"stats/{name}/{statistic}"] = value
            for camera, places in placed.items():
                where = [f"videos/{IMAGE_PREFIX}{camera}/{part}_index" for part in ("chunk", "file")]
                row |= dict(zip(where, places[row[where[0]], row[where[1]]], strict=True))
            row |= {
                "episode_index": len(episodes),
                **data.place(),
                "dataset_from_index": frames,
                "dataset_to_index": frames + length,
            }
            data.add(table)
            episodes.append(row)
            frames += length
    data.close()
    totals = {"total_episodes": len(episodes), "total_frames": frames, "total_tasks": len(tasks)}
    info = {**first, **totals, "splits": {"train": f"0:{len(episodes)}"}}
    _write_meta(root, info, list(tasks), episodes)


def _place_videos(
    reader: Reader, root: Path, camera: str, file: _File
) -> dict[tuple[int, int], tuple[int, int]]:
    """Bring one camera's files over; which (chunk, file) became which."""
    key, places = IMAGE_PREFIX + camera, {}
    for source in sorted((reader.root / "videos" / key).glob("*/*.mp4")):
        old = int(source.parent.name.split("-")[1]), int(source.stem.split("-")[1])
        places[old] = file.chunk_index, file.file_index
        target = root / VIDEO_PATH.format(video_key=key, **vars(file))
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target)
        except OSError:  # another file system
            shutil.copy2(source, target)
        file.advance()
    return places


def _pooled(episodes: Sequence[Mapping[str, Any]]) -> dict[str, Statistics]:
    """Statistics of all frames from those of the episodes; quantiles are their mean, as in LeRobot."""
    pooled: dict[str, Statistics] = {}
    keys = dict.fromkeys(name.split("/")[1] for name in episodes[0] if name.startswith("stats/"))
    for key in keys:
        of = {
            name: np.asarray([episode[f"stats/{key}/{name}"] for episode in episodes], dtype=float)
            for name in ("min", "max", "mean", "std", "count", *QUANTILES)
        }
        count = of["count"].reshape(-1, *[1] * (of["mean"].ndim - 1))

        def mean(values: npt.NDArray[np.float64], count: npt.NDArray[np.float64] = count) -> Any:
            return (values * count).sum(0) / count.sum()

        centre = mean(of["mean"])
        out = {"min": of["min"].min(0), "max": of["max"].max(0), "mean": centre}
        out["std"] = np.sqrt(mean(of["std"] ** 2 + (of["mean"] - centre) ** 2))
        out |= {name: mean(of[name]) for name in QUANTILES}
        pooled[key] = {name: value.tolist() for name, value in out.items()}
        pooled[key]["count"] = [int(count.sum())]
    return pooled


def _statistics(sample: npt.NDArray[Any], image: bool) -> Statistics:
    """Statistics of the rows of `sample` (n, d), as lists; images as (d, 1, 1), as in LeRobot.

    Colours are in [0, 1], depth in millimetres.
    """
    values = sample.astype(np.float64) / (255.0 if sample.dtype == np.uint8 else 1.0)
    out = {"min": values.min(0), "max": values.max(0), "mean": values.mean(0), "std": values.std(0)}
    out |= dict(zip(QUANTILES, np.quantile(values, list(QUANTILES.values()), axis=0), strict=True))
    shape = (-1, 1, 1) if image else (-1,)
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
        images: camera name -> (T, height, width, 3) uint8 RGB. environment: (T, e) float32, e may be 0.
        masks: camera name -> (T, height, width) uint8 labels. depths: likewise uint16 in millimetres.
    """

    task: str
    state: Floats
    action: Floats
    success: npt.NDArray[np.bool_]
    images: dict[str, Images]
    environment: Floats
    masks: dict[str, npt.NDArray[np.uint8]]
    depths: dict[str, Depths]


@contextmanager
def _damage_told(what: str) -> Iterator[None]:
    """Let a damaged file raise DatasetError, whatever reads it."""
    try:
        yield
    except DatasetError:
        raise
    except (av.FFmpegError, pa.ArrowException, OSError, LookupError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DatasetError(f"{what} cannot be read ({type(error).__name__}: {reason})") from error


class Reader:
    """Reads a dataset of the layout above.

    Raises:
        DatasetError: the folder holds no dataset of format v3.0, or a file of it is absent or damaged.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        with _damage_told(f"{root / 'meta'}"):
            self._read_meta(root)

    def _read_meta(self, root: Path) -> None:
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
        self.action_names: list[str] = features[ACTION]["names"]
        self.environment_names: list[str] = features.get(ENVIRONMENT, {"names": []})["names"]
        columns = [c for c in pq.read_schema(root / EPISODES_PATH).names if not c.startswith("stats/")]
        self._episodes = pq.read_table(root / EPISODES_PATH, columns=columns).to_pylist()

    def __len__(self) -> int:
        return len(self._episodes)

    def __iter__(self) -> Iterator[Episode]:
        return (self.episode(i) for i in range(len(self)))

    def episode(self, index: int, cameras: Sequence[str] | None = None) -> Episode:
        """One episode with the images of the named cameras (all by default); masks are cameras as well."""
        with _damage_told(f"episode {index} of {self.root}"):
            return self._read_episode(self._episodes[index], cameras)

    def _read_episode(self, row: Mapping[str, Any], cameras: Sequence[str] | None) -> Episode:
        table = self.table(row)

        def column(key: str, dtype: type = np.float32) -> Any:
            return np.stack(table[key].to_numpy()).astype(dtype, copy=False)

        frames = {name: self._frames(row, IMAGE_PREFIX + name) for name in cameras or self.cameras}

        def shown(suffix: str) -> dict[str, Any]:
            return {n.removesuffix(suffix): views for n, views in frames.items() if n.endswith(suffix)}

        return Episode(
            row["tasks"][0],
            column(STATE),
            column(ACTION),
            table[SUCCESS].to_numpy(),
            {name: views for name, views in frames.items() if _kind(name) is _COLOUR},
            column(ENVIRONMENT) if self.environment_names else np.zeros((row["length"], 0), np.float32),
            {name: labels_of(views) for name, views in shown(MASK_SUFFIX).items()},
            shown(DEPTH_SUFFIX),
        )

    def table(self, row: Mapping[str, Any]) -> pa.Table:
        """The data rows of one row of the episodes' table."""
        path = self.root / DATA_PATH.format(
            chunk_index=row["data/chunk_index"], file_index=row["data/file_index"]
        )
        return pq.read_table(path, filters=[("episode_index", "=", row["episode_index"])])

    def _frames(self, row: Mapping[str, Any], key: str) -> Any:
        path = self.root / VIDEO_PATH.format(
            video_key=key,
            chunk_index=row[f"videos/{key}/chunk_index"],
            file_index=row[f"videos/{key}/file_index"],
        )
        first = round(row[f"videos/{key}/from_timestamp"] * self.fps)
        form = _DEPTH.pixels if _kind(key) is _DEPTH else "rgb24"
        frames = []
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert stream.time_base is not None
            container.seek(round(Fraction(first, self.fps) / stream.time_base), stream=stream)
            for frame in container.decode(stream):
                if frame.pts is not None and round(frame.pts * stream.time_base * self.fps) >= first:
                    frames.append(frame.to_ndarray(format=form))
                if len(frames) == row["length"]:
                    break
        if len(frames) != row["length"]:
            raise DatasetError(
                f"{path} ends {row['length'] - len(frames)} frames before episode {row['episode_index']}"
            )
        return np.stack(frames)


def picture_of(labels: npt.NDArray[Any]) -> Images:
    """Labels (..., H, W), 0 to 7, as the grey picture (..., H, W, 3) that a mask's video holds."""
    if labels.max(initial=0) * MASK_STEP > 255:
        raise DatasetError(f"a mask holds {255 // MASK_STEP + 1} labels, not {labels.max() + 1}")
    return np.repeat((labels * MASK_STEP).astype(np.uint8)[..., None], 3, axis=-1)


def labels_of(picture: Images) -> npt.NDArray[np.uint8]:
    """The labels (..., H, W) of a mask's picture."""
    return np.rint(picture[..., 0] / MASK_STEP).astype(np.uint8)
