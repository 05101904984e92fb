"""Camera and depth without a depth network: the table is a plane, objects stand on it.

Depth is known up to one factor per clip, which the metric size fixes later (`depth_scale` in size.json);
until then the prior is that the first object stands `FIRST_DISTANCE` metres from the camera.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from video2policy.camera import FOCAL_UNCERTAINTY, Camera, intrinsics, rotation_from_pitch
from video2policy.perceive.contact import Contact, Images, contact_from, displacements
from video2policy.perceive.pitch import PRIOR_PITCH, find_focal, find_pitch
from video2policy.perceive.verdict import Rejected

Array = NDArray[np.float64]
Masks = NDArray[np.bool_]

METHOD = "table plane"
"""First words of a view's method, by which later stages know that depth has no metric scale of its own."""

FIRST_DISTANCE = 0.6
"""Metres from the camera to the first object, an arm's length; relative uncertainty about .4."""

FAR = 6.0
"""Background above the table is put at this many times the first object's distance."""


@dataclass(frozen=True)
class View:
    """The camera, where every object touches the table, and how both were found (confidence 0 to 1).

    `focal_uncertainty` is relative, `pitch_uncertainty` in degrees: standard deviations.
    """

    camera: Camera
    contacts: dict[str, Contact]
    method: str
    confidence: float
    focal_uncertainty: float = FOCAL_UNCERTAINTY
    pitch_uncertainty: float = 2.0

    def to_json(self) -> dict[str, Any]:
        return {
            **self.camera.to_json(),
            "method": self.method,
            "confidence": round(self.confidence, 3),
            "focal_uncertainty": round(self.focal_uncertainty, 4),
            "pitch_uncertainty": round(self.pitch_uncertainty, 2),
            "contacts": {name: contact.to_json() for name, contact in self.contacts.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> View:
        contacts = {name: Contact.from_json(item) for name, item in data["contacts"].items()}
        known = {
            name: float(data[name]) for name in ("focal_uncertainty", "pitch_uncertainty") if name in data
        }
        return cls(Camera.from_json(data), contacts, data["method"], float(data["confidence"]), **known)


def find_view(
    frames: Images,
    masks: Mapping[str, Masks],
    labels: Mapping[str, str],
    given: Mapping[str, float],
    scale: float = 1.0,
    metadata: Mapping[str, Any] | None = None,
) -> View:
    """Camera and contacts of a clip whose objects have these `labels`.

    `given` is the sheet's camera: any of fov (vertical, degrees), pitch (degrees below the horizon), fx
    (pixels of the clip; `scale` frame pixels each); `metadata` the `lens` of clip.json. Raises Rejected when
    no object is ever seen.
    """
    height, width = next(iter(masks.values())).shape[1:]
    fx = float(given["fx"]) * scale if "fx" in given else None
    K, lens, focal_sigma = intrinsics(width, height, given.get("fov"), fx, metadata)
    if focal_sigma == FOCAL_UNCERTAINTY:  # nothing but the prior so far
        factor, focal_sigma = find_focal(frames, K)
        K[[0, 1], [0, 1]] *= factor
        if focal_sigma < 0.7 * FOCAL_UNCERTAINTY:
            lens = "field of view from lines"
    steps = {name: displacements(frames, item) for name, item in masks.items()}
    if "pitch" in given:
        pitch, tilt, sure, pitch_sigma = float(given["pitch"]), "given pitch", 1.0, 1.0
    else:
        guess = rotation_from_pitch(PRIOR_PITCH)
        contacts = {name: contact_from(item, steps[name], K, guess) for name, item in masks.items()}
        found = find_pitch(frames, masks, contacts, K, labels)
        pitch, tilt, sure, pitch_sigma = found.pitch, found.method, found.confidence, found.sigma
    rotation = rotation_from_pitch(pitch)
    contacts = {name: contact_from(item, steps[name], K, rotation) for name, item in masks.items()}
    camera = Camera(K, width, height, rotation, altitude_for(contacts, K, rotation))
    still = np.mean([bool(contact.table_runs) for contact in contacts.values()])
    confidence = (1 - 2 * focal_sigma) * sure * (0.6 + 0.4 * float(still))
    method = f"{METHOD}; {lens}; {tilt}"
    return View(camera, contacts, method, confidence, focal_sigma, pitch_sigma)


def altitude_for(contacts: Mapping[str, Contact], K: Array, rotation: Array) -> float:
    """Altitude of the camera that puts the first object's place on the table `FIRST_DISTANCE` metres away.

    Raises Rejected when no object is ever seen.
    """
    for contact in contacts.values():
        runs = contact.table_runs
        if not np.isfinite(contact.apparent).any():
            continue
        if runs:
            ray = np.linalg.inv(K) @ [*runs[0].bottom, 1.0]
            return FIRST_DISTANCE * float(-(rotation @ ray)[2] / np.linalg.norm(ray))
        # Never at rest: its largest drop stands for the table, at its largest apparent size.
        apparent = float(np.nanpercentile(contact.apparent, 90))
        return contact.ground_drop() * FIRST_DISTANCE * apparent / float(K[0, 0])
    raise Rejected("no object is visible in any frame")


def object_depth(camera: Camera, contact: Contact) -> Array:
    """Depth (n,) of an object along the optical axis, in the camera's unit; NaN where it is not seen.

    At rest the depth of its point on the table; else in inverse proportion to its apparent size.
    """
    apparent = np.array(contact.apparent)
    runs = contact.table_runs
    if runs:
        bottoms = camera.on_plane([run.bottom for run in runs])
        depths = (bottoms - [0, 0, camera.altitude]) @ camera.rotation[:, 2]
        constant = float(np.median(depths * [run.apparent for run in runs]))
    else:
        constant = camera.altitude * float(camera.K[0, 0]) / contact.ground_drop()
        depths = np.zeros(0)
    result = constant / apparent
    for run, depth in zip(runs, depths, strict=True):
        result[run.start : run.stop] = np.where(np.isfinite(apparent[run.start : run.stop]), depth, np.nan)
    return np.asarray(result, dtype=float)


def depth_images(view: View, masks: Mapping[str, Masks]) -> list[NDArray[np.float16]]:
    """Depth (height, width) of every frame: the table, and each object at its own depth."""
    camera = view.camera
    plane = camera.plane_depth(FAR * FIRST_DISTANCE)
    depths = {name: object_depth(camera, view.contacts[name]) for name in masks}
    images = []
    for t in range(len(next(iter(masks.values())))):
        image = plane.copy()
        for name, item in masks.items():
            if np.isfinite(depths[name][t]):
                image[item[t]] = depths[name][t]
        images.append(image.astype(np.float16))
    return images
