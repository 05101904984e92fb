"""Camera and depth without a depth network: the table is a plane, objects stand on it.

Depth is known up to one factor per clip, which the metric size fixes later (`depth_scale` in size.json);
until then the prior is that the first object stands `FIRST_DISTANCE` metres from the camera.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from video2policy import mesh as meshes
from video2policy import pose
from video2policy.camera import FOCAL_UNCERTAINTY, Camera, intrinsics, rotation_from_pitch
from video2policy.mask import largest_component
from video2policy.perceive.contact import MAX_GROWTH, Contact, Images, apart, bottom_of, contact_from, motion
from video2policy.perceive.foreground import in_front
from video2policy.perceive.pitch import PRIOR_PITCH, find_focal, find_pitch
from video2policy.perceive.solid import choose, fits_of, usual_opening
from video2policy.perceive.verdict import Rejected

Array = NDArray[np.float64]
Masks = NDArray[np.bool_]

STEEP = 55.0
"""Degrees of pitch from which an object is rather seen from above than from the front."""

METHOD = "table plane"
"""First words of a view's method, by which later stages know that depth has no metric scale of its own."""

FIRST_DISTANCE = 0.6
"""Metres from the camera to the first object, an arm's length; relative uncertainty about .4."""

RELIEF = (0.7, 1.5)
"""Limits of the depth of an object's parts, as shares of its foot's.

The top of what stands is nearer where the camera looks down, the far end of what lies is farther.
"""

RELIEF_SIDE = 40
"""Cells across and along an object's box in which that depth is told."""

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


def save_depth(path: Path, image: NDArray[np.float16]) -> None:
    """Write an image of a folder `depth/`, little compressed: numpy compresses three times as long."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("depth.npy", "w") as file,
    ):
        np.lib.format.write_array(file, image)


class DepthImages:
    """The images of a folder `depth/`, read one by one: float32 (height, width), metres; 0 where unknown.

    `scale` is the clip's depth_scale: metres per unit of the stored depth.
    """

    def __init__(self, folder: Path, scale: float = 1.0) -> None:
        self.folder, self.scale = folder, scale

    def __getitem__(self, frame: int) -> NDArray[np.float32]:
        with np.load(self.folder / f"{frame:06d}.npz") as data:
            depth = data["depth"].astype(np.float32) * np.float32(self.scale)
        return np.where(np.isfinite(depth) & (depth > 0), depth, 0).astype(np.float32)


def find_view(
    frames: Images,
    masks: Mapping[str, Masks],
    labels: Mapping[str, str],
    given: Mapping[str, float],
    scale: float = 1.0,
    metadata: Mapping[str, Any] | None = None,
) -> View:
    """Camera and contacts of a clip whose objects have these `labels`.

    `given` is the sheet's camera: any of fov (vertical, degrees), pitch (degrees below the horizon), roll
    (degrees, clockwise seen from behind the camera), fx (pixels of the clip; `scale` frame pixels each);
    `metadata` the `lens` of clip.json. Raises Rejected when no object is ever seen.
    """
    height, width = next(iter(masks.values())).shape[1:]
    roll = float(given.get("roll", 0.0))
    fx = float(given["fx"]) * scale if "fx" in given else None
    K, lens, focal_sigma = intrinsics(width, height, given.get("fov"), fx, metadata)
    if focal_sigma == FOCAL_UNCERTAINTY:  # nothing but the prior so far
        factor, focal_sigma = find_focal(frames, K, roll)
        K[[0, 1], [0, 1]] *= factor
        if focal_sigma < 0.7 * FOCAL_UNCERTAINTY:
            lens = "field of view from lines"
    moved = {name: motion(frames, item) for name, item in masks.items()}
    others = apart(masks)
    if "pitch" in given:
        pitch, tilt, sure, pitch_sigma = float(given["pitch"]), "given pitch", 1.0, 1.0
    else:
        guess = rotation_from_pitch(PRIOR_PITCH, roll)
        contacts = {
            name: contact_from(item, moved[name], K, guess, others[name]) for name, item in masks.items()
        }
        found = find_pitch(frames, masks, contacts, K, labels, roll)
        pitch, tilt, sure, pitch_sigma = found.pitch, found.method, found.confidence, found.sigma
    rotation = rotation_from_pitch(pitch, roll)
    contacts = {
        name: contact_from(item, moved[name], K, rotation, others[name]) for name, item in masks.items()
    }
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

    At rest the depth of its point on the table. In between, as much nearer as it grew since it last stood
    there, or until it next does; one that never stands, in inverse proportion to its apparent size.
    """
    apparent = np.array(contact.apparent)
    seen = np.isfinite(apparent)
    runs = contact.table_runs
    if not runs:
        constant = camera.altitude * float(camera.K[0, 0]) / contact.ground_drop()
        return np.asarray(constant / apparent, dtype=float)
    bottoms = camera.on_plane([run.bottom for run in runs])
    depths = (bottoms - [0, 0, camera.altitude]) @ camera.rotation[:, 2]
    known = np.full(len(apparent), np.nan)
    for run, depth in zip(runs, depths, strict=True):
        known[run.start : run.stop] = np.log(depth)
    growth = grown(camera, contact)
    after, age = _carried(known, seen, -growth)
    # Backwards in time an object shrinks by what it will have grown.
    before, wait = (part[::-1] for part in _carried(known[::-1], seen[::-1], np.append(0.0, growth[:0:-1])))
    weights = np.stack([1 / (1 + age), 1 / (1 + wait)])
    values = np.stack([after, before])
    weights[~np.isfinite(values)] = 0
    total = weights.sum(axis=0)
    with np.errstate(invalid="ignore"):
        mixed = np.where(total > 0, (weights * np.nan_to_num(values)).sum(axis=0) / total, np.nan)
    # Hidden in between, it comes back at a depth that only its size tells.
    constant = float(np.median(depths * [run.apparent for run in runs]))
    result = np.where(np.isfinite(mixed), np.exp(mixed), constant / apparent)
    return np.asarray(np.where(seen, result, np.nan), dtype=float)


def grown(camera: Camera, contact: Contact) -> Array:
    """Logarithm of how much nearer an object came since the frame before (n,).

    By its apparent size and, where features tell it, by its height, as far as that is not due to seeing it
    from less above. What a hand hides spoils the one, a tilt the other, so their mean errs less.
    """
    apparent, drop = np.array(contact.apparent), np.array(contact.drop)
    # From the drop the direction in which its foot is seen, in the vertical plane ahead of the camera.
    down = drop * apparent / float(camera.K[0, 0])
    pitch = np.radians(camera.pitch)
    row = (down - np.sin(pitch)) / np.cos(pitch)
    upright = np.sqrt(np.clip(1 - down**2 / (1 + row**2), 0.05, 1))
    with np.errstate(invalid="ignore"):
        size = np.append(0.0, np.diff(np.log(apparent)))
        by_area = np.nan_to_num(np.clip(size, -MAX_GROWTH, MAX_GROWTH))
        tilt = np.append(0.0, np.diff(np.log(upright)))
    height = np.array(contact.growth or np.full(len(apparent), np.nan)) - tilt
    return np.where(np.isfinite(height), (height + by_area) / 2, by_area)


def _carried(known: Array, seen: NDArray[np.bool_], change: Array) -> tuple[Array, Array]:
    """Values (n,) where `known`, carried on by their `change` while `seen`; and frames since then."""
    values, age = known.copy(), np.zeros(len(known))
    for t in range(1, len(known)):
        if np.isnan(known[t]) and seen[t]:
            values[t], age[t] = values[t - 1] + change[t], age[t - 1] + 1
    return values, age


def standing_depth(camera: Camera, foot: tuple[float, float], depth: float, mask: NDArray[np.bool_]) -> Array:
    """Depth of the mask's pixels (k, in the order of np.nonzero) of an upright object, `depth` at its `foot`.

    On the vertical plane through its foot that faces the camera, so that its top is nearer than its foot
    where the camera looks down; from steeply above the whole is as far away as its foot.
    """
    rows, columns = np.nonzero(mask)
    if camera.pitch > STEEP:
        return np.full(len(rows), depth)
    facing = camera.rotation[0]  # the world's x axis, away from the camera, in its own frame
    rays = camera.rays(np.column_stack([columns, rows]) + 0.5)
    towards = rays @ facing
    plane = depth * float(camera.rays(foot)[0] @ facing) / np.where(towards > 0.05, towards, np.inf)
    return np.asarray(np.clip(plane, *(depth * np.array(RELIEF))), dtype=float)


def relief(camera: Camera, contact: Contact, masks: Masks, others: Masks, label: str) -> Array | None:
    """Depth over an object's mask's box (RELIEF_SIDE, RELIEF_SIDE), in shares of its foot's.

    From the solid that explains its outline where it stands longest, hollow if it is called so; `others`
    (n, H, W) are the other objects' masks. None where it never stands or no solid explains it.
    """
    runs = contact.table_runs
    if not runs:
        return None
    frame = max(runs, key=lambda run: run.stop - run.start).frame
    whole = largest_component(masks[frame])
    fit = choose(fits_of(whole, others[frame], camera, 0.0, label), label)
    if fit is None:
        return None
    shape = replace(fit.solid, opening=usual_opening(label, fit.solid)).mesh()
    rows, columns = np.nonzero(whole)
    camera_from_solid = camera.camera_from_table @ fit.table_from_object
    points, _, hit = meshes.cast(shape, camera.K, camera_from_solid, np.column_stack([columns, rows]) + 0.5)
    if not hit.any():
        return None
    foot = float(pose.apply(camera.camera_from_table, camera.on_plane(bottom_of(whole)))[0, 2])
    shares = pose.apply(camera_from_solid, points[hit])[:, 2] / foot
    across, along = box_cells(whole)
    total, count = np.zeros((2, RELIEF_SIDE, RELIEF_SIDE))
    np.add.at(total, (along[hit], across[hit]), shares)
    np.add.at(count, (along[hit], across[hit]), 1)
    _, nearest = distance_transform_edt(count == 0, return_indices=True)
    mean = total / np.maximum(count, 1)
    return np.asarray(np.clip(mean[nearest[0], nearest[1]], *RELIEF), dtype=float)


def box_cells(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Column and row (k,) of a mask's pixels, in np.nonzero's order: 0 to RELIEF_SIDE - 1 over its box."""
    rows, columns = np.nonzero(mask)

    def cells(values: NDArray[np.int_]) -> NDArray[np.int_]:
        return ((values - values.min()) * RELIEF_SIDE) // (int(np.ptp(values)) + 1)

    return cells(columns), cells(rows)


def depth_images(
    view: View, masks: Mapping[str, Masks], frames: Images, labels: Mapping[str, str]
) -> Iterator[NDArray[np.float16]]:
    """Depth (height, width) of every frame: the table, and each object, called `labels[name]`, at its own.

    What else is in front of the background, hands above all, is put at the depth of the nearest object.
    """
    camera = view.camera
    plane = camera.plane_depth(FAR * FIRST_DISTANCE)
    depths = {name: object_depth(camera, view.contacts[name]) for name in masks}
    everything = np.sum([item.astype(np.uint8) for item in masks.values()], axis=0)
    reliefs = {
        name: relief(camera, view.contacts[name], item, everything - item > 0, labels[name])
        for name, item in masks.items()
    }
    hands = in_front(frames, everything > 0)
    for t in range(len(next(iter(masks.values())))):
        image = plane.copy()
        known = np.zeros(image.shape, bool)
        for name, item in masks.items():
            if np.isfinite(depths[name][t]):
                depth = float(depths[name][t])
                shares = reliefs[name]
                if shares is None:
                    image[item[t]] = standing_depth(camera, bottom_of(item[t]), depth, item[t])
                else:
                    across, along = box_cells(item[t])
                    image[item[t]] = depth * shares[along, across]
                known |= item[t]
        if known.any():
            _, nearest = cv2.distanceTransformWithLabels(
                (~known).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
            )
            value = np.zeros(int(nearest.max()) + 1)
            value[nearest[known]] = image[known]
            image[hands[t]] = value[nearest[hands[t]]]
        yield image.astype(np.float16)
