"""Masks of one object over a whole clip, from one prompt: GrabCut on the prompt's frame, then propagation.

Embedded method, for a fixed camera. On every frame a pixel belongs to the object, to the background or to
something else that moves (the hand, another object). The evidence: where optical flow carries the mask from
the frame before; the colour, against histograms of the three; whether the pixel looks like the background
plate, shadows allowed. A first pass runs from the prompt to both ends of the clip; from its masks a clean
plate (what is seen where neither object nor hand is) and better colour models follow, and a second pass
with them gives the result. When the object is lost, or its mask is likelier a hand or a shadow, it is looked
for by colour among what moves; frames that are doubted in the end are passed over once more, backwards from
where it is seen well again. What was hidden but not moved is where it was (`standing`), and in the end
`outline` corrects every mask's edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.mask import area, iou, main_components
from video2policy.perceive import strip
from video2policy.perceive.departure import departed
from video2policy.perceive.first_mask import cut_out, filling, first_mask
from video2policy.perceive.footage import Footage
from video2policy.perceive.morphology import enlarge, fill_holes
from video2policy.perceive.outline import Neighbour, outline
from video2policy.perceive.palette import Palette, bins
from video2policy.perceive.prompt import Prompt
from video2policy.perceive.propagate import DOUBTED, Followed, mend, propagate
from video2policy.perceive.scenery import Scenery
from video2policy.perceive.standing import stand
from video2policy.perceive.verdict import Rejected, Verdict

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

WORK_SIDE = 640
"""Long side in pixels at which masks are computed."""
MOST_OF_FRAME, LEAST_SEEN = 0.6, 0.3
"""A mask that covers more of the frame, or is seen on a smaller share of the frames, is refused."""
LEAST_TRUST, LEAST_AT_ENDS = 0.7, 0.2
"""Mean scores, on all frames on which the object is not hidden and on the first or last tenth of them, below
which masks are refused: measured in docs/perception.md."""
MISTAKEN, ALIKE = 0.3, 0.4
"""Share of a mask that stays when its object leaves, from which it is wrong; overlap from which it and what
left are one thing."""
FEW_DOUBTED = 3
"""Doubted frames from which a thin thing is looked for as a strip."""
METHOD = "GrabCut, then flow, colour and background plate; outlines by a small network"
BETTER = "SAM 2 needs weights from a model hub"


class Segmentation(NamedTuple):
    """Masks (n, H, W) in frame pixels, score per frame (n,) in [0, 1]."""

    masks: Mask
    score: NDArray[np.float32]
    missing: Mask | None = None
    """Frames (n,) on which the object was not found though nothing hides it; None if that is not known."""


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
    start = start_mask(footage, prompt)
    rivals = []
    for other in prompts:
        if other.name != name:
            palette = Palette()
            near = other.scaled(scale)
            palette.learn(bins(footage.lab(near.frame))[first_mask(small[near.frame], near)])
            rivals.append(palette)
    scene = Scenery(footage, start, prompt.frame, rivals)
    rough = propagate(scene)
    scene.refine(rough.masks, rough.score)
    found = propagate(scene)
    mend(scene, found)
    stand(scene, found)
    follow_thin(scene, found)
    sharpen(scene, found)
    order = range(len(images))
    full = np.stack([enlarge(found.masks[i], (width, height)) for i in order])
    score = np.array([found.score[i] for i in order], np.float32)
    return Segmentation(full, score, np.array([i in found.missing for i in order]))


def start_mask(footage: Footage, prompt: Prompt) -> Mask:
    """The object's mask (H, W) on its prompt's frame, with what it left bare on its way if it did."""
    image, hand = footage.images[prompt.frame], hand_at(footage, prompt)
    left = departed(footage, prompt)
    if left is None:
        return first_mask(image, prompt, hand)
    usual = first_mask(image, prompt, hand | left.same)
    thin = cut_out(image, left.gone, left.same)
    if strip.shape_of(thin) is None:
        return usual
    if area(usual & left.same) > MISTAKEN * area(usual):
        return thin
    as_long = filling(thin, prompt) > filling(usual, prompt) - 0.05
    return thin if as_long and iou(thin, usual) > ALIKE else usual


def follow_thin(scene: Scenery, found: Followed) -> None:
    """The masks of a thin thing, where they are doubted, as a strip that all frames agree on has them."""
    if sum(score < DOUBTED for score in found.score.values()) < FEW_DOUBTED:
        return
    for frame, (mask, score) in (strip.fitted(scene) or {}).items():
        if found.score[frame] < min(DOUBTED, score) and mask.any():
            found.masks[frame], found.score[frame] = mask, score
            found.missing.discard(frame)


def sharpen(scene: Scenery, found: Followed) -> None:
    """The masks with the outlines that the network gives them."""
    masks = dict(found.masks)
    for frame, mask in masks.items():
        if mask.any():
            near = [Neighbour(i, masks[i]) if i in masks else None for i in (frame - 1, frame + 1)]
            roi, odds = outline(scene, frame, mask, near)
            better = np.zeros_like(mask)
            better[roi] = fill_holes(main_components(odds > 0))
            if better.any():
                found.masks[frame] = better


def joined(results: Sequence[Segmentation], frames: Sequence[int]) -> Segmentation:
    """One object's results from prompts on several ``frames``: on each frame that of the nearest prompt."""
    away = np.abs(np.arange(len(results[0].masks)) - np.array(frames)[:, None])
    chosen = [(results[k], t) for t, k in enumerate(away.argmin(axis=0))]
    missing = None
    if all(result.missing is not None for result in results):
        missing = np.array([result.missing is not None and result.missing[t] for result, t in chosen])
    return Segmentation(
        np.stack([result.masks[t] for result, t in chosen]),
        np.array([result.score[t] for result, t in chosen], np.float32),
        missing,
    )


def hand_at(footage: Footage, prompt: Prompt) -> Mask:
    """Moving skin on the prompt's frame that reaches out of the box."""
    skin = footage.passing_skin(prompt.frame)
    x0, y0, x1, y1 = (max(0, round(v)) for v in prompt.box)
    count, labels = cv2.connectedComponents(skin.astype(np.uint8), connectivity=8)
    total = np.bincount(labels.ravel(), minlength=count)
    inside = np.bincount(labels[y0:y1, x0:x1].ravel(), minlength=count)
    reaching = (total - inside > 300 * footage.unit**2) & (inside < 0.6 * total)
    reaching[0] = False
    return np.asarray(reaching[labels], bool)


def verdict(name: str, result: Segmentation, method: str, numbers: Sequence[int] | None = None) -> Verdict:
    """The gate: raises Rejected if the object is not seen well enough to be worked with.

    ``numbers``: of the frames in the user's clip, for what is said of them. Only scores of results that know
    what is missing are probabilities, and judged.
    """
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
    if result.missing is None:
        confidence = float(result.score[seen].mean() * seen.mean() ** 0.5)
        return Verdict("segment", True, method, round(confidence, 3), better=BETTER)
    expected = seen | result.missing
    # What little is seen of an object that something hides cannot be sure, and matters as little.
    weight = np.where(seen, np.minimum(1.0, share / np.median(share[seen])), 1.0)
    worth = 1 - weight * (1 - result.score)
    confidence = float(worth[expected].mean())
    where = list(numbers or range(len(seen)))
    if confidence < LEAST_TRUST:
        doubted = np.flatnonzero(expected & (worth < 0.5))
        if len(doubted) == 0:  # right on each frame by itself, perhaps, but hardly on all
            worst = where[int(np.argmin(np.where(expected, worth, 1)))]
            raise Rejected(
                f"{name}: its mask may well be wrong on the {expected.sum()} frames that should show it, "
                f"likeliest on frame {worst}; give another box on a frame that shows it well"
            )
        raise Rejected(
            f"{name}: its mask is likelier wrong than right on {len(doubted)} of the {expected.sum()} frames "
            f"that should show it, first on frame {where[int(doubted[0])]}; give another box after that, on "
            "a frame that shows it well"
        )
    few = max(3, len(seen) // 10)
    for part in (slice(0, few), slice(-few, None)):
        if expected[part].any() and float(worth[part][expected[part]].mean()) < LEAST_AT_ENDS:
            ends = where[part]
            raise Rejected(
                f"{name}: lost on the frames {ends[0]} to {ends[-1]}, though nothing seems to hide it there; "
                "give another box on one of them"
            )
    return Verdict("segment", True, method, round(confidence, 3), better=BETTER)
