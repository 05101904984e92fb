"""Masks of one object over a whole clip, from one prompt: GrabCut on the prompt's frame, then propagation.

Embedded method, for a fixed camera. On every frame a pixel belongs to the object, to the background or to
something else that moves (the hand, another object). The evidence: where optical flow carries the mask from
the frame before; the colour, against histograms of the three; whether the pixel looks like the background
plate, shadows allowed. A first pass runs from the prompt to both ends of the clip; from its masks a clean
plate (what is seen where neither object nor hand is) and better colour models follow, and a second pass
with them gives the result. When the object is lost it is looked for by colour among what moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.mask import area, bounding_box, largest_component
from video2policy.perceive.verdict import Rejected, Verdict

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Field = NDArray[np.float32]

WORK_SIDE = 640
"""Long side in pixels at which masks are computed."""
FLOW_SIDE = 427
"""Long side in pixels at which optical flow is computed."""
LEVELS = (32, 64, 64)
"""Colour bins along L, a and b (8-bit Lab)."""
SPREAD = (8.0, 5.0, 5.0)
"""Standard deviation of a pixel that shows the background plate, in 8-bit Lab levels."""
MOST_OF_FRAME, LEAST_SEEN = 0.6, 0.3
"""A mask that covers more of the frame, or is seen on a smaller share of the frames, is refused."""
METHOD = "GrabCut, then flow, colour and background plate"
BETTER = "SAM 2 needs weights from a model hub"
HAND_SHADE = 2.5
"""Bins of lightness over which a hand's colours are spread: fingers are lit and shaded variously."""
SHADES = (0.45, 0.6, 0.75, 1.33, 1.67)
"""Factors of light in which an object's colours are expected: a hand's shadow comes and goes."""
UNIFORM = 5e-5
"""Density of any colour whatever, per bin: no colour is impossible."""


@dataclass(frozen=True)
class Prompt:
    """Where an object is: on frame ``frame``, in ``box`` [x0, y0, x1, y1] or at ``points`` [x, y], pixels."""

    name: str
    frame: int
    box: tuple[float, float, float, float]
    points: tuple[tuple[float, float], ...] = ()

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Prompt:
        """From an entry of objects.json."""
        points = tuple((float(x), float(y)) for x, y in data.get("points", ()))
        x0, y0, x1, y1 = (float(v) for v in data["box"])
        return cls(data["name"], int(data["frame"]), (x0, y0, x1, y1), points)

    def scaled(self, scale: float) -> Prompt:
        x0, y0, x1, y1 = (v * scale for v in self.box)
        return Prompt(
            self.name, self.frame, (x0, y0, x1, y1), tuple((x * scale, y * scale) for x, y in self.points)
        )


class Segmentation(NamedTuple):
    """Masks (n, H, W) in frame pixels, score per frame (n,) in [0, 1]."""

    masks: Mask
    score: NDArray[np.float32]


def bins(lab: Image) -> NDArray[np.int32]:
    """Index of each pixel's colour bin. lab: (..., 3) 8-bit."""
    q = lab.astype(np.int32)
    return ((q[..., 0] >> 3) * LEVELS[1] + (q[..., 1] >> 2)) * LEVELS[2] + (q[..., 2] >> 2)


class Palette:
    """A colour histogram, smoothed by ``shade`` bins along lightness and about one bin of colour."""

    def __init__(self, shade: float = 0.9) -> None:
        self.shade = shade
        self.counts: Field = np.zeros(int(np.prod(LEVELS)), np.float32)
        self._density: Field | None = None

    def learn(self, index: NDArray[np.int32], rate: float = 1.0) -> None:
        """Mix the colours of pixels (bin indices) in; ``rate`` 1 forgets what was known."""
        if not len(index):
            return
        fresh = np.bincount(index, minlength=len(self.counts)).astype(np.float32) / len(index)
        rate = 1.0 if not self.counts.any() else rate
        self.counts = ((1 - rate) * self.counts + rate * fresh).astype(np.float32)
        self._density = None

    def forget(self) -> None:
        """Drop what is derived from the counts, after they were set from outside."""
        self._density = None

    @property
    def known(self) -> bool:
        return bool(self.counts.any())

    def density(self, index: NDArray[np.int32]) -> Field:
        """Probability per bin of each pixel's colour."""
        if self._density is None:
            blurred = cv2.GaussianBlur(
                self.counts.reshape(LEVELS[0], -1), (1, 2 * round(3 * self.shade) + 1), 0, sigmaY=self.shade
            )
            planes = blurred.reshape(LEVELS)
            smooth = [cv2.GaussianBlur(plane, (5, 5), 0.9) if plane.any() else plane for plane in planes]
            self._density = np.stack(smooth).ravel().astype(np.float32)
        return np.asarray(self._density[index] * 0.95 + 0.05 * UNIFORM, np.float32)

    def overlap(self, other: Palette) -> float:
        """Histogram intersection with another palette over coarse bins, 0 to 1."""
        shape = (LEVELS[0] // 4, 4, LEVELS[1] // 2, 2, LEVELS[2] // 2, 2)
        a, b = (p.counts.reshape(shape).sum(axis=(1, 3, 5)) for p in (self, other))
        return float(np.minimum(a, b).sum())


def dot(a: NDArray[Any], b: NDArray[Any]) -> Field:
    """Scalar products of two images' colours: (H, W)."""
    return np.asarray(cv2.transform(cv2.multiply(a, b), np.ones((1, 3), np.float32)), np.float32)


def relit_palette(pixels: Image) -> Palette:
    """The colours of RGB pixels (n, 3) in other light."""
    palette = Palette()
    bright = pixels.astype(np.float32)
    shades = [np.clip(bright * factor, 0, 255).astype(np.uint8) for factor in SHADES]
    palette.learn(bins(to_lab(np.concatenate(shades)[:, None]))[:, 0])
    return palette


def is_skin(image: Image) -> Mask:
    """Colours that skin has under common light. image: RGB (..., 3)."""
    ycc = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)
    return np.asarray(cv2.inRange(ycc, (50, 136, 80), (245, 178, 128)) > 0, bool)


def relit(a: Image, b: Image) -> Mask:
    """Where two RGB images differ by one factor for all channels only, as in a shadow."""
    x, y = a.astype(np.float32) + 4, b.astype(np.float32) + 4
    factor = dot(x, y) / dot(x, x)
    rest = largest_channel(cv2.absdiff(y, factor[..., None] * x)) / np.maximum(factor, 1.0)
    return np.asarray((rest < 12) & (factor > 0.4) & (factor < 2.5), bool)


def in_shadow(lit: Image, image: Image) -> Mask:
    """Where an RGB image may be another one in less light, or in the same."""
    x, y = lit.astype(np.float32) + 4, image.astype(np.float32) + 4
    factor = dot(x, y) / dot(x, x)
    rest = largest_channel(cv2.absdiff(y, factor[..., None] * x))
    return np.asarray((rest < 12) & (factor > 0.3) & (factor < 1.1), bool)


def recoloured(a: Field, b: Field) -> Field:
    """What two RGB images differ by, largest channel, beside one factor of light for all channels."""
    x, y = a + 4, b + 4
    factor = np.clip(dot(x, y) / dot(x, x), 0.35, 2.5)
    rest = largest_channel(cv2.absdiff(y, factor[..., None] * x)) / np.minimum(factor, 1.0)
    return np.asarray(rest, np.float32)


def disc(radius: float) -> Image:
    size = 2 * max(1, round(radius)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)


def grow(mask: Mask, radius: float) -> Mask:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), disc(radius)) > 0, bool)


def signed_distance(mask: Mask) -> Field:
    """Distance to the mask's edge in pixels, positive inside."""
    inside = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
    outside = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(inside - outside, np.float32)


def plate_likelihood(image: Image, lab: Image, plate: Image, plate_lab: Image) -> Field:
    """Probability per colour bin of each pixel if it shows the plate, in full light or in a shadow."""
    # An edge of the background may shift by a pixel: any colour within its neighbourhood will do.
    low, high = cv2.erode(plate_lab, np.ones((3, 3))), cv2.dilate(plate_lab, np.ones((3, 3)))
    d = cv2.max(cv2.subtract(low, lab), cv2.subtract(lab, high)) * (1 / np.array(SPREAD, np.float32))
    peak = np.float32(1 / ((2 * np.pi) ** 1.5 * (SPREAD[0] / 8) * (SPREAD[1] / 4) * (SPREAD[2] / 4)))
    lit = peak * np.exp(-0.5 * np.minimum(dot(d, d), 60.0))
    # A cast shadow multiplies the background's colour by one factor.
    i, p = image.astype(np.float32) + 4, plate.astype(np.float32) + 4
    factor = dot(i, p) / dot(p, p)
    rest = (i - factor[..., None] * p) / 7.0
    shade = np.exp(-0.5 * np.minimum(dot(rest, rest), 60.0))
    # The plate itself may have been taken in a shadow.
    shade = np.where((factor > 0.42) & (factor < 2.2), np.where(factor < 1.05, 0.25, 0.1) * peak * shade, 0.0)
    return np.asarray(np.maximum(lit, shade), np.float32)


# ------------------------------------------------------------------------------------------ first mask


def first_mask(image: Image, prompt: Prompt, avoid: Mask | None = None) -> Mask:
    """The object's mask on its prompt's frame: GrabCut, then corrected in favour of the box.

    GrabCut alone leaves out parts whose colour is also found outside the box. A user's or detector's box is
    mostly filled by its object, so a pixel in it needs reasons not to be object: the colours right around
    the box, or ``avoid`` (H, W), a hand that reaches in.

    Raises:
        Rejected: if the mask is empty.
    """
    rough, told = grabcut(image, prompt, avoid)
    unit = float(np.hypot(*image.shape[:2])) / 800.0
    inside = np.zeros(image.shape[:2], bool)
    x0, y0, x1, y1 = (max(0, round(v)) for v in prompt.box)
    inside[y0:y1, x0:x1] = True
    side = min(x1 - x0, y1 - y0)
    roi = region(inside, 0.35 * side + 8 * unit)
    lab = to_lab(np.ascontiguousarray(image[roi]))
    index = bins(lab)
    outside = grow(inside[roi], 0.25 * side + 4 * unit) & ~grow(inside[roi], unit)
    hand = np.zeros_like(outside) if avoid is None else avoid[roi]
    around, touching = Palette(), Palette()
    around.learn(index[outside & ~hand])
    touching.learn(index[hand & ~inside[roi]])
    plate = filled_in(image[roi], grow(inside[roi], unit), 5 * unit)
    guess = plate_likelihood(np.ascontiguousarray(image[roi]), lab, plate, to_lab(plate))
    # Corners of the box are less likely filled than its middle.
    rows, columns = np.mgrid[roi]
    u = np.abs(2 * columns - x0 - x1 + 1) / max(1, x1 - x0)
    v = np.abs(2 * rows - y0 - y1 + 1) / max(1, y1 - y0)
    place = np.where(inside[roi], 0.5 - 0.5 * np.clip(u * v * u * v, 0, 1), -8.0)
    mask = rough[roi]
    for _ in range(3):
        own = Palette()
        own.learn(index[mask])
        left = index[inside[roi] & ~mask & ~hand]
        missed = Palette()
        missed.learn(left)
        if missed.known:  # colours of the box that are not found around it
            left = left[missed.density(left) > 3 * around.density(left) + 3 * UNIFORM]
            own.learn(left, 0.5 * len(left) / area(inside))
        mine = own.density(index)
        rest = 0.55 * around.density(index) + 0.10 * np.minimum(guess, 0.02) + 0.05 * UNIFORM
        if touching.known:
            rest = rest + 0.30 * touching.density(index)
        ratio = np.clip(np.log((0.93 * mine + 0.07 * UNIFORM) / rest), -4, 4)
        shape = np.clip(signed_distance(mask) / (4 * unit), -1.5, 1.5)
        mask = fill_holes(largest_component(settle((place + ratio + shape).astype(np.float32)) > 0.5))
    if told:  # GrabCut's outline is the finer one: take whole parts from the correction, not edges or shadows
        part = disc(max(unit, 0.04 * side))
        extra = cv2.morphologyEx((mask & ~rough[roi]).astype(np.uint8), cv2.MORPH_OPEN, part) > 0
        shadow = cv2.blur((guess > 0.001).astype(np.float32), (9, 9)) > 0.5
        surplus = cv2.morphologyEx((rough[roi] & ~mask).astype(np.uint8), cv2.MORPH_OPEN, part) > 0
        # A shadow at the object's foot has colours that the object's middle has not.
        middle = Palette()
        middle.learn(index[signed_distance(rough[roi]) > 0.15 * side])
        if middle.known:
            shady = rough[roi] & (guess > 0.001) & (middle.density(index) < 0.3 * guess)
            surplus |= cv2.medianBlur(shady.astype(np.uint8), 5) > 0
        extra &= ~shadow
        mask = (rough[roi] | extra) & ~surplus
        joined = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, part) > 0
        mask = fill_holes(largest_component(mask | (joined & grow(extra, 0.04 * side))))
    found = np.zeros_like(inside)
    found[roi] = mask
    return found if area(found) > 0.5 * area(rough) else rough


def grabcut(image: Image, prompt: Prompt, avoid: Mask | None = None) -> tuple[Mask, bool]:
    """GrabCut from the prompt's box or points; False when colours told nothing and most of the box is taken.

    Raises:
        Rejected: if the box is outside the frame.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = (round(v) for v in prompt.box)
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    if x1 - x0 < 2 or y1 - y0 < 2:
        raise Rejected(f"{prompt.name}: its box holds no pixel of the frame; correct the box in the sheet")
    margin = round(0.5 * max(x1 - x0, y1 - y0)) + 8
    left, top = max(x0 - margin, 0), max(y0 - margin, 0)
    crop = np.ascontiguousarray(image[top : y1 + margin, left : x1 + margin])
    trimap = np.full(crop.shape[:2], int(cv2.GC_BGD), np.uint8)
    trimap[y0 - top : y1 - top, x0 - left : x1 - left] = cv2.GC_PR_FGD
    if avoid is not None:
        likely = avoid[top : y1 + margin, left : x1 + margin] & (trimap == cv2.GC_PR_FGD)
        trimap[likely] = cv2.GC_PR_BGD
    radius = max(2, round(0.06 * min(x1 - x0, y1 - y0)))
    for x, y in prompt.points:
        cv2.circle(trimap, (round(x) - left, round(y) - top), radius, int(cv2.GC_FGD), -1)
    if not (trimap == cv2.GC_BGD).any():  # a box as large as the picture leaves no background to learn from
        trimap[[0, -1]] = cv2.GC_BGD
        trimap[:, [0, -1]] = cv2.GC_BGD
    cv2.setRNGSeed(0)
    if (trimap != cv2.GC_BGD).any() and ((trimap == cv2.GC_PR_FGD) | (trimap == cv2.GC_FGD)).any():
        state = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(crop[..., ::-1].copy(), trimap, (0, 0, 1, 1), *state, 6, cv2.GC_INIT_WITH_MASK)
    found = ((trimap == cv2.GC_FGD) | (trimap == cv2.GC_PR_FGD)).astype(np.uint8)
    found = cv2.morphologyEx(found, cv2.MORPH_OPEN, disc(1))
    told = int(found.sum()) >= 0.12 * (x1 - x0) * (y1 - y0)
    if not told:
        found = np.zeros_like(found)
        centre = ((x0 + x1) // 2 - left, (y0 + y1) // 2 - top)
        cv2.ellipse(found, centre, ((x1 - x0) * 9 // 20, (y1 - y0) * 9 // 20), 0, 0, 360, 1, -1)
    mask = np.zeros((height, width), bool)
    mask[top : y1 + margin, left : x1 + margin] = fill_holes(largest_component(found > 0))
    return mask, told


def centre(mask: Mask) -> NDArray[np.float64]:
    """Mean [x, y] of a mask's pixels; the frame's middle for an empty mask."""
    if not mask.any():
        return np.array([mask.shape[1] / 2, mask.shape[0] / 2])
    return np.asarray(np.argwhere(mask).mean(axis=0)[::-1], np.float64)


def fill_holes(mask: Mask, share: float = 0.08) -> Mask:
    """Fill holes that are small against the mask; a mug's handle keeps its hole."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    limit = share * 0.25 * area(mask)
    filled = mask.copy()
    for label in range(1, count):
        x, y, w, h, size = stats[label]
        border = x == 0 or y == 0 or x + w == mask.shape[1] or y + h == mask.shape[0]
        if not border and size <= limit:
            filled |= labels == label
    return filled


# ----------------------------------------------------------------------------------------- propagation


@dataclass
class Colours:
    """Colour models: the object's, what else moves (hands), other named objects."""

    own: Palette
    relit: Palette
    """The object's colours in other light."""
    hand: Palette
    rivals: list[Palette]


class Footage:
    """The clip at working resolution, with flow and background; shared by the objects' propagations."""

    def __init__(self, images: Sequence[Image]) -> None:
        self.images = images
        self.shape = images[0].shape[:2]
        self.unit = float(np.hypot(*self.shape)) / 800.0
        """Length here of what is one pixel at 640 x 480."""
        stack = np.stack([images[i] for i in self.sample(41)])
        self.median, self.steady = clean_plate(stack, np.zeros(stack.shape[:3], bool), stack[0])
        """Temporal median (H, W, 3), and where the clip shows it most of the time."""
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._flows: dict[tuple[int, int], NDArray[np.float16]] = {}

    def __len__(self) -> int:
        return len(self.images)

    def lab(self, frame: int, roi: tuple[slice, slice] = (slice(None), slice(None))) -> Image:
        return to_lab(np.ascontiguousarray(self.images[frame][roi]))

    def _small(self, frame: int) -> Image:
        grey = cv2.cvtColor(self.images[frame], cv2.COLOR_RGB2GRAY)
        scale = min(1.0, FLOW_SIDE / max(self.shape))
        size = (max(1, round(self.shape[1] * scale)), max(1, round(self.shape[0] * scale)))
        return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)

    def flow(self, frame: int, before: int) -> Field:
        """Flow (H, W, 2): where each pixel of ``frame`` was on frame ``before``, as an offset in pixels."""
        if (frame, before) not in self._flows:
            flow = self._flow.calc(self._small(frame), self._small(before), np.empty(0, np.float32))
            self._flows[frame, before] = flow.astype(np.float16)
        half = self._flows[frame, before].astype(np.float32)
        scale = (self.shape[1] / half.shape[1], self.shape[0] / half.shape[0])
        return np.asarray(cv2.resize(half, self.shape[::-1]) * np.array(scale, np.float32), np.float32)

    def differs(self, frame: int, plate: Image, threshold: int = 28) -> Mask:
        """Where a frame differs from a background plate."""
        difference = largest_channel(cv2.absdiff(self.images[frame], plate))
        return np.asarray(cv2.medianBlur(difference, 3) > threshold, bool)

    def skin(self, frame: int, plate: Image) -> Mask:
        """Skin that is not background, nor background in a shadow."""
        image = self.images[frame]
        return is_skin(image) & self.differs(frame, plate) & ~relit(plate, image)

    def reaches_in(self, frame: int) -> Mask:
        """What is not background, nor background in other light, and touches the frame's border."""
        foreign = self.differs(frame, self.median) & ~relit(self.median, self.images[frame])
        opened = cv2.morphologyEx(foreign.astype(np.uint8), cv2.MORPH_OPEN, disc(2 * self.unit))
        count, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
        edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
        entering = np.bincount(edge, minlength=count) > 8 * self.unit
        entering &= stats[:, cv2.CC_STAT_AREA] > 300 * self.unit**2
        entering[0] = False
        return np.asarray(entering[labels], bool)

    def stirs(self, frame: int) -> Mask:
        """Where a frame differs from a neighbour of it."""
        near = [i for i in (frame - 1, frame + 1) if 0 <= i < len(self)]
        return np.any([self.differs(frame, self.images[i], 14) for i in near], axis=0)

    def sample(self, count: int) -> list[int]:
        """Frame numbers spread over the clip."""
        return [int(i) for i in np.unique(np.linspace(0, len(self) - 1, count).round())]


class Scene:
    """What a propagation knows of a clip: the background plate and the colours of object and others."""

    def __init__(self, footage: Footage, start: Mask, frame: int, rivals: list[Palette]) -> None:
        self.footage, self.start, self.frame = footage, start, frame
        self.plate, self.plate_known = self._first_plate()
        self.at_prompt, self.at_prompt_known = self.plate, self.plate_known
        """The background as the prompt's frame shows it: true also where an object comes to rest later."""
        own = Palette()
        own.learn(bins(footage.lab(frame))[start])
        self.shadow_share_at_start = self.shadow_share(frame, start)
        self.hand_known = False
        """Whether the hand's colours were learnt where there was nothing but a hand."""
        self.colours = Colours(own, relit_palette(footage.images[frame][start]), self._hand(own), rivals)

    def _first_plate(self) -> tuple[Image, Mask]:
        """The prompt's frame where it shows background, the temporal median where a hand is in it."""
        clip, here = self.footage, self.footage.images[self.frame]
        moving = np.zeros(clip.shape, bool)
        for step in (-8, -4, 4, 8):
            moving |= clip.differs(min(max(self.frame + step, 0), len(clip) - 1), here, 22)
        hand = clip.differs(self.frame, clip.median) & (moving | is_skin(here))
        hand = grow(cv2.medianBlur(hand.astype(np.uint8), 5) > 0, 5 * clip.unit)
        known = ~grow(self.start, 4 * clip.unit) & (clip.steady | ~hand)
        plate = np.where(hand[..., None], clip.median, here)
        return filled_in(plate, ~known, 6 * clip.unit), known

    def _hand(self, own: Palette) -> Palette:
        """Colours of a hand.

        While the object rests, what reaches in from the border and moving skin are a hand for sure; those
        frames are enough if a hand is in them. Else the whole clip is asked: the object moves too and may
        be skin coloured, so colours that are more the object's do not count.
        """
        clip, sure, found = self.footage, [], []
        here, away = clip.images[self.frame], ~grow(self.start, 8 * clip.unit)
        resting = {-1: True, 1: True}
        for frame in sorted(clip.sample(40), key=lambda f: abs(f - self.frame)):
            skin = clip.skin(frame, clip.median)
            index = bins(clip.lab(frame))
            found.append(index[skin & away] if frame == self.frame else index[skin])
            side = 1 if frame > self.frame else -1
            changed = clip.differs(frame, here)[self.start].mean()
            resting[side] &= bool(changed < 0.15)
            if resting[side]:
                sure.append(index[(skin | clip.reaches_in(frame)) & away])
        palette = Palette(HAND_SHADE)
        if sum(map(len, sure)) > 500 * clip.unit**2:
            palette.learn(np.concatenate(sure))
            self.hand_known = True
            return palette
        index = np.concatenate(found)
        palette.learn(index)
        if palette.known:
            index = index[palette.density(index) > 0.7 * own.density(index)]
            palette.learn(index if len(index) > 200 else index[:0])
        return palette

    def refine(self, masks: dict[int, Mask], score: dict[int, float]) -> None:
        """A clean plate, better colours and a better first mask from a first pass's masks."""
        clip, reach = self.footage, 4 * self.footage.unit
        chosen = clip.sample(48)
        stack = np.stack([clip.images[i] for i in chosen])
        hidden = np.stack([grow(masks[i], reach) | clip.stirs(i) for i in chosen])
        plate, known = clean_plate(stack, hidden, clip.median)
        plate = np.where(known[..., None], plate, self.at_prompt)
        self.plate_known = known | self.at_prompt_known
        self.plate = filled_in(plate, ~self.plate_known, 6 * clip.unit)
        hand, own = [], [bins(clip.lab(self.frame))[self.start]]
        for i in chosen:
            index = bins(clip.lab(i))
            rest = clip.skin(i, self.plate) & self.plate_known
            hand.append(index[rest & ~grow(masks[i], reach)])
            if score[i] > 0.75:
                inside = index[masks[i]]
                # A finger that the first pass took for the object must not teach its colours.
                mine = self.colours.own.density(inside) > 0.5 * self.colours.hand.density(inside)
                own.append(inside[mine])
        index = np.concatenate(hand)
        if self.hand_known:  # what the first pass missed of the object must not count as hand
            index = index[self.colours.hand.density(index) > 2 * UNIFORM]
        if len(index) > 200:
            self.colours.hand.learn(index, 0.5)
        self.colours.own.learn(np.concatenate(own), 0.5)
        # The first mask again, now that the background under its edge may be known.
        roi = region(self.start, 24 * clip.unit)
        prior = np.clip(signed_distance(self.start) / (3 * clip.unit), -4, 2.5)[roi]
        around = self.surroundings(self.frame, self.start)
        better = np.zeros_like(self.start)
        better[roi] = settle(prior + self.evidence(self.frame, roi, around)) > 0.5
        better = fill_holes(largest_component(better))
        if area(better & self.start) > 0.5 * area(self.start):
            self.start = better

    def shows_plate(self, frame: int, roi: tuple[slice, slice]) -> Mask:
        """Where the background is seen, so that the object is not there, not even hidden."""
        image = self.footage.images[frame][roi]
        now = largest_channel(cv2.absdiff(image, self.plate[roi])) < 20
        then = largest_channel(cv2.absdiff(image, self.at_prompt[roi])) < 20
        return np.asarray((now & self.plate_known[roi]) | (then & self.at_prompt_known[roi]), bool)

    def shadow_share(self, frame: int, mask: Mask) -> float:
        """Share of a mask (H, W) that looks like the background in less light."""
        roi = region(mask, 0)
        dark = in_shadow(self.plate[roi], self.footage.images[frame][roi]) & mask[roi]
        return area(dark) / max(1, area(mask))

    def foreign(self, frame: int, roi: tuple[slice, slice], mask: Mask) -> Field:
        """1 where a region shows neither the object (mask (H, W)) nor the background, else 0: (H, W)."""
        image, plate = self.footage.images[frame][roi], self.plate[roi]
        differs = (largest_channel(cv2.absdiff(image, plate)) > 28) & ~relit(plate, image)
        apart = differs & self.plate_known[roi] & ~grow(mask[roi], self.footage.unit)
        result = np.zeros(mask.shape, np.float32)
        result[roi] = cv2.medianBlur(apart.astype(np.uint8), 3)
        return result

    def surroundings(self, frame: int, mask: Mask) -> Palette:
        """Colours right around a mask."""
        unit = self.footage.unit
        roi = region(mask, 24 * unit)
        ring = grow(mask[roi], 14 * unit) & ~grow(mask[roi], 3 * unit)
        # What is known not to be background may be a part of the object that comes into view.
        ring &= ~self.plate_known[roi] | self.shows_plate(frame, roi)
        palette = Palette()
        palette.learn(bins(self.footage.lab(frame, roi))[ring])
        return palette

    def like_hand(self, frame: int, roi: tuple[slice, slice], own: Palette) -> Mask:
        """Pixels of a region whose colour is much more a hand's than the object's."""
        index = bins(self.footage.lab(frame, roi))
        if not self.colours.hand.known:
            return np.zeros(index.shape, bool)
        mine = np.maximum(self.colours.own.density(index), own.density(index))
        return np.asarray(self.colours.hand.density(index) > 3 * mine, bool)

    def evidence(
        self, frame: int, roi: tuple[slice, slice], around: Palette, own: Palette | None = None
    ) -> Field:
        """Log likelihood ratio, object against the rest, of each pixel of a region."""
        lab = self.footage.lab(frame, roi)
        index = bins(lab)
        image = np.ascontiguousarray(self.footage.images[frame][roi])
        plate, then = np.ascontiguousarray(self.plate[roi]), np.ascontiguousarray(self.at_prompt[roi])
        mine = self.colours.own.density(index)
        if own is not None:
            mine = 0.5 * mine + 0.5 * own.density(index)
        mine = 0.85 * mine + 0.15 * self.colours.relit.density(index)
        near = around.density(index)
        seen = plate_likelihood(image, lab, plate, to_lab(plate))
        if self.plate is not self.at_prompt:
            earlier = plate_likelihood(image, lab, then, to_lab(then))
            seen = np.where(self.at_prompt_known[roi], np.maximum(seen, earlier), seen)
        surely, guessed = 0.85 * seen + 0.15 * near, 0.7 * near + 0.3 * seen
        back = np.where(self.plate_known[roi], surely, guessed)
        others = [p.density(index) for p in [self.colours.hand, *self.colours.rivals] if p.known]
        rest = 0.65 * back + 0.05 * UNIFORM + sum(0.3 / len(others) * p for p in others)
        ratio = np.log((0.93 * mine + 0.07 * UNIFORM) / rest)
        return np.asarray(np.clip(ratio, -5, 5), np.float32)


def largest_channel(image: NDArray[Any]) -> NDArray[Any]:
    """Maximum over the channels: (H, W)."""
    a, b, c = cv2.split(image)
    return cv2.max(cv2.max(a, b), c)


def to_lab(image: Image) -> Image:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2LAB), np.uint8)


def clean_plate(stack: Image, hidden: Mask, fallback: Image) -> tuple[Image, Mask]:
    """The background from frames (k, H, W, 3) of which pixels are hidden (k, H, W), and where it is known.

    The median over the frames at which a pixel is not hidden; known where it is seen often enough and
    then looks the same, so that what was not recognised as hidden does not become background.
    """
    values = np.moveaxis(stack, 0, -1).astype(np.int16, order="C")  # neighbours in memory sort quickest
    np.copyto(values, 999, where=np.moveaxis(hidden, 0, -1)[:, :, None])  # hidden frames sort to the end
    values.sort(axis=-1)
    seen = (~hidden).sum(axis=0)

    def quantile(share: float) -> NDArray[np.int16]:
        place = (np.maximum(seen - 1, 0) * share).astype(int)
        return np.take_along_axis(values, place[..., None, None], axis=-1)[..., 0]

    spread = (quantile(0.75) - quantile(0.25)).max(axis=-1)
    plate = np.where((seen > 0)[..., None], quantile(0.5), fallback).astype(np.uint8)
    return plate, (seen >= max(3, len(stack) // 12)) & (spread < 30)


def filled_in(image: Image, gaps: Mask, reach: float) -> Image:
    """The image with smooth guesses from around in its gaps."""
    weight = (~gaps).astype(np.float32)
    values = image.astype(np.float32) * weight[..., None]
    result = image.astype(np.float32)
    left = gaps.copy()
    for sigma in (reach, 2 * reach, 4 * reach, 16 * reach):
        near = cv2.GaussianBlur(weight, (0, 0), sigma)
        done = left & (near > 0.02)
        result[done] = cv2.GaussianBlur(values, (0, 0), sigma)[done] / near[done, None]
        left &= ~done
    return result.astype(np.uint8)


def region(mask: Mask, margin: float) -> tuple[slice, slice]:
    """The mask's bounding box with a margin, cut at the frame; the whole frame for an empty mask."""
    box = bounding_box(mask)
    if box is None:
        return slice(0, mask.shape[0]), slice(0, mask.shape[1])
    m = int(margin) + 1
    rows, columns = mask.shape
    x0, y0, x1, y1 = box
    return slice(max(0, y0 - m), min(rows, y1 + m)), slice(max(0, x0 - m), min(columns, x1 + m))


def settle(logit: Field) -> Field:
    """Probabilities from log odds, speckles removed."""
    smooth = cv2.GaussianBlur(logit, (0, 0), 0.8)
    return np.asarray(1 / (1 + np.exp(-smooth)), np.float32)


class Track:
    """The state of one pass: visible mask, whole extent, colours, as of the last frame."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.clip = scene, scene.footage
        self.mask = scene.start.copy()
        self.whole = scene.start.astype(np.float32)
        """What of the object there is, hidden or not: probability (H, W)."""
        self.look = self.clip.images[scene.frame].astype(np.float32)
        """The object's appearance where it was seen last (H, W, 3), carried along with ``whole``."""
        self.own = Palette()
        self.own.counts = scene.colours.own.counts.copy()
        self.around = scene.surroundings(scene.frame, scene.start)
        self.area = float(area(scene.start))
        self.other = scene.foreign(scene.frame, region(scene.start, 60 * self.clip.unit), scene.start)
        """What is neither object nor background (H, W), 0 or 1, around the object."""
        self.lost = 0
        """Number of frames since it was seen."""
        self.home = scene.start
        """Its mask where it was seen last."""
        rows, columns = self.clip.shape
        self.grid = np.stack(
            np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32)), axis=-1
        )

    def step(self, frame: int, before: int, after: int) -> tuple[Mask, float]:
        """The mask on ``frame`` and its score, from the state on the neighbouring frame ``before``.

        ``after`` is the neighbour on the other side, ``frame`` itself at the clip's end.
        """
        unit = self.clip.unit
        flow = self.clip.flow(frame, before)
        if self._rests(frame, before):
            flow = np.zeros_like(flow)  # a shadow that passes over it takes the flow along
        place = self.grid + flow
        warped = cv2.remap(self.mask.astype(np.float32), place[..., 0], place[..., 1], cv2.INTER_LINEAR)
        moved = warped > 0.5
        whole, look, carried = self._carry(flow, moved)
        prior_mask = moved | (whole > 0.7)
        if area(prior_mask) < 0.04 * self.area:
            return self._search(frame)
        speed = float(np.median(np.linalg.norm(flow[moved], axis=-1))) if moved.any() else 0.0
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
        along = np.linalg.norm(flow[roi] - carried[roi], axis=-1) < 0.5 * unit + 0.25 * speed
        other = cv2.remap(self.other, place[roi][..., 0], place[roi][..., 1], cv2.INTER_LINEAR) > 0.5
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
        count = area(mask)
        if count < 0.05 * self.area or self._shadow(frame, mask):
            return self._search(frame)
        self.lost = 0
        score = self._score(found, p, moved[roi], whole[roi])
        self._update(frame, roi, mask, p, whole, look)
        return mask, score

    def _rests(self, frame: int, before: int) -> bool:
        """Whether edges of the object in both directions are where they were on the frame before."""
        roi = region(self.mask, 4 * self.clip.unit)
        then, now = (cv2.cvtColor(self.clip.images[i][roi], cv2.COLOR_RGB2GRAY) for i in (before, frame))
        slope = np.stack([cv2.Sobel(then, cv2.CV_32F, i, 1 - i, ksize=3) / 8 for i in (1, 0)], axis=-1)
        steep = np.linalg.norm(slope, axis=-1)
        change = cv2.absdiff(then, now)
        edge = grow(self.mask[roi], 2 * self.clip.unit) & (steep > 6)
        kept = edge & (change < 3 + 0.25 * steep)
        # The weaker direction counts: a book that slides along its spine leaves its long edges in place.
        weakest = [np.linalg.eigvalsh(slope[m].T @ slope[m])[0] for m in (edge, kept)]
        return bool(weakest[1] > 0.35 * weakest[0] > 0)

    def _pixels(self, frame: int, roi: tuple[slice, slice]) -> Field:
        return self.clip.images[frame][roi].astype(np.float32)

    def _change(self, frame: int, other: int, roi: tuple[slice, slice]) -> Field:
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

    def _score(self, found: Mask, p: Field, moved: Mask, whole: Field) -> float:
        """How sure: posterior inside, agreement with the flow, share of the whole extent that is visible."""
        union = area(found | moved)
        agreement = area(found & moved) / union if union else 0.0
        visible = area(found) / max(1.0, area(found | (whole > 0.5)))
        return float(np.clip(p[found].mean() * agreement**0.5 * (0.5 + 0.5 * visible), 0, 1))

    def _update(
        self, frame: int, roi: tuple[slice, slice], mask: Mask, p: Field, whole: Field, look: Field
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
        self.other = self.scene.foreign(frame, region(mask, 60 * self.clip.unit), mask)
        self.mask, self.look = mask, look
        seen = mask[roi]
        fresh_look = self._pixels(frame, roi)
        old = np.where((whole[roi] > 0.5)[..., None], look[roi], fresh_look)
        self.look[roi] = np.where(seen[..., None], 0.4 * old + 0.6 * fresh_look, look[roi])
        empty = np.zeros_like(mask)
        empty[roi] = (p < 0.1) & self.scene.shows_plate(frame, roi)
        self.whole = np.where(mask, 1.0, np.where(empty, 0.6 * whole, whole)).astype(np.float32)
        count = float(area(mask))
        self.area = 0.95 * self.area + 0.05 * max(count, 0.5 * self.area)

    def _search(self, frame: int) -> tuple[Mask, float]:
        """Look for a lost object by its colours among what is not background."""
        if not self.lost:
            self.home = self.mask.copy() if self.mask.any() else self.whole > 0.3
        self.lost += 1
        roi, last = region(self.home, 0), centre(self.home)
        # Something may still stand before the place where it was.
        gone = area(self.scene.shows_plate(frame, roi) & self.home[roi]) > 0.5 * area(self.home)
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
            if self._shadow(frame, labels == label):
                continue
            alike = self._likeness(index[labels == label], gone)
            value = alike * min(size, 1 / size) ** 0.35 * np.exp(-0.5 * (distance / reach) ** 2)
            if value > best_value:
                best, best_value = label, float(value)
        mask = np.zeros(self.clip.shape, bool)
        if best is None:
            self.mask = mask  # what hides it now must not carry it along
            return mask, 0.0
        mask = fill_holes(labels == best)
        self.mask, self.whole, self.lost = mask, mask.astype(np.float32), 0
        self.look = self.clip.images[frame].astype(np.float32)
        return mask, 0.6 * best_value

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


def propagate(scene: Scene) -> tuple[dict[int, Mask], dict[int, float]]:
    """Masks and scores of all frames, from the prompt's frame both ways."""
    masks, score = {scene.frame: scene.start}, {scene.frame: 1.0}
    for direction, end in ((1, len(scene.footage)), (-1, -1)):
        track = Track(scene)
        for frame in range(scene.frame + direction, end, direction):
            after = frame if frame + direction == end else frame + direction
            masks[frame], score[frame] = track.step(frame, frame - direction, after)
    return masks, score


def segment(images: Sequence[Image], prompts: Sequence[Prompt], name: str) -> Segmentation:
    """Masks of the object ``name`` on every frame. ``images``: RGB (H, W, 3), ``prompts``: of all objects.

    Raises:
        Rejected: if the mask is empty, covers most of the frame or is lost on most frames.
    """
    height, width = images[0].shape[:2]
    scale = min(1.0, WORK_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = [np.asarray(cv2.resize(i, size, interpolation=cv2.INTER_AREA), np.uint8) for i in images]
    footage = Footage(small)
    prompt = next(p for p in prompts if p.name == name).scaled(scale)
    start = first_mask(small[prompt.frame], prompt, hand_at(footage, prompt))
    rivals = []
    for other in prompts:
        if other.name != name:
            palette = Palette()
            near = other.scaled(scale)
            palette.learn(bins(footage.lab(near.frame))[first_mask(small[near.frame], near)])
            rivals.append(palette)
    scene = Scene(footage, start, prompt.frame, rivals)
    masks, score = propagate(scene)
    scene.refine(masks, score)
    masks, score = propagate(scene)
    order = range(len(images))
    full = np.stack([enlarge(masks[i], (width, height)) for i in order])
    return Segmentation(full, np.array([score[i] for i in order], np.float32))


def hand_at(footage: Footage, prompt: Prompt) -> Mask:
    """Moving skin on the prompt's frame that reaches out of the box."""
    skin = footage.skin(prompt.frame, footage.median)
    x0, y0, x1, y1 = (max(0, round(v)) for v in prompt.box)
    count, labels = cv2.connectedComponents(skin.astype(np.uint8), connectivity=8)
    total = np.bincount(labels.ravel(), minlength=count)
    inside = np.bincount(labels[y0:y1, x0:x1].ravel(), minlength=count)
    reaching = (total - inside > 300 * footage.unit**2) & (inside < 0.6 * total)
    reaching[0] = False
    return np.asarray(reaching[labels], bool)


def enlarge(mask: Mask, size: tuple[int, int]) -> Mask:
    """The mask at another size (width, height), with smooth edges."""
    if mask.shape == (size[1], size[0]):
        return mask
    return np.asarray(cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_CUBIC) > 0.5, bool)


def verdict(name: str, result: Segmentation, method: str) -> Verdict:
    """The gate: raises Rejected if the object is not seen well enough to be worked with."""
    share = result.masks.mean(axis=(1, 2))
    seen = share > 0
    if not seen.any():
        raise Rejected(f"{name}: its mask is empty on every frame; give a box or points in the sheet")
    if float(np.median(share[seen])) > MOST_OF_FRAME:
        raise Rejected(
            f"{name}: its mask covers {np.median(share[seen]):.0%} of the picture, so it is not the object "
            "alone; give a tighter box in the sheet"
        )
    if seen.mean() < LEAST_SEEN:
        raise Rejected(
            f"{name}: lost on {1 - seen.mean():.0%} of the frames; give a box on a frame that shows it well"
        )
    confidence = float(result.score[seen].mean() * seen.mean() ** 0.5)
    return Verdict("segment", True, method, round(confidence, 3), better=BETTER)
