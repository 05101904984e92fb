"""Camera and depth from a depth network: one lens and one scale for the whole clip, and the table as a plane.

A network looks at every frame by itself: its lens and its scale change from frame to frame. Here the lens is
the median over some frames and then given back to the network, and each frame's depth is scaled so that what
does not move keeps its distance. The table is the plane through the points around the objects' feet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
import trimesh
from numpy.typing import NDArray
from skimage.measure import ransac

from video2policy.camera import FOCAL_UNCERTAINTY, Camera, intrinsics, rotation_from_pitch
from video2policy.clip import spread
from video2policy.mask import bounding_box
from video2policy.perceive.contact import Contact, Images, apart, contact_from, motion
from video2policy.perceive.depth import View
from video2policy.perceive.pitch import find_focal
from video2policy.perceive.verdict import Rejected

Array = NDArray[np.float64]
Depth = NDArray[np.float32]
Image = NDArray[np.uint8]
Masks = NDArray[np.bool_]

SAMPLES = 7
"""Frames, spread over the clip, that decide lens, table and usual depth."""

POINTS = 4000
"""Points around the objects to which the plane is fitted."""

LEAST_SPREAD = 0.02
"""Relative uncertainty of a network's focal length at least, however well its frames agree."""

TOLERANCE = 0.015
"""Share of the distance by which a point may miss the table's plane."""

LEAST_INLIERS = 0.4
"""Share of the points around the objects that the plane must hold, else they do not stand on one."""

PITCHES = (3.0, 89.5)
"""Degrees below the horizon between which a camera can look at a table; beyond, the plane is a wall."""


class Network(Protocol):
    """A depth network. Images are RGB uint8 (H, W, 3)."""

    title: str

    def intrinsics(self, image: Image) -> Array | None:
        """K (3, 3) in pixels as the network sees it; None where it does not say."""

    def depth(self, image: Image, K: Array) -> Depth:
        """Metres (H, W) along the optical axis of a camera with lens K; 0 or not finite where unknown."""


@dataclass(frozen=True)
class PlaneModel:
    """A plane normal . x = offset, as skimage's RANSAC wants a model."""

    normal: Array
    offset: float

    @classmethod
    def from_estimate(cls, data: Array) -> PlaneModel:
        """The plane through points (n, 3)."""
        centre, normal = trimesh.points.plane_fit(data)
        return cls(np.asarray(normal, dtype=float), float(normal @ centre))

    def residuals(self, data: Array) -> Array:
        """Distance of points (n, 3) in shares of their depth."""
        gap = np.abs(data @ self.normal - self.offset)
        return np.asarray(gap / np.maximum(data[:, 2], 1e-6), dtype=float)


def fit_plane(points: Array) -> tuple[Array, float, float]:
    """Unit normal towards the camera, the camera's height over it, and the share of points (n, 3) on it.

    Points are in the camera frame. Raises Rejected where too few of them lie on a plane.
    """
    if len(points) < 50:
        raise Rejected("the depth image says nothing around the objects")
    plane, inliers = ransac(points, PlaneModel, 3, TOLERANCE, max_trials=400, rng=0)
    share = 0.0 if inliers is None else float(np.mean(inliers))
    if plane is None or share < LEAST_INLIERS:
        raise Rejected("what is around the objects is not flat: no table could be fitted to the depth image")
    side = -1.0 if plane.offset > 0 else 1.0  # the camera, at the origin, is on the normal's side
    return side * plane.normal, -side * plane.offset, share


def rotation_over(normal: Array) -> Array:
    """world_from_camera (3x3) of a camera over a plane with this upward `normal` (3,) in the camera frame.

    World z is the normal, x the camera's viewing direction along the plane (of a camera that looks straight
    down: the image's upward direction). Raises ValueError for a zero normal.
    """
    up = np.asarray(normal, dtype=float)
    length = np.linalg.norm(up)
    if not length > 1e-9:
        raise ValueError("a plane needs a normal")
    up = up / length
    forward = np.array([0.0, 0.0, 1.0])
    ahead = forward - (forward @ up) * up
    if np.linalg.norm(ahead) < 1e-6:
        ahead = np.array([0.0, -1.0, 0.0]) - (-up[1]) * up
    ahead = ahead / np.linalg.norm(ahead)
    return np.stack([ahead, np.cross(up, ahead), up])


def unproject(depth: Depth, K: Array, where: NDArray[np.bool_]) -> Array:
    """Camera-frame points (n, 3) of the pixels `where` (H, W) whose depth (H, W) is known."""
    known = where & np.isfinite(depth) & (depth > 0)
    rows, columns = np.nonzero(known)
    rays = np.column_stack([columns + 0.5, rows + 0.5, np.ones(len(rows))]) @ np.linalg.inv(K).T
    return np.asarray(rays * depth[rows, columns, None], dtype=float)


def around_feet(masks: Mapping[str, Masks], frame: int) -> NDArray[np.bool_]:
    """Pixels (H, W) beside the lower halves of the objects, where a table is to be expected."""
    first = next(iter(masks.values()))
    result = np.zeros(first.shape[1:], bool)
    taken = np.zeros_like(result)
    for item in masks.values():
        mask = item[frame]
        taken |= cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        box = bounding_box(mask)
        if box is None:
            continue
        x0, y0, x1, y1 = box
        reach = max(x1 - x0, y1 - y0, 8)
        top, bottom = max((y0 + y1) // 2, 0), y1 + reach // 2
        result[top:bottom, max(x0 - reach, 0) : x1 + reach] = True
    return result & ~taken


class MetricDepth:
    """A clip's depth by a network: lens, table and images of one scale.

    `masks` (n, H, W) are those of all objects; `given` is the sheet's camera (fov in degrees or fx in pixels
    of the clip, `scale` frame pixels each; pitch and roll) and `metadata` the `lens` of clip.json: both win
    over what the network says.
    """

    def __init__(
        self,
        network: Network,
        frames: Images,
        masks: Mapping[str, Masks],
        given: Mapping[str, float],
        scale: float = 1.0,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self.network, self.frames, self.masks, self.given = network, frames, masks, given
        count = len(next(iter(masks.values())))
        self.samples = spread(count, SAMPLES).tolist()
        self.K, self.lens, self.focal_sigma = self._lens(given, scale, metadata)
        self.still = {t: self._still(t) for t in self.samples}
        depths = {t: network.depth(frames[t], self.K) for t in self.samples}
        self.usual = self._usual(depths)
        self.aligned = {t: self._align(depth, t) for t, depth in depths.items()}

    def _lens(
        self, given: Mapping[str, float], scale: float, metadata: Mapping[str, Any] | None
    ) -> tuple[Array, str, float]:
        """K, where it is from, and the relative uncertainty of its focal length."""
        height, width = next(iter(self.masks.values())).shape[1:]
        fx = float(given["fx"]) * scale if "fx" in given else None
        K, lens, sigma = intrinsics(width, height, given.get("fov"), fx, metadata)
        if sigma != FOCAL_UNCERTAINTY:
            return K, lens, sigma
        seen = [self.network.intrinsics(self.frames[t]) for t in self.samples]
        found = np.array([item for item in seen if item is not None], dtype=float)
        if len(found):
            spread = float(np.std(np.log(found[:, 0, 0])))
            return np.median(found, axis=0), f"lens by {self.network.title}", max(spread, LEAST_SPREAD)
        factor, sigma = find_focal(self.frames, K)
        K[[0, 1], [0, 1]] *= factor
        return K, "field of view from lines" if sigma < 0.7 * FOCAL_UNCERTAINTY else lens, sigma

    def _still(self, frame: int) -> NDArray[np.bool_]:
        """Pixels of no object."""
        covered = np.zeros(next(iter(self.masks.values())).shape[1:], np.uint8)
        for item in self.masks.values():
            covered |= item[frame].astype(np.uint8)
        return cv2.dilate(covered, np.ones((9, 9), np.uint8)) == 0

    def _usual(self, depths: Mapping[int, Depth]) -> Depth:
        """Depth (H, W) of what does not move: the samples' median, each brought to a common scale."""
        stack = np.array([np.where(np.isfinite(d) & (d > 0), d, np.nan) for d in depths.values()])
        clear = np.array([self.still[t] for t in depths])
        usual = np.where(clear, stack, np.nan)
        middles = [np.nanmedian(item) if np.isfinite(item).any() else np.nan for item in usual]
        if not np.isfinite(middles).any():
            raise Rejected("the depth network gives no depth at all")
        common = np.nanmedian(middles)
        usual = usual * (common / np.array(middles))[:, None, None]
        known = np.isfinite(usual).any(axis=0)
        result = np.zeros(usual.shape[1:], np.float32)
        result[known] = np.nanmedian(usual[:, known], axis=0)
        return result

    def _align(self, depth: Depth, frame: int) -> Depth:
        """The frame's depth on the clip's scale: what does not move keeps its distance; 0 where unknown."""
        clean = np.where(np.isfinite(depth) & (depth > 0), depth, 0).astype(np.float32)
        still = self.still[frame] if frame in self.still else self._still(frame)
        shared = still & (clean > 0) & (self.usual > 0)
        if shared.sum() < 50:
            return clean
        return clean * np.float32(np.median(self.usual[shared] / clean[shared]))

    def images(self) -> Iterator[NDArray[np.float16]]:
        """Depth (H, W) in metres of every frame, one at a time; 0 where the network says nothing."""
        for t in range(len(next(iter(self.masks.values())))):
            if t in self.aligned:
                yield self.aligned[t].astype(np.float16)
            else:
                yield self._align(self.network.depth(self.frames[t], self.K), t).astype(np.float16)

    def view(self) -> View:
        """The camera over the table, in metres, and where the objects touch it.

        Raises Rejected where no table is found around the objects, or no object is ever seen.
        """
        parts = []
        for t, depth in self.aligned.items():
            points = unproject(depth, self.K, around_feet(self.masks, t))
            parts.append(points[:: max(1, len(points) * SAMPLES // POINTS)])
        around = np.concatenate(parts) if parts else np.zeros((0, 3))
        normal, altitude, share = fit_plane(around)
        rotation, tilt = rotation_over(normal), "plane through the points around the objects"
        if "pitch" in self.given:
            rotation = rotation_from_pitch(self.given["pitch"], self.given.get("roll", 0.0))
            altitude, tilt = float(np.median(-around @ rotation[2])), "given pitch"
        height, width = self.usual.shape
        camera = Camera(self.K, width, height, rotation, altitude)
        if not PITCHES[0] < camera.pitch < PITCHES[1]:
            raise Rejected(
                "the surface around the objects is no table: the camera would look "
                f"{camera.pitch:.0f} degrees down on it"
            )
        others = apart(self.masks)
        contacts: dict[str, Contact] = {
            name: contact_from(item, motion(self.frames, item), self.K, camera.rotation, others[name])
            for name, item in self.masks.items()
        }
        if not any(np.isfinite(contact.apparent).any() for contact in contacts.values()):
            raise Rejected("no object is visible in any frame")
        method = f"{self.network.title}; {self.lens}; {tilt}"
        return View(camera, contacts, method, min(1.0, 0.5 + 0.5 * share), self.focal_sigma)
