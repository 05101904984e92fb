"""An object's mask from frame to frame, and where it is when it was lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.mask import area, iou
from video2policy.perceive.colour import beyond, is_skin, largest_channel, length, recoloured, relit
from video2policy.perceive.footage import SAME
from video2policy.perceive.morphology import (
    Region,
    centre,
    disc,
    fill_holes,
    grow,
    region,
    settle,
    signed_distance,
)
from video2policy.perceive.palette import UNIFORM, Palette, bins
from video2policy.perceive.scenery import DEEP_SHADOW, Scenery
from video2policy.perceive.trust import at_border, signs, trust

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Field = NDArray[np.float32]

HIDDEN = {"smaller": 0.0, "agreement": 1.0}
HIDING = HIDDEN | {"sure": 0.95}
"""Signs that are bad of what is hidden in part, too, and no reason to give a mask up."""
STAYING = HIDING | {"shadow": 0.0, "hand": 0.0}
UNCHANGED = 0.85
"""Share of the pixels in a mask and at its rim that look as before, from which the object is in its place."""
STAYS = 0.4
"""Share of an object's edges, by steepness, that are where they were if it did not move."""
LOST, DOUBTED = 0.1, 0.5
"""Trust below which a mask is given up, and below which it teaches nothing."""
ARRIVED = 0.55
"""Trust in what rests at an end of the clip where nothing was before."""
MOST_RELIT = 0.75
"""Share of what came to rest that may be what was there before in other light: more of it is a shadow."""
PATIENCE = 12
"""Frames after which a pass that makes nothing better ends."""
SETTLED = 6
"""Frames within which the mask of what was found again becomes whole."""
FLICKER = 2
"""Doubted frames in a row after which an object counts as lost."""
MOST_AT_ONCE, LEAST_SEAM = 0.35, 0.5
"""A face that turns into view has at most this share of the mask at first, and borders on it over a length
whose square is at least this share of the face."""


class Track:
    """The state of one pass: visible mask, whole extent, colours, as of the last frame."""

    def __init__(self, scene: Scenery, start: Mask, frame: int) -> None:
        self.scene, self.clip = scene, scene.footage
        self.mask = start.copy()
        self.whole = start.astype(np.float32)
        """What of the object there is, hidden or not: probability (H, W)."""
        self.look = self.clip.images[frame].astype(np.float32)
        """The object's appearance where it was seen last (H, W, 3), carried along with ``whole``."""
        self.own = Palette()
        self.own.counts = scene.colours.own.counts.copy()
        self.around = scene.surroundings(frame, start)
        self.beside = scene.surroundings(scene.frame, scene.start)
        """Colours around it on the prompt's frame; ``around``: as of the last frame."""
        self.area = float(area(start))
        self.other = scene.foreign(frame, region(start, 60 * self.clip.unit), start)
        """What is neither object nor background (H, W), 0 or 1, around the object."""
        self.lost = 0
        """Number of frames since its mask could be trusted."""
        self.home = start
        """Its mask then."""
        self.home_frame = frame
        """The frame of ``home``."""
        self.missing = False
        """Whether it was not found although nothing hides the place where it was."""
        rows, columns = self.clip.shape
        self.grid = np.stack(
            np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32)), axis=-1
        )

    def step(self, frame: int, before: int, after: int) -> tuple[Mask, float]:
        """The mask on ``frame`` and its score, from the state on the neighbouring frame ``before``.

        ``after`` is the neighbour on the other side, ``frame`` itself at the clip's end.
        """
        unit = self.clip.unit
        self.lost += 1
        self.missing = False
        flow = self.clip.flow(frame, before)
        if self._rests(frame, before):
            flow = np.zeros_like(flow)  # a shadow that passes over it takes the flow along
        place = self.grid + flow
        warped = cv2.remap(self.mask.astype(np.float32), place[..., 0], place[..., 1], cv2.INTER_LINEAR)
        moved = warped > 0.5
        whole, look, carried = self._carry(flow, moved)
        prior_mask = moved | (whole > 0.7)
        if area(prior_mask) < 0.04 * self.area:
            return self.search(frame)
        speed = float(np.median(length(flow[moved]))) if moved.any() else 0.0
        roi = region(prior_mask, 30 * unit + 2 * speed)
        distance = signed_distance(prior_mask[roi])
        prior = np.clip(distance / (3 * unit + 0.2 * speed), -4, 2.2)
        # Does the pixel look as the object did there? Where the object was hidden that alone brings it back.
        now = self._pixels(frame, roi)
        change = cv2.blur(largest_channel(cv2.absdiff(now, look[roi])), (3, 3))
        shaded = cv2.blur(recoloured(look[roi], now), (3, 3)) + 16  # in other light: may be
        change = np.minimum(change, shaded)
        alike = np.clip((32 - change) / 12, -1.5, 0.8)
        known = whole[roi] > 0.5
        prior = prior + np.where(known & moved[roi], alike, 0)
        prior = np.where(moved[roi] | ~known, prior, np.minimum(prior, 0.0) + 2 * alike - 0.5)
        # What stands still while the object moves does not become object.
        still = np.minimum(self._change(frame, before, roi), self._change(frame, after, roi)) < 8
        pace = min(1.0, speed / unit)
        prior = prior - np.where(still & (distance < 0) & ~moved[roi], 3.0 * pace, 0)
        # What moves along at its side does: a face that turns into view.
        along = length(flow[roi] - carried[roi]) < 0.5 * unit + 0.25 * speed
        foreign = cv2.remap(self.other, place[..., 0], place[..., 1], cv2.INTER_LINEAR) > 0.5
        other = foreign[roi]
        along &= self.scene.stands_out(frame, roi) | ~self.scene.plate_sure[roi]  # a shadow moves along, too
        prior = prior + np.where(along & ~still & ~other & (distance < 0), 1.5 * pace, 0)
        # What was something else before, such as the hand that pushes, stays it.
        prior = np.where(other & ~moved[roi], np.minimum(prior, 0.0) - 1.5, prior)
        ratio = self.scene.evidence(frame, roi, self.around, self.own)
        # A hand that slides over the object is not to stay in the mask because it once was.
        prior = np.where(self.scene.like_hand(frame, roi, self.own), np.minimum(prior, 0.3), prior)
        p = settle(prior + ratio)
        found = self._tidy(p > 0.5, prior_mask[roi])
        mask = np.zeros(self.clip.shape, bool)
        mask[roi] = found
        mask |= self._turned(frame, mask, flow, carried)
        found = mask[roi]
        count = area(mask)
        if count < 0.05 * self.area or self._shadow(frame, mask):
            return self.search(frame)
        measured = signs(self.scene, frame, mask, float(p[found].mean()), iou(found, moved[roi]))
        score = trust(measured)
        if score < DOUBTED and self._remains(frame, True):
            return self._stay(frame)
        if trust(measured | HIDING) < LOST:
            return self.search(frame)
        # A finger stays one where it touches; the object may come out where it was hidden.
        self._update(frame, roi, mask, p, whole, look, foreign & (whole < 0.5))
        if score > DOUBTED:
            self.lost, self.home, self.home_frame = 0, mask, frame
            self.area = 0.95 * self.area + 0.05 * max(count, 0.5 * self.area)
        return mask, score

    def _turned(self, frame: int, mask: Mask, flow: Field, carried: Field) -> Mask:
        """Faces (H, W) that turn into view, of colours not seen before.

        They are at the mask's side, neither background nor hand nor another object, and move as the object
        does (``carried``).
        """
        unit, scene = self.clip.unit, self.scene
        result = np.zeros_like(mask)
        if not mask.any() or not np.isfinite(carried).all():
            return result
        roi = region(mask, 0.5 * float(np.sqrt(area(mask))))
        here, image = mask[roi], np.ascontiguousarray(self.clip.images[frame][roi])
        pace = length(carried[roi])
        speed, away = float(np.median(pace[here])), length(flow[roi] - carried[roi])
        strange = scene.stands_out(frame, roi)
        if speed > 1.5 * unit:  # where the background is not known, the motion alone must tell
            unlike = ~relit(scene.plate[roi], image, DEEP_SHADOW)
            strange |= ~scene.plate_sure[roi] & (away < 0.35 * pace) & unlike
        strange &= ~(here | is_skin(image))
        index = bins(self.clip.lab(frame, roi))
        mine = np.maximum(scene.colours.own.density(index), UNIFORM)
        for palette in (scene.colours.hand, *scene.colours.rivals):
            if palette.known:
                strange &= palette.density(index) < mine
        opened = cv2.morphologyEx(strange.astype(np.uint8), cv2.MORPH_OPEN, disc(unit))
        count, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
        rim = 3 * unit
        beside = grow(here, rim)
        for label in range(1, count):
            part, size = labels == label, int(stats[label, cv2.CC_STAT_AREA])
            seam = area(part & beside) / rim
            along = float(np.median(away[part])) < unit + 0.5 * speed
            if along and size < MOST_AT_ONCE * area(here) and seam**2 > LEAST_SEAM * size:
                result[roi] |= part
        if not result.any():
            return result
        closed = cv2.morphologyEx((result | mask).astype(np.uint8), cv2.MORPH_CLOSE, disc(2 * unit)) > 0
        return fill_holes(closed) & ~mask

    def _rests(self, frame: int, before: int) -> bool:
        """Whether edges of the object in both directions are where they were on the frame before."""
        roi = region(self.mask, 4 * self.clip.unit)
        then, now = (cv2.cvtColor(self.clip.images[i][roi], cv2.COLOR_RGB2GRAY) for i in (before, frame))
        slope = np.stack([cv2.Sobel(then, cv2.CV_32F, i, 1 - i, ksize=3) / 8 for i in (1, 0)], axis=-1)
        steep = length(slope)
        change = cv2.absdiff(then, now)
        edge = grow(self.mask[roi], 2 * self.clip.unit) & (steep > 6)
        kept = edge & (change < 3 + 0.25 * steep)
        # The weaker direction counts: a book that slides along its spine leaves its long edges in place.
        weakest = [np.linalg.eigvalsh(slope[m].T @ slope[m])[0] for m in (edge, kept)]
        return bool(weakest[1] > 0.35 * weakest[0] > 0)

    def _remains(self, frame: int, seen: bool = False) -> bool:
        """Whether the edges that the object had where it was last are there still, in whatever light.

        A shadow multiplies brightness and so leaves the directions of edges, but for its own rim.
        """
        if self.home_frame == frame or area(self.home) < max(1.0, 0.7 * self.area):  # more may show now
            return False
        if self.clip.unchanged(self.home, self.home_frame, frame) > UNCHANGED:
            return True
        if seen:
            return False
        roi = region(self.home, 4 * self.clip.unit)
        near = grow(self.home[roi], 3 * self.clip.unit)

        def slopes(image: Image) -> Field:
            grey = np.log1p(
                cv2.cvtColor(np.ascontiguousarray(image[roi]), cv2.COLOR_RGB2GRAY).astype(np.float32)
            )
            return np.stack([cv2.Sobel(grey, cv2.CV_32F, i, 1 - i, ksize=3) for i in (1, 0)], axis=-1)

        def alike(a: Field, b: Field) -> float:
            weight = np.minimum(length(a), 1.0) * near
            lengths = length(a) * length(b)
            same = (a * b).sum(-1) > 0.85 * lengths
            same &= length(b) > 0.4 * length(a)
            return float((weight * same).sum() / max(1e-6, weight.sum()))

        then = slopes(self.clip.images[self.home_frame])
        now = slopes(self.clip.images[frame])
        return alike(then, now) > max(STAYS, alike(then, slopes(self.scene.plate)) + 0.2)

    def _stay(self, frame: int) -> tuple[Mask, float]:
        """The mask where it could be trusted last, and its score: the object has not moved since."""
        self.mask, self.whole = self.home, self.home.astype(np.float32)
        self.look = self.clip.images[self.home_frame].astype(np.float32)
        return self.home, trust(signs(self.scene, frame, self.home, STAYING["sure"]) | STAYING)

    def _pixels(self, frame: int, roi: Region) -> Field:
        return self.clip.images[frame][roi].astype(np.float32)

    def _change(self, frame: int, other: int, roi: Region) -> Field:
        """Largest change of a channel between two frames, smoothed; infinite if they are the same frame."""
        if frame == other:
            return np.full(self.whole[roi].shape, np.inf, np.float32)
        change = largest_channel(cv2.absdiff(self._pixels(frame, roi), self._pixels(other, roi)))
        return np.asarray(cv2.blur(change, (3, 3)), np.float32)

    def _carry(self, flow: Field, moved: Mask) -> tuple[Field, Field, Field]:
        """Whole extent and look, moved by the similarity transform that fits the visible part's flow, and
        the flow (H, W, 2) of that transform."""
        rows, columns = np.nonzero(moved)
        if len(rows) < max(30, 0.05 * self.area):
            return np.asarray(self.whole * 0.98, np.float32), self.look, np.full_like(flow, np.inf)
        pick = np.linspace(0, len(rows) - 1, min(len(rows), 250)).astype(int)
        now = np.stack([columns[pick], rows[pick]], axis=1).astype(np.float32)
        then = now + flow[rows[pick], columns[pick]]
        cv2.setRNGSeed(0)
        matrix, _ = cv2.estimateAffinePartial2D(then, now, ransacReprojThreshold=1.5)
        if matrix is None or not 0.8 < float(np.hypot(*matrix[:, 0])) < 1.25:
            shift = np.median(now - then, axis=0)
            matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float64)
        size = (self.whole.shape[1], self.whole.shape[0])
        whole = np.asarray(cv2.warpAffine(self.whole, matrix, size) * 0.99, np.float32)
        look = np.asarray(cv2.warpAffine(self.look, matrix, size), np.float32)
        back = cv2.invertAffineTransform(matrix)
        carried = self.grid @ back[:, :2].T.astype(np.float32) + back[:, 2].astype(np.float32) - self.grid
        return whole, look, carried

    def _tidy(self, found: Mask, expected: Mask) -> Mask:
        """Without speckles and without pieces that lie apart from where the object is expected."""
        smooth = cv2.medianBlur(found.astype(np.uint8), 3)
        smooth = cv2.morphologyEx(smooth, cv2.MORPH_OPEN, disc(self.clip.unit))
        count, labels, stats, _ = cv2.connectedComponentsWithStats(smooth, connectivity=8)
        if count < 2:
            return np.zeros_like(found)
        areas = stats[1:, cv2.CC_STAT_AREA]
        kept = np.zeros_like(found)
        for label in range(1, count):
            part = labels == label
            large = areas[label - 1] >= 0.12 * areas.max()
            if large and area(part & expected) > 0.3 * areas[label - 1]:
                kept |= part
        return fill_holes(kept)

    def _update(
        self,
        frame: int,
        roi: Region,
        mask: Mask,
        p: Field,
        whole: Field,
        look: Field,
        foreign: Mask,
    ) -> None:
        index = bins(self.clip.lab(frame, roi))
        sure = index[(p > 0.9) & mask[roi]]
        hand = self.scene.colours.hand
        if hand.known:
            sure = sure[self.scene.colours.own.density(sure) > 0.5 * hand.density(sure)]
        self.own.learn(sure, 0.05)
        fresh = self.scene.surroundings(frame, mask)
        if fresh.known:
            self.around.counts = 0.7 * self.around.counts + 0.3 * fresh.counts
            self.around.forget()
        self.other = self.scene.foreign(frame, region(mask, 60 * self.clip.unit), mask, foreign)
        self.mask, self.look = mask, look
        seen = mask[roi]
        fresh_look = self._pixels(frame, roi)
        old = np.where((whole[roi] > 0.5)[..., None], look[roi], fresh_look)
        self.look[roi] = np.where(seen[..., None], 0.4 * old + 0.6 * fresh_look, look[roi])
        empty = np.zeros_like(mask)
        empty[roi] = (p < 0.1) & self.scene.shows_plate(frame, roi)
        self.whole = np.where(mask, 1.0, np.where(empty, 0.6 * whole, whole)).astype(np.float32)

    def search(self, frame: int, anywhere: bool = False) -> tuple[Mask, float]:
        """Look for a lost object by its colours among what is not background: near by first, then farther."""
        self.own.counts = self.scene.colours.own.counts.copy()
        self.own.forget()
        roi, last = region(self.home, 0), centre(self.home)
        extent = max(part.stop - part.start for part in roi)
        # Something may still stand before the place where it was.
        known = self.scene.plate_known | self.scene.at_prompt_known
        gone = area(self.scene.shows_plate(frame, roi) & self.home[roi]) > 0.5 * area(self.home)
        # A cup that is put over it and stays becomes part of the plate, but looks unlike what was around.
        beside = self.beside if (self.home & self.scene.start).any() else self.around
        bare = beside.density(bins(self.clip.lab(frame))[self.home]) > 10 * UNIFORM
        gone &= bool(bare.mean() > 0.5)
        hidden = not gone and area(known & self.home) > 0.5 * area(self.home)
        everywhere = (slice(0, self.clip.shape[0]), slice(0, self.clip.shape[1]))
        ratio = self.scene.evidence(frame, everywhere, self.around, self.own)
        index = bins(self.clip.lab(frame))
        likely = (cv2.GaussianBlur(ratio, (0, 0), 1.5 * self.clip.unit) > 1.0).astype(np.uint8)
        candidates = cv2.morphologyEx(likely, cv2.MORPH_OPEN, disc(2 * self.clip.unit))
        count, labels, stats, centres = cv2.connectedComponentsWithStats(candidates, connectivity=8)
        best, best_value = None, 0.3
        reach = (0.15 + 0.05 * self.lost) * float(np.hypot(*self.clip.shape))
        for label in range(1, count):
            size = stats[label, cv2.CC_STAT_AREA] / self.area
            if not 0.15 < size < 2.0:
                continue
            distance = float(np.linalg.norm(centres[label] - last))
            if hidden and distance > max(extent, 20 * self.clip.unit):
                continue  # what hides it there has not let it out elsewhere
            if self._shadow(frame, labels == label):
                continue
            alike = self._likeness(index[labels == label], gone)
            near = 1.0 if anywhere else np.exp(-0.5 * (distance / reach) ** 2)
            value = alike * min(size, 1 / size) ** 0.35 * near
            if value > best_value:
                best, best_value = label, float(value)
        mask = np.zeros(self.clip.shape, bool)
        self.missing = best is None and gone
        if best is None and not anywhere and self._remains(frame):
            return self._stay(frame)
        if best is None:
            self.mask = mask  # what hides it now must not carry it along
            return mask, 0.0
        mask = fill_holes(labels == best)
        measured = signs(self.scene, frame, mask, float((1 / (1 + np.exp(-ratio[mask]))).mean()))
        score = trust(measured)
        if trust(measured | (HIDDEN if hidden else HIDING)) < LOST:
            if not anywhere and self._remains(frame):
                return self._stay(frame)
            self.missing, self.mask = gone, np.zeros_like(mask)
            return self.mask, 0.0
        self.mask, self.whole = mask, mask.astype(np.float32)
        self.look = self.clip.images[frame].astype(np.float32)
        return mask, score

    def _shadow(self, frame: int, mask: Mask) -> bool:
        """Whether a mask is a shadow: the background in less light, where the object did not look like it."""
        return self.scene.shadow_share(frame, mask) > max(0.75, self.scene.shadow_share_at_start + 0.4)

    def _likeness(self, index: NDArray[np.int32], lenient: bool) -> float:
        """How much a region's colours are the object's, 0 to 1: overlap of the histograms; ``lenient`` also,
        as a part or other light may be seen, whether the object has these colours at all."""
        palette, colours = Palette(), self.scene.colours
        palette.learn(index)
        if not lenient:
            return palette.overlap(colours.own)
        mine = np.maximum(colours.own.density(index), 0.4 * colours.relit.density(index))
        known = mine > 10 * UNIFORM
        if colours.hand.known:
            known &= mine > colours.hand.density(index)
        return max(palette.overlap(colours.own), 0.7 * float(known.mean()))


class Followed(NamedTuple):
    """Masks and scores of frames, and the frames on which the object is missing though it is not hidden."""

    masks: dict[int, Mask]
    score: dict[int, float]
    missing: set[int]


def propagate(scene: Scenery) -> Followed:
    """The object on all frames, from the prompt's frame both ways."""
    found = Followed({scene.frame: scene.start}, {scene.frame: 1.0}, set())
    for direction, end in ((1, len(scene.footage)), (-1, -1)):
        track = Track(scene, scene.start, scene.frame)
        for frame in range(scene.frame + direction, end, direction):
            after = frame if frame + direction == end else frame + direction
            found.masks[frame], found.score[frame] = track.step(frame, frame - direction, after)
            if track.missing:
                found.missing.add(frame)
    return found


def arrival(scene: Scenery, end: int, doubted: Mask, least: float) -> Mask | None:
    """What rests at the clip's ``end`` where nothing was on the prompt's frame, if it may be the object.

    It may look otherwise than it did: in other light, from behind, half in a bowl. So what has come counts,
    its colours only among several. ``doubted``: the mask (H, W) there so far, which is kept (None) if it has
    not moved or is the larger part of the same; ``least``: value from which something is taken.
    """
    clip = scene.footage
    step = 1 if end < scene.frame else -1
    last = np.stack([clip.images[end + step * i] for i in range(min(4, abs(end - scene.frame)))])
    now = np.median(last, axis=0).astype(np.uint8)
    light = relit(scene.at_prompt, now)
    change = cv2.GaussianBlur(largest_channel(cv2.absdiff(now, scene.at_prompt)), (3, 3), 0)
    true = (largest_channel(beyond(scene.at_prompt, now)) > SAME).astype(np.uint8)
    # What is next to a true change belongs to it.
    new = cv2.morphologyEx(true, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)) > 0
    new = (change > 18) & grow(new, 1) & scene.at_prompt_known & ~grow(scene.start, 2 * clip.unit)
    new &= ~(light & grow(scene.start, 14 * clip.unit))  # the object's own shadow went with it
    new &= np.ptp(last, axis=0).max(axis=-1) < 24  # what moves yet is a hand, or its shadow
    stayed = scene.start & (largest_channel(cv2.absdiff(now, clip.images[scene.frame])) < 18)
    if area(doubted & stayed) > 0.5 * area(doubted) > 0:
        return None
    count, labels, stats, _ = cv2.connectedComponentsWithStats(new.astype(np.uint8), connectivity=8)
    index = bins(clip.lab(end))
    best, best_value = None, least
    for label in range(1, count):
        size = stats[label, cv2.CC_STAT_AREA] / area(scene.start)
        if not 0.1 < size < 1.8:
            continue
        mask = labels == label
        shadow = light[mask].mean() > MOST_RELIT
        if shadow or (at_border(mask) and not at_border(scene.start)):
            continue
        own, others = scene.colours, [scene.colours.hand, *scene.colours.rivals]
        mine = np.maximum(own.own.density(index[mask]), 0.4 * own.relit.density(index[mask]))
        rest = np.max([p.density(index[mask]) for p in others], axis=0)
        likeness = np.clip(np.log((mine + UNIFORM) / (rest + UNIFORM)) / 3, -1, 1).mean()
        value = (0.5 + 0.5 * likeness) * min(size, 1 / size) ** 0.35 * (1 - 0.8 * light[mask].mean())
        if value > best_value:
            best, best_value = label, float(value)
    if best is None:
        return None
    mask = fill_holes(labels == best)
    same = area(mask & doubted) > 0.3 * min(area(mask), area(doubted))
    return None if same and area(mask) < 1.1 * area(doubted) else mask


def has_moved(scene: Scenery, found: Followed, order: Sequence[int]) -> bool:
    """Whether the object had left its place on the prompt's frame, ``order[0]``, when it was lost."""
    seen = scene.start
    lost = 0
    for frame in order:
        lost = 0 if found.score[frame] >= DOUBTED else lost + 1
        if lost == 0:
            seen = found.masks[frame]
        if lost > FLICKER:
            break
    return bool(area(seen & scene.start) < 0.5 * area(seen))


def mend(scene: Scenery, found: Followed) -> None:
    """Where masks are doubted and the object is seen again later: what a pass from there back makes of it."""
    masks, score, missing = found
    for direction, end in ((1, len(scene.footage)), (-1, -1)):
        order = list(range(scene.frame, end, direction))
        last = order[-1]
        if score[last] < DOUBTED and last != scene.frame:
            mask, value = Track(scene, scene.start, scene.frame).search(last, anywhere=True)
            hidden = not masks[last].any() and last not in missing
            came = None
            # What is covered where it rests is still there; before it was uncovered, its place looks bare.
            left = has_moved(scene, found, order) or (direction > 0 and last in missing)
            if value < DOUBTED and left:
                came = arrival(scene, last, masks[last], 0.2 if hidden else 0.12)
            if came is not None:
                mask, value = came, ARRIVED
                scene.colours.own.learn(bins(scene.footage.lab(last))[came], 0.4)
            if value > score[last]:
                masks[last], score[last] = mask, value
                missing.discard(last)
        place = len(order) - 1
        while place > 0:
            if score[order[place]] < DOUBTED or score[order[place - 1]] >= DOUBTED:
                place -= 1
                continue
            near = order[place : place + SETTLED]  # the first masks after a loss are rough
            best = place + int(np.argmax([score[frame] for frame in near]))
            track = Track(scene, masks[order[best]], order[best])
            worse = 0
            for i in range(best - 1, 0, -1):
                frame = order[i]
                mask, value = track.step(frame, order[i + 1], order[i - 1])
                if value > score[frame]:
                    masks[frame], score[frame], worse = mask, value, 0
                    missing.discard(frame)
                elif i < place:
                    worse += 1
                if worse > PATIENCE or (worse > 3 and score[frame] >= DOUBTED):
                    break
            place = min(place - 1, i)
