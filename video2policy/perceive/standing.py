"""An object that was not moved while something hid it: it is where it was on the prompt's frame.

A pass that goes from frame to frame can lose it behind a hand, or come out from there with a part of it or
with what hid it. Where the picture at its place is the prompt's again, so is its mask.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.mask import area, iou
from video2policy.perceive.colour import beyond, largest_channel, recoloured
from video2policy.perceive.footage import SAME
from video2policy.perceive.morphology import disc, fill_holes, grow, region
from video2policy.perceive.propagate import DOUBTED, STAYING, UNCHANGED, Followed
from video2policy.perceive.scenery import Scenery
from video2policy.perceive.trust import signs, trust

Mask = NDArray[np.bool_]

OTHERWISE = 0.8
"""Overlap with the mask that was followed below which that is corrected; what fits better may tremble with
the camera."""
ELSEWHERE = 0.5
"""Share of a trusted mask off the object's place from which it was somewhere else."""


def stand(scene: Scenery, found: Followed) -> None:
    """Correct the masks of frames on which the object is in its place, or hidden there."""
    home = scene.start
    near = grow(home, 4 * scene.footage.unit)
    before: int | None = None
    for frame in range(len(scene.footage)):
        if scene.footage.unchanged(home, scene.frame, frame) < UNCHANGED:
            continue
        _correct(scene, found, frame, home)
        between = range(frame if before is None else before + 1, frame)
        if not any(_is_elsewhere(found, t, near) for t in between):
            for t in between:
                _correct(scene, found, t, uncovered(scene, t) | (found.masks[t] & home))
        before = frame


def _is_elsewhere(found: Followed, frame: int, near: Mask) -> bool:
    mask = found.masks[frame]
    return found.score[frame] >= DOUBTED and area(mask & ~near) > ELSEWHERE * area(mask)


def _correct(scene: Scenery, found: Followed, frame: int, mask: Mask) -> None:
    if frame == scene.frame or not mask.any() or iou(mask, found.masks[frame]) >= OTHERWISE:
        return
    found.masks[frame] = mask
    found.score[frame] = trust(signs(scene, frame, mask, STAYING["sure"]) | STAYING)
    found.missing.discard(frame)


def uncovered(scene: Scenery, frame: int) -> Mask:
    """What is seen of the object (H, W) on a frame if it is in its place: what looks so, in any light."""
    clip, home = scene.footage, scene.start
    roi = region(home, 4 * clip.unit)
    then, now = (np.ascontiguousarray(clip.images[t][roi]) for t in (scene.frame, frame))
    relit = recoloured(then.astype(np.float32), now.astype(np.float32)) + 4
    change = cv2.blur(np.minimum(largest_channel(beyond(then, now)).astype(np.float32), relit), (3, 3))
    alike = (change < SAME) & home[roi] & ~scene.like_hand(frame, roi, scene.colours.own)
    smooth = cv2.medianBlur(alike.astype(np.uint8), 3)
    result = np.zeros_like(home)
    result[roi] = fill_holes(cv2.morphologyEx(smooth, cv2.MORPH_OPEN, disc(clip.unit)) > 0) & home[roi]
    return result
