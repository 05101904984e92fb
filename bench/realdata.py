"""Real measurements with ground truth that lie beside the project, read into small dataclasses.

They are never part of the project; `DATA` may be absent, and then every reader raises FileNotFoundError.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import trimesh
from numpy.typing import NDArray

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

DATA = Path(__file__).parents[2] / "shared" / "data"
DEXYCB_OBJECTS = {"mustard_bottle": 5, "tuna_can": 6, "bowl": 13, "marker": 18}
DEXYCB_HAND = 255
MUSTARD_TURN = 275.0
"""Degrees about z from the YCB mesh of the mustard bottle to the frame of its DexYCB pose."""


@dataclass(frozen=True)
class DepthFrame:
    """``colour`` (H, W, 3) RGB, ``depth`` (H, W) in metres (0: unknown), ``K`` (3, 3)."""

    colour: Image
    depth: Array
    K: Array


@dataclass(frozen=True)
class DexYcbFrame(DepthFrame):
    """Also ``masks`` and ``camera_from_object`` (4, 4) by object, and the ``hand``'s mask."""

    masks: dict[str, NDArray[np.bool_]]
    camera_from_object: dict[str, Array]
    hand: NDArray[np.bool_]


@dataclass(frozen=True)
class TexturedCube:
    """The 85 mm cube: ``mesh`` in metres, a ``photo`` (H, W, 3), and ``K`` of the 640 x 480 clips' camera."""

    mesh: trimesh.Trimesh
    photo: Image
    K: Array


def _image(path: Path, flag: int = cv2.IMREAD_COLOR) -> NDArray[np.generic]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}")
    image = cv2.imread(str(path), flag)
    if image is None:
        raise ValueError(f"{path} is not an image")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB) if flag == cv2.IMREAD_COLOR else image


def dexycb_frame(data: Path = DATA) -> DexYcbFrame:
    folder = data / "dexycb_frame"
    colour = np.asarray(_image(folder / "color.png"), np.uint8)
    depth = np.asarray(_image(folder / "depth.png", cv2.IMREAD_UNCHANGED), float) / 1000
    text = next(folder.glob("*.yml")).read_text().partition("depth:")[0]  # depth is registered to the colour
    value = {key: float(number) for key, number in re.findall(r"(fx|fy|ppx|ppy): ([\d.]+)", text)}
    with np.load(folder / "labels.npz") as labels:
        segments, poses = labels["seg"], labels["pose_y"].astype(float)
    bottom = np.array([0.0, 0.0, 0.0, 1.0])
    return DexYcbFrame(
        colour,
        depth,
        np.array([[value["fx"], 0, value["ppx"]], [0, value["fy"], value["ppy"]], [0, 0, 1]]),
        {name: segments == number for name, number in DEXYCB_OBJECTS.items()},
        {name: np.vstack([pose, bottom]) for name, pose in zip(DEXYCB_OBJECTS, poses, strict=True)},
        segments == DEXYCB_HAND,
    )


def nyu_frame(data: Path = DATA) -> DepthFrame:
    folder = data / "nyu_frame"
    colour = np.asarray(_image(folder / "rgb.png"), np.uint8)
    depth = np.asarray(_image(folder / "depth.png", cv2.IMREAD_UNCHANGED), float) / 1000
    return DepthFrame(colour, depth, np.load(folder / "intrinsics.npy").astype(float))


def textured_cube(data: Path = DATA) -> TexturedCube:
    folder = data / "textured_cube"
    photo = np.asarray(_image(folder / "color.jpg"), np.uint8)
    camera = json.loads((folder / "megapose_cube.json").read_text())["camera"]
    K = np.array([[camera["px"], 0, camera["u0"]], [0, camera["py"], camera["v0"]], [0, 0, 1.0]])
    return TexturedCube(_mesh(folder / "cube.obj"), photo, K)


def ycb_meshes(data: Path = DATA) -> dict[str, trimesh.Trimesh]:
    """Meshes in metres by name: mustard_bottle, banana, tennis_ball (of this its collision mesh)."""
    result = {}
    for name, folder in (
        ("mustard_bottle", "YcbMustardBottle"),
        ("banana", "YcbBanana"),
        ("tennis_ball", "YcbTennisBall"),
    ):
        files = sorted((data / "ycb" / folder).glob("textured*.obj"))
        files += sorted((data / "ycb" / folder).glob("collision*.obj"))
        if not files:
            raise FileNotFoundError(f"there is no mesh in {data / 'ycb' / folder}")
        result[name] = _mesh(files[0])
    return result


def _mesh(path: Path) -> trimesh.Trimesh:
    mesh = trimesh.load(path, force="mesh", process=False)
    assert isinstance(mesh, trimesh.Trimesh)
    return mesh
