"""6D tracking of a known mesh: features, outline and table in one small least-squares problem per frame.

From the reference frame both ways, then all frames together (perceive/trajectory.py). Features (KLT, checked
forwards and backwards) carry rotation, the mask's outline carries place and distance and stops drift, and an
object that stands on the table is held to it.
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
from video2policy.clip import spread
from video2policy.mask import contact_sheet, iou, largest_component, touched_component
from video2policy.perceive.contact import FLOW, MIN_AREA, Contact, Images, bottom_of, to_grey
from video2policy.perceive.foreground import in_front
from video2policy.perceive.morphology import enlarge
from video2policy.perceive.reconstruct import solid_from_json
from video2policy.perceive.silhouette import Outline, opened, outline, support
from video2policy.perceive.solid import bevelled
from video2policy.perceive.trajectory import Node, Problem, Tracks, refine

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

NEAR_HAND = 5.0
"""Pixels from a hand within which the mask's border may be the hand's."""

FILL = 2.5
"""Pixels over which the object's colours are spread around it."""

SAME_LOOK = 25.0
"""Grey values by which nine tenths of the pixels at an object that stayed in its place differ at most."""

SLIVER = 0.25
"""Share of its usual area below which an object counts as hidden."""

NEAR_TABLE = 0.012
MAX_TILT = 15.0
"""Metres and degrees: lower and more upright, it stands on the table if the image does not object."""

COS_TILT = float(np.cos(np.radians(MAX_TILT)))

STANCES = 6
"""So many of the ways in which an object can lie are tried where it rests and does not stand."""

FARTHEST = 3.0
"""Times as far away, or as near, as it seemed: where an object would have to be to lie on the table."""

WORSE = 0.25
"""By so much less confident, what all frames together say of one is not believed."""

SEAM = 4
"""Pixels between two masks up to which they touch, and the side of a square as large as what they share."""

HELD = (0.002, 3.0)
"""Metres and degrees from standing, within which a frame's pose was held to the table."""

REST_FRAMES = 6
"""So many frames settle the pose of a rest."""


@dataclass
class Features:
    """Points on the mesh and its normals there (n, 3), object frame, where they are in the current image
    (n, 2), and a number for each (n,), negative for a new one.
    """

    points: Array = field(default_factory=lambda: np.zeros((0, 3)))
    normals: Array = field(default_factory=lambda: np.zeros((0, 3)))
    pixels: Array = field(default_factory=lambda: np.zeros((0, 2)))
    number: NDArray[np.int_] = field(default_factory=lambda: np.zeros(0, int))

    def __len__(self) -> int:
        return len(self.points)

    def kept(self, mask: NDArray[np.bool_]) -> Features:
        return Features(self.points[mask], self.normals[mask], self.pixels[mask], self.number[mask])


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
    `hull` (h, 3): the object's extreme points; the mesh's by default.
    `raised` (n,): where it stands still, but not on the table; `named` (n, H, W): the other objects, without
    hands, in one of which it may then be.
    """

    mesh: trimesh.Trimesh
    camera: Camera
    masks: Mask
    others: Mask
    runs: list[tuple[int, int]]
    thin: float = 0.0
    hull: Array = field(default_factory=lambda: np.zeros((0, 3)))
    raised: NDArray[np.bool_] | None = None
    named: Mask | None = None

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
        named: Mask | None = None,
    ) -> Tracker:
        """Of a reconstructed object (`reconstruction` is mesh.json), at the size that it has in the image."""
        mesh = unit_mesh.copy()
        scale = float(reconstruction["extent"]) * depth_scale
        mesh.apply_scale(scale)
        runs = [(run.start, run.stop) for run in contact.table_runs]
        solid = solid_from_json(reconstruction)
        # The mesh has sharp edges; seen against the picture's they would push the object away.
        hull = scale * bevelled(solid, float(reconstruction["bevel"])) if solid else np.zeros((0, 3))
        thin = float(reconstruction["thin"])
        return cls(mesh, camera, masks, others, runs, thin, hull, contact.raised(), named)

    def __post_init__(self) -> None:
        if not len(self.hull):
            self.hull = meshes.hull_vertices(self.mesh.vertices)
        self.height = float(np.ptp(self.hull[:, 2]))
        self.lying = meshes.resting_directions(self.hull)
        self.body = np.array([opened(mask, self.thin) if self.thin else mask for mask in self.masks])
        self.standing = np.zeros(len(self.masks), bool)
        for start, stop in self.runs:
            self.standing[start:stop] = True

    # ------------------------------------------------------------------------------------ one frame

    def lie(self, t: int, guess: Array, now: Outline, upright: Array) -> Array:
        """The pose in frame t of an object at rest that may have toppled.

        Of the ways in which it stays on a table, the outline chooses among those nearest to the guess; the
        guess where it agrees with none.
        """
        up = self.camera.rotation.T @ [0, 0, 1.0]
        nearest = self.lying[np.argsort(-self.lying @ guess[:3, :3].T @ up)[:STANCES]]
        best, least = guess, 1.2 * self.solve(guess, Features(), now, guess, None)[1] + 0.1
        for level in (upright[2], *nearest):
            turn = pose.rotation_between(guess[:3, :3] @ level, up) @ guess[:3, :3]
            lowest = float((self.hull @ turn.T @ up).min())
            drop = -float(guess[:3, 3] @ up)
            onto = (self.camera.altitude + lowest) / drop if drop > 0 else 0.0
            if not 1 / FARTHEST < onto < FARTHEST:
                continue
            start = pose.transform(turn, onto * guess[:3, 3])
            held = pose.rotation_between(level, [0, 0, 1.0])
            lying, error = self.solve(start, Features(), now, start, held)
            if error < least:
                best, least = lying, error
        return best

    def stands_on(self, camera_from_object: Array, upright: Array) -> Array | None:
        """The object's own direction (3,) that points up as it stands or lies; None where it leans."""
        up = camera_from_object[:3, :3].T @ self.camera.rotation.T @ [0, 0, 1.0]
        ways = np.vstack([upright[2], self.lying])
        cosines = ways @ up
        nearest = 0 if cosines[0] > COS_TILT else int(np.argmax(cosines))
        return ways[nearest] if cosines[nearest] > COS_TILT else None

    def seed(self, grey: Image, mask: Mask, camera_from_object: Array, features: Features) -> Features:
        """Add corners inside the mask, away from the ones there are, with the mesh points that they show."""
        inner = cv2.erode(mask.astype(np.uint8), np.ones((5, 5), np.uint8))
        for x, y in features.pixels.astype(int):
            cv2.circle(inner, (int(x), int(y)), 4, 0, -1)
        found = cv2.goodFeaturesToTrack(grey, MAX_FEATURES, 0.008, 4, mask=inner)
        if found is None:
            return features
        pixels = found[:, 0].astype(float) + 0.5
        points, normals, hit = meshes.cast(self.mesh, self.camera.K, camera_from_object, pixels)
        return Features(
            np.vstack([features.points, points[hit]]),
            np.vstack([features.normals, normals[hit]]),
            np.vstack([features.pixels, pixels[hit]]),
            np.concatenate([features.number, np.full(int(hit.sum()), -1)]),
        )

    def alone(self, frames: Images, t: int) -> Image:
        """Frame t, grey, in which what is near the object takes its colours.

        So a feature's window shows the object alone.
        """
        grey, mask = to_grey(frames[t]).astype(np.float32), self.masks[t]
        share = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), FILL)
        own = cv2.GaussianBlur(np.where(mask, grey, 0).astype(np.float32), (0, 0), FILL)
        near = ~mask & (share > 1e-4)
        grey[near] = own[near] / share[near]
        return np.asarray(grey, np.uint8)

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
        moved_to = replace(features, pixels=pixels)
        return moved_to.kept(good), (pixels - features.pixels)[good]

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
        return outline(self.body[t], self.others[t], reach=NEAR_HAND)

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
        """Poses in all frames from the known one in `frame`: followed both ways, then solved together."""
        rests = self.rests(frames)
        poses, used = self.pursue(frames, frame, camera_from_object, rests)
        poses = self.together(frames, frame, poses, rests, self.camera.rotation @ camera_from_object[:3, :3])
        confidence = [
            0.0 if matrix is None else self.confidence(t, matrix, used[t]) for t, matrix in enumerate(poses)
        ]
        textured = float(np.median([k for k, p in zip(used, poses, strict=True) if p is not None]))
        method = "features, outline and table" if textured >= 10 else "outline and table"
        return Tracked(poses, confidence, used, method)

    def pursue(
        self, frames: Images, frame: int, camera_from_object: Array, rests: list[tuple[int, int]]
    ) -> tuple[list[Array | None], list[int]]:
        """Poses frame by frame, both ways from the known one, each from the last; and features in each.

        A rest has one pose: what a hand hides when it reaches for the object does not move it.
        """
        n = len(self.masks)
        poses: list[Array | None] = [None] * n
        used = [0] * n
        upright = self.camera.rotation @ camera_from_object[:3, :3]
        rest_of: dict[int, tuple[int, int]] = {t: rest for rest in rests for t in range(*rest)}

        def settle(rest: tuple[int, int], guess: Array) -> Array:
            middle, count = self.settle(frames, rest, guess, upright, known=rest[0] <= frame < rest[1])
            for t in range(*rest):
                if self.masks[t].sum() >= MIN_AREA:
                    poses[t], used[t] = middle, count
            return middle

        start = camera_from_object  # the mesh was fitted to this very frame
        poses[frame], used[frame] = start, MIN_FEATURES
        if frame in rest_of:
            start = settle(rest_of[frame], start)
        for step in (1, -1):
            last, seen = start, self.outline_of(frame)
            before: Image | None = None
            weight: Array | None = None
            features = Features()
            for t in range(frame + step, n if step > 0 else -1, step):
                if t in rest_of and rest_of[t] == rest_of.get(t - step):
                    before = None
                    continue
                now = self.outline_of(t)
                after = self.alone(frames, t)
                if now is None:
                    before, features, weight = after, Features(), None
                    continue
                if before is None:  # just now it stood still
                    before, seen, weight = self.alone(frames, t - step), self.outline_of(t - step), None
                    features = self.seed(before, largest_component(self.masks[t - step]), last, Features())
                features, flow = self.follow(before, after, self.masks[t], features)
                guess = self.guess(last, seen, now, features, flow)
                pose_now = self.step(t, guess, features, now, last, upright, weight)
                sure = self.confidence(t, pose_now, MIN_FEATURES)
                if t in rest_of or sure < LOST:
                    again = self.register(t, last, now, upright)
                    if again is not None and self.confidence(t, again, MIN_FEATURES) > sure:
                        pose_now, features = again, Features()
                if t in rest_of:
                    last, before = settle(rest_of[t], pose_now), None
                    continue
                gap = np.linalg.norm(
                    meshes.project(features.points, self.camera.K, pose_now) - features.pixels, axis=1
                )
                features = features.kept(gap < 4 * self.sigmas(now)[0])
                poses[t], used[t] = pose_now, len(features)
                if len(features) < MIN_FEATURES and self.confidence(t, pose_now, len(features)) > 0.4:
                    features = self.seed(after, self.masks[t], pose_now, features)
                last, before, seen = pose_now, after, now
                weight = self.hidden(last, now)
        return poses, used

    def clearest(self, rest: tuple[int, int], count: int) -> list[int]:
        """Frames of a rest that show most of the object, at most `count`."""
        still = np.flatnonzero(self.standing[slice(*rest)]) + rest[0]
        area = self.masks[still].sum(axis=(1, 2))
        full = still[area >= 0.95 * np.percentile(area, 90)]
        return [int(t) for t in full[spread(len(full), count)]]

    def settle(
        self, frames: Images, rest: tuple[int, int], guess: Array, upright: Array, known: bool
    ) -> tuple[Array, int]:
        """The pose of a rest, the median over its clearest frames, and how many features it shows.

        Where the mesh was fitted the object is `known` to stand as it does in the guess.
        """
        found = []
        clear = self.clearest(rest, REST_FRAMES)
        first = self.outline_of(clear[0])
        if not known and first is not None and self.stance(guess, upright)[1] > MAX_TILT:
            guess = self.lie(clear[0], guess, first, upright)
            level = self.stands_on(guess, upright)
            upright = upright if level is None else pose.rotation_between(level, [0, 0, 1.0])
        for t in clear:
            now = self.outline_of(t)
            if now is not None:
                if known:
                    found.append(self.solve(guess, Features(), now, guess, upright)[0])
                else:
                    found.append(self.step(t, guess, Features(), now, guess, upright, None))
        if not found:
            return guess, 0
        middle = pose.median_transform(found)
        t = self.clearest(rest, 1)[0]
        return middle, len(self.seed(to_grey(frames[t]), self.masks[t], middle, Features()))

    def together(
        self,
        frames: Images,
        frame: int,
        poses: list[Array | None],
        rests: list[tuple[int, int]],
        upright: Array,
    ) -> list[Array | None]:
        """The poses, solved again with all frames together (perceive/trajectory.py)."""
        spans = [(start, stop - 1) for start, stop in rests]
        at_rest = {t for start, stop in rests for t in range(start, stop)}
        spans += [(t, t) for t in range(len(poses)) if t not in at_rest]
        nodes, guesses = [], []
        for first, last in sorted(spans):
            known = [matrix for matrix in poses[first : last + 1] if matrix is not None]
            if not known:
                continue
            rests_here = first in at_rest
            clear = self.clearest((first, last + 1), 1)[0] if rests_here else first
            if rests_here:
                ahead, level = None, self.stands_on(known[0], upright)
            else:
                low, tilt = self.stance(known[0], upright)
                ahead = self.within(first)
                stands = abs(low) < HELD[0] and tilt < HELD[1] and ahead is None
                level = upright[2] if stands else None
            nodes.append(Node(first, last, self.outline_of(clear), level, ahead))
            guesses.append(known[0].copy())
            if ahead is not None:  # where its middle's ray comes by there
                to_table = self.camera.table_from_camera
                reach = float(to_table[0, :3] @ known[0][:3, 3])
                guesses[-1][:3, 3] *= (ahead[0] - to_table[0, 3]) / reach if reach > 0 else 1.0
        if len(nodes) < 2:
            return poses
        guess = np.stack(guesses)
        problem = Problem(
            self.camera,
            self.hull,
            upright,
            nodes,
            np.array([node.first <= frame <= node.last for node in nodes]),
            np.array([self.sigmas(node.outline) for node in nodes]),
            self.tracks(frames, nodes, guess),
            TABLE_SIGMA,
            TILT_SIGMA,
            MIN_FEATURES,
        )
        result = list(poses)
        for node, old, new in zip(nodes, guess, refine(problem, guess), strict=True):
            t = self.clearest((node.first, node.last + 1), 1)[0] if node.first < node.last else node.first
            worse = self.confidence(t, new, 0) < self.confidence(t, old, 0) - WORSE and node.ahead is None
            for t in range(node.first, node.last + 1):
                if poses[t] is not None:
                    result[t] = old if worse else new
        return result

    def within(self, t: int) -> tuple[float, float] | None:
        """How far ahead of the camera (table x) what it seems to stand in or on is, and half of the width of
        that, metres.

        It is the other object whose mask touches this one's; None where none does, and where this one moves
        or stands on the table. What hides a part of an object makes it look smaller, thus farther, and a rim
        hides most of what stands in a cup.
        """
        if self.named is None or self.raised is None or not self.raised[t]:
            return None
        near = cv2.dilate(self.masks[t].astype(np.uint8), np.ones((2 * SEAM + 1,) * 2, np.uint8)) > 0
        holder = touched_component(self.named[t], near)
        if (holder & near).sum() < SEAM**2:
            return None
        foot = self.camera.on_plane(bottom_of(holder))[0]
        if not np.isfinite(foot).all():
            return None
        depth = float(pose.apply(self.camera.camera_from_table, foot[None])[0, 2])
        half = 0.5 * float(np.ptp(np.nonzero(holder)[1])) * depth / float(self.camera.K[0, 0])
        return float(foot[0]) + half, half

    def tracks(self, frames: Images, nodes: list[Node], poses: Array) -> Tracks:
        """Features between neighbouring nodes, followed both ways and seeded anew where they get few."""
        starts: list[int] = []
        surface: list[Array] = []
        seen: list[tuple[int, int, Array]] = []
        for step in (1, -1):
            features, before = Features(), None
            for k in range(len(nodes))[::step]:
                node = nodes[k]
                behind = nodes[k - step] if 0 <= k - step < len(nodes) else None
                enter, leave = (node.first, node.last)[::step]
                if behind is None or enter - step != (behind.first, behind.last)[::step][1]:
                    features, before = Features(), None
                after = self.alone(frames, enter)
                if before is not None:
                    features, _ = self.follow(before, after, self.masks[enter], features)
                    seen += [
                        (int(number), k, pixel)
                        for number, pixel in zip(features.number, features.pixels, strict=True)
                    ]
                if node.first < node.last:
                    features, after = Features(), self.alone(frames, leave)
                if len(features) < MIN_FEATURES:
                    features = self.seed(after, self.masks[leave], poses[k], features)
                new = np.flatnonzero(features.number < 0)
                rays = self.camera.rays(features.pixels[new])
                normals = features.normals[new]
                offset = (normals * features.points[new]).sum(axis=1)
                features.number[new] = len(starts) + np.arange(len(new))
                starts += [k] * len(new)
                surface += list(np.column_stack([rays, normals, offset]))
                before = after
        if not seen:
            return Tracks.none()
        table = np.array(surface)
        number, node_of, pixel = (np.array(part) for part in zip(*seen, strict=True))
        return Tracks(np.array(starts), table[:, :3], table[:, 3:6], table[:, 6], number, node_of, pixel)

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
    for t in spread(len(result.camera_from_object), count):
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
    named = others
    others = others | in_front(frames, masks | others)
    factor = max(1.0, MIN_SIDE / max(camera.shape))
    if factor > 1:  # flow and corners are made for larger pictures
        size = (round(camera.width * factor), round(camera.height * factor))
        frames = [
            np.asarray(cv2.resize(frames[t], size, interpolation=cv2.INTER_CUBIC), np.uint8)
            for t in range(len(masks))
        ]
        masks, others, named = (
            np.stack([enlarge(mask, size) for mask in part]) for part in (masks, others, named)
        )
        K = np.diag([size[0] / camera.width, size[1] / camera.height, 1.0]) @ camera.K
        camera = replace(camera, K=K, width=size[0], height=size[1])
    start = np.array(reconstruction["camera_from_object"], dtype=float)
    start[:3, 3] *= depth_scale
    tracker = Tracker.of(unit_mesh, reconstruction, depth_scale, camera, masks, others, contact, named)
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
