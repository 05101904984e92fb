"""A pinhole camera over a table: projection, rays, and where they meet the table.

Camera axes are OpenCV's (x right, y down, z forward). The table frame is the world frame before its origin is
known: z up, z = 0 on the table, x away from the camera, y to the image's left, the camera above (0, 0).
Pixel coordinates are continuous: the pixel in column i covers i to i + 1, its centre is i + 0.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from video2policy import pose

Array = NDArray[np.float64]

FOCAL_OF_DIAGONAL = 0.67
"""Prior focal length over the image's diagonal. Phones' main cameras have 26-28 mm equivalents (.60-.65 of
the 43.3 mm diagonal) before video stabilisation crops ~10%; webcams of 68-78 degrees diagonal .62-.74."""

FOCAL_UNCERTAINTY = 0.15
"""Relative standard deviation of that prior."""

FULL_FRAME_DIAGONAL = float(np.hypot(36, 24))
"""Millimetres; "35 mm equivalent" focal lengths have the same diagonal field of view on it (CIPA DCG-001)."""

VIDEO_CROP = 1.08
"""Videos show less than the lens's data say: stabilisation crops by 0 to about 20%, unlike photographs."""

VIDEO_CROP_UNCERTAINTY = 0.08
PHOTO_UNCERTAINTY = 0.03
"""Relative, of a focal length by the data that a video or a photograph carries."""

GIVEN_UNCERTAINTY = 0.01


def intrinsics(
    width: int,
    height: int,
    fov: float | None = None,
    fx: float | None = None,
    lens: Mapping[str, Any] | None = None,
) -> tuple[Array, str, float]:
    """K (3x3) with the principal point in the middle, how it was found, its relative uncertainty.

    From `fx` (pixels) before `fov` (vertical, degrees) before what the clip's metadata tell (`lens` of
    clip.json: `equivalent` in mm, `video`) before the prior. Raises ValueError for values that no lens has.
    """
    diagonal = float(np.hypot(width, height))
    if fx is not None:
        if not fx > 0:
            raise ValueError(f"a focal length of {fx} pixels is impossible")
        focal, method, sigma = float(fx), "given focal length", GIVEN_UNCERTAINTY
    elif fov is not None:
        if not 0 < fov < 170:
            raise ValueError(f"a vertical field of view of {fov} degrees is impossible")
        focal = height / 2 / np.tan(np.radians(fov) / 2)
        method, sigma = "given field of view", GIVEN_UNCERTAINTY
    elif lens is not None:
        focal = float(lens["equivalent"]) / FULL_FRAME_DIAGONAL * diagonal
        method, sigma = "focal length in the clip's metadata", PHOTO_UNCERTAINTY
        if lens["video"]:
            focal, sigma = VIDEO_CROP * focal, VIDEO_CROP_UNCERTAINTY
    else:
        focal, method, sigma = FOCAL_OF_DIAGONAL * diagonal, "usual field of view", FOCAL_UNCERTAINTY
    return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]]), method, sigma


def rotation_from_pitch(pitch: float, roll: float = 0.0) -> Array:
    """world_from_camera rotation (3x3) of a camera that looks along +x, `pitch` degrees down.

    It is then turned about its line of sight: positive `roll` (degrees) is clockwise seen from behind it, so
    that what is level sinks to its left.
    """
    down, turn = np.radians(pitch), np.radians(roll)
    forward = np.array([np.cos(down), 0.0, -np.sin(down)])
    right = np.array([0.0, -1.0, 0.0])
    level = np.stack([right, np.cross(forward, right), forward], axis=1)
    rolled = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1.0]])
    return np.asarray(level @ rolled)


@dataclass(frozen=True)
class Camera:
    """`K` (3x3, pixels), image size, `rotation` world_from_camera (3x3), `altitude` above the table (metres,
    or the unit in which depth is known before the metric size)."""

    K: Array
    width: int
    height: int
    rotation: Array
    altitude: float

    @property
    def shape(self) -> tuple[int, int]:
        return self.height, self.width

    @property
    def pitch(self) -> float:
        """Degrees below the horizon."""
        return float(np.degrees(np.arcsin(np.clip(-self.rotation[2, 2], -1, 1))))

    @property
    def fov(self) -> float:
        """Vertical, degrees."""
        return float(np.degrees(2 * np.arctan(self.height / 2 / self.K[1, 1])))

    @property
    def table_from_camera(self) -> Array:
        """4x4, the camera above the table frame's origin."""
        return pose.transform(self.rotation, [0, 0, self.altitude])

    @cached_property
    def camera_from_table(self) -> Array:
        return pose.inverse(self.table_from_camera)

    def scaled(self, factor: float) -> Camera:
        """The same view with all lengths times `factor`."""
        return replace(self, altitude=self.altitude * factor)

    def rays(self, pixels: ArrayLike) -> Array:
        """Directions (n, 3) in the camera frame, z = 1, of pixels (n, 2)."""
        points = np.asarray(pixels, dtype=float).reshape(-1, 2)
        return np.column_stack([points, np.ones(len(points))]) @ np.linalg.inv(self.K).T

    def project(self, points: ArrayLike) -> Array:
        """Pixels (n, 2) of table-frame points (n, 3); NaN for points behind the camera."""
        seen = pose.apply(self.camera_from_table, np.asarray(points, dtype=float).reshape(-1, 3))
        depth = np.where(seen[:, 2] > 1e-9, seen[:, 2], np.nan)
        return (seen / depth[:, None] @ self.K.T)[:, :2]

    def on_plane(self, pixels: ArrayLike, z: float = 0.0) -> Array:
        """Table-frame points (n, 3) at height `z` that pixels (n, 2) show; NaN where they show none."""
        directions = self.rays(pixels) @ self.rotation.T
        with np.errstate(divide="ignore", invalid="ignore"):
            far = np.where(
                (z - self.altitude) * directions[:, 2] > 0, (z - self.altitude) / directions[:, 2], np.nan
            )
        return np.array([0, 0, self.altitude]) + far[:, None] * directions

    def plane_depth(self, limit: float) -> Array:
        """Depth (height, width) along the optical axis of the bare table, at most `limit`."""
        v, u = np.mgrid[: self.height, : self.width]
        down = -(self.rays(np.stack([u, v], axis=-1).reshape(-1, 2) + 0.5) @ self.rotation.T)[:, 2]
        depth = np.where(down > self.altitude / limit, self.altitude / np.maximum(down, 1e-9), limit)
        return depth.reshape(self.shape)

    def to_json(self) -> dict[str, Any]:
        return {
            "K": self.K.tolist(),
            "width": self.width,
            "height": self.height,
            "world_from_camera_rotation": self.rotation.tolist(),
            "table": {"normal_camera": self.rotation[2].tolist(), "height": self.altitude},
            "fov": round(self.fov, 4),
            "pitch": round(self.pitch, 4),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Camera:
        return cls(
            np.array(data["K"], dtype=float),
            int(data["width"]),
            int(data["height"]),
            np.array(data["world_from_camera_rotation"], dtype=float),
            float(data["table"]["height"]),
        )
