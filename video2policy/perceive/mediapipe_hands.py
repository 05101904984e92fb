"""MediaPipe's hand model, the only file that knows it. Its environment is envs/hands.yaml."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.perceive.hand import Hand, Side

METHOD = "mediapipe hands"

WORK_SIDE = 640
"""Pixels; larger frames are no better and slower."""


def find_hands(frames: Iterable[NDArray[np.uint8]]) -> list[list[Hand]]:
    """The hands (at most two) of every RGB frame (H, W, 3), in pixels of these frames."""
    import mediapipe

    result = []
    model = mediapipe.solutions.hands.Hands(
        max_num_hands=2, model_complexity=1, min_detection_confidence=0.5, min_tracking_confidence=0.6
    )
    with model:
        for image in frames:
            height, width = image.shape[:2]
            scale = min(1.0, WORK_SIDE / max(height, width))
            small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            found = model.process(np.ascontiguousarray(small))
            # The three lists are None together where no hand is seen.
            present = zip(
                found.multi_handedness or [],
                found.multi_hand_landmarks or [],
                found.multi_hand_world_landmarks or [],
                strict=True,
            )
            row = []
            for side, flat, solid in present:
                choice = side.classification[0]
                # The model takes the picture for a mirror's.
                seen: Side = "left" if choice.label == "Right" else "right"
                pixels = np.array([[point.x * width, point.y * height] for point in flat.landmark])
                world = np.array([[point.x, point.y, point.z] for point in solid.landmark])
                row.append(Hand(seen, float(choice.score), pixels, world))
            result.append(row)
    return result
