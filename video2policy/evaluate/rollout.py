"""A video of judged episodes side by side, with their steps and the moment that satisfies the judge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import av
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Images = npt.NDArray[np.uint8]

HEADER = 28
"""Height in pixels of the line with the caption above the grid."""
HOLD_SECONDS = 1.0
"""How long the last picture stays."""
GREEN, RED, GREY, WHITE = (46, 160, 67), (207, 34, 46), (110, 118, 129), (255, 255, 255)


@dataclass(frozen=True)
class Shot:
    """One episode to show.

    Attributes:
        frames: (T, h, w, 3) uint8. title: a few words, such as "seed 0, episode 12".
        success_step: the row at which the judge was satisfied; -1 where the episode failed.
    """

    frames: Images
    title: str
    success_step: int


def choose(success: npt.NDArray[np.bool_], count: int) -> list[int]:
    """Episodes to show: the first successes, and last the first failure if there is one; at most `count`."""
    good, bad = np.flatnonzero(success), np.flatnonzero(~success)
    shown = [*good[: count - 1], *bad[:1]] if len(bad) else list(good[:count])
    if len(shown) < count:
        rest = [i for i in [*good, *bad] if i not in shown]
        shown += rest[: count - len(shown)]
    return [int(i) for i in shown]


def write_rollout(path: Path, shots: Sequence[Shot], caption: str, fps: int) -> None:
    """Write the shots as a grid, H.264 in MP4, one frame per control step.

    Raises:
        ValueError: no shot, or shots of different size.
    """
    if not shots:
        raise ValueError("there is no episode to show")
    shapes = {shot.frames.shape[1:] for shot in shots}
    if len(shapes) != 1:
        raise ValueError(f"episodes of different picture sizes: {sorted(shapes)}")
    height, width, _ = shapes.pop()
    columns = min(len(shots), math.ceil(math.sqrt(len(shots))))
    rows = math.ceil(len(shots) / columns)
    canvas_size = _even(columns * width), _even(HEADER + rows * height)
    length = max(len(shot.frames) for shot in shots)
    head = _font(16)
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height = canvas_size
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        stream.options = {"crf": "20", "preset": "veryfast"}
        for step in range(length + round(HOLD_SECONDS * fps)):
            canvas = Image.new("RGB", canvas_size, (13, 17, 23))
            ImageDraw.Draw(canvas).text((8, 5), _fit(caption, head, canvas_size[0] - 16), WHITE, head)
            for index, shot in enumerate(shots):
                at = (index % columns * width, HEADER + index // columns * height)
                canvas.paste(_panel(shot, min(step, len(shot.frames) - 1)), at)
            for packet in stream.encode(av.VideoFrame.from_image(canvas)):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)


def _panel(shot: Shot, step: int) -> Image.Image:
    image = Image.fromarray(shot.frames[step])
    draw, font = ImageDraw.Draw(image), _font(13)
    over = step == len(shot.frames) - 1
    if 0 <= shot.success_step <= step:
        colour, state = GREEN, f"success at step {shot.success_step}"
    elif over:
        colour, state = RED, "failed"
    else:
        colour, state = GREY, ""
    draw.rectangle((0, 0, image.width - 1, image.height - 1), outline=colour, width=3)
    for text, y in ((f"{shot.title}, step {step}", 6), (state, image.height - 22)):
        if text:
            draw.text((8, y), text, WHITE, font, stroke_width=2, stroke_fill=(0, 0, 0) if y == 6 else colour)
    return image


def _font(size: int) -> ImageFont.FreeTypeFont:
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size))


def _fit(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """The text, shortened with an ellipsis to `width` pixels."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"


def _even(size: int) -> int:
    return size + size % 2
