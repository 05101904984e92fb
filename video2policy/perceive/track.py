"""6D tracking of a known mesh: features, outline and table in one small least-squares problem per frame.

From the reference frame both ways. Features (KLT, checked forwards and backwards) carry rotation, the mask's
outline carries place and distance and stops drift, and an object that stands on the table is held to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.optimize import least_squares

from video2policy import mesh as meshes
from video2policy import pose
from video2policy.camera import Camera
from video2policy.mask import contact_sheet, iou, largest_component
from video2policy.perceive.contact import FLOW, MIN_AREA, Contact, Images, bottom_of, to_grey
from video2policy.perceive.foreground import in_front
from video2policy.perceive.silhouette import Outline, opened, outline, support

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Image = NDArray[np.uint8]

MIN_FEATURES = 40
MAX_FEATURES = 120
"""Fewer features than the first are seeded anew."""

BACK_AND_FORTH = 0.8
"""Pixels by which a feature tracked there and back may miss its start."""

FEATURE_SIGMA = 0.013
OUTLINE_SIGMA = 0.026
TURN_SIGMA = 0.2
STEP_SIGMA = 0.03
"""Features and outline: shares of the object's diameter in the image. Then radians and metres (towards the
camera) per frame: without texture it does not spin, half hidden by a hand it does not jump away."""

TABLE_SIGMA = 0.0007
TILT_SIGMA = 0.03
"""Metres of the lowest point from the table and tilt in radians, for an object that stands on it."""

MIN_SIDE = 640
"""Clips with a shorter long side are enlarged to this for tracking, pixels."""

CONFIDENT = 0.3
"""A pose below this confidence is lost."""

LOST = 0.5
"""Below this confidence the pose is looked for anew."""

SAME_LOOK = 25.0
"""Grey values by which nine tenths of the pixels at an object that stayed in its place differ at most."""

SLIVER = 0.25
"""Share of its usual area below which an object counts as hidden."""

NEAR_TABLE = 0.012
MAX_TILT = 15.0
"""Metres and degrees: lower and more upright, it stands on the table if the image does not object."""


@dataclass
class Features:
    """Points on the mesh (n, 3), object frame, and where they are in the current image (n, 2)."""

    points: Array = field(default_factory=lambda: np.zeros((0, 3)))
    pixels: Array = field(default_factory=lambda: np.zeros((0, 2)))

    def __len__(self) -> int:
        return len(self.points)

    def kept(self, mask: NDArray[np.bool_]) -> Features:
        return Features(self.points[mask], self.pixels[mask])


@dataclass(frozen=True)
class Tracked:
    """camera_from_object (4x4) or None per frame, with a confidence 0 to 1.

    `features` says how many were used.
    """

    camera_from_object: list[Array | None]
    confidence: list[float]
    features: list[int]
    method: str


@dataclass
class Tracker:
    """Follows one object. All lengths in metres; `mesh` in the object frame, `camera` at its metric altitude.

    `runs`: frames [start, stop) in which it stands still on the table.
    `thin`: parts of the mask thinner than this share are ignored, as they were when the mesh was made.
    """

    mesh: trimesh.Trimesh
    camera: Camera
    masks: Mask
    others: Mask
    runs: list[tuple[int, int]]
    thin: float = 0.0

    @classmethod
    def of(
        cls,
        unit_mesh: trimesh.Trimesh,
        reconstruction: Mapping[str, Any],
        depth_scale: float,
        camera: Camera,
        masks: Mask,
        others: Mask,
        contact: Contact,
    ) -> Tracker:
        """Of a reconstructed object (`reconstruction` is mesh.json), at the size that it has in the image."""
        mesh = unit_mesh.copy()
        mesh.apply_scale(float(reconstruction["extent"]) * depth_scale)
        runs = [(run.start, run.stop) for run in contact.table_runs]
        return cls(mesh, camera, masks, others, runs, float(reconstruction["thin"]))

    def __post_init__(self) -> None:
        self.hull = meshes.hull_vertices(self.mesh.vertices)
        self.height = float(np.ptp(self.hull[:, 2]))
        self.body = np.array([opened(mask, self.thin) if self.thin else mask for mask in self.masks])
        self.standing = np.zeros(len(self.masks), bool)
        for start, stop in self.runs:
            self.standing[start:stop] = True

    # ------------------------------------------------------------------------------------ one frame

    def seed(self, grey: Image, mask: Mask, camera_from_object: Array, features: Features) -> Features:
        """Add corners inside the mask, away from the ones there are, with the mesh points that they show."""
        inner = cv2.erode(mask.astype(np.uint8), np.ones((5, 5), np.uint8))
        for x, y in features.pixels.astype(int):
            cv2.circle(inner, (int(x), int(y)), 4, 0, -1)
        found = cv2.goodFeaturesToTrack(grey, MAX_FEATURES, 0.008, 4, mask=inner)
        if found is None:
            return features
        pixels = found[:, 0].astype(float) + 0.5
        points, hit = meshes.cast(self.mesh, self.camera.K, camera_from_object, pixels)
        return Features(np.vstack([features.points, points[hit]]), np.vstack([features.pixels, pixels[hit]]))

    def follow(self, before: Image, after: Image, mask: Mask, features: Features) -> tuple[Features, Array]:
        """The features in the next image, tracked there and back and still inside the mask, and how they
        moved.
        """
        if len(features) == 0:
            return features, np.zeros((0, 2))
        start = (features.pixels - 0.5).astype(np.float32)[:, None]
        moved, status, _ = cv2.calcOpticalFlowPyrLK(before, after, start, start.copy(), **FLOW)
        back, again, _ = cv2.calcOpticalFlowPyrLK(after, before, moved, moved.copy(), **FLOW)
        good = (status[:, 0] > 0) & (again[:, 0] > 0)
        good &= np.linalg.norm(back - start, axis=2)[:, 0] < BACK_AND_FORTH
        pixels = np.asarray(moved[:, 0], dtype=float) + 0.5
        height, width = mask.shape
        inside = (pixels >= 0).all(axis=1) & (pixels[:, 0] < width) & (pixels[:, 1] < height)
        good &= inside
        good[inside] &= mask[pixels[inside, 1].astype(int), pixels[inside, 0].astype(int)]
        return Features(features.points[good], pixels[good]), (pixels - features.pixels)[good]

    def solve(
        self,
        start: Array,
        features: Features,
        seen: Outline | None,
        before: Array,
        upright: Array | None,
        weight: Array | None = None,
    ) -> tuple[Array, float]:
        """Pose (4x4) that agrees best with features and outline, and the mean squared error per measurement.

        `before` is the last frame's pose; `upright` a resting rotation (table_from_object, 3x3) to be held
        to, standing on the table, or None; `weight` (k,) of every outline direction.
        """
        up = self.camera.rotation.T @ [0, 0, 1.0]  # the table's normal in the camera frame
        free = seen.free if seen is not None else np.zeros(0, bool)
        feature_sigma, outline_sigma = self.sigmas(seen)
        trust = np.ones(int(free.sum())) if weight is None else weight[free]

        def unpack(values: Array) -> Array:
            return pose.transform(pose.rotation_from_vector(values[:3]) @ start[:3, :3], values[3:])

        def image_errors(camera_from_object: Array) -> Array:
            parts = [np.zeros(1)]
            if len(features):
                seen_at = meshes.project(features.points, self.camera.K, camera_from_object)
                gap = (
                    np.linalg.norm(np.nan_to_num(seen_at, nan=1e4) - features.pixels, axis=1) / feature_sigma
                )
                # Many features must not outvote the outline: together they count as about MIN_FEATURES.
                parts.append(np.sqrt(np.log1p(gap**2)) * min(1.0, (MIN_FEATURES / len(features)) ** 0.5))
            if seen is not None and free.any():
                pixels = np.nan_to_num(meshes.project(self.hull, self.camera.K, camera_from_object), nan=1e4)
                excess = (support(pixels, seen.along[free]) - seen.reach[free]) / outline_sigma
                # A mask that falls short is a hand in front of the object; one that exceeds it is an error
                # of the mask, which is rarer, but shadows make it.
                short = np.sqrt(np.log1p(excess**2))
                over = 3 * np.sqrt(np.log1p((excess / 3) ** 2))
                parts.append(trust * np.where(excess > 0, short, -over))
            return np.concatenate(parts)

        def errors(values: Array) -> Array:
            camera_from_object = unpack(values)
            turn = camera_from_object[:3, :3] @ before[:3, :3].T
            angle = cv2.Rodrigues(turn)[0][:, 0] / TURN_SIGMA
            away = (values[5] - before[2, 3]) / STEP_SIGMA
            parts = [image_errors(camera_from_object), np.asarray(angle, dtype=float), np.array([away])]
            if upright is not None:
                heights = pose.apply(camera_from_object, self.hull) @ up + self.camera.altitude
                parts.append(np.array([heights.min() / TABLE_SIGMA]))
                table_rotation = self.camera.rotation @ camera_from_object[:3, :3]
                parts.append((table_rotation.T @ [0, 0, 1.0] - upright.T @ [0, 0, 1.0]) / TILT_SIGMA)
            return np.concatenate(parts)

        guess = np.concatenate([np.zeros(3), start[:3, 3]])
        found = least_squares(
            errors, guess, method="trf", x_scale=[0.1] * 3 + [0.02] * 3, max_nfev=20, ftol=1e-4, xtol=1e-5
        )
        result = unpack(found.x)
        return result, float(np.mean(image_errors(result) ** 2))

    def sigmas(self, seen: Outline | None) -> tuple[float, float]:
        """Usual errors of features and of the outline, pixels."""
        diameter = seen.diameter if seen is not None else 0.0
        return max(FEATURE_SIGMA * diameter, 0.5), max(OUTLINE_SIGMA * diameter, 0.5)

    def hidden(self, camera_from_object: Array, seen: Outline) -> Array:
        """Weights (k,) of the outline's directions.

        Low where the mask fell short of the object in this frame.
        """
        pixels = meshes.project(self.hull, self.camera.K, camera_from_object)
        _, sigma = self.sigmas(seen)
        short = np.maximum(support(pixels, seen.along) - seen.reach - sigma / 2, 0)
        return np.asarray(np.exp(-((short / (1.5 * sigma)) ** 2)), dtype=float)

    def guess(
        self, last: Array, old: Outline | None, new: Outline | None, moved: Features, flow: Array
    ) -> Array:
        """The last pose, moved as the features moved (`flow` (n, 2) pixels), or as the mask when there are
        few.
        """
        result = last.copy()
        focal = np.array([self.camera.K[0, 0], self.camera.K[1, 1]])
        if len(moved) >= 8:
            result[:2, 3] += np.median(flow, axis=0) * last[2, 3] / focal
        elif old is not None and new is not None:
            if old.free.all() and new.free.all():
                result[:3, 3] *= np.clip(old.diameter / new.diameter, 0.8, 1.25)
            result[:2, 3] += (new.centre - old.centre) * last[2, 3] / focal
        return result

    def outline_of(self, t: int) -> Outline | None:
        mask = self.masks[t]
        if mask.sum() < MIN_AREA:
            return None
        return outline(self.body[t], self.others[t])

    def confidence(self, t: int, camera_from_object: Array, features: int) -> float:
        """How well the projected hull covers the mask where nothing else covers it, a little less without
        features.
        """
        drawn = meshes.hull_silhouette(self.hull, self.camera.K, camera_from_object, self.camera.shape)
        mask = self.body[t]
        overlap = iou(drawn & ~self.others[t], mask)
        # A hand in front leaves the mask inside the drawn object.
        hidden = float((mask & drawn).sum()) / max(float(mask.sum()), 1.0)
        visible = float((mask & drawn).sum()) / max(float(drawn.sum()), 1.0)
        shown = max(overlap, 0.8 * hidden) * min(1.0, 2 * visible)
        return float(np.clip((shown - 0.3) / 0.6, 0, 1) * (0.75 + 0.25 * min(features / 20, 1)))

    # --------------------------------------------------------------------------------- whole clip

    def run(self, frames: Images, frame: int, camera_from_object: Array) -> Tracked:
        """Poses in all frames from the known one in `frame`."""
        n = len(self.masks)
        poses: list[Array | None] = [None] * n
        confidence, used = [0.0] * n, [0] * n
        upright = self.camera.rotation @ camera_from_object[:3, :3]
        grey = to_grey(frames[frame])
        start_outline = self.outline_of(frame)
        start = camera_from_object  # the mesh was fitted to this very frame
        poses[frame], used[frame] = start, MIN_FEATURES
        confidence[frame] = self.confidence(frame, start, MIN_FEATURES)
        for order in (range(frame + 1, n), range(frame - 1, -1, -1)):
            last, before, seen = start, grey, start_outline
            weight: Array | None = None
            features = self.seed(before, largest_component(self.masks[frame]), last, Features())
            for t in order:
                after = to_grey(frames[t])
                now = self.outline_of(t)
                if now is None:
                    before, features, weight = after, Features(), None
                    continue
                mask = self.masks[t]
                features, flow = self.follow(before, after, mask, features)
                guess = self.guess(last, seen, now, features, flow)
                pose_now = self.step(t, guess, features, now, last, upright, weight)
                arrived = self.standing[t] and not self.standing[t - 1 if t > frame else t + 1]
                sure = self.confidence(t, pose_now, MIN_FEATURES)
                if arrived or sure < LOST:
                    again = self.register(t, last, now, upright)
                    if again is not None and self.confidence(t, again, MIN_FEATURES) > sure:
                        pose_now, features = again, Features()
                gap = np.linalg.norm(
                    meshes.project(features.points, self.camera.K, pose_now) - features.pixels, axis=1
                )
                features = features.kept(gap < 4 * self.sigmas(now)[0])
                poses[t], used[t] = pose_now, len(features)
                confidence[t] = self.confidence(t, pose_now, len(features))
                if len(features) < MIN_FEATURES and confidence[t] > 0.4:
                    features = self.seed(after, mask, pose_now, features)
                last, before, seen = pose_now, after, now
                weight = self.hidden(last, now)
        self._steady(poses, confidence, frames)
        textured = float(np.median([k for k, p in zip(used, poses, strict=True) if p is not None]))
        method = "features, outline and table" if textured >= 10 else "outline and table"
        return Tracked(poses, confidence, used, method)

    def step(
        self,
        t: int,
        guess: Array,
        features: Features,
        now: Outline,
        last: Array,
        upright: Array,
        weight: Array | None,
    ) -> Array:
        """Pose in frame t from a guess: free, or held to the table where it stands or seems to."""
        free, error = self.solve(guess, features, now, last, None, weight)
        low, tilt = self.stance(free, upright)
        near = abs(low) < min(NEAR_TABLE, 0.25 * self.height)
        if tilt < MAX_TILT and (near or self.standing[t]):
            on_table, worse = self.solve(free, features, now, last, upright, weight)
            if self.standing[t] or worse < 1.2 * error + 0.1:
                return on_table
        return free

    def register(self, t: int, last: Array, now: Outline, upright: Array) -> Array | None:
        """The surest pose in frame t found without features, after a loss; None where nothing is sure.

        From the last pose moved to the mask, and, at rest, from standing on the mask's lowest point.
        """
        focal = np.array([self.camera.K[0, 0], self.camera.K[1, 1]])
        seen_at = meshes.project(last[None, :3, 3], self.camera.K, np.eye(4))[0]
        moved = last.copy()
        moved[:2, 3] += (now.centre - seen_at) * last[2, 3] / focal
        starts = [moved] if np.isfinite(moved).all() else []
        if self.standing[t]:
            foot = self.camera.on_plane(bottom_of(self.masks[t]))[0]
            if np.isfinite(foot).all():
                ahead = self.camera.rotation[:, 2] * [1, 1, 0]
                foot = foot + ahead / np.linalg.norm(ahead) * np.ptp(self.hull[:, :2], axis=0).mean() / 2
                lowest = float((self.hull @ upright.T)[:, 2].min())
                stood = pose.transform(upright, [foot[0], foot[1], -lowest])
                starts.append(self.camera.camera_from_table @ stood)
        found = [self.step(t, start, Features(), now, start, upright, None) for start in starts]
        return max(found, key=lambda matrix: self.confidence(t, matrix, 0), default=None)

    def stance(self, camera_from_object: Array, upright: Array) -> tuple[float, float]:
        """Height of the lowest point over the table (metres), and tilt from `upright` (degrees)."""
        table_from_object = self.camera.table_from_camera @ camera_from_object
        low = float(pose.apply(table_from_object, self.hull)[:, 2].min())
        cosine = float(table_from_object[2, :3] @ upright[2])
        return low, float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))

    def _steady(self, poses: list[Array | None], confidence: list[float], frames: Images) -> None:
        """Give every run on the table one pose, the median of its surer half: it does not move meanwhile.

        Runs between which it did not move either, and what something in front hides in between, are one.
        """
        for start, stop in self.rests(frames):
            known = [t for t in range(start, stop) if poses[t] is not None]
            if not known:
                continue
            sure = float(np.median([confidence[t] for t in known]))
            best = [t for t in known if confidence[t] >= sure]
            chosen = best[:: max(1, len(best) // 12)]
            middle = pose.median_transform([matrix for t in chosen if (matrix := poses[t]) is not None])
            for t in known:
                poses[t] = middle

    def rests(self, frames: Images) -> list[tuple[int, int]]:
        """The runs, those joined between which the object stayed in its place: the pictures agree there."""
        joined: list[tuple[int, int]] = []
        for run in sorted(self.runs):
            if joined and self.stayed(frames, joined[-1], run):
                joined[-1] = (joined[-1][0], run[1])
            else:
                joined.append(run)
        return joined

    def stayed(self, frames: Images, first: tuple[int, int], second: tuple[int, int]) -> bool:
        """Whether the object looks the same, where it is, in two runs, and is nowhere else in between."""
        a, b = (
            start + int(self.masks[start:stop].sum(axis=(1, 2)).argmax()) for start, stop in (first, second)
        )
        ring = np.ones((7, 7), np.uint8)
        place = cv2.dilate((self.masks[a] | self.masks[b]).astype(np.uint8), ring).astype(bool)
        between = self.masks[first[1] : second[0]]
        if (between & ~place).sum() > 0.1 * between.sum():
            return False
        clear = place & ~(self.others[a] | self.others[b])
        if clear.sum() < 0.5 * place.sum():
            return False
        old, new = (cv2.GaussianBlur(frames[t], (0, 0), 1.5).astype(float) for t in (a, b))
        return float(np.percentile(np.abs(old - new).max(axis=2)[clear], 90)) < SAME_LOOK


def overlay(frames: Images, result: Tracked, camera: Camera, length: float, count: int = 8) -> Image:
    """The object's axes (x red, y green, z blue, `length` metres) on `count` frames of the clip."""
    tiles, words = [], []
    for t in np.unique(np.linspace(0, len(result.camera_from_object) - 1, count).round().astype(int)):
        image, matrix = frames[int(t)].copy(), result.camera_from_object[int(t)]
        if matrix is not None:
            ends = meshes.project(np.vstack([np.zeros(3), length * np.eye(3)]), camera.K, matrix)
            if np.isfinite(ends).all():
                points = [(int(x), int(y)) for x, y in np.clip(ends, -1e4, 1e4)]
                for end, colour in zip(
                    points[1:], ((230, 40, 40), (30, 190, 30), (40, 70, 240)), strict=True
                ):
                    cv2.line(image, points[0], end, colour, max(2, image.shape[1] // 300), cv2.LINE_AA)
        tiles.append(image)
        words.append(f"{t}  {result.confidence[int(t)]:.2f}" if matrix is not None else f"{t}  no pose")
    return contact_sheet(tiles, words)


def enlarge(masks: Mask, size: tuple[int, int]) -> Mask:
    """Masks (n, H, W) at another size (width, height), with smooth outlines."""
    grown = [cv2.resize(m.astype(np.float32), size, interpolation=cv2.INTER_CUBIC) > 0.5 for m in masks]
    return np.asarray(grown, dtype=bool)


def track(
    frames: Images,
    masks: Mask,
    others: Mask,
    camera: Camera,
    contact: Contact,
    unit_mesh: trimesh.Trimesh,
    reconstruction: Mapping[str, Any],
    depth_scale: float,
) -> Tracked:
    """Poses of a reconstructed object (`reconstruction` is mesh.json) in the metric `camera`.

    The mesh is tracked at the size that it has in the image, so that its distance agrees with the table even
    when its given size does not quite.
    """
    others = others | in_front(frames, masks | others)
    factor = max(1.0, MIN_SIDE / max(camera.shape))
    if factor > 1:  # flow and corners are made for larger pictures
        size = (round(camera.width * factor), round(camera.height * factor))
        frames = [
            np.asarray(cv2.resize(frames[t], size, interpolation=cv2.INTER_CUBIC), np.uint8)
            for t in range(len(masks))
        ]
        masks, others = enlarge(masks, size), enlarge(others, size)
        K = np.diag([size[0] / camera.width, size[1] / camera.height, 1.0]) @ camera.K
        camera = replace(camera, K=K, width=size[0], height=size[1])
    start = np.array(reconstruction["camera_from_object"], dtype=float)
    start[:3, 3] *= depth_scale
    tracker = Tracker.of(unit_mesh, reconstruction, depth_scale, camera, masks, others, contact)
    return tracker.run(frames, int(reconstruction["frame"]), start)


def metric_poses(
    result: Tracked, unit_mesh: trimesh.Trimesh, camera: Camera, tracked_scale: float, scale: float
) -> dict[str, Any]:
    """The content of poses.json: poses of the mesh at `scale` metres per unit, tracked at `tracked_scale`.

    Its centre is raised or lowered by what its lower half grew or shrank, so that it still stands on the
    table.
    """
    up = camera.rotation.T @ [0, 0, 1.0]
    poses: list[list[list[float]] | None] = []
    for matrix in result.camera_from_object:
        if matrix is None:
            poses.append(None)
            continue
        lowest = float((np.asarray(unit_mesh.vertices) @ (camera.rotation @ matrix[:3, :3]).T)[:, 2].min())
        moved = matrix.copy()
        moved[:3, 3] += up * -lowest * (scale - tracked_scale)
        poses.append(np.round(moved, 7).tolist())
    return {
        "camera_from_object": poses,
        "confidence": [round(v, 4) for v in result.confidence],
        "features": result.features,
        "method": result.method,
        "K": camera.K.tolist(),
        "world_from_camera": camera.table_from_camera.tolist(),
    }


def complaint(result: Tracked, masks: Mask) -> str | None:
    """Why the track is of no use, in one sentence; None when it is."""
    area = masks.sum(axis=(1, 2))
    good = np.array(result.confidence) >= CONFIDENT
    if good.sum() < 3:
        return f"only {int(good.sum())} frames have a confident pose"
    # Of what something covers but for a sliver, no pose is expected.
    seen = area >= max(MIN_AREA, SLIVER * float(np.median(area[good])))
    if good.sum() < 0.5 * seen.sum():
        return (
            f"the pose is lost in {int(seen.sum() - good.sum())} of the {int(seen.sum())} frames that show it"
        )
    return None
