"""What a clip shows of its objects before names are considered: what moves, what hands touch.

A clip is looked at in three views: its first picture, its last, and the one that it shows most of the time.
Something that the hand moves is on the first picture and gone from there later, and has arrived on the last;
what rests is on the middle view, even where a hand hides it at first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.mask import area, bounding_box
from video2policy.perceive.colour import is_skin, largest_channel, relit, to_lab
from video2policy.perceive.morphology import disc, grow

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Field = NDArray[np.float32]
Box = tuple[float, float, float, float]

DIFFERENT = 26
"""Difference in grey levels of a channel above which a pixel shows something else."""
COARSE = 512
"""Coarse colours that pixels are counted by."""


@dataclass(frozen=True)
class View:
    """One picture of the clip (RGB), and what of it changes.

    ``kind``: "first", "last" or "most"; ``frame``: the image that it shows, None for "most", a median.
    ``changed``: what is here and not on the clip's other end (nothing for "most"). ``hand``: moving skin.
    ``other``: the picture at the clip's other end, at which what has changed is missing.
    """

    kind: str
    frame: int | None
    image: Image
    other: Image
    changed: Mask
    hand: Mask

    @cached_property
    def edges(self) -> tuple[Field, Field]:
        """Strength of the edges of this picture, and of that at the other end."""
        return gradient(self.image), gradient(self.other)

    @cached_property
    def pieces(self) -> list[Box]:
        """Boxes of what is here and not at the other end, each in one piece."""
        boxes = [bounding_box(region) for region in components(self.changed, 0.0008, 0.3)]
        return [box for box in boxes if box is not None]

    def edge_share(self, mask: Mask, unit: float) -> float:
        """Share of the edges along a region's outline that this view has, against the other end: 0 to 1."""
        band = grow(mask, 2 * unit) & ~(cv2.erode(mask.astype(np.uint8), disc(2 * unit)) > 0)
        here, there = (float(edges[band].mean()) for edges in self.edges)
        return here / max(here + there, 1e-6)


class Evidence:
    """The views of a clip, its hands, and where its pixels go."""

    def __init__(self, images: Sequence[Image]) -> None:
        """``images``: RGB frames of the whole clip, thinned to a few dozen, in order, at working size."""
        self.images = images
        stack = np.stack(images)
        self.shape = stack.shape[1:3]
        self._tracks: dict[str, Tracks] = {}
        self._carried: dict[str, list[NDArray[np.int64]]] = {}
        self.unit = float(np.hypot(*self.shape)) / 600.0
        """Length here of what is one pixel at 480 x 360."""
        self.median = np.median(stack, axis=0).astype(np.uint8)
        self.hands = [self._hand(i) for i in range(len(images))]
        long = len(stack) > 8
        first = np.median(stack[:2], axis=0).astype(np.uint8) if long else stack[0]
        later = stack[int(0.4 * len(stack)) :]
        earlier = stack[: max(1, int(0.6 * len(stack)))]
        last = np.median(stack[-2:], axis=0).astype(np.uint8) if long else stack[-1]
        # The other end of the clip, rid of what passes by: a median over its part that lies farther away.
        end = np.median(later[-max(3, len(later) // 2) :], axis=0).astype(np.uint8)
        start = np.median(earlier[: max(3, len(earlier) // 2)], axis=0).astype(np.uint8)
        none = np.zeros(self.shape, bool)
        self.views = (
            View("first", 0, first, end, self._gone(first, later, end, self.hands[0]), self.hands[0]),
            View(
                "last", len(images) - 1, last, start, self._gone(last, earlier, start, self.hands[-1]),
                self.hands[-1],
            ),
            View("most", None, self.median, self.median, none, none),
        )  # fmt: skip

    def _hand(self, frame: int) -> Mask:
        """Large regions of moving skin that reach the frame's edge or are on the move just then: an object
        of skin's colour does neither while it rests."""
        image = self.images[frame]
        change = (largest_channel(cv2.absdiff(image, self.median)) > 28) & ~relit(image, self.median)
        found = cv2.morphologyEx((is_skin(image) & change).astype(np.uint8), cv2.MORPH_OPEN, disc(self.unit))
        _, labels, stats, _ = cv2.connectedComponentsWithStats(found, connectivity=8)
        after = self.images[min(frame + 1, len(self.images) - 1)]
        if frame == len(self.images) - 1:
            after = self.images[max(frame - 1, 0)]
        moving = largest_channel(cv2.absdiff(image, after)) > 28
        share = np.bincount(labels[moving], minlength=len(stats)) / np.maximum(stats[:, cv2.CC_STAT_AREA], 1)
        x, y, w, h = (stats[:, i] for i in range(4))
        edge = (x <= 1) | (y <= 1) | (x + w >= self.shape[1] - 1) | (y + h >= self.shape[0] - 1)
        keep = (stats[:, cv2.CC_STAT_AREA] > 0.002 * found.size) & (edge | (share > 0.25))
        keep[0] = False
        return np.asarray(keep[labels], bool)

    def _gone(self, picture: Image, others: Image, end: Image, hand: Mask) -> Mask:
        """What a picture shows and most of the others do not, changes of light apart."""
        count = np.zeros(self.shape, np.float32)
        for image in others:
            count += cv2.medianBlur(largest_channel(cv2.absdiff(image, picture)), 3) > DIFFERENT
        persistent = count / len(others) > 0.55
        raw = (persistent & ~relit(picture, end) & ~hand).astype(np.uint8)
        changed = cv2.morphologyEx(raw, cv2.MORPH_OPEN, disc(self.unit))
        return np.asarray(cv2.morphologyEx(changed, cv2.MORPH_CLOSE, disc(3 * self.unit)) > 0, bool)

    def seen_on(self, view: View, mask: Mask) -> int:
        """The image on which a region of a view is seen best: the view's own, or the first that shows it."""
        if view.frame is not None:
            return view.frame
        away = [
            float((largest_channel(cv2.absdiff(i, view.image))[mask] > DIFFERENT).mean()) for i in self.images
        ]
        return next((i for i, share in enumerate(away) if share < 0.05), int(np.argmin(away)))

    def touched(self, mask: Mask) -> float:
        """Share of a region's outline that a hand comes near to, at the best moment."""
        ring = grow(mask, 5 * self.unit) & ~mask
        total = max(1, area(ring))
        return min(1.0, 3 * max(area(ring & hand) / total for hand in self.hands))

    def other_end(self, view: View, mask: Mask) -> NDArray[np.float64] | None:
        """Where (x, y) what is at ``mask`` on one end's view is at the clip's other end; None if nowhere.

        It is looked for by colour in what is only there.
        """
        opposite = self.views[1] if view.kind == "first" else self.views[0]
        own = colour_histogram(view.image, mask)
        best, best_likeness = None, 0.3
        for region in components(opposite.changed & ~mask, 0.0008, 0.3):
            likeness = float(np.minimum(colour_histogram(opposite.image, region), own).sum())
            if likeness > best_likeness:
                best, best_likeness = region, likeness
        return None if best is None else np.argwhere(best).mean(axis=0)[::-1]

    def tracks(self, view: View) -> Tracks:
        """Corners of an end's view, followed through the clip to its other end (Lucas and Kanade)."""
        if view.kind not in self._tracks:
            images = self.images[::-1] if view.kind == "last" else self.images
            self._tracks[view.kind] = follow(images, self.unit)
        return self._tracks[view.kind]

    def travel(self, view: View, mask: Mask) -> NDArray[np.float64] | None:
        """How far (x, y), in pixels, a region's corners go from the clip's start to its end; None if unknown.

        It is measured up to the last picture on which a quarter of the corners is still followed.
        """
        if view.kind == "most":
            return None
        tracks = self.tracks(view)
        mine = mask[tracks.pixels[:, 1], tracks.pixels[:, 0]]
        if mine.sum() < 5:
            return None
        places = tracks.places[:, mine]
        seen = ~np.isnan(places[..., 0])
        last = int(np.flatnonzero(seen.sum(axis=1) >= max(3, 0.25 * mine.sum()))[-1])
        moved = np.median((places[last] - places[0])[seen[last]], axis=0)
        if last < 0.5 * len(places) and np.linalg.norm(moved) < 0.03 * np.hypot(*self.shape):
            return None  # lost before anything was seen to happen
        return np.asarray(-moved if view.kind == "last" else moved, np.float64)

    def purity(self, view: View, box: Box) -> float | None:
        """Share of a box's corners that move, among those that move or rest for long; None if too few do."""
        if view.kind == "most":
            return None
        tracks = self.tracks(view)
        x0, y0, x1, y1 = box
        places = tracks.places[:, ((tracks.pixels >= (x0, y0)) & (tracks.pixels <= (x1, y1))).all(axis=1)]
        far = np.nanmax(np.linalg.norm(places - places[0], axis=-1), axis=0, initial=0.0)
        diagonal = float(np.hypot(*self.shape))
        moves = int((far > 0.03 * diagonal).sum())
        lasts = (~np.isnan(places[..., 0])).mean(axis=0) > 0.5
        rests = int((lasts & (far < 0.01 * diagonal)).sum())
        return moves / (moves + rests) if moves + rests >= 4 else None

    def coverage(self, view: View, box: Box) -> float | None:
        """Corners in a box that are seen to be carried, over those of the largest thing carried, at most 1;
        None if nothing is."""
        things = self.carried(view)
        if not things:
            return None
        x0, y0, x1, y1 = box
        points = np.concatenate(things)
        inside = ((points >= (x0, y0)) & (points <= (x1, y1))).all(axis=1).sum()
        return min(1.0, float(inside) / max(len(thing) for thing in things))

    def carried(self, view: View) -> list[NDArray[np.int64]]:
        """Corners (n, 2) of an end's view that move as one rigid thing, skin apart; a list of such things."""
        if view.kind not in self._carried:
            self._carried[view.kind] = [] if view.kind == "most" else self._groups(view)
        return self._carried[view.kind]

    def _groups(self, view: View) -> list[NDArray[np.int64]]:
        tracks = self.tracks(view)
        diagonal = float(np.hypot(*self.shape))
        far = np.linalg.norm(tracks.places - tracks.places[0], axis=-1)
        left = np.nanmax(far, axis=0) > 0.04 * diagonal
        skin = cv2.blur(is_skin(view.image).astype(np.float32), (5, 5)) > 0.6
        left &= ~(skin | view.hand)[tracks.pixels[:, 1], tracks.pixels[:, 0]]
        things: list[NDArray[np.int64]] = []
        for _ in range(3):
            on = left[None] & (far > 0.04 * diagonal)
            if left.sum() < 6 or on.sum(axis=1).max() < 6:
                break
            moment = int(on.sum(axis=1).argmax())
            mine = np.flatnonzero(on[moment])
            _, inliers = cv2.estimateAffinePartial2D(
                tracks.places[0, mine], tracks.places[moment, mine], ransacReprojThreshold=4 * self.unit
            )
            if inliers is None or inliers.sum() < 6:
                break
            group = mine[inliers[:, 0] > 0]
            left[group] = False
            dots = np.zeros(self.shape, np.uint8)
            dots[tracks.pixels[group, 1], tracks.pixels[group, 0]] = 1
            _, labels = cv2.connectedComponents(cv2.dilate(dots, disc(0.03 * diagonal)))
            for label in range(1, int(labels.max()) + 1):
                points = np.argwhere((labels == label) & (dots > 0))[:, ::-1]
                if len(points) >= 5:
                    things.append(points)
        return things

    def hull(self, points: NDArray[np.int64]) -> Mask:
        """The region that points (n, 2) enclose."""
        canvas = np.zeros(self.shape, np.uint8)
        cv2.fillConvexPoly(canvas, cv2.convexHull(points.astype(np.int32)), 1)
        return cv2.dilate(canvas, disc(1.5 * self.unit)) > 0


@dataclass(frozen=True)
class Tracks:
    """Corners followed through a clip.

    ``pixels`` (n, 2): where they start, whole x and y; ``places`` (t, n, 2): where they are on each picture,
    NaN from where one is lost.
    """

    pixels: NDArray[np.int64]
    places: Field


def follow(images: Sequence[Image], unit: float) -> Tracks:
    """Follow the corners of the first image, each checked by following it back."""
    greys = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images]
    corners = cv2.goodFeaturesToTrack(greys[0], 900, 0.004, max(2.0, 4 * unit))
    start = np.zeros((0, 2), np.float32) if corners is None else corners.reshape(-1, 2).astype(np.float32)
    pixels = np.clip(start.round().astype(np.int64), 0, np.array(greys[0].shape[::-1]) - 1)
    places = np.full((len(greys), *start.shape), np.nan, np.float32)
    places[0] = start
    for index in range(1, len(greys)):
        alive = np.flatnonzero(~np.isnan(places[index - 1, :, 0]))
        if not len(alive):
            break
        at = np.ascontiguousarray(places[index - 1, alive])[:, None]
        step, after = greys[index - 1], greys[index]
        moved, ok, _ = cv2.calcOpticalFlowPyrLK(step, after, at, np.zeros_like(at), winSize=(15, 15))
        back, ok_back, _ = cv2.calcOpticalFlowPyrLK(after, step, moved, np.zeros_like(at), winSize=(15, 15))
        good = (ok[:, 0] > 0) & (ok_back[:, 0] > 0) & (np.linalg.norm(back - at, axis=-1)[:, 0] < 1.5)
        places[index, alive[good]] = moved[good, 0]
    return Tracks(pixels, places)


def colour_histogram(image: Image, mask: Mask) -> Field:
    """Normalised histogram of a region's colours, 8 x 16 x 16 bins of Lab."""
    lab = to_lab(image)[mask].astype(np.int32)
    index = (lab[:, 0] >> 5) * 256 + (lab[:, 1] >> 4) * 16 + (lab[:, 2] >> 4)
    return np.asarray(np.bincount(index, minlength=2048) / max(1, len(index)), np.float32)


def gradient(image: Image) -> Field:
    grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (0, 0), 1.0)
    dx, dy = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    return np.asarray(np.hypot(dx, dy), np.float32)


def components(mask: Mask, least: float, most: float) -> list[Mask]:
    """Connected regions whose area is a share of the frame between ``least`` and ``most``, largest first."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    order = sorted(range(1, count), key=lambda i: -int(areas[i]))
    return [labels == i for i in order if least * mask.size < areas[i] < most * mask.size][:12]


def salient(image: Image, unit: float) -> list[Mask]:
    """What differs in colour from its wider surroundings, or is densely textured where they are not."""
    size = min(2 * round(45 * unit) + 1, 255)
    channels = [cv2.medianBlur(np.ascontiguousarray(image[..., c]), size) for c in range(3)]
    around = np.stack(channels, axis=-1).astype(np.uint8)
    difference = to_lab(image).astype(np.float32) - to_lab(around)
    distance = np.linalg.norm(difference * np.array([0.5, 1, 1], np.float32), axis=-1)
    different = (distance > 18) & ~relit(around, image)
    edges = (gradient(image) > 40).astype(np.float32)
    reach = 2 * round(5 * unit) + 1
    dense = cv2.blur(edges, (reach, reach)) > 0.3
    dense = cv2.erode(dense.astype(np.uint8), disc(2.5 * unit)) > 0
    found = []
    for raw, closing in ((different, 3.0), (different, 8.0), (dense, 3.0), (dense | different, 5.0)):
        opened = cv2.morphologyEx(raw.astype(np.uint8), cv2.MORPH_OPEN, disc(2 * unit))
        found.append(cv2.morphologyEx(opened, cv2.MORPH_CLOSE, disc(closing * unit)) > 0)
    return found


def contrast(bins: NDArray[np.int64], mask: Mask, unit: float) -> float:
    """How much a region's colours differ from those right around it: 0 to 1.

    ``bins`` (H, W): each pixel's coarse colour, below COARSE.
    """
    ring = grow(mask, 6 * unit) & ~grow(mask, unit)
    if not ring.any() or not mask.any():
        return 0.0
    inside, outside = (np.bincount(bins[m], minlength=COARSE) / area(m) for m in (mask, ring))
    return 1.0 - float(np.minimum(inside, outside).sum())


def coarse_colours(image: Image) -> NDArray[np.int64]:
    """Each pixel's bin of 8 x 8 x 8 over Lab, its chroma stretched to the range that things have."""
    lab = to_lab(image).astype(np.int64)
    a, b = (np.clip((lab[..., i] - 128 + 64) >> 4, 0, 7) for i in (1, 2))
    return np.asarray((lab[..., 0] >> 5) * 64 + a * 8 + b)


def compactness(mask: Mask) -> float:
    """Share of its convex hull that a region fills."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    hull = cv2.convexHull(np.concatenate(contours))
    return float(area(mask) / max(1.0, cv2.contourArea(hull)))
