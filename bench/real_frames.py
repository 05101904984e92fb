"""Camera, depth and size on real RGB-D frames: `python -m bench.real_frames ../shared/data`.

Two frames with known intrinsics and measured depth that are not part of the project: a table with four YCB
objects (DexYCB) and a room (NYU). A frame stands for a clip in which nothing moves. The pitch to compare with
is that of the plane through the table in the measured depth.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from bench.geometry import CLOSE
from video2policy.camera import intrinsics
from video2policy.mask import bounding_box
from video2policy.perceive.depth import depth_images, find_view
from video2policy.perceive.pitch import find_focal
from video2policy.perceive.reconstruct import reconstruct
from video2policy.perceive.scale import Measured, find_sizes

Array = NDArray[np.float64]

DEXYCB = {5: ("mustard bottle", 0.191), 6: ("tuna can", 0.0856), 13: ("bowl", 0.159)}
"""Labels of DexYCB's segmentation: name, and longest dimension of YCB's mesh in metres (no marker)."""
HAND = 255
REPEATS = 4


def rgb(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise SystemExit(f"{path} is missing; give the folder that holds dexycb_frame and nyu_frame")
    return np.asarray(image[..., ::-1], np.uint8)


def plane_pitch(depth: Array, K: Array, free: NDArray[np.bool_]) -> float:
    """Degrees below the horizontal of a camera over the plane that most of the `free` pixels lie on."""
    rows, columns = np.nonzero(free & (depth > 0.2) & (depth < 1.5))
    pixels = np.column_stack([columns + 0.5, rows + 0.5, np.ones(len(rows))])
    points = pixels @ np.linalg.inv(K).T * depth[rows, columns, None]
    rng = np.random.default_rng(0)
    best, most = np.zeros(3), 0
    for _ in range(300):
        a, b, c = points[rng.choice(len(points), 3, replace=False)]
        normal = np.cross(b - a, c - a)
        normal /= max(float(np.linalg.norm(normal)), 1e-12)
        count = int((np.abs((points - a) @ normal) < 0.008).sum())
        if count > most:
            best, most = normal, count
    up = best if best[1] < 0 else -best
    return float(np.degrees(np.arcsin(np.clip(-up[2], -1, 1))))


def dexycb(folder: Path) -> None:
    """The table: everything, with the lens found and given, from the true masks."""
    image = rgb(folder / "color.png")
    depth = cv2.imread(str(folder / "depth.png"), cv2.IMREAD_UNCHANGED).astype(float) / 1000
    # Only the lens is wanted of a file whose other entries are Python tuples.
    color = yaml.safe_load((folder / "836212060125_640x480.yml").read_text().split("depth:")[0])["color"]
    K = np.array([[color["fx"], 0, color["ppx"]], [0, color["fy"], color["ppy"]], [0, 0, 1]])
    seg = np.load(folder / "labels.npz")["seg"]
    names = {label: name.replace(" ", "_") for label, (name, _) in DEXYCB.items()}
    masks = {names[k]: np.repeat((seg == k)[None], REPEATS, axis=0) for k in DEXYCB}
    labels = {names[k]: DEXYCB[k][0] for k in DEXYCB}
    true = {names[k]: DEXYCB[k][1] for k in DEXYCB}
    images = [image] * REPEATS
    near = cv2.dilate(np.isin(seg, list(DEXYCB)).astype(np.uint8), np.ones((41, 41), np.uint8)) > 0
    pitch = plane_pitch(depth, K, near & (seg == 0))
    fov = float(np.degrees(2 * np.arctan(image.shape[0] / 2 / K[1, 1])))
    print(f"DexYCB: true field of view {fov:.1f} degrees, pitch of the table plane {pitch:.1f} degrees")
    for lens, given in (("found", {}), ("given", {"fov": fov})):
        view = find_view(images, masks, labels, given)
        objects = {}
        for name, item in masks.items():
            beside = (seg != 0) & ~item[0]
            others = np.repeat(beside[None], REPEATS, axis=0)
            sure = np.ones(len(item), np.float32)
            seen = reconstruct(images, item, sure, others, view.camera, view.contacts[name], labels[name])
            extents = np.array(seen.mesh.extents)
            objects[name] = Measured(labels[name], extents, seen.dimensions, seen.extent, seen.iou)
        free, told = find_sizes(objects, {}), find_sizes(objects, true)
        first = next(iter(told.values()))
        found = next(depth_images(view, masks, images, labels)).astype(float) * first.depth_scale
        print(
            f"lens {lens}: pitch {view.camera.pitch:.1f} +- {view.pitch_uncertainty:.1f}, focal length "
            f"{view.camera.K[0, 0] / K[0, 0] - 1:+.1%} +- {view.focal_uncertainty:.0%}"
        )
        for name, item in masks.items():
            box = bounding_box(item[0])
            assert box is not None
            window = np.s_[box[1] : box[3], box[0] : box[2]]
            known = depth[window] > 0
            d1 = (np.abs(found[window][known] / depth[window][known] - 1) <= CLOSE).mean()
            longest = float(objects[name].dimensions[-1]) * free[name].scale
            print(
                f"  {name}: {100 * longest:.1f} cm +- {free[name].uncertainty:.0%} without a given size, "
                f"true {100 * true[name]:.1f} ({longest / true[name] - 1:+.0%}); d1 with given sizes {d1:.2f}"
            )


def nyu(folder: Path) -> None:
    """The room: the lens by its lines."""
    image, K = rgb(folder / "rgb.png"), np.load(folder / "intrinsics.npy")
    prior, _, sigma = intrinsics(image.shape[1], image.shape[0])
    factor, found = find_focal([image], prior)
    before, after = prior[0, 0] / K[0, 0] - 1, factor * prior[0, 0] / K[0, 0] - 1
    print(
        f"NYU: focal length {after:+.1%} +- {found:.0%} from lines, {before:+.1%} +- {sigma:.0%} by the prior"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the folder that holds dexycb_frame and nyu_frame")
    folder = parser.parse_args().folder
    dexycb(folder / "dexycb_frame")
    nyu(folder / "nyu_frame")


if __name__ == "__main__":
    main()
