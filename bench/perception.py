"""What perception made of rendered clips, against the truth: `python -m bench.perception RESULTS TRUTH`.

RESULTS is the folder in which the workflow left its artifacts (`snakemake scenes`), TRUTH holds `{video}.npz`
of the rendered suite or the demo. Prints the measures of docs/perception.md and writes one row per object to
RESULTS/tables/perception.csv.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from video2policy import demo, pose
from video2policy import mesh as meshes
from video2policy.evaluate.perception import box_sides, d1, resized
from video2policy.mask import bounding_box, box_iou, load_masks
from video2policy.scene import CONFIDENT, settled_frames

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

VISIBLE = 40
"""Pixels of an object, in the frames perception works on, below which a frame is not counted."""
RIGHT_J, RIGHT_SIZE, RIGHT_CHAMFER, RIGHT_ENDS = 0.75, 0.25, 0.1, 0.5
"""An object is truly right with a mask J of at least the first, and at most the others' error of its longest
side, chamfer distance, and ADD of its first and last pose as a share of its diameter."""
CLOSE = 0.1
"""ADD as a share of the diameter, and relative depth error, that count as right (BOP; the paper's d1)."""


@dataclass
class Row:
    """One object of one clip. NaN is what could not be measured because an artifact does not exist."""

    video: str
    obj: str
    kind: str
    height: int
    """Of the clip, pixels."""
    passed: bool
    """The clip passed all its gates."""
    reason: str
    grounded: float = np.nan
    """IoU of the grounding box with the true one on its frame."""
    j: float = np.nan
    j_worst: float = np.nan
    """Mean IoU of the masks over the frames that show the object, and of their worst decile."""
    size: float = np.nan
    """Mean relative error of the three sorted dimensions."""
    longest: float = np.nan
    """Relative error of the longest one."""
    d1: float = np.nan
    """Share of pixels in the object's true boxes with a depth within 10%."""
    d1_scaled: float = np.nan
    """The same after one factor for the whole clip, the median ratio in all objects' boxes: a depth is the
    size given times the focal length over pixels, and this leaves the focal length's error out."""
    chamfer: float = np.nan
    """Mean distance between the surfaces, both ways, as a share of the true diagonal; centres and axes given
    by the frames' definition, scaled to the true size."""
    track_static: float = np.nan
    track_moving: float = np.nan
    """Share of frames with ADD (ADD-S for what turns about its axis) under a tenth of the diameter, with axes
    and place aligned in the reference frame, at the object's true size: the error of the size has a line of
    its own, and without a given one a carried object would else never be right."""
    ends: float = np.nan
    """The larger ADD / diameter, so aligned, of the first and last confident frames (median): what a task
    starts from and ends in."""
    placed: float = np.nan
    """As the track over all frames, without alignment and at the found size: distance from the camera
    included."""
    lost: float = np.nan
    """Share of the frames that show the object for which there is no pose."""

    @property
    def right(self) -> bool:
        return bool(
            self.j >= RIGHT_J
            and self.longest <= RIGHT_SIZE
            and self.chamfer <= RIGHT_CHAMFER
            and self.ends <= RIGHT_ENDS
        )


@dataclass(frozen=True)
class Truth:
    """The truth of one clip, at the frames that perception kept."""

    data: Mapping[str, NDArray[Any]]
    index: list[int]
    shape: tuple[int, int]

    def names(self) -> list[str]:
        return [str(name) for name in self.data["names"]]

    def masks(self, obj: str) -> Mask:
        whole = demo.true_masks(self.data, obj)[self.index]
        if whole.shape[1:] == self.shape:
            return whole
        size = (self.shape[1], self.shape[0])
        return np.stack(
            [cv2.resize(m.astype(np.uint8), size, interpolation=cv2.INTER_AREA) > 0 for m in whole]
        )

    def camera_from_object(self, obj: str) -> Array:
        return np.asarray(self.data[f"camera_from_object_{obj}"], float)[self.index]

    def world_from_camera(self, t: int) -> Array:
        if "world_from_camera_per_frame" in self.data:  # the camera shakes
            return np.asarray(self.data["world_from_camera_per_frame"], float)[self.index[t]]
        return np.asarray(self.data["world_from_camera"], float)

    def mesh(self, obj: str) -> trimesh.Trimesh:
        return trimesh.Trimesh(self.data[f"vertices_{obj}"], self.data[f"faces_{obj}"], process=False)

    def text(self, key: str, otherwise: str) -> str:
        return str(self.data[key]) if key in self.data else otherwise


def measure(results: Path, truth_path: Path) -> list[Row]:
    """The rows of one clip; empty when perception left no scene.json for it."""
    video = truth_path.stem
    folder = results / "videos" / video
    if not (folder / "scene.json").is_file():
        return []
    scene = json.loads((folder / "scene.json").read_text())
    with np.load(truth_path) as data:
        content = dict(data)
    clip_path = folder / "clip.json"
    clip = _read(clip_path)
    rows = []
    depths: dict[str, tuple[Array, Array]] = {}
    for obj in (str(name) for name in content["names"]):
        if not (folder / "masks" / f"{obj}.verdict.json").is_file():
            continue  # in the picture, but not named in the sheet
        kind = str(content.get(f"class_{obj}", obj.split("_")[-1]))
        row = Row(video, obj, kind, 0, bool(scene["passed"]), str(scene["reason"] or ""))
        if clip:
            row.height = int(clip["source_height"])
            shape = (int(clip["height"]), int(clip["width"]))
            truth = Truth(content, [int(i) for i in clip["source_index"]], shape)
            found = _measure_object(row, folder, truth, obj)
            if found:
                depths[obj] = found
        rows.append(row)
    _measure_depth(rows, depths)
    return rows


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON artifact, or None for one that a failed gate left out."""
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return None


def _measure_object(row: Row, folder: Path, truth: Truth, obj: str) -> tuple[Array, Array] | None:
    """Fill in all but the depth, which needs the clip's other objects too; its `box_depths` where known."""
    true_masks = truth.masks(obj)
    shown = true_masks.sum(axis=(1, 2)) >= VISIBLE
    objects = _read(folder / "objects.json")
    if objects:
        entry = next((o for o in objects["objects"] if o["name"] == obj), None)
        row.grounded = (
            0.0 if entry is None else box_iou(entry["box"], bounding_box(true_masks[entry["frame"]]))
        )
    try:
        masks = load_masks(folder / "masks" / f"{obj}.npz")[0]
    except (OSError, ValueError):
        return None
    overlap = (masks & true_masks).sum(axis=(1, 2)) / np.maximum((masks | true_masks).sum(axis=(1, 2)), 1)
    row.j = float(overlap[shown].mean())
    row.j_worst = float(np.sort(overlap[shown])[: max(1, int(shown.sum()) // 10)].mean())
    record, size = (
        _read(folder / "objects" / obj / "mesh.json"),
        _read(folder / "objects" / obj / "size.json"),
    )
    if not record or not size:
        return None
    true = truth.mesh(obj)
    ratio = np.sort(np.array(record["dimensions"]) * size["scale"]) / np.sort(
        true_dimensions(truth, true, obj)
    )
    row.size, row.longest = float(np.abs(ratio - 1).mean()), float(abs(ratio[-1] - 1))
    found = meshes.load(folder / "objects" / obj / "mesh.obj")
    frame = int(record["frame"])
    world_from_true = truth.world_from_camera(frame) @ truth.camera_from_object(obj)[frame]
    row.chamfer = chamfer(found, true, world_from_true[:3, :3], true_pitch_free(record, truth, frame))
    poses = _read(folder / "objects" / obj / "poses.json")
    if poses:
        _measure_track(row, poses, truth, obj, true, world_from_true[:3, :3], frame, shown, float(ratio[-1]))
    return box_depths(folder / "depth", float(size["depth_scale"]), truth, true_masks)


def true_pitch_free(record: Mapping[str, Any], truth: Truth, frame: int) -> Array:
    """Rotation (3, 3) of the found mesh's axes in the true world, from the reference frame."""
    camera_from_object = np.array(record["camera_from_object"], float)
    return np.asarray((truth.world_from_camera(frame) @ camera_from_object)[:3, :3])


def true_dimensions(truth: Truth, mesh: trimesh.Trimesh, obj: str) -> Array:
    """The object's own three dimensions, metres."""
    key = f"dimensions_{obj}"
    if key in truth.data:
        return np.asarray(truth.data[key], float)
    return box_sides(mesh.vertices)


def box_depths(folder: Path, scale: float, truth: Truth, masks: Mask, every: int = 5) -> tuple[Array, Array]:
    """Found and true depth (n,), metres, of the pixels in the object's true boxes, every fifth frame."""
    there, here = [np.zeros(0)], [np.zeros(0)]
    for t in range(0, len(masks), every):
        box = bounding_box(masks[t])
        path = folder / f"{t:06d}.npz"
        if box is None or not path.is_file():
            continue
        with np.load(path) as data:
            found = np.asarray(data["depth"], float) * scale
        true = resized(np.asarray(truth.data["depth"][truth.index[t]], np.float32), found.shape)
        x0, y0, x1, y1 = box
        here.append(found[y0:y1, x0:x1].ravel())
        there.append(np.asarray(true[y0:y1, x0:x1], float).ravel())
    return np.concatenate(here), np.concatenate(there)


def _measure_depth(rows: Sequence[Row], depths: Mapping[str, tuple[Array, Array]]) -> None:
    """d1 of one clip's objects from their `box_depths`, as they are and after one factor for the clip."""
    if not depths:
        return
    found, true = (np.concatenate(parts) for parts in zip(*depths.values(), strict=True))
    known = (found > 0) & (true > 0)
    factor = float(np.median(true[known] / found[known])) if known.any() else 1.0
    for row in rows:
        if row.obj in depths and len(depths[row.obj][0]):
            here, there = depths[row.obj]
            everywhere = np.ones(len(here), bool)
            for name, scale in (("d1", 1.0), ("d1_scaled", factor)):
                right, total = d1(scale * here, there, everywhere)
                setattr(row, name, right / total if total else np.nan)


def chamfer(found: trimesh.Trimesh, true: trimesh.Trimesh, true_axes: Array, found_axes: Array) -> float:
    """Mean distance between both surfaces as a share of the true diagonal, yaw and centres as they are.

    `found` is scaled so that its longest side is the true one's; axes are rotations (3, 3) into the world.
    """
    rng = np.random.default_rng(0)
    clouds = []
    for mesh, axes in ((found, found_axes), (true, true_axes)):
        points, _ = trimesh.sample.sample_surface(mesh, 4000, seed=int(rng.integers(1 << 30)))
        points = np.asarray(points) @ axes.T
        clouds.append(points - (points.max(axis=0) + points.min(axis=0)) / 2)
    clouds[0] *= float(np.ptp(clouds[1], axis=0).max() / np.ptp(clouds[0], axis=0).max())
    there, back = (cKDTree(b).query(a)[0].mean() for a, b in (clouds, clouds[::-1]))
    return float((there + back) / 2 / np.linalg.norm(np.ptp(clouds[1], axis=0)))


def _measure_track(
    row: Row,
    poses: Mapping[str, Any],
    truth: Truth,
    obj: str,
    mesh: trimesh.Trimesh,
    axes: Array,
    frame: int,
    shown: NDArray[np.bool_],
    size_ratio: float,
) -> None:
    found = [None if m is None else np.array(m, float) for m in poses["camera_from_object"]]
    true = truth.camera_from_object(obj)
    rng = np.random.default_rng(0)
    points = np.asarray(mesh.vertices)[rng.permutation(len(mesh.vertices))[:300]]
    diameter = meshes.diameter(mesh.vertices)
    turns = truth.text(f"symmetry_{obj}", "") == "continuous"
    row.lost = float(np.mean([found[t] is None for t in np.flatnonzero(shown)]))
    reference = found[frame]
    if reference is None:
        return

    def at_size(matrix: Array) -> Array:
        return pose.transform(matrix[:3, :3], matrix[:3, 3] / size_ratio)

    turned = reference[:3, :3].T @ true[frame][:3, :3]
    shifted = true[frame][:3, 3] - at_size(reference)[:3, 3]

    def aligned(matrix: Array) -> Array:
        # Axes and place apart: else what is off in distance would swing with every turn of a round thing.
        return pose.transform(matrix[:3, :3] @ turned, at_size(matrix)[:3, 3] + shifted)

    by_definition = pose.transform(axes, None)
    moving = np.zeros(len(true), bool)
    shift = np.linalg.norm(np.diff(true[:, :3, 3], axis=0), axis=1)
    moving[1:] = shift > 0.001
    moving[:-1] |= shift > 0.001
    error, near = np.full(len(true), np.inf), np.zeros(len(true), bool)
    for t in range(len(true)):
        estimate = found[t]
        if estimate is None:
            continue
        error[t] = add(aligned(estimate), true[t], points, turns) / diameter
        near[t] = add(estimate @ by_definition, true[t], points, turns) < CLOSE * diameter
    close = error < CLOSE
    sure = error[np.isfinite(error) & (np.array(poses["confidence"]) >= CONFIDENT)]
    if len(sure):
        count = settled_frames(len(sure))
        row.ends = float(max(np.median(sure[:count]), np.median(sure[-count:])))
    row.track_static = float(close[shown & ~moving].mean()) if (shown & ~moving).any() else np.nan
    row.track_moving = float(close[shown & moving].mean()) if (shown & moving).any() else np.nan
    row.placed = float(near[shown].mean())


def add(found: Array, true: Array, points: Array, turns: bool) -> float:
    """Mean distance of points (n, 3) under two poses; to the nearest one for what turns about its axis."""
    a, b = pose.apply(found, points), pose.apply(true, points)
    if turns:
        return float(cKDTree(b).query(a)[0].mean())
    return float(np.linalg.norm(a - b, axis=1).mean())


def table(rows: Sequence[Row], title: str) -> str:
    """The measures in Markdown."""

    def part(name: str) -> Array:
        values = np.array([getattr(row, name) for row in rows], float)
        return values[np.isfinite(values)]

    def mean(name: str) -> str:
        values = part(name)
        return f"{values.mean():.3f}" if len(values) else "-"

    def median(name: str) -> str:
        values = part(name)
        return f"{100 * np.median(values):.1f}%" if len(values) else "-"

    clips: dict[str, list[Row]] = {}
    for row in rows:
        clips.setdefault(row.video, []).append(row)
    passed = {video: all(r.passed for r in items) for video, items in clips.items()}
    right = {video: all(r.right for r in items) for video, items in clips.items()}
    both = sum(passed[v] and right[v] for v in clips) / max(len(clips), 1)
    wrongly_passed = sum(passed[v] and not right[v] for v in clips) / max(len(clips), 1)
    wrongly_refused = sum(right[v] and not passed[v] for v in clips) / max(len(clips), 1)
    grounded = part("grounded")
    lines = [
        f"{title}: {len(clips)} clips, {len(rows)} objects",
        "",
        "| measure | asked | here |",
        "|---|---|---|",
        f"| grounding, IoU >= .5 | .85 | {np.mean(grounded >= 0.5) if len(grounded) else np.nan:.3f} |",
        f"| mask J, mean | .90 | {mean('j')} |",
        f"| mask J, worst decile of the frames | .75 | {mean('j_worst')} |",
        f"| longest side, median error | 5% given, 20% not | {median('longest')} |",
        f"| all three sides, median error | | {median('size')} |",
        f"| depth d1 in the objects' boxes | .90 given | {mean('d1')} |",
        f"| the same, one factor per clip set right | | {mean('d1_scaled')} |",
        f"| mesh chamfer / diagonal, median | 4% | {median('chamfer')} |",
        f"| track, ADD < 10%, static frames | .90 | {mean('track_static')} |",
        f"| track, ADD < 10%, moving frames | .90 | {mean('track_moving')} |",
        f"| the same without alignment, all frames | | {mean('placed')} |",
        f"| frames without a pose | | {mean('lost')} |",
        f"| clips that pass and are right | .60 | {both:.3f} |",
        f"| passed, not right; right, not passed | < .10 | {wrongly_passed:.3f}; {wrongly_refused:.3f} |",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="the workflow's results folder")
    parser.add_argument("truth", type=Path, help="folder with {video}.npz")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    truths = sorted(options.truth.glob("*.npz"))
    if not truths:
        parser.error(f"{options.truth} holds no .npz of a rendered clip")
    with ProcessPoolExecutor(options.jobs) as pool:
        parts = list(pool.map(measure, [options.results] * len(truths), truths))
    rows = [row for part in parts for row in part]
    if not rows:
        parser.error(f"{options.results} has results of none of these clips; run `snakemake scenes` first")
    path = options.results / "tables" / "perception.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)] + ["right"])
        writer.writeheader()
        writer.writerows({**asdict(row), "right": row.right} for row in rows)
    print(table(rows, "All"))
    small = [row for row in rows if 0 < row.height <= 240]
    if small and len(small) < len(rows):
        print("\n" + table(small, "240 pixels and below"))
    print(f"\n{path}")


if __name__ == "__main__":
    main()
