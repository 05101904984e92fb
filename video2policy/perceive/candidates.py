"""Regions of a clip's views that may be objects, with what speaks for each of them.

They come from four sources: boxes of the detector, whatever class it takes them for; regions of a colour that
a name has; regions that change between the clip's ends; regions that stand out from their surroundings.
Every candidate is then measured for all evidence, whichever source it came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.mask import area, bounding_box, box_iou, largest_component
from video2policy.perceive.coco import CLASSES, Detection, Detector
from video2policy.perceive.evidence import (
    COARSE,
    Evidence,
    View,
    coarse_colours,
    compactness,
    components,
    contrast,
    salient,
)
from video2policy.perceive.morphology import disc, fill_holes, grow
from video2policy.perceive.nouns import colour_mask

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Box = tuple[float, float, float, float]

PERSON = CLASSES.index("person")
LEAST_PEAK = 0.07
"""Centres that the detector finds less likely are not looked at."""
LARGEST, SMALLEST = 0.35, 0.0004
"""Shares of the picture beyond which a region is no object that a hand moves on a table."""
SAME = 0.65
"""Detections that share more of their union are one."""


@dataclass(eq=False)
class Candidate:
    """A region (H, W) of a view with its box in working pixels, and evidence in [0, 1].

    ``source``: detector, colour, motion or salience. ``classes`` (80,): the detector's likelihood of each
    class; ``thing``: that it sees something in this very box. ``motion``: here only at this end of the clip.
    ``contact``: a hand comes to its outline. ``salience``: compact and not cut by the frame. ``skin``: share
    of moving skin. ``contrast``: other colours than right around it. ``travel``: displacement (x, y) in
    pixels from the clip's start to its end; ``coverage``: how much of what is seen to be carried is in the
    box; ``purity``: how much of what is in the box is carried; ``end``: where it is at the other end.
    ``whole``: overlap with what changes as one piece; ``share``: how much of all change is in the box;
    ``look`` (512,): how often it has each coarse colour.
    """

    view: View
    mask: Mask
    box: Box
    source: str
    classes: NDArray[np.float32] = field(default_factory=lambda: np.zeros(len(CLASSES), np.float32))
    thing: float = 0.0
    motion: float = 0.0
    contact: float = 0.0
    salience: float = 0.0
    skin: float = 0.0
    contrast: float = 0.0
    travel: NDArray[np.float64] | None = None
    coverage: float | None = None
    purity: float | None = None
    end: NDArray[np.float64] | None = None
    whole: float = 0.0
    share: float = 0.0
    look: NDArray[np.float64] = field(default_factory=lambda: np.zeros(COARSE))

    @property
    def centre(self) -> NDArray[np.float64]:
        x0, y0, x1, y1 = self.box
        return np.array([(x0 + x1) / 2, (y0 + y1) / 2])

    @property
    def far(self) -> float | None:
        """Distance between start and end in sides; None if unknown."""
        return None if self.travel is None else float(np.linalg.norm(self.travel)) / max(self.side, 1.0)

    @property
    def side(self) -> float:
        """Geometric mean of the box's sides, pixels."""
        x0, y0, x1, y1 = self.box
        return float(np.sqrt((x1 - x0) * (y1 - y0)))


def regrow(image: Image, sure: Mask, maybe: Mask, reach: Mask) -> Mask:
    """GrabCut from nested regions: surely object, probably object, possibly object; the rest is not."""
    x0, y0, x1, y1 = bounding_box(reach | sure) or (0, 0, 1, 1)
    margin = 8 + (max(x1 - x0, y1 - y0) // 4)
    part = np.s_[max(0, y0 - margin) : y1 + margin, max(0, x0 - margin) : x1 + margin]
    trimap = np.full(sure[part].shape, int(cv2.GC_BGD), np.uint8)
    trimap[reach[part]] = cv2.GC_PR_BGD
    trimap[maybe[part]] = cv2.GC_PR_FGD
    trimap[sure[part]] = cv2.GC_FGD
    if not (trimap == cv2.GC_BGD).any():
        trimap[[0, -1]] = cv2.GC_BGD
        trimap[:, [0, -1]] = cv2.GC_BGD
    cv2.setRNGSeed(0)
    state = np.zeros((1, 65)), np.zeros((1, 65))
    crop = np.ascontiguousarray(image[part][..., ::-1])
    cv2.grabCut(crop, trimap, (0, 0, 1, 1), *state, 4, cv2.GC_INIT_WITH_MASK)
    found = (trimap == cv2.GC_FGD) | (trimap == cv2.GC_PR_FGD)
    found = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, disc(1)) > 0
    count, labels = cv2.connectedComponents(found.astype(np.uint8), connectivity=8)
    held = np.bincount(labels[sure[part]], minlength=count)
    held[0] = 0
    if not held.any():
        return sure
    grown = np.zeros_like(sure)
    grown[part] = labels == int(held.argmax())
    return grown


# ------------------------------------------------------------------------------------------- detections


def windows(evidence: Evidence, view: View) -> list[Box]:
    """Where the detector looks: the whole picture, squares along it, what is carried or changes."""
    height, width = evidence.shape
    side = min(height, width)
    found: list[Box] = [(0, 0, width, height)]
    count = max(2, round(1.5 * max(height, width) / side))
    for start in np.linspace(0, max(height, width) - side, count):
        x, y = (start, 0.0) if width >= height else (0.0, start)
        found.append((x, y, x + side, y + side))
    carried = [evidence.hull(points) for points in evidence.carried(view)]
    for region in (carried + components(view.changed, 0.001, 0.2))[:3]:
        x0, y0, x1, y1 = bounding_box(region) or (0, 0, width, height)
        reach = max(1.25 * max(x1 - x0, y1 - y0), 0.2 * side)
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        found.append((max(x - reach, 0), max(y - reach, 0), min(x + reach, width), min(y + reach, height)))
    return found


def detections(detector: Detector, image: Image, looks: Sequence[Box]) -> list[Detection]:
    """What the detector finds in several parts of a picture; what it finds twice is one."""
    height, width = image.shape[:2]
    found: list[Detection] = []
    for part in looks:
        for one in detector.detect(image, part, LEAST_PEAK):
            inside = zip(one.box, part, (0, 0, width, height), strict=True)
            if any(abs(v - edge) < 3 and abs(edge - limit) > 3 for v, edge, limit in inside):
                continue  # cut by the part's edge
            share = (one.box[2] - one.box[0]) * (one.box[3] - one.box[1]) / (width * height)
            if SMALLEST < share < LARGEST or int(one.classes.argmax()) == PERSON:
                found.append(one)
    merged: list[Detection] = []
    for one in sorted(found, key=lambda d: -d.score):
        for index, other in enumerate(merged):
            if box_iou(one.box, other.box) > SAME:
                merged[index] = replace(other, classes=np.maximum(other.classes, one.classes))
                break
        else:
            merged.append(one)
    return merged


# -------------------------------------------------------------------------------------------- candidates


def box_region(box: Sequence[float], shape: tuple[int, int]) -> Mask:
    """The ellipse that a box encloses, as a region."""
    x0, y0, x1, y1 = box
    canvas = np.zeros(shape, np.uint8)
    axes = max(1, round((x1 - x0) / 2)), max(1, round((y1 - y0) / 2))
    cv2.ellipse(canvas, (round((x0 + x1) / 2), round((y0 + y1) / 2)), axes, 0, 0, 360, 1, -1)
    return canvas > 0


def view_candidates(
    evidence: Evidence, view: View, colours: Sequence[str], found: Sequence[Detection]
) -> list[Candidate]:
    """Candidates of one view, measured."""
    image, unit = view.image, evidence.unit
    candidates = [
        Candidate(view, box_region(d.box, evidence.shape), d.box, "detector")
        for d in found
        if int(d.classes.argmax()) != PERSON
    ][:40]
    regions: list[tuple[Mask, str]] = []
    for colour in colours:
        raw = (colour_mask(image, colour) & ~view.hand).astype(np.uint8)
        for closing in (1.5, 4.0):
            opened = cv2.morphologyEx(raw, cv2.MORPH_OPEN, disc(unit))
            closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, disc(closing * unit))
            regions += [(region, "colour") for region in components(closed > 0, 0.0006, 0.3)]
    for region in components(view.changed, 0.0008, 0.3)[:6]:
        if view.edge_share(region, unit) > 0.5:
            core = cv2.erode(region.astype(np.uint8), disc(2 * unit)) > 0
            side = np.sqrt(area(region))
            grown = regrow(image, core if core.any() else region, region, grow(region, 0.5 * side))
            regions.append((grown if area(grown) < 3 * area(region) else region, "motion"))
    for points in evidence.carried(view):
        region = evidence.hull(points)
        side = np.sqrt(area(region))
        grown = regrow(image, region, region, grow(region, 0.3 * side))
        regions += [(region, "motion"), (grown if area(grown) < 3 * area(region) else region, "motion")]
    for found_salient in salient(image, unit):
        regions += [(r, "salience") for r in components(found_salient & ~view.hand, 0.0012, 0.12)]
    for region, source in regions:
        mask = fill_holes(largest_component(region))
        tight = bounding_box(mask)
        if tight is None or any(c.source == source and box_iou(c.box, tight) > 0.9 for c in candidates):
            continue
        x0, y0, x1, y1 = tight
        margin = 1.0
        box = (
            max(0.0, x0 - margin), max(0.0, y0 - margin),
            min(float(mask.shape[1]), x1 + margin), min(float(mask.shape[0]), y1 + margin),
        )  # fmt: skip
        candidates.append(Candidate(view, mask, box, source))
    bins = coarse_colours(image)
    for candidate in candidates:
        measure(evidence, candidate, found, bins)
    return candidates


def measure(
    evidence: Evidence, candidate: Candidate, found: Sequence[Detection], bins: NDArray[np.int64]
) -> None:
    """Fill in a candidate's evidence. ``bins``: the coarse colours of its view."""
    view, mask = candidate.view, candidate.mask
    size = max(1, area(mask))
    if view.kind != "most":
        sharp = float(np.clip(4 * (view.edge_share(mask, evidence.unit) - 0.35), 0, 1))
        candidate.motion = area(mask & view.changed) / size * sharp
        candidate.end = evidence.other_end(view, mask) if candidate.motion > 0.2 else None
        candidate.whole = max((box_iou(piece, candidate.box) for piece in view.pieces), default=0.0)
        left, top, right, bottom = (round(v) for v in candidate.box)
        candidate.share = area(view.changed[top:bottom, left:right]) / max(1, area(view.changed))
    candidate.travel = evidence.travel(view, mask)
    candidate.coverage = evidence.coverage(view, candidate.box)
    candidate.purity = evidence.purity(view, candidate.box)
    candidate.contrast = contrast(bins, mask, evidence.unit)
    candidate.look = np.bincount(bins[mask], minlength=COARSE) / size
    candidate.contact = evidence.touched(mask)
    candidate.skin = area(mask & view.hand) / size
    x0, y0, x1, y1 = candidate.box
    height, width = evidence.shape
    inner = x0 > 2 and y0 > 2 and x1 < width - 2 and y1 < height - 2
    for detection in found:
        likeness = box_iou(detection.box, candidate.box) ** 2
        if likeness > 0.1:
            candidate.classes = np.maximum(candidate.classes, likeness * detection.classes)
            if int(detection.classes.argmax()) != PERSON:
                sure = (detection.score - LEAST_PEAK) / 0.25
                candidate.thing = max(candidate.thing, likeness * min(1.0, sure))
    solid = min(0.9, 0.4 + 0.5 * candidate.thing) if candidate.source == "detector" else compactness(mask)
    candidate.salience = min(1.0, solid) * (1.0 if inner else 0.5)
