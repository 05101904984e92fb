"""What the prompt's frame shows of an object, told from the clip's other end, where it has left its place."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.mask import area, bounding_box, box_iou, main_components
from video2policy.perceive.colour import beyond, largest_channel, relit
from video2policy.perceive.footage import Footage
from video2policy.perceive.morphology import disc, grow, region
from video2policy.perceive.prompt import Prompt

Mask = NDArray[np.bool_]

END = 8
"""The first and the last so-manieth part of a clip are its ends."""
DIFFERENT, SAME = 24, 12
"""Differences of 8-bit colours above which a pixel shows something else, and below which the same."""
SPANS, LEAST = 0.75, 0.05
"""Least overlap of what is gone with the prompt's box, box with box, and share of the box that it covers."""
TRULY = 0.5
"""Least share of what is gone that differs from all that is seen within a pixel of its place."""


class Departed(NamedTuple):
    """Masks (H, W) within the prompt's box: what is gone at another end of the clip, and what is not."""

    gone: Mask
    same: Mask


def departed(footage: Footage, prompt: Prompt) -> Departed | None:
    """How the prompt's frame and an end of the clip differ in the box; None if nothing as large left it.

    Other light is no difference. What is thin, or has the table's colours, is told by this better than by
    colours.
    """
    count = len(footage)
    few = max(5, count // END)
    x0, y0, x1, y1 = (max(0, round(v)) for v in prompt.box)
    inside = np.zeros(footage.shape, bool)
    inside[y0:y1, x0:x1] = True
    roi = region(inside, 4 * footage.unit)
    here = np.ascontiguousarray(footage.images[prompt.frame][roi])
    best, best_span = None, SPANS
    for end in (range(max(0, count - few), count), range(min(few, count))):
        if prompt.frame in end:
            continue
        there = np.median(np.stack([footage.images[i][roi] for i in end]), axis=0).astype(np.uint8)
        change, light = largest_channel(cv2.absdiff(here, there)), relit(there, here)
        differs = (cv2.medianBlur(change, 3) > DIFFERENT) & ~light & inside[roi]
        closed = cv2.morphologyEx(differs.astype(np.uint8), cv2.MORPH_CLOSE, disc(2 * footage.unit)) > 0
        gone, same = np.zeros(footage.shape, bool), np.zeros(footage.shape, bool)
        gone[roi] = main_components(closed)
        same[roi] = ((change < SAME) | light) & ~grow(closed, 2 * footage.unit) & inside[roi]
        span = box_iou(prompt.box, bounding_box(gone))
        # The rim of what stays where it is differs, too, as the camera trembles.
        truly = area(gone[roi] & (largest_channel(beyond(there, here)) > DIFFERENT))
        if span > best_span and area(gone) > LEAST * area(inside) and truly > TRULY * area(gone):
            best, best_span = Departed(gone, same), span
    return best
