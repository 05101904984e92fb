"""A hand with jointed fingers, wrist, forearm and sleeve, whose digits close until they touch what they hold.

The hand's frame: x along the stretched fingers, z out of the back of the hand, y to the thumb of a right
hand;
a left hand is its mirror image in y. The origin is the middle of the palm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal, NamedTuple

import numpy as np

from video2policy.pose import rotation_about
from video2policy.rendered.geometry import Array, Cloud, Pose, rotation_y, rotation_z
from video2policy.rendered.shapes import Mesh, loft, moved, rod

KNUCKLES = np.array(
    [[0.042, 0.031, 0.002], [0.047, 0.010, 0.004], [0.045, -0.011, 0.003], [0.036, -0.030, 0.0]]
)
"""Origin of index, middle, ring and little finger, metres."""
LENGTHS = ((0.043, 0.026, 0.021), (0.047, 0.030, 0.022), (0.043, 0.028, 0.022), (0.034, 0.021, 0.019))
RADII = ((0.0096, 0.0086, 0.0080, 0.0068),) * 3 + ((0.0084, 0.0076, 0.0070, 0.0060),)
SPLAY = (5.0, 1.0, -3.0, -8.0)
OPEN, CLOSED = np.array([2.0, 10.0, 5.0]), np.array([82.0, 88.0, 48.0])
"""Flexion of a finger's three joints, degrees."""

THUMB_ROOT = np.array([-0.024, 0.026, -0.010])
THUMB_LENGTHS = (0.046, 0.034, 0.026)
THUMB_RADII = (0.0140, 0.0108, 0.0098, 0.0078)
THUMB_OPEN, THUMB_CLOSED = np.array([0.05, 0.42, -0.90]), np.array([0.72, -0.22, -0.66])

FOREARM = 0.24
"""Length of the bare forearm and, behind it, twice that of sleeve; metres."""
N_DIGITS = 5


class Part(NamedTuple):
    """One rigid piece: its name, mesh in its own frame (x along it), and whether it carries a nail."""

    name: str
    mesh: Mesh
    material: Literal["skin", "sleeve"]
    nail: tuple[float, float] | None = None
    """x of the nail and radius there."""


@dataclass(frozen=True)
class Posture:
    """One instant: world_from_hand, how far each digit is curled (5,) from 0 to 1 (thumb last), and the
    forearm's direction (3,) in the world, from the wrist to the elbow."""

    pose: Pose
    curl: Array
    forearm: Array


def _palm() -> Mesh:
    x = np.array([-0.050, -0.046, -0.036, -0.015, 0.010, 0.030, 0.044, 0.050, 0.052])
    wide = np.array([0.012, 0.022, 0.030, 0.038, 0.042, 0.043, 0.041, 0.036, 0.028])
    thick = np.array([0.008, 0.014, 0.0165, 0.0165, 0.015, 0.0135, 0.012, 0.010, 0.006])
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    c, s = np.cos(angle), np.sin(angle)
    y = np.sign(c) * np.abs(c) ** 0.75
    z = np.sign(s) * np.abs(s) ** 0.85
    rings = np.stack([np.repeat(x[:, None], 24, 1), wide[:, None] * y, thick[:, None] * z], -1)
    ends = [np.repeat(rings[i].mean(0)[None, None], 24, axis=1) for i in (0, -1)]
    mesh = loft(np.concatenate([ends[0], rings, ends[1]]))
    return moved(mesh, [(x[0] + x[-1]) / 2, 0, 0])


def _bone(length: float, r0: float, r1: float) -> Mesh:
    """A segment whose far joint is a little thicker than its middle."""
    mesh = rod((0, 0, 0), (length, 0, 0), r0, r1, 16)
    along = np.clip(mesh.vertices[:, 0] / length, 0, 1)
    waist = 1 - 0.07 * np.sin(np.pi * along)
    return mesh._replace(vertices=mesh.vertices * np.stack([0 * along + 1, waist, waist], -1))


def _frame(direction: Array, up: Array) -> Array:
    x = direction / np.linalg.norm(direction)
    y = np.cross(up, x)
    y /= np.linalg.norm(y)
    return np.stack([x, y, np.cross(x, y)], axis=1)


@dataclass(frozen=True)
class Hand:
    """A left or right hand, ``scale`` times an average one."""

    side: Literal["left", "right"] = "right"
    scale: float = 1.0

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """All rigid pieces, in the order of `poses`."""
        k = self.scale
        parts = [Part("palm", _scaled(_palm(), k), "skin")]
        for digit in range(4):
            r = RADII[digit]
            for bone, length in enumerate(LENGTHS[digit]):
                nail = (0.6 * k * length, k * r[3] * 0.93) if bone == 2 else None
                parts.append(
                    Part(
                        f"finger{digit}{bone}", _bone(k * length, k * r[bone], k * r[bone + 1]), "skin", nail
                    )
                )
        for bone, length in enumerate(THUMB_LENGTHS):
            r = THUMB_RADII
            nail = (0.55 * k * length, k * r[3] * 1.02) if bone == 2 else None
            parts.append(Part(f"thumb{bone}", _bone(k * length, k * r[bone], k * r[bone + 1]), "skin", nail))
        parts.append(Part("forearm", rod((0, 0, 0), (k * FOREARM, 0, 0), k * 0.026, k * 0.037, 20), "skin"))
        start = 0.62 * k * FOREARM
        parts.append(
            Part("sleeve", rod((start, 0, 0), (start + 0.5, 0, 0), k * 0.042, k * 0.052, 20), "sleeve")
        )
        return tuple(parts)

    def _mirrored(self, pose: Pose) -> Pose:
        if self.side == "right":
            return pose
        flip = np.diag([1.0, -1.0, 1.0])
        return Pose(flip @ pose.position, flip @ pose.rotation @ flip)

    def digit(self, index: int, curl: float) -> list[Pose]:
        """hand_from_bone of one digit's three bones; digit 4 is the thumb."""
        k = self.scale
        bones = []
        if index < 4:
            at, rotation, lengths = k * KNUCKLES[index], rotation_z(SPLAY[index] * (1 - curl)), LENGTHS[index]
            for angle, length in zip(OPEN + (CLOSED - OPEN) * curl, lengths, strict=True):
                rotation = rotation @ rotation_y(float(angle))
                bones.append(self._mirrored(Pose(at, rotation)))
                at = at + rotation[:, 0] * k * length
            return bones
        a, b = (v / np.linalg.norm(v) for v in (THUMB_OPEN, THUMB_CLOSED))
        axis = np.cross(a, b)
        swing = np.degrees(np.arccos(a @ b))
        direction = rotation_about(axis, swing * 1.25 * curl) @ a
        at = k * THUMB_ROOT
        for bend, length in zip((0.0, 6 + 14 * curl, 4 + 22 * curl), THUMB_LENGTHS, strict=True):
            direction = rotation_about(axis, bend) @ direction
            bones.append(self._mirrored(Pose(at, _frame(direction, np.array([-0.5, 0.75, 0.4])))))
            at = at + direction * k * length
        return bones

    def tip(self, index: int, curl: float) -> Array:
        """End (3,) of a digit's last bone in the hand's frame."""
        last = self.digit(index, curl)[-1]
        length = (THUMB_LENGTHS if index == 4 else LENGTHS[index])[-1]
        return last.of([self.scale * length, 0, 0])

    def poses(self, posture: Posture) -> list[Pose]:
        """world_from_part of every part."""
        hand = posture.pose
        result = [hand]
        for digit in range(N_DIGITS):
            result += [hand.times(bone) for bone in self.digit(digit, float(posture.curl[digit]))]
        wrist = hand.of([-0.040 * self.scale, 0, 0.002])
        arm = Pose(wrist, _frame(posture.forearm, hand.rotation[:, 2]))
        return [*result, arm, arm]

    def spheres(self, posture: Posture, arm: bool = True) -> tuple[Array, Array]:
        """Centres (k, 3) and radii (k,) of balls that fill the hand (and forearm) at a posture."""
        k, hand = self.scale, posture.pose
        points, radii = [], []
        for x in (-0.030, -0.005, 0.020, 0.042):
            for y in (-0.028, -0.010, 0.010, 0.028):
                points.append(hand.of([k * x, k * y, 0.0]))
                radii.append(0.013 * k)
        for digit in range(N_DIGITS):
            centres, sizes = self.digit_spheres(digit, float(posture.curl[digit]))
            points += list(hand.of(centres))
            radii += list(sizes)
        if arm:
            wrist = hand.of([-0.040 * k, 0, 0.002])
            for s in np.linspace(0, 1, 6):
                points.append(wrist + s * 0.30 * posture.forearm)
                radii.append(k * (0.027 + 0.02 * s))
        return np.array(points), np.array(radii)

    def digit_spheres(self, index: int, curl: float) -> tuple[Array, Array]:
        """Centres (12, 3) in the hand's frame and radii (12,) of balls along one digit."""
        return _digit_spheres(self, index, round(curl, 4))

    def _digit_spheres(self, index: int, curl: float) -> tuple[Array, Array]:
        k = self.scale
        lengths, radii = (THUMB_LENGTHS, THUMB_RADII) if index == 4 else (LENGTHS[index], RADII[index])
        s = np.linspace(0.1, 1, 4)
        points, sizes = [], []
        for bone, (pose, length) in enumerate(zip(self.digit(index, curl), lengths, strict=True)):
            points.append(pose.of(np.stack([s * k * length, 0 * s, 0 * s], -1)))
            sizes.append(k * ((1 - s) * radii[bone] + s * radii[bone + 1]))
        return np.concatenate(points), np.concatenate(sizes)

    def pinch(self, width: float) -> tuple[float, Array]:
        """(curl, point (3,) between thumb and fingers in the hand's frame) at which they are ``width``
        apart."""
        best: tuple[float, float, Array] | None = None
        for curl in np.linspace(0.0, 1.0, 41):
            fingers = (self.tip(0, curl) + self.tip(1, curl)) / 2
            thumb = self.tip(4, curl)
            gap = float(np.linalg.norm(fingers - thumb)) - self.scale * 0.0155
            if best is None or abs(gap - width) < best[0]:
                best = abs(gap - width), float(curl), (fingers + thumb) / 2
            if gap < width:
                break
        assert best is not None
        return best[1], best[2]

    def clearance(self, posture: Posture, clouds: Sequence[tuple[Cloud, Pose]], arm: bool = True) -> float:
        """Least distance (m) between the hand and posed surfaces or the table; negative where they
        overlap."""
        points, radii = self.spheres(posture, arm)
        least = float((points[:, 2] - radii).min())
        for cloud, pose in clouds:
            least = min(least, float((cloud.clearance(pose.inverse().of(points)) - radii).min()))
        return least

    def off_table(self, pose: Pose, curl: Array) -> Array:
        """The digits' curls (5,), each increased until it does not reach below the table (or to 1)."""
        result = curl.copy()
        for digit in range(N_DIGITS):
            for value in np.arange(curl[digit], 1.0, 0.05):
                centres, radii = self.digit_spheres(digit, float(value))
                result[digit] = value
                if (pose.of(centres)[:, 2] - radii).min() > 0.0005:
                    break
        return result

    def closed(self, ready: Posture, cloud: Cloud, pose: Pose, most: float, slack: float) -> Posture | None:
        """The posture with each digit curled further until it touches, up to ``most``; None if it cannot
        hold.

        Thumb and at least one of the first two fingers must come within ``slack`` metres of the surface.
        """
        here = pose.inverse().times(ready.pose)
        curls, gaps = ready.curl.copy(), np.full(N_DIGITS, np.inf)
        for digit in (4, 0, 1, 2, 3):
            for curl in np.arange(ready.curl[digit], max(ready.curl[digit], most) + 1e-9, 0.0125):
                centres, radii = self.digit_spheres(digit, float(curl))
                gap = float((cloud.clearance(here.of(centres)) - radii).min())
                if gap < -0.0005:
                    break
                if float((ready.pose.of(centres)[:, 2] - radii).min()) < 0.0:
                    continue  # the tip slides over the table
                curls[digit], gaps[digit] = curl, gap
            if gaps[4] > slack or (digit == 1 and min(gaps[0], gaps[1]) > slack):
                return None
        return Posture(ready.pose, curls, ready.forearm)


def _scaled(mesh: Mesh, factor: float) -> Mesh:
    return mesh._replace(vertices=mesh.vertices * factor)


@lru_cache(maxsize=4096)
def _digit_spheres(hand: Hand, index: int, curl: float) -> tuple[Array, Array]:
    return hand._digit_spheres(index, curl)
