"""A clip at the resolution at which masks are computed, with its optical flow and what moves in it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.clip import spread
from video2policy.perceive.colour import beyond, is_skin, largest_channel, relit, to_lab
from video2policy.perceive.morphology import Region, disc, region, signed_distance
from video2policy.perceive.plate import clean_plate

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Field = NDArray[np.float32]

WHOLE: Region = (slice(None), slice(None))

FLOW_SIDE = 427
"""Long side in pixels at which optical flow is computed."""
SAME = 14
"""Grey values by which a channel differs at most of what has not changed between two frames."""
STEP = 1 / 64
"""Of a pixel there, in which flow is kept: whole numbers take half the memory and convert quickly."""


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
        self._flows: dict[tuple[int, int], NDArray[np.int16]] = {}
        self._greys: dict[int, Image] = {}
        self._skins: dict[int, Mask] = {}

    def __len__(self) -> int:
        return len(self.images)

    def lab(self, frame: int, roi: Region = WHOLE) -> Image:
        return to_lab(np.ascontiguousarray(self.images[frame][roi]))

    def _small(self, frame: int) -> Image:
        if frame not in self._greys:
            grey = cv2.cvtColor(self.images[frame], cv2.COLOR_RGB2GRAY)
            scale = min(1.0, FLOW_SIDE / max(self.shape))
            size = (max(1, round(self.shape[1] * scale)), max(1, round(self.shape[0] * scale)))
            self._greys[frame] = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
        return self._greys[frame]

    def flow(self, frame: int, before: int, roi: Region = WHOLE) -> Field:
        """Flow (h, w, 2): where each pixel of a region of ``frame`` was on ``before``, as an offset."""
        if (frame, before) not in self._flows:
            flow = self._flow.calc(self._small(frame), self._small(before), np.empty(0, np.float32))
            self._flows[frame, before] = np.clip(np.rint(flow / STEP), -32768, 32767).astype(np.int16)
        small = self._flows[frame, before]
        scale = self.shape[1] / small.shape[1], self.shape[0] / small.shape[0]
        # Only what is asked for is converted and enlarged, with a rim for the interpolation.
        spans = [side.indices(length)[:2] for side, length in zip(roi, self.shape, strict=True)]
        (top, bottom), (left, right) = spans
        y, x = max(0, int(top / scale[1]) - 2), max(0, int(left / scale[0]) - 2)
        cut = small[y : int(bottom / scale[1]) + 3, x : int(right / scale[0]) + 3].astype(np.float32)
        cut *= np.array(scale, np.float32) * STEP
        corner = (left + 0.5) / scale[0] - 0.5 - x, (top + 0.5) / scale[1] - 0.5 - y
        place = np.array([[1 / scale[0], 0, corner[0]], [0, 1 / scale[1], corner[1]]])
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = (right - left, bottom - top)
        return np.asarray(
            cv2.warpAffine(cut, place, size, flags=how, borderMode=cv2.BORDER_REPLICATE), np.float32
        )

    def differs(self, frame: int, plate: Image, threshold: int = 28) -> Mask:
        """Where a frame differs from a background plate."""
        difference = largest_channel(cv2.absdiff(self.images[frame], plate))
        return np.asarray(cv2.medianBlur(difference, 3) > threshold, bool)

    def unchanged(self, mask: Mask, then: int, now: int) -> float:
        """The share of a mask's pixels that two frames show alike, or of those at its rim if that is less."""
        roi = region(mask, 4 * self.unit)
        a, b = (np.ascontiguousarray(self.images[frame][roi]) for frame in (then, now))
        same = largest_channel(beyond(a, b)) < SAME
        rim = np.abs(signed_distance(mask[roi])) < max(1.5, 3 * self.unit)
        return float(min(same[mask[roi]].mean(), same[rim].mean()))

    def passing_skin(self, frame: int) -> Mask:
        """Skin that is not the median, nor that in a shadow; not to be written to."""
        if frame not in self._skins:
            self._skins[frame] = self.skin(frame, self.median)
        return self._skins[frame]

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
        return [int(i) for i in spread(len(self), count)]
