"""A mesh from one frame: simple solids that stand on the table, or the inflated silhouette.

From above, a silhouette is not an object's front: inflating it makes a blob that leans. So boxes, frustums
and spheres that stand on the table are fitted under the known camera as well, and the best explanation of the
silhouette wins, with a prior from the object's name. A standing solid also gives better sizes, physics and
tracks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np
import trimesh
from numpy.typing import NDArray

from video2policy import mesh as meshes
from video2policy import pose
from video2policy.camera import Camera
from video2policy.mask import contact_sheet, draw_mask, iou, largest_component
from video2policy.mesh import Kind, Opening, Solid
from video2policy.perceive.contact import MIN_AREA, Contact, Images, Run, to_grey, touches_border
from video2policy.perceive.depth import STEEP
from video2policy.perceive.silhouette import opened, outline
from video2policy.perceive.solid import Form, Round, Sides, choose, fits_of, thin_of, usual_opening, words
from video2policy.perceive.verdict import Rejected
from video2policy.perceive.views import Sight, agree

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Image = NDArray[np.uint8]

# fmt: off
LYING = frozenset([
    "banana", "carrot", "cucumber", "fork", "knife", "spoon", "scissors", "key", "comb", "toothbrush",
    "hairbrush", "spatula", "screwdriver", "plier", "hammer", "wrench", "watch", "cable", "chopstick",
])
# fmt: on
"""Things of no simple shape that lie on a table rather than stand."""

ASPECT = 0.8
"""Depth over width of an inflated silhouette."""

HANDLE = 1.35
"""Width of a mug with its handle over its diameter (110 and 82 mm); most views show less of the handle."""

VIEWS = 3
GOOD_VIEW = 0.5
UNLIKE = 0.6
MIN_FREE = 36
"""So many further views, scored at least that share of the reference frame's, that overlap with none of the
others by more than that IoU, and in which so many of the outline's 48 directions are free.
"""

Shape = Literal["box", "frustum", "sphere", "round", "inflated", "generated"]


@dataclass(frozen=True)
class Reconstruction:
    """A mesh in its unit frame and how it stands in the reference frame.

    `extent` is the mesh's longest extent in the camera's unit of depth, `camera_from_object` (4x4) its pose
    there in that unit. `solid` has the same proportions at longest extent 1; None for an inflated silhouette.
    In JSON only what physics knows as a solid is one.
    `bevel`: its edges look rounded by this length, in mesh units. `views`: the frames that shaped it.
    """

    mesh: trimesh.Trimesh
    shape: Shape
    solid: Solid | Round | None
    frame: int
    standing: bool
    extent: float
    camera_from_object: Array
    iou: float
    dimensions: Array
    thin: float
    bevel: float = 0.0
    views: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        solid = None
        if isinstance(self.solid, Solid):
            solid = {"kind": self.solid.kind, "size": list(self.solid.size), "opening": self.solid.opening}
        return {
            "shape": self.shape,
            "solid": solid,
            "frame": self.frame,
            "standing": self.standing,
            "extent": self.extent,
            "camera_from_object": self.camera_from_object.tolist(),
            "iou": round(self.iou, 4),
            "dimensions": self.dimensions.tolist(),
            "thin": self.thin,
            "bevel": round(self.bevel, 5),
            "views": list(self.views),
        }


def solid_from_json(data: Mapping[str, Any]) -> Solid | None:
    """The solid that mesh.json speaks of, at longest extent 1."""
    item = data["solid"]
    return None if item is None else Solid(item["kind"], tuple(item["size"]), item["opening"])


# ------------------------------------------------------------------------------------------ reference frame


def sharpness(image: Image, mask: Mask) -> float:
    """Variance of the Laplacian inside the mask."""
    rows, columns = np.nonzero(mask)
    window = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    edges = cv2.Laplacian(to_grey(image[window]), cv2.CV_64F)
    inner = cv2.erode(mask[window].astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    return float(edges[inner].var()) if inner.any() else 0.0


def frame_scores(
    frames: Images, masks: Mask, score: NDArray[np.float32], contact: Contact, others: Mask
) -> Array:
    """How well each frame shows the object (n,): 0 where it cannot be used, about 1 at best.

    Prefers frames where the object stands still on the table, is large, sharp, convex, apart from the frame's
    border and from other objects, and where its mask is sure. `others` (n, H, W) is the union of their masks.
    """
    area = masks.sum(axis=(1, 2)).astype(float)
    result = np.zeros(len(masks))
    if area.max() < MIN_AREA:
        return result
    on_table = contact.near_table()
    usual = float(np.median(area[on_table])) if on_table.any() else float(np.median(area[area >= MIN_AREA]))
    sharp = np.zeros(len(masks))
    for t in map(int, np.flatnonzero(area >= max(MIN_AREA, 0.25 * usual))):
        if touches_border(masks[t]):
            continue
        # A hand in front, or a mask that ran over it, shows as an area unlike that of the rest of its run.
        run = next((r for r in contact.runs if r.start <= t < r.stop), None)
        expected = float(np.percentile(area[slice(*whole_rest(run, contact))], 90)) if run else usual
        fullness = min(area[t] / expected, expected / area[t], 1.5 * usual / area[t]) ** 2
        contours, _ = cv2.findContours(masks[t].astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        hull = cv2.convexHull(np.vstack(contours))
        solidity = min(area[t] / max(cv2.contourArea(hull), 1.0), 1.0)
        edge = np.vstack(contours)[:, 0]
        near = cv2.dilate(others[t].astype(np.uint8), np.ones((7, 7), np.uint8))
        apart = 1 - float(near[edge[:, 1], edge[:, 0]].mean())
        sharp[t] = sharpness(frames[t], masks[t])
        result[t] = (1.0 if on_table[t] else 0.25) * (0.3 + 0.7 * float(score[t]))
        result[t] *= fullness * solidity * apart**2 * min(area[t] / usual, 1.0) ** 0.5
    if sharp.max() > 0:
        result *= np.clip(sharp / np.percentile(sharp[sharp > 0], 90), 0, 1) ** 0.25
    return result


def whole_rest(run: Run, contact: Contact) -> tuple[int, int]:
    """Frames [start, stop) of a run and of those next to it: a reaching hand may seem to move an object."""
    start, stop = run.start, run.stop
    for other in reversed(contact.runs):
        if other.stop == start and other.on_table == run.on_table:
            start = other.start
    for other in contact.runs:
        if other.start == stop and other.on_table == run.on_table:
            stop = other.stop
    return start, stop


def role_opening(family: str, role: str | None) -> Opening:
    """The opening that an object must have to play its role: things go over another, or into one."""
    if family in ("cover", "uncover") and role == "a":
        return "down"
    return "up" if family.endswith("_into") and role == "b" else "none"


def opening_of(label: str, solid: Solid | Round, family: str, role: str | None) -> Opening:
    """Whether a solid is hollow, and which way it opens: by its role, else by its name and taper."""
    needed = role_opening(family, role)
    if solid.kind in ("sphere", "round"):
        return "none"
    if needed != "none":
        return needed
    return usual_opening(label, solid)


# -------------------------------------------------------------------------------------------- inflation


def inflate_standing(
    mask: Mask, camera: Camera, base: float, lying: bool = False
) -> tuple[trimesh.Trimesh, Array]:
    """The silhouette, inflated upright, in world axes, and table_from_object (4x4), its foot at height
    `base`.

    What stands is cut out by the vertical plane through it that faces the camera; what is `lying`, or seen
    from steeply above, by a level plane at half its height: so the inflated shape does not lean as the image
    plane does. Its foot is flattened, to stand on. Raises Rejected where the mask's bottom is above the
    horizon.
    """
    rows, columns = np.nonzero(mask)
    low = np.array([float(np.median(columns)) + 0.5, float(rows.max()) + 1.0])
    foot = camera.on_plane(low, base)[0]
    if not np.isfinite(foot).all():
        raise Rejected("the object's lowest point lies above the horizon of the assumed camera")
    depth = float((foot - [0, 0, camera.altitude]) @ camera.rotation[:, 2])
    pixel = depth / float(camera.K[0, 0])
    width, height = np.ptp(columns) + 1, np.ptp(rows) + 1
    half = float(0.5 * ASPECT * min(width, height) * pixel)
    level = lying or camera.pitch > STEEP
    stretch = np.sin(np.radians(camera.pitch)) if level else np.cos(np.radians(camera.pitch))
    # A grid on the plane, one pixel of the image a step: u to the right, v away (level) or up.
    across, along = np.arange(-width, width + 1), np.arange(-0.5 * height, 1.6 * height / stretch)
    u, v = np.meshgrid(across * pixel, along * pixel)
    # How high the plane is depends on how thick the shape becomes, which the plane tells.
    for _ in range(2 if lying else 1):
        if level:
            points = np.stack([foot[0] + v, foot[1] - u, np.full_like(u, base + half)], axis=-1)
        else:
            points = np.stack([np.full_like(u, foot[0] + half), foot[1] - u, base + v], axis=-1)
        at = np.nan_to_num(camera.project(points.reshape(-1, 3)), nan=-1.0).astype(int)
        inside = (at >= 0).all(axis=1) & (at[:, 0] < mask.shape[1]) & (at[:, 1] < mask.shape[0])
        cut = np.zeros(len(at), bool)
        cut[inside] = mask[at[inside, 1], at[inside, 0]]
        flat = cut.reshape(u.shape)
        if not flat.any():
            raise Rejected("the object's silhouette cannot be set upright under the assumed camera")
        blob = meshes.inflate(flat, ASPECT, resolution=40)
        place = points[0, 0]
        half = float(0.45 * np.ptp(blob.vertices[:, 2]) * pixel)
    x, y, z = np.asarray(blob.vertices).T * pixel
    world = np.stack([place[0] + y, place[1] - x, place[2] + z], axis=1)
    if not level:
        world = np.stack([place[0] + z, place[1] - x, place[2] + y], axis=1)
    tall = np.ptp(world[:, 2])
    if not level:
        # A silhouette from above is as tall as the object and, foreshortened, its depth.
        thick = np.ptp(world[:, 0]) * np.tan(np.radians(camera.pitch))
        world[:, 2] *= max(1 - thick / tall, 0.35)
        tall = np.ptp(world[:, 2])
    world[:, 2] = np.maximum(world[:, 2], world[:, 2].min() + 0.1 * tall)
    world[:, 2] += base - world[:, 2].min()
    mesh = trimesh.Trimesh(world, blob.faces, process=False)
    trimesh.repair.fix_normals(mesh)
    centre = mesh.bounds.mean(axis=0)
    mesh.apply_translation(-centre)
    return mesh, pose.transform(None, centre)


# ------------------------------------------------------------------------------------------------- whole


def reconstruct(
    frames: Images,
    masks: Mask,
    score: NDArray[np.float32],
    others: Mask,
    camera: Camera,
    contact: Contact,
    label: str,
    family: str = "",
    role: str | None = None,
    reference: int | None = None,
    sides: Sequence[float] | None = None,
    kind: Kind | Literal["outline"] | None = None,
    opening: Opening | None = None,
) -> Reconstruction:
    """The object's mesh from its least occluded frame, or from frame `reference`.

    `sides`: the object's three sides where they are known, in any order and unit; only their ratios count. A
    `kind` of solid ("outline": the inflated silhouette) and its `opening` are chosen where they are None.
    Raises Rejected when no frame shows the whole object, not the frame asked for, or no solid of that kind.
    """
    scores = frame_scores(frames, masks, score, contact, others)
    if reference is None:
        candidates = best_frames(scores, contact)
        if not candidates:
            raise Rejected(f"no frame shows the whole of {label}")
    else:
        candidates = [int(reference)]
        if not 0 <= candidates[0] < len(masks):
            raise Rejected(f"reference frame {reference} of {label}: the clip has {len(masks)} frames")
        if masks[candidates[0]].sum() < MIN_AREA:
            raise Rejected(f"{label} is not visible in reference frame {reference}")
    near_table = contact.near_table()
    hollow = role_opening(family, role) != "none"
    frame, base, best, highest = candidates[0], 0.0, None, -np.inf
    for t in candidates:
        height = 0.0
        if not near_table[t] and np.isfinite(contact.drop[t]):
            height = camera.altitude * float(np.clip(1 - contact.drop[t] / contact.ground_drop(), 0, 0.8))
        fits = fits_of(largest_component(masks[t]), others[t], camera, height, label, sides)
        if kind is None:
            fit = choose(fits, label, hollow, sides)
        else:
            fit = next((fit for fit in fits if fit.solid.kind == kind), None)
        # The better view counts, and the better explanation: a tilted box is no standing one.
        worth = 0.0 if fit is None else float(np.sqrt(scores[t])) * fit.iou**2
        if worth > highest:
            frame, base, best, highest = t, height, fit, worth
    whole = largest_component(masks[frame])
    standing = bool(near_table[frame])
    used = [frame]
    if best is not None and standing and kind is None:
        known = Sides.of(label, sides)
        sights = sights_of(frame, masks, others, scores * near_table, best.kind, known)
        if sights:
            best, used = agree(best, sights, camera, known)
    if best is None and kind not in (None, "outline"):
        raise Rejected(f"{label}: its outline is that of no {kind}; leave its kind open in the sheet")
    if best is None:
        mesh, table_from_object = inflate_standing(whole, camera, base, bool(LYING & set(words(label))))
        shape: Shape = "inflated"
        solid: Solid | Round | None = None
    else:
        way = opening or opening_of(label, best.solid, family, role)
        solid = replace(best.solid, opening=way)
        mesh, table_from_object, shape = solid.mesh(), best.table_from_object, solid.kind
    camera_from_object = camera.camera_from_table @ table_from_object
    meshes.paint(mesh, frames[frame], whole, camera.K, camera_from_object)
    if best is None:
        covered = iou(meshes.silhouette(mesh, camera.K, camera_from_object, camera.shape), whole)
    else:
        covered = best.iou
    unit, extent = meshes.unit(mesh)
    unit_solid = solid.scaled(1 / extent) if solid is not None else None
    thin = thin_of(solid.kind, Sides.of(label, sides)) if solid is not None else 0.0
    return Reconstruction(
        mesh=unit,
        shape=shape,
        solid=unit_solid,
        frame=frame,
        standing=standing,
        extent=extent,
        camera_from_object=camera_from_object,
        iou=covered,
        dimensions=_dimensions(unit, unit_solid, whole, thin, label),
        thin=thin,
        bevel=best.bevel / extent if best is not None else 0.0,
        views=tuple(used),
    )


def sights_of(
    frame: int, masks: Mask, others: Mask, scores: Array, kind: Form, sides: Sides | None
) -> list[Sight]:
    """The reference frame and up to `VIEWS` more that show the object well and elsewhere, best first."""
    good = [int(t) for t in np.argsort(-scores) if t != frame and scores[t] > GOOD_VIEW * scores[frame]]
    result: list[Sight] = []
    for t in [frame, *good]:
        whole = largest_component(masks[t])
        if any(iou(whole, sight.mask) > UNLIKE for sight in result):
            continue
        mask = opened(whole, thin_of(kind, sides))
        seen = outline(mask, others[t])
        if seen is not None and seen.free.sum() >= MIN_FREE:
            result.append(Sight(t, seen, mask))
        elif t == frame:
            return []
        if len(result) > VIEWS:
            break
    return result


def best_frames(scores: Array, contact: Contact) -> list[int]:
    """The best frame of the clip and of each of its longer stretches at rest, at most four, best first."""
    found = {int(np.argmax(scores))}
    for run in sorted(contact.runs, key=lambda run: run.start - run.stop)[:3]:
        found.add(run.start + int(np.argmax(scores[run.start : run.stop])))
    return sorted((t for t in found if scores[t] > 0), key=lambda t: -scores[t])


def _dimensions(
    mesh: trimesh.Trimesh, solid: Solid | Round | None, mask: Mask, thin: float, label: str
) -> Array:
    """The object's own three dimensions, sorted, in mesh units; a handle widens one of a round solid's."""
    if solid is None:
        return np.sort(trimesh.bounds.oriented_bounds(mesh)[1])
    result = solid.extents
    if solid.kind in ("frustum", "sphere"):
        columns = [np.flatnonzero(part.any(axis=0)) for part in (mask, opened(mask, thin))]
        shown = np.ptp(columns[0]) / np.ptp(columns[1])
        result[0] *= max(shown, HANDLE) if "mug" in words(label) else shown
    return np.sort(result)


def overlay(image: Image, result: Reconstruction, camera: Camera) -> Image:
    """The reference frame, and beside it the same with the mesh's silhouette over it."""
    mesh = result.mesh.copy()
    mesh.apply_scale(result.extent)
    drawn = draw_mask(image, meshes.silhouette(mesh, camera.K, result.camera_from_object, camera.shape))
    words = f"frame {result.frame}: {result.shape}, IoU {result.iou:.2f}"
    return contact_sheet([image, drawn], [f"frame {result.frame}", words], columns=2, width=640)
