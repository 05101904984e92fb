"""Clips: decoding of any container or image folder into frames, and checks of their quality.

Pixels are RGB uint8 (H, W, 3). "Source" is the clip as it was given, "frames" what the stages work on
(long side at most 1024; the paper upscales to 1024, section 4: the switch ``upscale``).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple, cast, overload

import av
import cv2
import numpy as np
import PIL.Image
from av.stream import Disposition
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from video2policy.files import is_image
from video2policy.perceive.verdict import Rejected

Image = NDArray[np.uint8]

FOLDER_FPS = 12.0
"""Frames per second of an image folder, which does not say; SSv2's rate."""
THUMBNAIL = 320
"""Long side in pixels at which quality is judged, so that thresholds hold at any resolution."""

LISTS = frozenset({"concat", "dash", "hls"})
"""Formats that hold no pictures but names of other files."""

MIN_ASPECT = 0.2
"""Width of a pixel over its height, or the other way round, below which what the file says is no aspect."""
MIN_SIDE, MAX_ELONGATION = 48, 10
"""Pixels on the short side, and how many times as long the long one may be, for anything to be seen."""
MAX_DAMAGED = 0.2
"""Share of damaged frames beyond which what is left is no clip."""
UNEVEN = 0.1
"""Distance in time from even spacing, as a part of the clip, that makes speeds in it wrong."""

DARK = 24
"""Grey value below which nothing can be told; no part of a black frame is brighter."""
MOVED = 12.0
"""Change of a smoothed grey value that noise and compression do not make."""
EXIF_IFD, EXIF_FOCAL_35MM = 0x8769, 0xA405
LENS_KEY = re.compile(r"(35mm_?equivalent|focal_?length_?in_?35_?mm_?(film|format)?)$", re.IGNORECASE)
"""Names under which containers keep a 35 mm equivalent focal length; Apple's is
com.apple.quicktime.camera.focal_length.35mm_equivalent."""


@dataclass(frozen=True)
class Limits:
    """Thresholds of the quality checks."""

    min_frames: int = 8
    """Frames that the source must have."""
    max_seconds: float = 60.0
    """Longest clip; decoding stops there."""
    max_camera_motion: float = 0.04
    """Largest displacement of the background, as a fraction of the frame's diagonal."""
    min_sharpness: float = 0.001
    """Least share of fine detail in the grey values' variance (see ``sharpness``), median over the frames."""
    max_cuts: int = 0
    min_motion: float = 0.0004
    """Least share of the picture that differs from the first frame at some time."""
    min_light: float = 0.02
    """Least share of the picture that is not black, in the frame that has most."""

    @classmethod
    def from_config(cls, values: dict[str, Any]) -> Limits:
        """Raises ValueError for a name that is not a threshold."""
        known = [f.name for f in fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise ValueError(f"frames.quality.{unknown[0]} is not one of {', '.join(known)}")
        return cls(**values)


@dataclass(frozen=True)
class SourceFrame:
    """A decoded frame: its index in the source, its time in seconds (None if unknown), its RGB pixels."""

    index: int
    time: float | None
    image: Image


@dataclass
class Source:
    """A clip that can be decoded more than once, one frame in memory at a time.

    After a pass ``faults`` tell what is odd about it, such as why decoding ended early, and ``damaged`` how
    many frames were left out, which keep their numbers. ``timed``: whether ``fps`` was read, not assumed.
    ``lens`` tells what the clip's metadata say of the lens: ``equivalent`` focal length (mm, 35 mm film), the
    ``source`` of it, and whether it is a ``video``, which may be cropped.
    """

    path: Path
    fps: float = FOLDER_FPS
    timed: bool = True
    damaged: int = 0
    faults: list[str] = field(default_factory=list)
    lens: dict[str, Any] | None = None
    _images: list[Path] = field(default_factory=list)

    @classmethod
    def open(cls, path: Path) -> Source:
        """Raises Rejected for a missing, unreadable or empty clip, in one sentence that names it."""
        if path.exists() and not os.access(path, os.R_OK):
            raise Rejected(f"clip {path} may not be read (permission denied); give yourself the right to")
        if path.is_dir():
            images = sorted(
                (p for p in path.iterdir() if is_image(p.name)),
                key=lambda p: [int(s) if s.isdecimal() else s for s in re.split(r"(\d+)", p.name)],
            )
            if not images:
                raise Rejected(f"clip {path} is a folder without images; put its frames there or give a file")
            return cls(path, _images=images)
        if not path.is_file():
            raise Rejected(f"clip {path} does not exist; check the sheet's clip column")
        if path.stat().st_size == 0:
            raise Rejected(f"clip {path} is an empty file; copy or download it again")
        return cls(path)

    def __iter__(self) -> Iterator[SourceFrame]:
        self.faults, self.damaged = [], 0
        return self._decode_images() if self._images else self._decode_video()

    def _decode_images(self) -> Iterator[SourceFrame]:
        shape = None
        self.lens = photo_lens(self._images[0])
        for index, path in enumerate(self._images):
            image = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if image is None:
                self.faults.append(f"{path.name} is not a readable image")
                return
            if shape is not None and image.shape != shape:
                raise Rejected(
                    f"clip {self.path}: {path.name} is {image.shape[1]}x{image.shape[0]}, the images before "
                    f"it are {shape[1]}x{shape[0]}; give frames of one size"
                )
            shape = image.shape
            yield SourceFrame(index, index / self.fps, _rgb(image))

    def _decode_video(self) -> Iterator[SourceFrame]:
        try:
            # "10:30.mp4" would name a protocol; what lists other files must not reach the network.
            with av.open(f"file:{self.path}", options={"protocol_whitelist": "file"}) as container:
                if container.format.name in LISTS:
                    raise Rejected(f"clip {self.path} is a list of other files; give a video file")
                stream = main_stream(container.streams.video)
                if stream is None:
                    raise Rejected(
                        f"clip {self.path} has no video stream that can be decoded; give a video file"
                    )
                stream.thread_type = "AUTO"
                # Files without proper time stamps declare absurd rates (seen: 570 for one of 30).
                rates = (stream.average_rate, stream.guessed_rate)
                rate = next((r for r in rates if r and 1 <= r <= 240), None)
                self.fps, self.timed = float(rate or FOLDER_FPS), rate is not None
                self.lens = video_lens({**container.metadata, **stream.metadata})
                aspect = float(stream.sample_aspect_ratio or 1)
                if not MIN_ASPECT < aspect < 1 / MIN_ASPECT:
                    self.faults.append(f"pixels {aspect:.3g} times as wide as high are taken as square")
                    aspect = 1.0
                last = 0.0
                for index, frame in enumerate(container.decode(stream)):
                    if frame.is_corrupt:
                        self.damaged += 1
                        continue
                    image = square_pixels(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8), aspect)
                    last = frame.time or 0.0
                    yield SourceFrame(index, frame.time, upright(image, display_matrix(frame)))
                declared = (container.duration or 0) / av.time_base
                if 0 < last < 0.9 * declared - 1 / self.fps:
                    self.faults.append(f"it ends after {last:.1f} of {declared:.1f} s")
        except av.FFmpegError as error:
            self.faults.append(error.strerror or type(error).__name__)


def main_stream(streams: Iterable[av.VideoStream]) -> av.VideoStream | None:
    """The stream of a container that is the clip: the largest picture, no cover and no thumbnail."""
    moving = [s for s in streams if s.codec_context and not s.disposition & Disposition.attached_pic]
    return max(moving, key=lambda s: (s.frames != 1, s.width * s.height), default=None)


def display_matrix(frame: av.VideoFrame) -> NDArray[Any]:
    """What a pixel's (x, y) is multiplied with, as a row, for its place on the screen, (2, 2)."""
    try:
        data = cast(Mapping[str, Any], frame.side_data)["DISPLAYMATRIX"]
        return np.frombuffer(bytes(data), np.int32).reshape(3, 3)[:2, :2]
    except (KeyError, ValueError):  # none, or PyAV stumbles over data of another kind, such as EXIF
        turn = np.radians(frame.rotation)
        return np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])


def upright(image: Image, matrix: NDArray[Any]) -> Image:
    """The picture (H, W, 3) as a display matrix (2, 2) shows it, to the nearest quarter turn and mirrored."""
    (across, down), (right, along) = matrix.tolist()
    if abs(down) > abs(across):
        image, across, along = image.swapaxes(0, 1), right, down
    return np.ascontiguousarray(image[:: -1 if along < 0 else 1, :: -1 if across < 0 else 1])


def square_pixels(image: Image, aspect: float) -> Image:
    """The picture (H, W, 3) as it is shown: stretched where a pixel is not square (width over height)."""
    if abs(aspect - 1) < 0.005:
        return image
    size = (max(1, round(image.shape[1] * aspect)), image.shape[0])
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _lens(equivalent: Any, source: str, video: bool) -> dict[str, Any] | None:
    """What metadata say of the lens, if any lens has that."""
    try:
        value = float(equivalent)
    except (TypeError, ValueError):
        return None
    return {"equivalent": value, "source": source, "video": video} if 8 <= value <= 800 else None


def video_lens(metadata: Mapping[str, str]) -> dict[str, Any] | None:
    """The lens by a container's tags, None where they are silent."""
    found = (_lens(value, key, True) for key, value in metadata.items() if LENS_KEY.search(key))
    return next((lens for lens in found if lens), None)


def photo_lens(path: Path) -> dict[str, Any] | None:
    """The lens by an image's EXIF (FocalLengthIn35mmFilm), None where it is silent."""
    try:
        with PIL.Image.open(path) as image:
            value = image.getexif().get_ifd(EXIF_IFD).get(EXIF_FOCAL_35MM)
    except (OSError, SyntaxError, ValueError):  # whatever it is, it is no lens
        return None
    return _lens(value, "FocalLengthIn35mmFilm", False)


def _rgb(image: NDArray[Any]) -> Image:
    """OpenCV's BGR as RGB."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def thumbnail(image: Image) -> Image:
    """Grey copy (H, W) with long side THUMBNAIL."""
    scale = THUMBNAIL / max(image.shape[:2])
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(grey, size, interpolation=how), np.uint8)


class CameraMotion:
    """Displacement of the background against the first frame, from feature tracks.

    Each feature is searched for with its patch of the first frame, so errors do not add up and features come
    back after a hand has covered them. A moving hand or object takes features along: while a third of them
    stands still the camera does. Where fewer do, the picture's cells vote, each once, whatever it shows; only
    if they moved too a similarity transform is fitted with RANSAC.
    """

    STILL = 0.006
    """Displacement below which a feature stands still, fraction of the diagonal."""
    STILL_SHARE = 0.33
    AROUND = 5
    """Frames in a row, of most of which a displacement must be."""

    CELLS = (4, 6)
    """Rows and columns of cells that give features: the prints on an object that moves must not outvote the
    faint grain of the table around it."""
    PER_CELL = 16
    MIN_GRADIENT = 1.2
    """Grey levels per pixel, root mean square in a feature's weaker direction: less is noise."""

    REACH = 16
    """Pixels around its place in which a cell is searched for."""
    MATCH = 0.7
    """Correlation from which a cell is found again."""
    PEAK = 1.3
    """So many times as much must be left unexplained (1 - correlation) at places further off."""
    MIN_DETAIL = 0.7
    """Standard deviation in grey levels of the detail in a cell that votes."""

    def __init__(self, first: Image) -> None:
        self.first = first
        self.diagonal = float(np.hypot(*first.shape))
        self.points = self._features(first)
        self.guess = self.points.copy()
        self.shifts: list[float] = []

    def _features(self, image: Image) -> NDArray[np.float32]:
        """Corners (n, 2) from every cell of the picture."""
        block = 5
        # OpenCV scales 8-bit gradients by 2 / 255 here.
        sharp = cv2.cornerMinEigenVal(image, block) > (2 / 255 * self.MIN_GRADIENT) ** 2
        found: list[NDArray[np.float32]] = [np.zeros((0, 2), np.float32)]
        for rows, columns in self._cells(image):
            cell = np.zeros(image.shape, np.uint8)
            cell[rows, columns] = 255
            cell[~sharp] = 0
            points = cv2.goodFeaturesToTrack(image, self.PER_CELL, 0.01, 7, mask=cell, blockSize=block)
            if points is not None:
                found.append(np.asarray(points.reshape(-1, 2), np.float32))
        return np.concatenate(found)

    def _cells(self, image: Image) -> Iterator[tuple[slice, slice]]:
        """Rows and columns of every cell."""
        for rows in np.array_split(np.arange(image.shape[0]), self.CELLS[0]):
            for columns in np.array_split(np.arange(image.shape[1]), self.CELLS[1]):
                yield slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)

    @property
    def largest(self) -> float:
        """The largest displacement that lasted: in one or two frames alone, most features of which are
        covered, it is an error."""
        if len(self.shifts) < self.AROUND:
            return max(self.shifts, default=0.0)
        return float(np.median(sliding_window_view(self.shifts, self.AROUND), axis=1).max())

    @property
    def measurable(self) -> bool:
        return len(self.points) >= 12

    def update(self, grey: Image) -> float:
        """Displacement of the background in ``grey``, as a fraction of the diagonal."""
        if not self.measurable or grey.shape != self.first.shape:
            return 0.0
        flags = cv2.OPTFLOW_USE_INITIAL_FLOW
        there, found, _ = cv2.calcOpticalFlowPyrLK(
            self.first, grey, self.points, self.guess.copy(), winSize=(15, 15), maxLevel=3, flags=flags
        )
        back, refound, _ = cv2.calcOpticalFlowPyrLK(
            grey, self.first, there, self.points.copy(), winSize=(15, 15), maxLevel=3, flags=flags
        )
        loop = np.linalg.norm(back - self.points, axis=1)
        good = (found.ravel() > 0) & (refound.ravel() > 0) & (loop < 1.0)
        if good.sum() < 8:
            return 0.0  # everything is covered; nothing can be said about this frame
        self.guess[good] = there[good]
        shift = np.linalg.norm(there[good] - self.points[good], axis=1) / self.diagonal
        still = shift < self.STILL
        if still.mean() >= self.STILL_SHARE:
            motion = float(np.median(shift[still]))
        elif self._cells_stand(grey):
            motion = 0.0
        else:
            motion = self._fitted(self.points[good], there[good])
        self.shifts.append(motion)
        return motion

    def _cells_stand(self, grey: Image) -> bool:
        """Whether more cells of the first frame are found where they were than elsewhere near.

        The prints on what a hand moves give most features where the table is plain, but cover few cells.
        """
        before, after = detail(self.first), np.pad(detail(grey), self.REACH)
        window = np.hypot(*np.mgrid[-self.REACH : self.REACH + 1, -self.REACH : self.REACH + 1])
        votes = 0
        for rows, columns in self._cells(self.first):
            cell = before[rows, columns]
            if cell.std() < self.MIN_DETAIL:
                continue
            # The padding shifts what lies at a row by REACH.
            around = after[
                rows.start : rows.stop + 2 * self.REACH, columns.start : columns.stop + 2 * self.REACH
            ]
            match = cv2.matchTemplate(around, cell, cv2.TM_CCOEFF_NORMED)
            here, elsewhere = match[window <= 1].max(), match[window >= 4].max()
            best, worse = max(here, elsewhere), min(here, elsewhere)
            if best > self.MATCH and 1 - worse > self.PEAK * (1 - best):
                votes += 1 if here > elsewhere else -1
        return votes > 0

    def _fitted(self, before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
        """Mean displacement of the frame's corners under the dominant similarity, over the diagonal."""
        cv2.setRNGSeed(0)
        matrix, inlier = cv2.estimateAffinePartial2D(before, after, ransacReprojThreshold=1.5)
        if matrix is None or inlier.mean() < 0.25:
            return float(np.median(np.linalg.norm(after - before, axis=1)) / self.diagonal)
        height, width = self.first.shape
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
        moved = corners @ matrix[:, :2].T + matrix[:, 2]
        return float(np.linalg.norm(moved - corners, axis=1).mean() / self.diagonal)


def spread(frames: int, count: int) -> NDArray[np.int_]:
    """At most `count` frame numbers, evenly over a clip of so many frames, its first and last among them."""
    return np.unique(np.linspace(0, frames - 1, count).round().astype(int))


def is_cut(before: Image, after: Image) -> bool:
    """Whether much of the picture changes between two thumbnails, brightness apart, and what it shows too.

    An arm that comes in at once changes much as well, but the scene beside it stays.
    """
    if before.shape != after.shape:
        return True
    a, b = (cv2.GaussianBlur(g, (0, 0), 3).astype(np.float32) for g in (before, after))
    change = b - a
    if (np.abs(change - np.median(change)) > 18).mean() <= 0.4:
        return False
    a, b = (image - cv2.GaussianBlur(image, (0, 0), 10) for image in (a, b))
    alike = float((a * b).mean())
    return alike <= 0.3 * float(np.sqrt((a * a).mean() * (b * b).mean()))


def sharpness(grey: Image) -> float:
    """Share of a thumbnail's variance that is detail of less than about three pixels; 0 for a plain image."""
    variance = float(grey.var())
    if variance < 4.0:
        return 0.0
    fine = grey.astype(np.float32) - cv2.GaussianBlur(grey, (0, 0), 1.5).astype(np.float32)
    return float(fine.var()) / variance


def detail(grey: Image) -> NDArray[np.float32]:
    """A thumbnail without shading and without noise."""
    fine = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 0.8)
    return np.asarray(fine - cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 6), np.float32)


def smoothed(grey: Image) -> NDArray[np.float32]:
    """A thumbnail without noise and grain."""
    return cv2.GaussianBlur(grey, (0, 0), 2).astype(np.float32)


class Survey(NamedTuple):
    """What one pass over a source tells: number, size and rate of its frames, and their quality."""

    n_frames: int
    width: int
    height: int
    fps: float
    fault: str | None
    camera_motion: float
    camera_measurable: bool
    sharpness: float
    cuts: list[int]
    motion: float
    light: float
    lens: dict[str, Any] | None


def survey(source: Source, limits: Limits) -> Survey:
    """Decode once and measure. Memory does not grow with the clip.

    Raises:
        Rejected: if nothing decodes, too much is damaged, the picture is too small or too narrow, or the clip
            is shorter or longer than ``limits`` allow.
    """
    camera: CameraMotion | None = None
    previous: Image | None = None
    sharp: list[float] = []
    cuts: list[int] = []
    places: list[int] = []
    times: list[float] = []
    rising = True
    motion = light = 0.0
    first = np.zeros((0, 0), np.float32)
    shape = (0, 0)
    for frame in source:
        grey = thumbnail(frame.image)
        if previous is None or camera is None:
            shape = frame.image.shape[:2]
            if min(shape) < MIN_SIDE or max(shape) > MAX_ELONGATION * min(shape):
                raise Rejected(
                    f"clip {source.path} is too small or too narrow ({shape[1]}x{shape[0]}); give one of at "
                    f"least {MIN_SIDE} pixels a side and at most {MAX_ELONGATION} times as long as wide"
                )
            camera, first = CameraMotion(grey), smoothed(grey)
        else:
            if grey.shape == first.shape:
                change = np.abs(smoothed(grey) - first)
                # A lamp or the camera's exposure changes everything alike.
                change = np.abs(change - np.median(change))
                motion = max(motion, float((change > MOVED).mean()))
            if is_cut(previous, grey):
                cuts.append(frame.index)
            camera.update(grey)
        sharp.append(sharpness(grey))
        light = max(light, float((grey > DARK).mean()))
        previous = grey
        places.append(frame.index)
        rising &= frame.time is not None and not (times and frame.time <= times[-1])
        if frame.time is not None:
            times.append(frame.time)
        seconds = times[-1] - times[0] if rising else len(places) / source.fps
        if seconds > limits.max_seconds + 1:
            raise Rejected(
                f"clip {source.path} is longer than {limits.max_seconds:g} s; cut out the part that shows "
                "one action, or raise frames.quality.max_seconds"
            )
    faults = [*source.faults]
    if source.damaged:
        faults.insert(0, f"{source.damaged} of {source.damaged + len(places)} frames are damaged")
    why = f" ({'; '.join(faults)})" if faults else ""
    if camera is None:
        raise Rejected(f"clip {source.path}: no frame could be decoded{why}; check that the file is complete")
    if source.damaged > MAX_DAMAGED * (source.damaged + len(places)):
        raise Rejected(f"clip {source.path}: {faults[0]}; copy or export it again")
    if len(places) < limits.min_frames:
        what = "1 frame" if len(places) == 1 else f"{len(places)} frames"
        cause = f" before decoding failed{why}" if why else ""
        raise Rejected(
            f"clip {source.path} has {what}{cause}, at least {limits.min_frames} are needed; give a longer "
            "clip"
        )
    span = times[-1] - times[0] if len(times) == len(places) else 0.0
    timed = (places[-1] - places[0]) / span if span > 0 else 0.0
    fps = source.fps
    if 1 <= timed <= 240 or (timed and rising and not source.timed):
        fps = timed
        even = times[0] + (np.array(places) - places[0]) / fps
        if np.abs(even - times).max() > UNEVEN * span:
            faults.append("uneven frame times")
    elif not source.timed:
        faults.append(f"frame rate unknown, {fps:g} assumed")
    return Survey(
        places[-1] + 1,
        shape[1],
        shape[0],
        fps,
        "; ".join(faults) or None,
        camera.largest,
        camera.measurable,
        float(np.median(sharp)),
        cuts,
        motion,
        light,
        source.lens,
    )


def complaint(path: Path, seen: Survey, limits: Limits) -> str | None:
    """One sentence on the worst quality check that fails, or None."""
    if seen.light < limits.min_light:
        return f"clip {path} is black throughout; check the file, or lower frames.quality.min_light"
    if len(seen.cuts) > limits.max_cuts:
        return (
            f"clip {path} has a cut at frame {seen.cuts[0]}; give one continuous shot, or raise "
            "frames.quality.max_cuts"
        )
    if seen.camera_motion > limits.max_camera_motion:
        return (
            f"clip {path}: the camera moves by {seen.camera_motion:.0%} of the picture, more than the "
            f"{limits.max_camera_motion:.0%} allowed; film with a fixed camera, or raise "
            "frames.quality.max_camera_motion"
        )
    if seen.motion < limits.min_motion:
        return (
            f"clip {path}: nothing moves from the first frame to the last; give a clip that shows an action, "
            "or lower frames.quality.min_motion"
        )
    if seen.sharpness < limits.min_sharpness:
        return (
            f"clip {path} is blurred throughout (sharpness {seen.sharpness:.4f}, needed "
            f"{limits.min_sharpness:g}); give a sharper clip, or lower frames.quality.min_sharpness"
        )
    return None


def file_hash(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of a folder's files that are not hidden."""
    digest = hashlib.sha256()
    shown = (p for p in path.glob("[!.]*") if p.is_file())
    files = sorted(shown) if path.is_dir() else [path]
    for file in files:
        if path.is_dir():
            digest.update(file.name.encode())
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def scale_for(width: int, height: int, long_side: int, upscale: bool) -> float:
    """Frame pixels per source pixel: long side at most ``long_side``, exactly that with ``upscale``."""
    scale = long_side / max(width, height)
    return scale if upscale or scale < 1 else 1.0


def extract(
    path: Path,
    folder: Path,
    *,
    long_side: int = 1024,
    max_frames: int = 240,
    upscale: bool = False,
    limits: Limits | None = None,
) -> tuple[dict[str, Any], str | None]:
    """Write the clip's frames into ``folder`` as 000000.jpg, ... and say what they are.

    A clip with more than ``max_frames`` frames is thinned by an even stride. Returns the clip's record
    (clip.json without video and caption) and the complaint of the quality checks, None if all passed.

    Raises:
        Rejected: if there is nothing to work on (missing, empty, undecodable, too short or too long).
    """
    limits = limits or Limits()
    source = Source.open(path)
    seen = survey(source, limits)
    stride = -(-seen.n_frames // max_frames)
    scale = scale_for(seen.width, seen.height, long_side, upscale)
    size = (max(1, round(seen.width * scale)), max(1, round(seen.height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    folder.mkdir(parents=True, exist_ok=True)
    source_index: list[int] = []
    for frame in source:
        if frame.index % stride or frame.index >= seen.n_frames:
            continue
        image = frame.image
        if (image.shape[1], image.shape[0]) != size:
            image = np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)
        name = folder / f"{len(source_index):06d}.jpg"
        ok, data = cv2.imencode(
            ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 95]
        )
        if not ok:
            raise RuntimeError(f"frame {frame.index} of {path} could not be encoded")
        name.write_bytes(data.tobytes())
        source_index.append(frame.index)
    diagonal = float(np.hypot(*size))
    record = {
        "fps": seen.fps / stride,
        "n_frames": len(source_index),
        "width": size[0],
        "height": size[1],
        "source": path.name,
        "source_width": seen.width,
        "source_height": seen.height,
        "source_frames": seen.n_frames,
        "source_fps": seen.fps,
        "scale": scale,
        "lens": seen.lens,
        "source_index": source_index,
        "sha256": file_hash(path),
        "quality": {
            "camera_motion_px": seen.camera_motion * diagonal,
            "camera_motion": seen.camera_motion,
            "camera_motion_measurable": seen.camera_measurable,
            "blur": seen.sharpness,
            "cuts": seen.cuts,
            "motion": seen.motion,
            "light": seen.light,
            "fault": seen.fault,
            "limits": asdict(limits),
        },
    }
    return record, complaint(path, seen, limits)


class Frames(Sequence[Image]):
    """The frames of a folder written by ``extract``, read one by one: RGB uint8 (H, W, 3)."""

    def __init__(self, folder: Path) -> None:
        self.paths = sorted(folder.glob("*.jpg"))

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> Image: ...
    @overload
    def __getitem__(self, index: slice) -> list[Image]: ...

    def __getitem__(self, index: int | slice) -> Image | list[Image]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        image = cv2.imread(str(self.paths[index]), cv2.IMREAD_COLOR)
        if image is None:
            raise OSError(f"frame {self.paths[index]} cannot be read")
        return _rgb(image)
