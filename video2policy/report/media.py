"""Pictures and videos of bounded size, as files beside the page that shows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
from PIL import Image, UnidentifiedImageError

from video2policy.clip import spread


@dataclass(frozen=True)
class Picture:
    """A picture beside the page: its file's name and its size in pixels."""

    name: str
    width: int
    height: int


@dataclass(frozen=True)
class Film:
    """A video beside the page: its file's name and its poster, which has the same size."""

    name: str
    poster: Picture


@dataclass(frozen=True)
class Bounds:
    """How large what a page shows may be. Pixels are of the long side."""

    picture: int = 1280
    thumb: int = 160
    video: int = 480
    rollout: int = 720
    seconds: float = 12.0
    frames_per_second: float = 12.0


def picture(path: Path, longest: int, target: Path) -> Picture | None:
    """Write the picture as a JPEG of at most `longest` pixels a side; None when it is unreadable."""
    try:
        with Image.open(path) as image:
            return _jpeg(image.convert("RGB"), longest, target)
    except (OSError, UnidentifiedImageError):
        return None


def strip(paths: list[Path], count: int, target: Path, height: int = 200) -> Picture | None:
    """`count` frames spread over the clip, side by side, from the first to the last."""
    if not paths:
        return None
    places = spread(len(paths), count)
    tiles = []
    try:
        for place in places:
            with Image.open(paths[place]) as image:
                tiles.append(
                    image.convert("RGB").resize((max(1, round(image.width * height / image.height)), height))
                )
    except (OSError, UnidentifiedImageError):
        return None
    sheet = Image.new("RGB", (sum(tile.width + 4 for tile in tiles) - 4, height), "white")
    left = 0
    for tile in tiles:
        sheet.paste(tile, (left, 0))
        left += tile.width + 4
    return _jpeg(sheet, sheet.width, target)


def film_of_frames(paths: list[Path], fps: float, bounds: Bounds, target: Path) -> Film | None:
    """A film from image files shown at `fps`; None when there are none or one is unreadable."""

    def images() -> Iterator[Image.Image]:
        for path in paths:
            with Image.open(path) as image:
                yield image.convert("RGB")

    try:
        kept = _thinned(images(), fps, bounds)
    except (OSError, UnidentifiedImageError):
        return None
    return _film(kept, fps, bounds, target) if kept else None


def film_of_video(path: Path, bounds: Bounds, target: Path) -> Film | None:
    """A film from a video file; None when it is absent or unreadable."""
    try:
        with av.open(str(path)) as container:
            fps = float(container.streams.video[0].average_rate or 25)
            kept = _thinned((frame.to_image() for frame in container.decode(video=0)), fps, bounds)
    except (av.FFmpegError, OSError, IndexError):
        return None
    return _film(kept, fps, bounds, target) if kept else None


def _stride(fps: float, bounds: Bounds) -> int:
    return max(1, round(fps / bounds.frames_per_second))


def _thinned(images: Iterable[Image.Image], fps: float, bounds: Bounds) -> list[Image.Image]:
    """Those images that stay within `bounds`, scaled to sides that H.264 can have: even ones."""
    kept = []
    for image in islice(images, 0, int(bounds.seconds * fps), _stride(fps, bounds)):
        scale = min(1.0, bounds.video / max(image.size))
        width, height = (max(2, round(side * scale / 2) * 2) for side in image.size)
        kept.append(image.resize((width, height)))
    return kept


def _film(images: list[Image.Image], fps: float, bounds: Bounds, target: Path) -> Film:
    """Encode as H.264 at the speed of the original, with the first image as the poster."""
    rate = Fraction(fps / _stride(fps, bounds)).limit_denominator(1000)
    width, height = images[0].size
    options = {"movflags": "faststart"}
    with av.open(str(target), "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "28", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = 1  # the same bytes on every run
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_image(image.resize((width, height)))))
        container.mux(stream.encode())
    return Film(target.name, _jpeg(images[0], bounds.video, target.with_suffix(".jpg")))


def _jpeg(image: Image.Image, longest: int, target: Path) -> Picture:
    image.thumbnail((longest, longest))
    image.save(target, "JPEG", quality=82, optimize=True)
    return Picture(target.name, *image.size)
