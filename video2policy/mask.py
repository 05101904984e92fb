"""Masks of one object over a clip: (n, H, W) bool in frame pixels, with a score per frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.clip import spread

Mask = NDArray[np.bool_]
Image = NDArray[np.uint8]

COLOURS = ((255, 80, 40), (40, 160, 255), (90, 220, 60), (240, 60, 220), (250, 200, 30), (60, 230, 220))
"""Contour colours (RGB) of the objects of a clip, in their order."""


def save_masks(path: Path, masks: Mask, score: NDArray[np.float32]) -> None:
    """Write masks (n, H, W) and scores (n,) as npz: ``bits`` (packed), ``shape``, ``score``."""
    if masks.ndim != 3 or score.shape != (len(masks),):
        raise ValueError(f"masks {masks.shape} and score {score.shape} do not belong together")
    with path.open("wb") as file:
        np.savez_compressed(
            file,
            bits=np.packbits(np.asarray(masks, bool)),
            shape=np.array(masks.shape, np.int64),
            score=score.astype(np.float32),
        )


def load_masks(path: Path) -> tuple[Mask, NDArray[np.float32]]:
    """Masks (n, H, W) and scores (n,) written by ``save_masks``."""
    with np.load(path) as data:
        n, height, width = (int(v) for v in data["shape"])
        bits = np.unpackbits(data["bits"], count=n * height * width)
        return bits.reshape(n, height, width).astype(bool), data["score"]


def iou(a: Mask, b: Mask) -> float:
    """Intersection over union; 1 for two empty masks."""
    union = np.count_nonzero(a | b)
    return 1.0 if union == 0 else np.count_nonzero(a & b) / union


def area(mask: Mask) -> int:
    """Number of pixels."""
    return int(np.count_nonzero(mask))


def main_components(mask: Mask, share: float = 0.12) -> Mask:
    """The connected parts of at least `share` of the largest one's area: a finger may split an object."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    return np.asarray(np.isin(labels, np.flatnonzero(areas >= max(1.0, share * areas.max()))), dtype=bool)


def largest_component(mask: Mask) -> Mask:
    """The largest 8-connected component; empty for an empty mask."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 2:
        return np.zeros(mask.shape, bool)
    return np.asarray(labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])), bool)


def touched_component(mask: Mask, near: Mask) -> Mask:
    """The 8-connected component of which most pixels lie in `near` (H, W); empty where none does."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    shared = np.bincount(labels[near], minlength=count)
    shared[0] = 0
    return np.asarray((labels == int(shared.argmax())) & shared.any(), bool)


def bounding_box(mask: Mask) -> tuple[int, int, int, int] | None:
    """[x0, y0, x1, y1], exclusive end; None for an empty mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def box_iou(a: Sequence[float], b: Sequence[float] | None) -> float:
    """Intersection over union of two boxes [x0, y0, x1, y1]; 0 for boxes without area and for none."""
    if b is None:
        return 0.0
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(wide, 0.0) * max(high, 0.0)
    total = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)) - shared
    return shared / total if total > 0 else 0.0


def draw_mask(image: Image, mask: Mask, colour: tuple[int, int, int] = COLOURS[0]) -> Image:
    """A copy of an RGB image with the mask's contour, and a light fill that lets the object show through."""
    canvas = image.copy()
    canvas[mask] = (0.72 * canvas[mask] + 0.28 * np.array(colour)).astype(np.uint8)
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    thickness = max(1, round(max(image.shape[:2]) / 400))
    cv2.drawContours(canvas, contours, -1, colour, thickness, cv2.LINE_AA)
    return canvas


def contact_sheet(
    images: Sequence[Image], captions: Sequence[str], columns: int = 4, width: int = 400
) -> Image:
    """Tiles of equal size in rows, each with a caption in its corner."""
    tiles = []
    for image, caption in zip(images, captions, strict=True):
        height = max(1, round(image.shape[0] * width / image.shape[1]))
        tile = np.ascontiguousarray(
            cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8
        )
        (text_width, text_height), _ = cv2.getTextSize(caption, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
        tile[: text_height + 10, : text_width + 12] //= 3  # thicker letters in black are wider: no outline
        cv2.putText(tile, caption, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
        tiles.append(tile)
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    return np.asarray(np.vstack(rows), np.uint8)


def mask_sheet(frames: Sequence[Image], masks: Mask, score: NDArray[np.float32], count: int = 8) -> Image:
    """Contours of the masks on ``count`` frames spread over the clip, with frame number and score."""
    chosen = spread(len(masks), count)
    return contact_sheet(
        [draw_mask(frames[int(i)], masks[i]) for i in chosen], [f"{i}  score {score[i]:.2f}" for i in chosen]
    )


def write_image(path: Path, image: Image) -> None:
    """Write an RGB image; the format follows the suffix."""
    ok, data = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not ok:
        raise OSError(f"{path} could not be written")
    path.write_bytes(data.tobytes())
