"""Thin things (forks, pens, knives) from frame to frame, as a strip that is fitted to what every frame shows.

Flow loses what is a few pixels wide, and what is seen of it between fingers are pieces. But its shape is
known from the prompt's frame: so long, so wide along its way. A strip with two ends and a slight bow is laid
where a frame's evidence (colours, background plate) speaks most for it and least beside it, fingers speaking
neither way; all frames decide together which of their candidates are one motion (Viterbi's algorithm). What
of the band around it is the object's, evidence says again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.mask import area
from video2policy.perceive.colour import is_skin
from video2policy.perceive.footage import WHOLE
from video2policy.perceive.morphology import disc, grow, settle, signed_distance
from video2policy.perceive.palette import Palette, bins
from video2policy.perceive.scenery import Scenery

Mask = NDArray[np.bool_]
Field = NDArray[np.float32]
Strips = NDArray[np.float32]
"""Strips (k, 5): the ends x0, y0, x1, y1 in pixels, and by how much the middle lies beside their line."""

THIN = 5.0
"""Squared length over area from which a thing is thin."""
ALONG = 16
"""Places along a strip where evidence is read."""
INSIDE = (-0.6, 0.0, 0.6)
"""Places across it, in half widths."""
LEAST, MOST = -1.5, 3.0
"""Evidence of a pixel at least and at most: what is thin mirrors its surroundings, so little speaks against
it."""
WIDER = 2.0
"""Half widths from which what looks like the object is too wide to be it, such as a sleeve."""
OF_SKIN = 0.2
"""Share of an object of the colour of skin, from which that colour does not tell a hand."""
HELD = 0.7
"""By how much less evidence counts where a hand is on both sides of it: it may be a finger's."""
LONGER, BENT, COST = 1.15, 0.12, 20.0
"""Length, relative to that on the prompt's frame, and bow, relative to the length, from which a strip is
unlike its object, and what more than that costs."""
FAR, FAST = 0.15, 60.0
"""Cost of moving both ends by an 800th of the picture's diagonal, which grows as the square of the way, and
from where on in proportion to it."""
KEPT, LIKELY, DRAWN, TRIES = 80, 40, 240, 6
"""Candidates of a frame that are kept, that come from the frame before, that are drawn from its evidence, and
changes of each that are tried at once."""
STEPS = (6.0, 3.0, 2.0, 1.0, 1.0)
"""Size of these changes in one try after the other, in 800ths of the picture's diagonal."""
LEARNT = 0.3
"""Support, relative to the prompt's frame, from which a strip teaches its object's colours."""
FEW = 10
"""Pixels: a smaller mask has the score of one of so many."""
STEEP, HALF = 5.0, 1.0
"""How the support for each pixel of a mask becomes its score: the probability that it shares half of its
union with the true one, for of what is a few pixels wide the rim alone takes a third. Over 279 doubted masks
of ten clips of the suite .05 are right so below 0, .2 between .3 and .9, .63 up to 1.2, .84 up to 1.6 and
.96 above."""


class Shape(NamedTuple):
    """A thin thing on its prompt's frame: its strip (5,), and half its width in pixels at `ALONG` places."""

    strip: Strips
    half_widths: Field

    @property
    def length(self) -> float:
        return float(np.hypot(*(self.strip[2:4] - self.strip[:2])))


class Evidence(NamedTuple):
    """What a frame shows: log likelihood ratio (H, W) of the object, and where a hand is (H, W), 0 or 1."""

    ratio: Field
    hand: Field


def shape_of(mask: Mask) -> Shape | None:
    """The strip that a mask (H, W) is; None for what is not thin."""
    points = np.argwhere(mask)[:, ::-1].astype(np.float64)
    if len(points) < 20:
        return None
    middle = points.mean(axis=0)
    axis = np.linalg.svd(points - middle, full_matrices=False)[2][0]
    side = np.array([-axis[1], axis[0]])
    along, across = (points - middle) @ axis, (points - middle) @ side
    low, high = float(along.min()) - 0.5, float(along.max()) + 0.5
    if (high - low) ** 2 < THIN * len(points):
        return None
    place = (along - low) / (high - low)
    count = np.bincount((place * ALONG).astype(int), minlength=ALONG)
    half_widths = np.maximum(count / ((high - low) / ALONG) / 2, 0.7)
    ends, thirds = np.abs(place - 0.5) > 0.4, np.abs(place - 0.5) < 0.17
    edge = float(across[ends].mean()) if ends.any() else 0.0
    bow = float(across[thirds].mean()) - edge if thirds.any() else 0.0
    start, stop = (middle + reach * axis + edge * side for reach in (low, high))
    return Shape(np.array([*start, *stop, bow], np.float32), half_widths.astype(np.float32))


def evidence_on(scene: Scenery, frame: int, shape: Shape, around: Palette) -> Evidence:
    """What a frame shows of the object; ``around``: the colours around it on the prompt's frame.

    A hand speaks neither for nor against it, nor does what is much wider than it; against it what looks like
    it and is much wider.
    """
    clip = scene.footage
    foreign = clip.differs(frame, scene.plate, 20) | ~scene.plate_known
    ratio = np.clip(scene.evidence(frame, WHOLE, around), LEAST, MOST)
    hand = scene.like_hand(frame, WHOLE, scene.colours.own) & foreign
    ratio = np.where(hand, np.maximum(ratio, -0.3), ratio)
    skin = clip.skin(frame, scene.plate)
    if is_skin(clip.images[scene.frame])[scene.start].mean() < OF_SKIN:
        ratio = np.where(skin, np.clip(ratio, -0.3, 0), ratio)
    wide = disc(WIDER * float(shape.half_widths.max()) + clip.unit)
    alike, thick = (
        cv2.morphologyEx(part.astype(np.uint8), cv2.MORPH_OPEN, wide) > 0 for part in (ratio > 0.3, foreign)
    )
    ratio = np.where(grow(alike, 2 * clip.unit), np.minimum(ratio, -0.5), ratio)
    ratio = np.where(thick, np.minimum(ratio, 0), ratio)
    smooth = cv2.medianBlur((hand | skin).astype(np.uint8), 5)
    return Evidence(ratio.astype(np.float32), smooth.astype(np.float32))


def centres(strips: Strips, places: Field) -> tuple[Field, Field]:
    """Points (k, s, 2) on the strips' middle lines, and the unit vectors (k, 1, 2) across them."""
    start, way = strips[:, None, :2], strips[:, None, 2:4] - strips[:, None, :2]
    long = np.maximum(np.hypot(way[..., 0], way[..., 1]), 1e-3)[..., None]
    normal = np.stack([-way[..., 1], way[..., 0]], axis=-1) / long
    s = places[None, :, None]
    return start + s * way + strips[:, None, 4:] * 4 * s * (1 - s) * normal, normal


def support(strips: Strips, evidence: Evidence, shape: Shape, unit: float) -> Field:
    """Log likelihood (k,) that speaks for strips: the evidence inside less that right beside, by area."""
    if not len(strips):
        return np.zeros(0, np.float32)
    middle, normal = centres(strips, ((np.arange(ALONG) + 0.5) / ALONG).astype(np.float32))
    half = shape.half_widths[None, :, None]
    beside = half + 1.5 + 1.5 * unit
    across = [k * half for k in INSIDE] + [-beside, beside]
    points = np.stack([middle + offset * normal for offset in across]).astype(np.float32)
    flat = points.reshape(-1, ALONG, 2)
    x, y = np.ascontiguousarray(flat[..., 0]), np.ascontiguousarray(flat[..., 1])
    ratio = cv2.remap(evidence.ratio, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    inside, flanks = np.split(ratio.reshape(points.shape[:3]), [len(INSIDE)])
    x, y = (part[len(INSIDE) * len(strips) :] for part in (x, y))
    held = cv2.remap(evidence.hand, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    weight = 1 - HELD * held.reshape(flanks.shape).min(axis=0)
    told = weight * (inside.mean(axis=0) - np.maximum(flanks, 0).max(axis=0))
    length = np.hypot(strips[:, 2] - strips[:, 0], strips[:, 3] - strips[:, 1])
    value = (2 * shape.half_widths * told).sum(axis=1) * length / ALONG
    longer = np.maximum(length / shape.length - LONGER, 0)
    bent = np.maximum(np.abs(strips[:, 4]) / np.maximum(length, 1) - BENT, 0)
    return np.asarray(value - COST * shape.length * (longer + bent), np.float32)


def drawn(evidence: Evidence, shape: Shape, rng: np.random.Generator) -> Strips:
    """Up to `DRAWN` strips through two points each that evidence speaks for."""
    rows, columns = np.nonzero(evidence.ratio > 1)
    if len(rows) < 8:
        return np.zeros((0, 5), np.float32)
    weight = evidence.ratio[rows, columns].astype(np.float64)
    chosen = rng.choice(len(rows), (2, 8 * DRAWN), p=weight / weight.sum())
    a, b = np.stack([columns[chosen], rows[chosen]], axis=-1).astype(np.float32)
    apart = np.hypot(*(b - a).T)
    fits = np.flatnonzero((apart > 0.25 * shape.length) & (apart < LONGER * shape.length))[:DRAWN]
    a, b, apart = a[fits], b[fits], apart[fits, None]
    # The two may be its ends or lie anywhere between them.
    more = np.maximum(shape.length * rng.uniform(0, 1, (len(a), 1)) - apart, 0) * (b - a) / apart
    share = rng.uniform(0, 1, (len(a), 1))
    return np.hstack([a - share * more, b + (1 - share) * more, np.zeros((len(a), 1))]).astype(np.float32)


def turned(strips: Strips) -> Strips:
    """The strips (k, 5) with their ends exchanged."""
    return strips[:, [2, 3, 0, 1, 4]] * np.array([1, 1, 1, 1, -1], np.float32)


def climbed(
    strips: Strips, evidence: Evidence, shape: Shape, unit: float, rng: np.random.Generator
) -> tuple[Strips, Field]:
    """The strips, each moved a little to where more speaks for it, and what does."""
    value = support(strips, evidence, shape, unit)
    each = np.arange(len(strips))
    for size in STEPS:
        step = rng.normal(0, size * unit + 0.3, (TRIES, *strips.shape)).astype(np.float32)
        step[..., 4] *= 0.5
        step[0, :, 2:4] = step[0, :, :2]  # as a whole
        tried = strips + step
        found = support(tried.reshape(-1, 5), evidence, shape, unit).reshape(TRIES, -1)
        best = found.argmax(axis=0)
        better = found[best, each] > value
        strips = np.where(better[:, None], tried[best, each], strips)
        value = np.where(better, found[best, each], value)
    return strips, value


def distance(a: Strips, b: Strips) -> Field:
    """How far the ends of strips b (m, 5) are from those of a (n, 5), on average: (n, m)."""
    apart = a[:, None, :4] - b[None, :, :4]
    return np.asarray((np.hypot(apart[..., 0], apart[..., 1]) + np.hypot(apart[..., 2], apart[..., 3])) / 2)


def distinct(strips: Strips, value: Field, near: float) -> NDArray[np.int64]:
    """The `KEPT` best of the strips that are not close to better ones, as indices."""
    kept: list[int] = []
    for i in np.argsort(-value):
        if len(kept) == KEPT:
            break
        if not kept or distance(strips[i : i + 1], strips[kept]).min() > near:
            kept.append(int(i))
    return np.array(kept, np.int64)


def follow(
    scene: Scenery, shape: Shape, order: Sequence[int], evidence: Mapping[int, Evidence]
) -> dict[int, Strips]:
    """The strip (5,) on every frame of ``order``, which begins with the prompt's."""
    unit, rng = scene.footage.unit, np.random.default_rng(0)
    layers, total = [shape.strip[None]], np.zeros(1, np.float32)
    parents: list[NDArray[np.int64]] = []
    for before, frame in pairwise(order):
        likely = layers[-1][np.argsort(-total)[:LIKELY]]
        flow = scene.footage.flow(before, frame)
        limit = np.array([flow.shape[1], flow.shape[0]] * 2) - 1
        ends = np.clip(likely[:, :4].round(), 0, limit).astype(int)
        carried = likely.copy()
        carried[:, :4] += flow[ends[:, [1, 3]], ends[:, [0, 2]]].reshape(-1, 4)
        fresh = drawn(evidence[frame], shape, rng)
        tried, value = climbed(np.concatenate([likely, carried, fresh]), evidence[frame], shape, unit, rng)
        other = turned(tried[len(likely) + len(carried) :])
        tried = np.concatenate([tried, other])
        value = np.concatenate([value, support(other, evidence[frame], shape, unit)])
        # What moves little is kept beside what most speaks for.
        kept = np.concatenate([distinct(tried, value, 2 * unit), np.arange(min(10, len(likely)))])
        way = distance(layers[-1], tried[kept]) / unit
        reached = total[:, None] - FAR * np.where(way < FAST, way**2, FAST * (2 * way - FAST))
        parents.append(reached.argmax(axis=0))
        total = reached.max(axis=0) + value[kept]
        layers.append(tried[kept])
    place, result = int(total.argmax()), {}
    for i in range(len(order) - 1, -1, -1):
        result[order[i]] = layers[i][place]
        place = int(parents[i - 1][place]) if i else 0
    return result


def band(strip: Strips, shape: Shape, size: tuple[int, int]) -> Field:
    """Signed distance (H, W) in pixels from the edge of a strip (5,), positive inside."""
    places = np.linspace(0, 1, 4 * ALONG, dtype=np.float32)
    half = np.interp(places, (np.arange(ALONG) + 0.5) / ALONG, shape.half_widths)
    canvas = np.zeros(size, np.uint8)
    for point, radius in zip(centres(strip[None], places)[0][0], half, strict=True):
        x, y, r = (round(16 * float(v)) for v in (*point, radius))  # sixteenths of a pixel
        cv2.circle(canvas, (x, y), r, 1, -1, cv2.LINE_8, 4)
    return signed_distance(canvas > 0)


def covered(scene: Scenery, frame: int, shape: Shape, strip: Strips, evidence: Evidence) -> Mask:
    """What of the band around a strip (5,) is the object's (H, W), as far as no hand covers it."""
    unit = scene.footage.unit
    away = band(strip, shape, scene.footage.shape)
    prior = np.where(away < -4 * unit - 1, -9.0, np.clip(away / (1.5 * unit), -6, 1.5))
    mask = settle((prior + evidence.ratio).astype(np.float32)) > 0.5
    return np.asarray(mask & ~scene.like_hand(frame, WHOLE, scene.colours.own), bool)


def fitted(scene: Scenery) -> dict[int, tuple[Mask, float]] | None:
    """The masks (H, W) that a strip leaves on every frame, and their scores; None for what is not thin.

    The colours that the object shows on its way are learnt from a first fit, and stay in ``scene``.
    """
    shape = shape_of(scene.start)
    if shape is None:
        return None
    unit, frames = scene.footage.unit, range(len(scene.footage))
    around = scene.surroundings(scene.frame, scene.start)
    strips: dict[int, Strips] = {}
    evidence: dict[int, Evidence] = {}

    def told(strip: Strips, frame: int) -> float:
        return float(support(strip[None], evidence[frame], shape, unit)[0])

    for again in (False, True):
        if again:
            sure = LEARNT * told(shape.strip, scene.frame)
            learn(scene, shape, {i: s for i, s in strips.items() if told(s, i) > sure}, evidence)
        evidence = {frame: evidence_on(scene, frame, shape, around) for frame in frames}
        for order in (frames[scene.frame :], frames[scene.frame :: -1]):
            strips |= follow(scene, shape, order, evidence)
    result = {}
    for frame, strip in strips.items():
        mask = covered(scene, frame, shape, strip, evidence[frame])
        odds = STEEP * (told(strip, frame) / max(area(mask), FEW) - HALF)
        result[frame] = mask, 1 / (1 + math.exp(-max(odds, -30)))
    return result


def learn(
    scene: Scenery, shape: Shape, strips: Mapping[int, Strips], evidence: Mapping[int, Evidence]
) -> None:
    """Mix the colours under the strips into the object's."""
    clip, own = scene.footage, scene.colours.own
    seen = [bins(clip.lab(scene.frame))[scene.start]]
    for frame, strip in strips.items():
        under = (band(strip, shape, clip.shape) > 0) & (evidence[frame].ratio > LEAST + 0.1)
        seen.append(bins(clip.lab(frame))[under & ~scene.like_hand(frame, WHOLE, own)])
    own.learn(np.concatenate(seen), 0.6)
