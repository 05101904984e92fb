"""A scene with its objects' true sizes, to judge a policy of the found sizes in (paper, beside table 6).

Perception's shapes stay: each object is stretched along its own axes until its sides are the true ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import trimesh
from numpy.typing import ArrayLike, NDArray

from video2policy import mesh as meshes
from video2policy import pose
from video2policy.perceive import collide
from video2policy.scene import Scene, SceneObject

Array = NDArray[np.float64]


def resize(scene_json: Path, sides: Mapping[str, ArrayLike], folder: Path) -> Path:
    """Write the scene and its objects' files anew into a folder; gives the path of the new scene.json.

    Args:
        sides: by object, the three sides in metres, in any order: the longest is taken for the longest.
        folder: for scene.json and `objects/`.

    Masses stay, and so do the clip's own poses, which no simulation reads.
    """
    scene = Scene.load(scene_json)
    objects = [_resized(item, scene_json.parent, sides[item.name], folder) for item in scene.objects]
    path = folder / "scene.json"
    replace(scene, objects=objects).save(path)
    return path


def _resized(item: SceneObject, root: Path, sides: ArrayLike, folder: Path) -> SceneObject:
    shown = meshes.load(root / item.mesh)
    shown.apply_scale(item.mesh_scale)
    factors = stretch(shown.extents, sides)

    def stretched(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
        mesh.apply_transform(np.diag([*factors, 1.0]))
        return mesh

    pieces = [stretched(meshes.load(root / path)) for path in item.collision]
    hull = stretched(meshes.load(root / item.hull))
    shown = stretched(shown)
    # What is round was told from its solid, for its resting pose, which stays.
    inertial = collide.inertial_of(pieces, item.mass)
    body = collide.Body(pieces, hull, inertial, np.asarray(shown.vertices), round=False)
    rest = collide.at_rest(body, pose.matrix_from_quat(item.rest_quat))
    here = folder / Path(item.urdf).parent
    here.mkdir(parents=True)
    scale = float(shown.extents.max())
    collide.write(item.name, body, rest, scale, here / "collision", here / "object.urdf", here / "rest.json")
    shown.apply_scale(1 / scale)
    meshes.save(shown, folder / item.mesh)
    return replace(item, size=rest.size.tolist(), mesh_scale=scale, rest_height=rest.height)


def stretch(extents: ArrayLike, sides: ArrayLike) -> Array:
    """Factors (3,) along axes of these extents (3,) that give a box the `sides` (3,), rank by rank."""
    mine, true = np.asarray(extents, float), np.sort(np.asarray(sides, float))
    factors = np.empty(3)
    order = np.argsort(mine)
    factors[order] = true / mine[order]
    return factors
