"""A mesh that a network made of one frame, or that the sheet gives, placed into the clip's view.

Such a network sees a cut-out of the object and answers with a mesh of some size in axes of its own. It is put
on the table, turned, sized and moved until its silhouette, and its colours where it has some, agree with the
frame. Vendors' modules hand over upright meshes: z up, the viewer on the side of negative x, looking along +x
with +y to the left, as a clip's camera does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.optimize import least_squares

from video2policy import mesh as meshes
from video2policy import pose
from video2policy.camera import Camera
from video2policy.mask import bounding_box, iou, largest_component
from video2policy.perceive.contact import MIN_AREA, Contact, Images
from video2policy.perceive.reconstruct import Image, Mask, Reconstruction, best_frames, frame_scores
from video2policy.perceive.verdict import Rejected

Array = NDArray[np.float64]
Generate = Callable[[Image, Mask], trimesh.Trimesh]
"""From an RGB frame (H, W, 3) and the object's mask (H, W) to an upright mesh in any unit."""

FOREGROUND = 0.85
"""Share of the cut-out's side that the object fills; the networks were trained on that."""

FLOATING = 0.05
"""Parts with a smaller share of the surface are dirt that floats beside the object."""

YAWS = tuple(float(v) for v in range(-165, 181, 15))
TILTS = (0.0, 0.5, 1.0)
"""Degrees about the table's normal, and shares of the camera's pitch by which the mesh may lean as a network
that takes every picture for one from the front would have it."""

TURN_COST = 0.03
TILT_COST = 0.05
COLOUR_WEIGHT = 0.3
"""What a turn of 180 degrees and a full tilt cost, and what perfectly agreeing colours gain, in silhouette
overlap: they decide between poses of one silhouette."""

LEAST_IOU = 0.5
"""A generated mesh whose silhouette overlaps the mask less is another object's, or none."""


def cut_out(image: Image, mask: Mask, side: int = 512) -> NDArray[np.uint8]:
    """RGBA (side, side, 4) of the masked object in the middle, its longer side `FOREGROUND` of the picture.

    Raises ValueError for an empty mask.
    """
    box = bounding_box(mask)
    if box is None:
        raise ValueError("an empty mask shows no object to cut out")
    x0, y0, x1, y1 = box
    scale = FOREGROUND * side / max(x1 - x0, y1 - y0)
    shift = side / 2 - scale * np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    # Pixel i covers i to i + 1 here, OpenCV's integers are centres of pixels.
    warp = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    warp[:, 2] += 0.5 * scale - 0.5
    rgba = np.dstack([image, np.where(mask, 255, 0).astype(np.uint8)])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.warpAffine(rgba, warp, (side, side), flags=how), np.uint8)


def on_background(rgba: NDArray[np.uint8], grey: float) -> Image:
    """RGB (H, W, 3) of an RGBA image over a plain background, 0 black to 1 white."""
    alpha = rgba[..., 3:].astype(np.float32) / 255
    return np.asarray(np.rint(rgba[..., :3] * alpha + 255 * grey * (1 - alpha)), np.uint8)


def given_mesh(path: Path) -> trimesh.Trimesh:
    """An upright mesh, z up, in any unit. Raises Rejected for what is no mesh."""
    try:
        # Processing merges vertices, and leaves out without a word those that are no numbers.
        raw, mesh = (trimesh.load(path, force="mesh", process=process) for process in (False, True))
    except ImportError as error:  # whoever gives a mesh need not install that reader
        raise Rejected(
            f"the mesh {path} is of a format that is not read; give an OBJ, PLY, STL or GLB"
        ) from error
    except Exception as error:  # every format has a reader of its own, and each its own exceptions
        raise Rejected(f"the mesh {path} cannot be read ({error}); give an OBJ, PLY, STL or GLB") from error
    if isinstance(raw, trimesh.Trimesh) and not np.isfinite(raw.vertices).all():
        raise Rejected(f"the mesh {path} has vertices that are no numbers; export it again")
    if not isinstance(mesh, trimesh.Trimesh) or len(mesh.faces) == 0:
        raise Rejected(f"the mesh {path} has no faces; give an OBJ, PLY, STL or GLB with a surface")
    return mesh


def clean(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The mesh without parts that float beside it, centred, longest extent 1. Rejected without a surface."""
    if len(mesh.faces) == 0 or not np.isfinite(mesh.vertices).all() or float(np.max(mesh.extents)) <= 0:
        raise Rejected("the network gives no surface for this object")
    parts = mesh.split(only_watertight=False)
    kept = [part for part in parts if part.area >= FLOATING * mesh.area]
    joined = trimesh.util.concatenate(kept) if len(kept) > 1 else (kept or [mesh])[0]
    assert isinstance(joined, trimesh.Trimesh)
    return meshes.unit(joined if len(parts) > 1 else mesh)[0]


@dataclass(frozen=True)
class Placed:
    """A rotation (3x3, table_from_mesh), a size (units of depth per unit of mesh), the place of the mesh's
    origin in the table frame (3,), and how well the result agrees with the frame.
    """

    rotation: Array
    scale: float
    place: Array
    iou: float
    merit: float


def stand(hull: Array, mask: Mask, camera: Camera, base: float) -> tuple[float, Array] | None:
    """Scale and place (3,) at which the turned `hull` (n, 3), its lowest point at height `base`, fills the
    mask's bounding box best; None where the mask's foot is above the horizon.
    """
    box = bounding_box(mask)
    assert box is not None, "frames without the object are no candidates"
    x0, y0, x1, y1 = box
    foot = camera.on_plane([(x0 + x1) / 2, y1], base)[0]
    if not np.isfinite(foot).all():
        return None
    depth = float((foot - [0, 0, camera.altitude]) @ camera.rotation[:, 2])
    guess = depth * (x1 - x0) / float(camera.K[0, 0]) / max(float(np.ptp(hull[:, 1])), 1e-6)
    wanted, size = np.array([x0, y0, x1, y1], dtype=float), float(max(x1 - x0, y1 - y0))
    low = float(hull[:, 2].min())

    def place(values: Array) -> tuple[float, Array]:
        scale = guess * float(np.exp(np.clip(values[0], -3, 3)))
        return scale, np.array([foot[0] + guess * values[1], foot[1] + guess * values[2], base - scale * low])

    def gaps(values: Array) -> Array:
        scale, where = place(values)
        pixels = camera.project(scale * hull + where)
        if not np.isfinite(pixels).all():
            return np.full(4, 10.0)
        return (np.concatenate([pixels.min(axis=0), pixels.max(axis=0)]) - wanted) / size

    return place(least_squares(gaps, np.zeros(3), max_nfev=30).x)


def colours_agree(
    mesh: trimesh.Trimesh, image: Image, camera: Camera, table_from_mesh: Array
) -> float | None:
    """How alike (0 to 1) the mesh's colours are to those of the frame where it is seen; None without colours.

    `mesh` is at its final size; of the vertices in one cell of 3 x 3 pixels the nearest counts.
    """
    visual = mesh.visual
    if not isinstance(visual, trimesh.visual.ColorVisuals) or visual.kind != "vertex":
        return None
    points = pose.apply(camera.camera_from_table @ table_from_mesh, mesh.vertices)
    pixels = meshes.project(mesh.vertices, camera.K, camera.camera_from_table @ table_from_mesh)
    height, width = image.shape[:2]
    inside = np.isfinite(pixels).all(axis=1) & (pixels >= 0).all(axis=1)
    inside &= (np.nan_to_num(pixels) < [width, height]).all(axis=1)
    index = np.flatnonzero(inside)
    if len(index) < 10:
        return None
    order = index[np.argsort(points[index, 2])]
    cell = (pixels[order, 1] // 3).astype(int) * width + (pixels[order, 0] // 3).astype(int)
    seen = order[np.unique(cell, return_index=True)[1]]
    mine = np.asarray(visual.vertex_colors)[seen, :3][None].astype(np.uint8)
    there = image[pixels[seen, 1].astype(int), pixels[seen, 0].astype(int)][None]
    lab = [cv2.cvtColor(np.ascontiguousarray(c), cv2.COLOR_RGB2LAB).astype(float)[0] for c in (mine, there)]
    gap = np.linalg.norm((lab[0] - lab[1]) * [0.5, 1, 1], axis=1)  # light differs more than hue
    return float(np.mean(np.exp(-gap / 25)))


def place(mesh: trimesh.Trimesh, image: Image, mask: Mask, camera: Camera, base: float) -> Placed | None:
    """The pose on the table, of turns about its normal and some tilts, in which the mesh agrees best."""
    hull = meshes.hull_vertices(mesh.vertices)
    best: Placed | None = None
    for tilt in TILTS:
        lean = pose.rotation_about([0, 1, 0], -tilt * camera.pitch)
        for yaw in YAWS:
            rotation = pose.rotation_about([0, 0, 1], yaw) @ lean
            found = stand(hull @ rotation.T, mask, camera, base)
            if found is None:
                return None
            scale, where = found
            table_from_mesh = pose.transform(rotation, where)
            camera_from_mesh = camera.camera_from_table @ table_from_mesh
            drawn = meshes.hull_silhouette(scale * hull, camera.K, camera_from_mesh, camera.shape)
            overlap = iou(drawn, mask)
            merit = overlap - TURN_COST * abs(yaw) / 180 - TILT_COST * tilt
            if best is not None and merit + COLOUR_WEIGHT <= best.merit:
                continue
            sized = mesh.copy()
            sized.apply_scale(scale)
            alike = colours_agree(sized, image, camera, table_from_mesh)
            merit += COLOUR_WEIGHT * alike if alike is not None else 0.0
            if best is None or merit > best.merit:
                exact = iou(meshes.silhouette(sized, camera.K, camera_from_mesh, camera.shape), mask)
                best = Placed(rotation, scale, where, exact, merit)
    return best


def reconstruct(
    generate: Generate,
    frames: Images,
    masks: Mask,
    score: NDArray[np.float32],
    others: Mask,
    camera: Camera,
    contact: Contact,
    label: str,
    reference: int | None = None,
) -> Reconstruction:
    """The object's generated mesh from its least occluded frame, or from frame `reference`.

    The paper takes the first frame, or by hand the last (section 3.1); here the frame is chosen. Raises
    Rejected when no frame shows the whole object, or when the mesh does not look like it.
    """
    if reference is None:
        candidates = best_frames(frame_scores(frames, masks, score, contact, others), contact)
        if not candidates:
            raise Rejected(f"no frame shows the whole of {label}")
        frame = candidates[0]
    else:
        frame = int(reference)
        if not 0 <= frame < len(masks):
            raise Rejected(f"reference frame {reference} of {label}: the clip has {len(masks)} frames")
        if masks[frame].sum() < MIN_AREA:
            raise Rejected(f"{label} is not visible in reference frame {reference}")
    whole, image = largest_component(masks[frame]), frames[frame]
    standing, base = bool(contact.near_table()[frame]), 0.0
    if not standing and np.isfinite(contact.drop[frame]):
        base = camera.altitude * float(np.clip(1 - contact.drop[frame] / contact.ground_drop(), 0, 0.8))
    made = clean(generate(image, whole))
    found = place(made, image, whole, camera, base)
    if found is None:
        raise Rejected("the object's lowest point lies above the horizon of the assumed camera")
    if found.iou < LEAST_IOU:
        raise Rejected(f"the mesh made of {label} does not have its outline (overlap {found.iou:.2f})")
    made.apply_transform(pose.transform(found.scale * found.rotation))
    made.apply_translation(found.place)
    centre = made.bounds.mean(axis=0)
    unit, extent = meshes.unit(made)
    camera_from_object = camera.camera_from_table @ pose.transform(None, centre)
    if colours_agree(made, image, camera, np.eye(4)) is None:  # it has none of its own
        sized = unit.copy()
        sized.apply_scale(extent)
        meshes.paint(sized, image, whole, camera.K, camera_from_object)
        painted = sized.visual
        assert isinstance(painted, trimesh.visual.ColorVisuals)
        unit.visual = trimesh.visual.ColorVisuals(unit, vertex_colors=painted.vertex_colors)
    return Reconstruction(
        mesh=unit,
        shape="generated",
        solid=None,
        frame=frame,
        standing=standing,
        extent=extent,
        camera_from_object=camera_from_object,
        iou=found.iou,
        dimensions=np.sort(trimesh.bounds.oriented_bounds(unit)[1]),
        thin=0.0,
    )
