"""A mask's outline, corrected pixel by pixel from what is known around it.

A small network, fitted by `python -m bench.fit_outline` on rendered clips. It sees no colours, but how they
compare: with the background plate, in whatever light; with those of the object, of a hand, of other objects;
as a mixture of what is inside and outside the mask near by (alpha matting). Besides, which pixels move along,
and where the neighbouring frames' masks would be. All of it at the pixel, and on average around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.mask import area
from video2policy.perceive.colour import dot, is_skin, largest_channel, length, to_lab
from video2policy.perceive.morphology import Region, region, signed_distance
from video2policy.perceive.palette import UNIFORM, Palette, bins
from video2policy.perceive.plate import plate_likelihood
from video2policy.perceive.scenery import Scenery

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Field = NDArray[np.float32]

WEIGHTS = Path(__file__).with_name("outline.npz")
AROUND = (3, 7, 15)
"""Sides in pixels of the squares over which channels are averaged."""
SHADES = (9, 31)
"""Sides in pixels of the squares that say which colours are inside and outside."""
FEW = 60.0
"""Squared grey values: contrast below its root tells nothing."""
NEIGHBOUR = 3
"""Channels of each of the two neighbouring frames; the last ones. All zero for a frame that is not known."""
CHANNELS = 12 + 4 * len(SHADES) + 2 * NEIGHBOUR


HELD, DEPTH = 0.5, 3.0
"""What the mask itself counts besides: log odds for each ``DEPTH`` pixels from its edge, up to three
times that. The network was fitted to worse masks than most are."""


class Neighbour(NamedTuple):
    """Another frame, and the object's mask (H, W) there."""

    frame: int
    mask: Mask


def reach(mask: Mask, unit: float) -> float:
    """How far from a mask's edge pixels are judged anew, in pixels."""
    return 12 * unit + 0.15 * float(np.sqrt(area(mask)))


def around(mask: Mask, unit: float) -> Region:
    """The region of a mask's frame that may become its object."""
    return region(mask, reach(mask, unit))


def channels(scene: Scenery, frame: int, mask: Mask, roi: Region, near: Sequence[Neighbour | None]) -> Field:
    """What is known of a region's pixels: (h, w, `CHANNELS`), about -1 to 1 each.

    ``near``: the frames before and after; a frame on which the object was not found is as one not known.
    """
    clip, unit = scene.footage, scene.footage.unit
    image = np.ascontiguousarray(clip.images[frame][roi])
    plate = np.ascontiguousarray(scene.plate[roi])
    lab = clip.lab(frame, roi)
    index = bins(lab)
    seen, lit = image.astype(np.float32), plate.astype(np.float32)
    factor = dot(lit + 4, seen + 4) / dot(lit + 4, lit + 4)
    rest = largest_channel(cv2.absdiff(seen + 4, factor[..., None] * (lit + 4)))

    def odds(palette: Palette) -> Field:
        density = palette.density(index) if palette.known else np.zeros(index.shape, np.float32)
        return np.asarray(np.log((density + UNIFORM) / UNIFORM) / 4, np.float32)

    rivals = [odds(palette) for palette in scene.colours.rivals]
    distance = signed_distance(mask[roi])
    planes: list[NDArray[np.generic]] = [
        np.clip(largest_channel(cv2.absdiff(seen, lit)) / 64, 0, 2),
        scene.plate_known[roi],
        np.clip(np.log(factor), -1.5, 1.5),
        np.clip(rest / 32, 0, 2),
        np.log(plate_likelihood(image, lab, plate, to_lab(plate)) + UNIFORM) / 4 + 1,
        mask[roi],
        np.clip(distance / (8 * unit), -2, 2),
        odds(scene.colours.own),
        odds(scene.surroundings(frame, mask)),
        odds(scene.colours.hand),
        np.max(rivals, axis=0) if rivals else np.zeros(index.shape),
        is_skin(image),
    ]
    core, beyond = np.clip(np.stack([distance, -distance]) / 3, 0, 1).astype(np.float32)
    for side in SHADES:
        inside, outside = _mean(seen, core, side), _mean(seen, beyond, side)
        planes += [*_mixture(seen, inside, lit), *_mixture(seen, inside, outside)]
    for other in near:
        if other is None or not other.mask.any():
            planes += [np.zeros(index.shape)] * NEIGHBOUR
        else:
            planes += _neighbour(scene, frame, mask, roi, other)
    return np.stack(planes, axis=-1, dtype=np.float32, casting="unsafe")


def _mean(image: Field, weight: Field, side: int) -> Field:
    """The weighted mean colour (h, w, 3) in a square around each pixel."""
    total = cv2.blur(np.dstack([image * weight[..., None], weight]), (side, side))
    return np.asarray(total[..., :3] / (total[..., 3:] + 1e-3), np.float32)


def _mixture(image: Field, inside: Field, outside: Field) -> tuple[Field, Field]:
    """The share of ``inside`` in each pixel's colour, the rest being ``outside``, and their contrast."""
    apart = inside - outside
    contrast = dot(apart, apart)
    share = dot(image - outside, apart) / (contrast + FEW)
    return np.clip(share, -0.5, 1.5), np.clip(np.sqrt(contrast) / 64, 0, 2)


def _neighbour(scene: Scenery, frame: int, mask: Mask, roi: Region, other: Neighbour) -> list[Field]:
    """The other frame's mask carried here, how much the picture changes on that way, and what moves along."""
    clip = scene.footage
    flow = clip.flow(frame, other.frame, roi)
    rows, columns = np.mgrid[roi].astype(np.float32)
    x, y = columns + flow[..., 0], rows + flow[..., 1]
    carried = cv2.remap(other.mask.astype(np.float32), x, y, cv2.INTER_LINEAR)
    then = cv2.remap(clip.images[other.frame], x, y, cv2.INTER_LINEAR)
    change = largest_channel(cv2.absdiff(np.ascontiguousarray(clip.images[frame][roi]), then))
    inside = mask[roi]
    own = np.median(flow[inside], axis=0) if inside.any() else np.zeros(2)
    apart = length(flow - own) - length(flow)
    return [
        np.asarray(2 * carried - 1, np.float32),
        np.asarray(np.clip(change / 32, 0, 2), np.float32),
        np.asarray(np.clip(apart / (4 * clip.unit), -1, 1), np.float32),
    ]


def averaged(planes: Field, where: Mask) -> Field:
    """Channels (h, w, c) with their averages over squares, ``where`` (h, w): (n, c * (1 + len(AROUND)))."""
    blurred = (cv2.blur(planes, (side, side)) for side in AROUND)
    return np.concatenate([planes[where], *(image[where] for image in blurred)], axis=-1)


class Layer(NamedTuple):
    """One layer: weights (inputs, outputs) and biases (outputs,)."""

    weight: Field
    bias: Field


@cache
def network() -> list[Layer]:
    with np.load(WEIGHTS) as data:
        count = len(data.files) // 2
        return [Layer(*(data[f"{part}{i}"].astype(np.float32) for part in ("w", "b"))) for i in range(count)]


def log_odds(layers: Sequence[Layer], planes: Field, where: Mask | None = None) -> Field:
    """Log odds (h, w) that the pixels of `channels` (h, w, c) are the object's; 0 but ``where`` (h, w)."""
    chosen = np.ones(planes.shape[:2], bool) if where is None else where
    values = averaged(planes, chosen)
    for weight, bias in layers[:-1]:
        values = values @ weight
        values += bias
        np.maximum(values, 0, out=values)
    weight, bias = layers[-1]
    result = np.zeros(chosen.shape, np.float32)
    result[chosen] = (values @ weight + bias)[:, 0]
    return result


def outline(scene: Scenery, frame: int, mask: Mask, near: Sequence[Neighbour | None]) -> tuple[Region, Field]:
    """A region around the mask, and the log odds (h, w) that its pixels are the object's."""
    unit = scene.footage.unit
    roi = around(mask, unit)
    distance = signed_distance(mask[roi])
    planes = channels(scene, frame, mask, roi, near)
    odds = log_odds(network(), planes, np.abs(distance) < reach(mask, unit))
    return roi, np.asarray(odds + HELD * np.clip(distance / DEPTH, -3, 3), np.float32)
