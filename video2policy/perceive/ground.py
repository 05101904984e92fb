"""Where each named object is on one frame: from the sheet's boxes or points, else from proposals.

Names come from the sheet; nothing here recognises a class. Proposals for an object that the sheet does not
locate are regions of the first frame that have the colour its label names, that have gone from their place
later in the clip (motion), that a moving hand touches (contact), or that stand out from their surroundings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.mask import COLOURS, area, bounding_box, largest_component
from video2policy.perceive.segment import disc, fill_holes, grow, is_skin, relit, to_lab
from video2policy.perceive.verdict import Rejected, Verdict

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Field = NDArray[np.float32]
Box = tuple[float, float, float, float]
Proposer = Callable[
    [Sequence[Image], Mapping[str, str], str, Mapping[str, Box]], dict[str, tuple[Box, float, str]]
]
"""From frames, the labels of objects, the handled one's name and boxes already taken: per object a box on the
first frame, a score and the method."""

WORK_SIDE = 480
"""Long side in pixels at which proposals are made."""
LEAST_SCORE = 0.4
"""A proposal below this score is not used."""
BETTER = "an open-vocabulary detector needs weights from a model hub"

HUES: dict[str, tuple[tuple[tuple[int, int, int], tuple[int, int, int]], ...]] = {
    "red": (((0, 90, 50), (8, 255, 255)), ((168, 90, 50), (180, 255, 255))),
    "orange": (((6, 110, 80), (19, 255, 255)),),
    "brown": (((4, 60, 30), (20, 220, 150)),),
    "yellow": (((19, 90, 90), (35, 255, 255)),),
    "green": (((35, 60, 35), (87, 255, 255)),),
    "cyan": (((80, 60, 60), (100, 255, 255)),),
    "blue": (((97, 70, 40), (130, 255, 255)),),
    "purple": (((128, 45, 40), (158, 255, 255)),),
    "pink": (((145, 45, 110), (175, 200, 255)),),
    "black": (((0, 0, 0), (180, 255, 58)),),
    "white": (((0, 0, 175), (180, 48, 255)),),
    "grey": (((0, 0, 60), (180, 42, 185)),),
}
"""Ranges of hue (0-180), saturation and value (0-255) that a colour word stands for."""
SYNONYMS = {
    "gray": "grey", "silver": "grey", "violet": "purple", "turquoise": "cyan", "teal": "cyan",
    "golden": "yellow", "gold": "yellow", "beige": "brown", "magenta": "pink", "scarlet": "red",
}  # fmt: skip


@dataclass(frozen=True)
class Grounding:
    """An object on frame ``frame``: box and points in frame pixels, how sure, and how it was found."""

    name: str
    label: str
    frame: int
    box: Box
    points: tuple[tuple[float, float], ...]
    score: float
    method: str

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "label": self.label,
            "frame": self.frame,
            "box": [round(v, 2) for v in self.box],
            "points": [[round(v, 2) for v in point] for point in self.points],
            "score": round(self.score, 3),
            "method": self.method,
        }


@dataclass
class Proposal:
    """A region (H, W) of the first frame and why it may be an object, each in [0, 1].

    ``salience``: compact, not too small, not cut by the frame.
    """

    mask: Mask
    motion: float = 0.0
    contact: float = 0.0
    salience: float = 0.0


def colour_word(label: str) -> str | None:
    """The colour that a label names, as a key of HUES: "Dark-red cup" -> "red"."""
    for word in re.findall(r"[a-z]+", label.lower()):
        word = SYNONYMS.get(word, word)
        if word in HUES:
            return word
    return None


def colour_mask(image: Image, colour: str) -> Mask:
    """Pixels of an RGB image that have a colour of HUES."""
    hsv = cv2.cvtColor(cv2.GaussianBlur(image, (3, 3), 0), cv2.COLOR_RGB2HSV)
    found = np.zeros(image.shape[:2], bool)
    for low, high in HUES[colour]:
        found |= cv2.inRange(hsv, np.array(low), np.array(high)) > 0
    return found


# ---------------------------------------------------------------------------------- given by the sheet


def frame_of(source_frame: int, source_index: Sequence[int], name: str) -> int:
    """The extracted frame nearest to a frame of the source clip.

    Raises:
        Rejected: if the source has no such frame.
    """
    if source_frame < 0 or source_frame > source_index[-1] + max(
        1, len(source_index) > 1 and source_index[1]
    ):
        raise Rejected(
            f"{name}: the sheet places it on frame {source_frame}, the clip's last is {source_index[-1]}; "
            "correct the frame in the sheet"
        )
    return int(np.argmin(np.abs(np.asarray(source_index) - source_frame)))


def given_box(box: Sequence[float], clip: Mapping[str, Any], name: str) -> Box:
    """The sheet's box (pixels of the source) in frame pixels.

    Raises:
        Rejected: if it is empty or leaves the frame.
    """
    x0, y0, x1, y1 = (float(v) for v in box)
    width, height = clip["source_width"], clip["source_height"]
    if x1 - x0 < 2 or y1 - y0 < 2:
        raise Rejected(
            f"{name}: its box {list(box)} is empty; give [x0, y0, x1, y1] with x0 < x1 and y0 < y1"
        )
    if x0 < -1 or y0 < -1 or x1 > width + 1 or y1 > height + 1:
        raise Rejected(
            f"{name}: its box {list(box)} leaves the {width}x{height} picture; give pixels of the original "
            "clip"
        )
    s = clip["scale"]
    return max(x0, 0) * s, max(y0, 0) * s, min(x1, width) * s, min(y1, height) * s


def given_points(
    points: Sequence[Sequence[float]], clip: Mapping[str, Any], name: str
) -> tuple[tuple[float, float], ...]:
    """The sheet's points in frame pixels. Raises Rejected if one is outside the frame."""
    width, height = clip["source_width"], clip["source_height"]
    for x, y in points:
        if not (0 <= x < width and 0 <= y < height):
            raise Rejected(
                f"{name}: its point {[x, y]} is outside the {width}x{height} picture; give pixels of the "
                "original clip"
            )
    return tuple((float(x) * clip["scale"], float(y) * clip["scale"]) for x, y in points)


def box_around_points(image: Image, points: Sequence[tuple[float, float]]) -> Box:
    """The box of what has the colours at the points and is connected to them."""
    height, width = image.shape[:2]
    short = min(height, width)
    seeds = np.zeros((height, width), np.uint8)
    for x, y in points:
        cv2.circle(seeds, (round(x), round(y)), max(2, round(0.012 * short)), 1, -1)
    near, far = grow(seeds > 0, 0.10 * short), grow(seeds > 0, 0.32 * short)
    mask = regrow(image, seeds > 0, near, far)
    box = bounding_box(mask)
    if box is None or area(mask) > 0.35 * height * width:
        box = bounding_box(near)
    assert box is not None, "a disc around a point of the frame is never empty"
    return padded(box, (height, width))


def regrow(image: Image, sure: Mask, maybe: Mask, reach: Mask) -> Mask:
    """GrabCut from nested regions: surely object, probably object, possibly object; the rest is not."""
    trimap = np.full(sure.shape, int(cv2.GC_BGD), np.uint8)
    trimap[reach] = cv2.GC_PR_BGD
    trimap[maybe] = cv2.GC_PR_FGD
    trimap[sure] = cv2.GC_FGD
    if not (trimap == cv2.GC_BGD).any():
        trimap[[0, -1]] = cv2.GC_BGD
        trimap[:, [0, -1]] = cv2.GC_BGD
    cv2.setRNGSeed(0)
    state = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(
        np.ascontiguousarray(image[..., ::-1]), trimap, (0, 0, 1, 1), *state, 4, cv2.GC_INIT_WITH_MASK
    )
    found = (trimap == cv2.GC_FGD) | (trimap == cv2.GC_PR_FGD)
    found = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, disc(1)) > 0
    count, labels = cv2.connectedComponents(found.astype(np.uint8), connectivity=8)
    held = np.bincount(labels[sure], minlength=count)
    held[0] = 0
    return np.asarray(labels == int(held.argmax()), bool) if held.any() else sure


def padded(box: Sequence[float], shape: tuple[int, int], pixels: float = 2.0) -> Box:
    """The box with a margin, cut at the frame (rows, columns)."""
    x0, y0, x1, y1 = box
    return (
        max(0.0, x0 - pixels), max(0.0, y0 - pixels),
        min(float(shape[1]), x1 + pixels), min(float(shape[0]), y1 + pixels),
    )  # fmt: skip


# ------------------------------------------------------------------------------------------- proposals


class Evidence:
    """What moves, what leaves its place and what a hand touches, measured over a clip at small size."""

    def __init__(self, images: Sequence[Image]) -> None:
        """``images``: RGB frames of the whole clip, thinned to a few dozen, in order."""
        self.images = images
        stack = np.stack(images)
        self.first = np.median(stack[:2], axis=0).astype(np.uint8) if len(stack) > 8 else stack[0]
        later = stack[int(0.4 * len(stack)) :]
        self.last = np.median(later[-max(3, len(later) // 2) :], axis=0).astype(np.uint8)
        self.median = np.median(stack, axis=0).astype(np.uint8)
        self.shape = stack.shape[1:3]
        self.unit = float(np.hypot(*self.shape)) / 600.0
        self.hands = [self._hand(i) for i in range(len(images))]
        self.departed = self._departed(later)

    def _hand(self, frame: int) -> Mask:
        """Large regions of moving skin that reach the frame's edge or are on the move just then: an object
        of skin's colour does neither while it rests."""
        image = self.images[frame]
        change = (cv2.absdiff(image, self.median).max(axis=-1) > 28) & ~relit(image, self.median)
        found = cv2.morphologyEx((is_skin(image) & change).astype(np.uint8), cv2.MORPH_OPEN, disc(self.unit))
        _, labels, stats, _ = cv2.connectedComponentsWithStats(found, connectivity=8)
        after = self.images[min(frame + 1, len(self.images) - 1)]
        moving = cv2.absdiff(image, after).max(axis=-1) > 28
        share = np.bincount(labels[moving], minlength=len(stats)) / np.maximum(stats[:, cv2.CC_STAT_AREA], 1)
        x, y, w, h = (stats[:, i] for i in range(4))
        edge = (x <= 1) | (y <= 1) | (x + w >= self.shape[1] - 1) | (y + h >= self.shape[0] - 1)
        keep = (stats[:, cv2.CC_STAT_AREA] > 0.002 * found.size) & (edge | (share > 0.25))
        keep[0] = False
        return np.asarray(keep[labels], bool)

    def _departed(self, later: Image) -> Mask:
        """What is on the first frame and gone for most of the later ones, changes of light apart."""
        gone = np.zeros(self.shape, np.float32)
        for image in later:
            change = cv2.absdiff(image, self.first).max(axis=-1)
            gone += cv2.medianBlur(change, 3) > 26
        persistent = gone / len(later) > 0.55
        raw = (persistent & ~relit(self.first, self.last) & ~self.hands[0]).astype(np.uint8)
        changed = cv2.morphologyEx(raw, cv2.MORPH_OPEN, disc(self.unit))
        return np.asarray(cv2.morphologyEx(changed, cv2.MORPH_CLOSE, disc(3 * self.unit)) > 0, bool)

    def goal(self, handled: Mask) -> NDArray[np.float64] | None:
        """Where (x, y) the object that is at ``handled`` on the first frame arrives; None if nowhere."""
        arrived = cv2.medianBlur(cv2.absdiff(self.last, self.first).max(axis=-1), 5) > 26
        arrived &= ~self.hands[-1] & ~relit(self.first, self.last) & ~handled
        arrived = cv2.morphologyEx(arrived.astype(np.uint8), cv2.MORPH_OPEN, disc(self.unit)) > 0
        own = colour_histogram(self.first, handled)
        best, best_likeness = None, 0.3
        for region in components(arrived, 0.0008, 0.3):
            likeness = float(np.minimum(colour_histogram(self.last, region), own).sum())
            if likeness > best_likeness:
                best, best_likeness = region, likeness
        return None if best is None else np.argwhere(best).mean(axis=0)[::-1]

    def edge_share(self, mask: Mask) -> float:
        """Share of the edges along a region's outline that the first frame has, against the last: 0 to 1."""
        band = grow(mask, 2 * self.unit) & ~(cv2.erode(mask.astype(np.uint8), disc(2 * self.unit)) > 0)
        here, there = (float(gradient(image)[band].mean()) for image in (self.first, self.last))
        return here / max(here + there, 1e-6)

    def touched(self, mask: Mask) -> float:
        """Share of a region's outline that a hand comes near to, at the best moment."""
        ring = grow(mask, 5 * self.unit) & ~mask
        total = max(1, area(ring))
        return min(1.0, 3 * max(area(ring & hand) / total for hand in self.hands))


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


def salient(image: Image, unit: float) -> Mask:
    """What differs in colour from its wider surroundings."""
    size = min(2 * round(45 * unit) + 1, 255)
    channels = [cv2.medianBlur(np.ascontiguousarray(image[..., c]), size) for c in range(3)]
    around = np.stack(channels, axis=-1).astype(np.uint8)
    difference = to_lab(image).astype(np.float32) - to_lab(around)
    distance = np.linalg.norm(difference * np.array([0.5, 1, 1], np.float32), axis=-1)
    different = (distance > 18) & ~relit(around, image)
    found = cv2.morphologyEx(different.astype(np.uint8), cv2.MORPH_OPEN, disc(2 * unit))
    return np.asarray(cv2.morphologyEx(found, cv2.MORPH_CLOSE, disc(3 * unit)) > 0, bool)


def compactness(mask: Mask) -> float:
    """Share of its convex hull that a region fills."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    hull = cv2.convexHull(np.concatenate(contours))
    return float(area(mask) / max(1.0, cv2.contourArea(hull)))


def proposals(evidence: Evidence, colours: Sequence[str]) -> list[Proposal]:
    """Regions of the first frame that may be objects."""
    image, unit = evidence.first, evidence.unit
    regions: list[Mask] = []
    for colour in colours:
        found = cv2.morphologyEx(
            (colour_mask(image, colour) & ~evidence.hands[0]).astype(np.uint8), cv2.MORPH_OPEN, disc(unit)
        )
        found = cv2.morphologyEx(found, cv2.MORPH_CLOSE, disc(4 * unit))
        regions += components(found > 0, 0.0006, 0.3)
    for region in components(evidence.departed, 0.0008, 0.3):
        if evidence.edge_share(region) > 0.5:
            core = cv2.erode(region.astype(np.uint8), disc(2 * unit)) > 0
            side = np.sqrt(area(region))
            grown = regrow(image, core if core.any() else region, region, grow(region, 0.5 * side))
            regions.append(grown if area(grown) < 3 * area(region) else region)
    regions += components(salient(image, unit) & ~evidence.hands[0], 0.0015, 0.12)
    return [measured(evidence, fill_holes(largest_component(region))) for region in regions]


def measured(evidence: Evidence, mask: Mask) -> Proposal:
    """A region with its evidence."""
    motion = area(mask & evidence.departed) / max(1, area(mask))
    motion *= float(np.clip(4 * (evidence.edge_share(mask) - 0.35), 0, 1))
    box = bounding_box(mask)
    assert box is not None, "a proposal has pixels"
    inner = box[0] > 1 and box[1] > 1 and box[2] < mask.shape[1] - 1 and box[3] < mask.shape[0] - 1
    size = min(1.0, float(mask.mean()) / 0.012) ** 0.35
    salience = compactness(mask) * size * (1.0 if inner else 0.5)
    return Proposal(mask, motion, evidence.touched(mask), salience)


def closeness(mask: Mask, goal: NDArray[np.float64] | None) -> float:
    """1 at the goal (x, y), falling with the distance over the frame's diagonal; 1 without a goal."""
    if goal is None:
        return 1.0
    distance = np.linalg.norm(np.argwhere(mask).mean(axis=0)[::-1] - goal) / float(np.hypot(*mask.shape))
    return float(np.exp(-0.5 * (distance / 0.2) ** 2))


def score(
    evidence: Evidence,
    proposal: Proposal,
    colour: str | None,
    handled: bool,
    goal: NDArray[np.float64] | None = None,
) -> tuple[float, str]:
    """How well a proposal fits an object, in [0, 1], and by which method.

    ``handled``: the hand moves this object; ``goal``: where the one that it moves arrives.
    """
    share = 0.0
    if colour:
        share = min(1.0, 1.3 * float(colour_mask(evidence.first, colour)[proposal.mask].mean()))
        if share < 0.35:
            return 0.0, "colour"
    moved = max(proposal.motion, 0.6 * proposal.contact)
    rests = (1 - 0.7 * proposal.motion) * (0.4 + 0.6 * closeness(proposal.mask, goal))
    if colour:
        fit = share * (0.4 + 0.6 * proposal.salience) * (0.5 + 0.5 * (moved if handled else rests))
        return 0.9 * fit, "colour"
    if handled:
        method = "motion" if proposal.motion >= 0.6 * proposal.contact else "contact"
        return 0.8 * moved * (0.3 + 0.7 * proposal.salience), method
    # Nothing but standing out, and being where the other object is brought, speaks for the rest.
    return 0.6 * rests * proposal.salience, "salience"


def overlap(a: Mask, b: Mask) -> float:
    """Shared area over the smaller of the two areas."""
    return area(a & b) / max(1, min(area(a), area(b)))


def propose(
    images: Sequence[Image], labels: Mapping[str, str], handled: str, taken: Mapping[str, Box]
) -> dict[str, tuple[Box, float, str]]:
    """Box (frame pixels), score and method of objects on the first frame.

    Args:
        images: RGB frames of the clip, in order, a few dozen.
        labels: name -> label of the objects to find.
        handled: name of the object that the hand moves.
        taken: boxes on the first frame that belong to other objects.

    Raises:
        Rejected: if no region fits an object.
    """
    scale = min(1.0, WORK_SIDE / max(images[0].shape[:2]))
    small = [
        np.asarray(cv2.resize(i, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        for i in images
    ]
    evidence = Evidence(small)
    colours = {name: colour_word(label) for name, label in labels.items()}
    pool = proposals(evidence, sorted({c for c in colours.values() if c}))
    used: list[Mask] = []
    for box in taken.values():
        x0, y0, x1, y1 = (round(v * scale) for v in box)
        region = np.zeros(evidence.shape, bool)
        region[y0:y1, x0:x1] = True
        used.append(region)
    found: dict[str, tuple[Box, float, str]] = {}
    goal = evidence.goal(used[list(taken).index(handled)]) if handled in taken else None
    # What is moved is found first: where it goes tells about the others.
    for name in sorted(labels, key=lambda n: (n != handled, colours[n] is None)):
        best, best_score, best_method = None, LEAST_SCORE, ""
        for proposal in pool:
            if any(overlap(proposal.mask, other) > 0.5 for other in used):
                continue
            value, method = score(evidence, proposal, colours[name], name == handled, goal)
            if value > best_score:
                best, best_score, best_method = proposal, value, method
        if best is None:
            raise Rejected(
                f"{labels[name]}: nothing on the first frame has its colour, moves away or is touched by a "
                "hand; give a box or points in the sheet"
            )
        used.append(best.mask)
        if name == handled:
            goal = evidence.goal(best.mask)
        tight = bounding_box(best.mask)
        assert tight is not None, "a proposal has pixels"
        x0, y0, x1, y1 = padded(tight, (evidence.shape[0], evidence.shape[1]), 1.0)
        found[name] = ((x0 / scale, y0 / scale, x1 / scale, y1 / scale), float(best_score), best_method)
    return found


# -------------------------------------------------------------------------------------------- the gate


def ground(
    images: Sequence[Image],
    clip: Mapping[str, Any],
    row: Mapping[str, Any],
    proposer: Proposer | None = None,
) -> tuple[list[Grounding], Verdict]:
    """Every object of the sheet's row on one frame.

    Args:
        images: RGB frames (H, W, 3), the clip's or any sequence that reads them one by one.
        clip: the clip's record (clip.json).
        row: ``objects`` (names), ``labels``, ``boxes`` and ``points`` of the sheet; ``roles`` if known.
        proposer: what finds the objects that the sheet does not locate; the embedded method if None.

    Raises:
        Rejected: for a box or point outside the picture, or an object that cannot be found.
    """
    names, labels = list(row["objects"]), dict(zip(row["objects"], row["labels"], strict=True))
    found: dict[str, Grounding] = {}
    for name in names:
        entry = row["boxes"].get(name)
        pointed = row["points"].get(name)
        if entry is None and pointed is None:
            continue
        given: Mapping[str, Any] = entry if entry is not None else pointed or {}
        frame = frame_of(int(given.get("frame", 0)), clip["source_index"], labels[name])
        points = given_points(pointed["points"], clip, labels[name]) if pointed else ()
        if entry is not None:
            box, value, method = given_box(entry["box"], clip, labels[name]), 1.0, "box"
            same_frame = pointed is None or int(pointed.get("frame", 0)) == int(entry.get("frame", 0))
            points = points if same_frame else ()
        else:
            box, value, method = box_around_points(images[frame], points), 0.8, "points"
        found[name] = Grounding(name, labels[name], frame, box, points, value, method)
    missing = {name: labels[name] for name in names if name not in found}
    if missing:
        sample = np.unique(np.linspace(0, len(images) - 1, 40).round().astype(int))
        handled = row.get("roles", {}).get("a", names[0])
        taken = {name: g.box for name, g in found.items() if g.frame == 0}
        for name, (box, value, method) in (proposer or propose)(
            [images[int(i)] for i in sample], missing, handled, taken
        ).items():
            found[name] = Grounding(name, labels[name], 0, box, (), value, method)
    groundings = [found[name] for name in names]
    weakest = min(groundings, key=lambda g: g.score)
    methods = ", ".join(dict.fromkeys(g.method for g in groundings))
    better = f"the sheet gives no box for {', '.join(missing.values())}; {BETTER}" if missing else None
    if proposer is not None:
        better = None
    return groundings, Verdict("ground", True, methods, round(weakest.score, 3), better=better)


def draw_groundings(images: Sequence[Image], groundings: Sequence[Grounding]) -> Image:
    """Boxes and points on their frames, frames side by side: RGB."""
    frames = sorted({g.frame for g in groundings})
    panels = []
    for frame in frames:
        canvas = images[frame].copy()
        thick = max(1, round(max(canvas.shape[:2]) / 320))
        for index, g in enumerate(groundings):
            if g.frame != frame:
                continue
            colour = COLOURS[index % len(COLOURS)]
            x0, y0, x1, y1 = (round(v) for v in g.box)
            cv2.rectangle(canvas, (x0, y0), (x1, y1), colour, thick, cv2.LINE_AA)
            for x, y in g.points:
                cv2.circle(canvas, (round(x), round(y)), 3 * thick, colour, -1, cv2.LINE_AA)
            text = f"{g.name} ({g.method} {g.score:.2f})"
            at = (x0, y0 - 6 if y0 > 20 else y1 + 16)
            for ink, width in (((0, 0, 0), 3 * thick), (colour, thick)):
                cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5 * thick, ink, width, cv2.LINE_AA)
        panels.append(canvas)
    return np.asarray(np.hstack(panels), np.uint8)
