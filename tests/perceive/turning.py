"""A block whose faces have different prints, which a hand lifts and turns: drawn with exact masks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

WIDTH, HEIGHT, FOCAL, HALF, DISTANCE = 427, 240, 400.0, 0.045, 1.0
SUPERSAMPLED = 2
CORNERS = np.array([[-1, -1, -1], [1, -1, -1], [1, 1, -1], [-1, 1, -1]], float)
"""Of the face towards the camera; y points down."""


def turn(axis: tuple[float, float, float], radians: float) -> NDArray[np.float64]:
    return np.asarray(cv2.Rodrigues(np.array(axis) * radians)[0], float)


FACES = [turn((0, 1, 0), k * np.pi / 2) for k in range(4)] + [turn((1, 0, 0), s * np.pi / 2) for s in (1, -1)]


def turning_block(seed: int, degrees: float, frames: int = 40) -> tuple[list[Image], Mask]:
    """RGB frames (240, 427, 3) and the visible block's masks (n, 240, 427)."""
    rng = np.random.default_rng(seed)
    prints = [
        cv2.resize(
            rng.integers(40, 230, (4, 4, 3)).astype(np.uint8), (64, 64), interpolation=cv2.INTER_NEAREST
        )
        for _ in FACES
    ]
    wall = rng.integers(110, 200, (30, 50, 3)).astype(np.uint8)
    room = cv2.GaussianBlur(cv2.resize(wall, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), (0, 0), 3)
    room[int(0.6 * HEIGHT) :] = (0.3 * room[int(0.6 * HEIGHT) :] + 0.7 * 190).astype(np.uint8)
    images, masks = [], []
    for t in range(frames):
        done = float(np.clip((t - 5) / (frames - 12), 0, 1))
        done = done * done * (3 - 2 * done)
        pose = turn((1, 0, 0), np.radians(25)) @ turn((0, 1, 0), np.radians(degrees) * done + 0.15)
        image, mask = _drawn(
            room, prints, pose @ turn((0, 0, 1), 0.3 * done), (0.02 + 0.05 * done, 0.07 - 0.12 * done), t >= 4
        )
        images.append(np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8))
        masks.append(mask)
    return images, np.stack(masks)


def _drawn(
    room: Image, prints: list[Image], rotation: NDArray[np.float64], place: tuple[float, float], held: bool
) -> tuple[Image, Mask]:
    s = SUPERSAMPLED
    image, mask = cv2.resize(room, None, fx=s, fy=s), np.zeros((s * HEIGHT, s * WIDTH), np.uint8)
    centre = np.array([*place, DISTANCE])

    def pixels(points: NDArray[np.float64]) -> NDArray[np.float32]:
        flat = FOCAL * points[:, :2] / points[:, 2:] + (WIDTH / 2, HEIGHT / 2)
        return np.asarray(s * flat, np.float32)

    for texture, face in zip(prints, FACES, strict=True):
        corners = (HALF * CORNERS @ face.T) @ rotation.T + centre
        outwards = rotation @ face @ (0, 0, -1)
        if outwards @ corners.mean(axis=0) >= 0:
            continue
        shown = pixels(corners)
        square = np.array([[0, 0], [64, 0], [64, 64], [0, 64]], np.float32)
        light = 0.65 + 0.35 * abs(outwards @ (0.3, -0.6, -0.74))
        drawn = cv2.warpPerspective(
            (light * texture).astype(np.uint8), cv2.getPerspectiveTransform(square, shown), mask.shape[::-1]
        )
        part = np.zeros_like(mask)
        cv2.fillConvexPoly(part, shown.astype(np.int32), 255)
        image[part > 0] = drawn[part > 0]
        mask |= part
    if held:
        x, y = pixels((centre + (HALF, -HALF, 0))[None])[0]
        hand = np.zeros_like(mask)
        wrist = (int(x + 30 * s), int(y - 25 * s))
        for dx, dy in ((-14, 6), (-6, 10), (2, 11)):
            cv2.line(hand, (int(x + s * dx), int(y + s * dy)), wrist, 255, 9 * s)
        cv2.line(hand, wrist, (s * (WIDTH + 20), int(y - 90 * s)), 255, 34 * s)
        image[hand > 0] = (190, 143, 115)
        mask[hand > 0] = 0
    size = (WIDTH, HEIGHT)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), cv2.resize(mask, size, interpolation=cv2.INTER_AREA) > 127
