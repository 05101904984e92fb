"""How far a mask can be trusted: how likely it and the true one share three quarters of their union.

A logistic regression over what can be measured without the truth; `python -m bench.fit_trust` fits it.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.mask import area
from video2policy.perceive.morphology import region
from video2policy.perceive.palette import Palette, bins
from video2policy.perceive.scenery import Scenery

Mask = NDArray[np.bool_]

WEIGHTS = {
    "sure": 45.86,
    "agreement": 0.99,
    "anew": -0.84,
    "larger": -4.19,
    "smaller": -1.90,
    "overlap": 1.29,
    "hand": -4.56,
    "shadow": -5.18,
    "cut": -1.59,
    "thickness": 1.20,
}
"""Fitted on masks of the suite's seeds 0 to 2 and 20 to 22, the pictures' long side 427."""
INTERCEPT = -45.14


def signs(
    scene: Scenery, frame: int, mask: Mask, sure: float, agreement: float | None = None
) -> dict[str, float]:
    """What tells a right mask (H, W) from a wrong one.

    ``sure``: mean probability of its pixels; ``agreement``: its overlap with the mask that the flow carried
    there, None if it was found anew.
    """
    roi = region(mask, 1)
    inside = mask[roi]
    index = bins(scene.footage.lab(frame, roi))[inside]
    own, hand = scene.colours.own, scene.colours.hand
    now = Palette()
    now.learn(index)
    growth = float(np.log(max(1, area(mask)) / max(1, area(scene.start))))
    edges, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    length = sum(cv2.arcLength(edge, True) for edge in edges)
    return {
        "sure": sure,
        "agreement": 1.0 if agreement is None else agreement,
        "anew": float(agreement is None),
        "larger": max(growth, 0.0),
        "smaller": max(-growth, 0.0),
        "overlap": now.overlap(own),
        "hand": float((hand.density(index) > own.density(index)).mean()) if hand.known else 0.0,
        "shadow": max(0.0, scene.shadow_share(frame, mask) - scene.shadow_share_at_start),
        "cut": float(at_border(mask) and not at_border(scene.start)),
        "thickness": float(np.log(max(1.0, area(mask) / max(1.0, length) / scene.footage.unit))),
    }


def at_border(mask: Mask) -> bool:
    return bool(mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())


def trust(measured: Mapping[str, float]) -> float:
    """The probability that a mask with these `signs` is right."""
    logit = INTERCEPT + sum(WEIGHTS[name] * value for name, value in measured.items())
    return float(1 / (1 + np.exp(-np.clip(logit, -30, 30))))
