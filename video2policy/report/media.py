"""Pictures and videos as data URIs of bounded size, so that the page needs no other file."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
from PIL import Image, UnidentifiedImageError

from video2policy.clip import spread


@dataclass(frozen=True)
class Film:
    """A video to embed: an mp4 and its poster, both data URIs, and its size in pixels."""

    video: str
    poster: str
    width: int
    height: int


@dataclass(frozen=True)
class Bounds:
    """How large what one clip embeds may be. Pixels are of the long side."""

    picture: int = 1280
    video: int = 480
    rollout: int = 720
    seconds: float = 12.0
    frames_per_second: float = 12.0

    @classmethod
    def for_clips(cls, count: int) -> Bounds:
        """Smaller with many clips: the page stays below about 60 MB up to 100 of them."""
        if count <= 12:
            return cls()
        if count <= 40:
            return cls(picture=720, video=360, rollout=480, seconds=8.0, frames_per_second=10.0)
        return cls(picture=480, video=240, rollout=320, seconds=6.0, frames_per_second=8.0)


def picture(path: Path, longest: int) -> str | None:
    """The picture as a JPEG data URI of at most `longest` pixels a side; None when unreadable."""
    try:
        with Image.open(path) as image:
            return _jpeg(image.convert("RGB"), longest)
    except (OSError, UnidentifiedImageError):
        return None


def strip(paths: list[Path], count: int, height: int = 200) -> str | None:
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
    return _jpeg(sheet, sheet.width)


def film_of_frames(paths: list[Path], fps: float, bounds: Bounds) -> Film | None:
    """A film from image files shown at `fps`; None when there are none or one is unreadable."""

    def images() -> Iterator[Image.Image]:
        for path in paths:
            with Image.open(path) as image:
                yield image.convert("RGB")

    try:
        kept = _thinned(images(), fps, bounds)
    except (OSError, UnidentifiedImageError):
        return None
    return _film(kept, fps, bounds) if kept else None


def film_of_video(path: Path, bounds: Bounds) -> Film | None:
    """A film from a video file; None when it is absent or unreadable."""
    try:
        with av.open(str(path)) as container:
            fps = float(container.streams.video[0].average_rate or 25)
            kept = _thinned((frame.to_image() for frame in container.decode(video=0)), fps, bounds)
    except (av.FFmpegError, OSError, IndexError):
        return None
    return _film(kept, fps, bounds) if kept else None


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


def _film(images: list[Image.Image], fps: float, bounds: Bounds) -> Film:
    """Encode as H.264 at the speed of the original."""
    rate = Fraction(fps / _stride(fps, bounds)).limit_denominator(1000)
    width, height = images[0].size
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "28", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = 1  # the same bytes on every run
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_image(image.resize((width, height)))))
        container.mux(stream.encode())
    return Film(_uri("video/mp4", buffer.getvalue()), _jpeg(images[0], bounds.video), width, height)


def _jpeg(image: Image.Image, longest: int) -> str:
    image.thumbnail((longest, longest))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=82, optimize=True)
    return _uri("image/jpeg", buffer.getvalue())


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
