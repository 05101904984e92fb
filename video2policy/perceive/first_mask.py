"""The object's mask on the frame of its prompt."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.mask import area, bounding_box, box_iou, largest_component, main_components
from video2policy.perceive.colour import to_lab
from video2policy.perceive.morphology import disc, fill_holes, grow, region, settle, signed_distance
from video2policy.perceive.palette import UNIFORM, Palette, bins
from video2policy.perceive.plate import cast_shadow, filled_in, plate_likelihood
from video2policy.perceive.prompt import Prompt
from video2policy.perceive.verdict import Rejected

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

LEAST_FILLED, FILLED = 0.45, 0.6
"""Overlaps of a mask's bounding box with the prompt's: below the one, a part was taken for the object; above
the other, its extent fits."""
CORE = 0.35
"""Half axes, in sides of the box, of what is taken for the object where a part alone was found."""


def first_mask(image: Image, prompt: Prompt, avoid: Mask | None = None) -> Mask:
    """The object's mask on its prompt's frame: GrabCut, then corrected in favour of the box.

    GrabCut alone leaves out parts whose colour is also found outside the box. A user's or detector's box is
    mostly filled by its object, so a pixel in it needs reasons not to be object: the colours right around
    the box, or ``avoid`` (H, W), a hand that reaches in.

    Raises:
        Rejected: if the mask is empty.
    """
    rough, told = grabcut(image, prompt, avoid)
    if told and filling(rough, prompt) < LEAST_FILLED:  # a print on it, or what lies before it
        whole, sure = grabcut(image, prompt, avoid, CORE)
        if sure and filling(whole, prompt) > FILLED:
            return whole
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
        cast = cast_shadow(plate, image[roi], rough[roi], part)
        surplus |= cast
        extra &= ~shadow & ~cast
        mask = (rough[roi] | extra) & ~surplus
        joined = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, part) > 0
        mask = fill_holes(largest_component(mask | (joined & grow(extra, 0.04 * side))))
    found = np.zeros_like(inside)
    found[roi] = mask
    return found if area(found) > 0.5 * area(rough) else rough


def filling(mask: Mask, prompt: Prompt) -> float:
    """Overlap of a mask's bounding box with the prompt's: an object reaches to the sides of its box."""
    return box_iou(prompt.box, bounding_box(mask))


def grabcut(image: Image, prompt: Prompt, avoid: Mask | None = None, core: float = 0) -> tuple[Mask, bool]:
    """GrabCut from the prompt's box or points; False when colours told nothing and most of the box is taken.

    ``core``: half axes, in sides of the box, of an ellipse in its middle that surely is the object's.

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
    crop = image[top : y1 + margin, left : x1 + margin]
    trimap = np.full(crop.shape[:2], int(cv2.GC_BGD), np.uint8)
    trimap[y0 - top : y1 - top, x0 - left : x1 - left] = cv2.GC_PR_FGD
    if avoid is not None:
        likely = avoid[top : y1 + margin, left : x1 + margin] & (trimap == cv2.GC_PR_FGD)
        trimap[likely] = cv2.GC_PR_BGD
    radius = max(2, round(0.06 * min(x1 - x0, y1 - y0)))
    if core:
        middle = ((x0 + x1) // 2 - left, (y0 + y1) // 2 - top)
        axes = (round(core * (x1 - x0)), round(core * (y1 - y0)))
        cv2.ellipse(trimap, middle, axes, 0, 0, 360, int(cv2.GC_FGD), -1)
    for x, y in prompt.points:
        cv2.circle(trimap, (round(x) - left, round(y) - top), radius, int(cv2.GC_FGD), -1)
    if not (trimap == cv2.GC_BGD).any():  # a box as large as the picture leaves no background to learn from
        trimap[[0, -1]] = cv2.GC_BGD
        trimap[:, [0, -1]] = cv2.GC_BGD
    found = cv2.morphologyEx(_labelled(crop, trimap, 6).astype(np.uint8), cv2.MORPH_OPEN, disc(1))
    told = int(found.sum()) >= 0.12 * (x1 - x0) * (y1 - y0)
    if not told:
        found = np.zeros_like(found)
        centre = ((x0 + x1) // 2 - left, (y0 + y1) // 2 - top)
        cv2.ellipse(found, centre, ((x1 - x0) * 9 // 20, (y1 - y0) * 9 // 20), 0, 0, 360, 1, -1)
    mask = np.zeros((height, width), bool)
    mask[top : y1 + margin, left : x1 + margin] = fill_holes(largest_component(found > 0))
    return mask, told


def cut_out(image: Image, gone: Mask, same: Mask) -> Mask:
    """GrabCut of what is ``gone`` (H, W), for sure the object's, from what stays the ``same``, surely not."""
    box = region(gone | same, 0.5 * float(np.sqrt(area(gone | same))) + 8)
    trimap = np.full(gone.shape, int(cv2.GC_BGD), np.uint8)
    rows, columns = region(gone | same, 0)
    trimap[rows, columns] = cv2.GC_PR_BGD
    trimap[gone] = cv2.GC_FGD
    trimap[same] = cv2.GC_BGD
    found = np.zeros_like(gone)
    found[box] = fill_holes(main_components(_labelled(image[box], trimap[box], 4)))
    return found


def _labelled(image: Image, trimap: NDArray[np.uint8], rounds: int) -> Mask:
    """GrabCut's foreground (H, W); what the ``trimap`` calls foreground where it knows no background or no
    foreground."""
    labels = trimap.copy()
    cv2.setRNGSeed(0)
    if (labels != cv2.GC_BGD).any() and ((labels == cv2.GC_PR_FGD) | (labels == cv2.GC_FGD)).any():
        state = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(image[..., ::-1].copy(), labels, (0, 0, 1, 1), *state, rounds, cv2.GC_INIT_WITH_MASK)
    return np.asarray((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD), bool)
