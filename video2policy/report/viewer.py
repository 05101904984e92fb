"""The scene in three dimensions: its meshes and their poses as small numbers, and the script that draws them.

three.js comes out of trimesh's package (which carries release 140, MIT licence, for its own viewer), so that
it is pinned with it and fetched from nowhere else.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from markupsafe import Markup
from numpy.typing import NDArray

from video2policy import mesh as meshes

MOST_FACES = 4000
"""Of one object; what has more is drawn coarser."""


def script() -> str:
    """The page's whole script: three.js with its licence's line, then templates/viewer.js."""
    packed = resources.files("trimesh").joinpath("resources/templates/viewer.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        template = archive.read("viewer.html.template").decode("utf-8")
    # The licence's comment and the one minified line behind it; what follows is trimesh's own page.
    library = re.search(r"/\*\*\n \* @license\n.*?\*/\n!function[^\n]*THREE[^\n]*\n", template, re.S)
    if library is None:
        raise RuntimeError("trimesh's viewer no longer holds three.js as it did in the pinned version")
    own = (Path(__file__).parent / "templates" / "viewer.js").read_text(encoding="utf-8")
    return library[0] + own


def scene_data(scene: dict[str, Any], folder: Path, colours: bool) -> dict[str, Any]:
    """What the viewer draws of a scene.json in `folder`; {} where it holds no mesh that can be read.

    Per object: `label`, `vertices` (metres, 3 numbers each, object frame), `faces` (3 indices each),
    `colours` (3 numbers each, 0 to 255, or none) and `poses` (per frame the 16 numbers of
    world_from_object by columns, or null). Mesh colours come from the clip: without `colours` they stay out.
    """
    objects = [one for one in scene.get("objects") or [] if isinstance(one, dict)]
    drawn = [data for one in objects if (data := _object(one, folder, colours))]
    return {"objects": drawn, "fps": (scene.get("clip") or {}).get("fps") or 12} if drawn else {}


def _object(one: dict[str, Any], folder: Path, colours: bool) -> dict[str, Any] | None:
    path = folder / str(one.get("mesh"))
    if not path.is_file():
        return None
    try:
        mesh = meshes.load(path)
        mesh.apply_scale(float(one["mesh_scale"]))
        poses = [
            None if pose is None else [round(float(v), 5) for v in np.asarray(pose, float).T.ravel()]
            for pose in one["world_from_object"]
        ]
    except (KeyError, OSError, TypeError, ValueError):
        return None
    vertices, faces, painted = coarser(mesh, MOST_FACES)
    return {
        "label": str(one.get("label") or one.get("name")),
        "vertices": np.round(vertices, 4).ravel().tolist(),
        "faces": faces.ravel().tolist(),
        "colours": painted.ravel().tolist() if colours and painted is not None else [],
        "poses": poses,
    }


def coarser(mesh: trimesh.Trimesh, most: int) -> tuple[NDArray, NDArray, NDArray | None]:
    """Vertices (n, 3), faces (m, 3) and colours (n, 3) or None, with about `most` faces at the most.

    Vertices in the same cell of a grid become one, in ever larger cells, until few enough faces are left.
    """
    visual, colours = mesh.visual, None
    if isinstance(visual, trimesh.visual.ColorVisuals) and visual.kind == "vertex":
        colours = np.asarray(visual.vertex_colors)[:, :3]
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    cells = 64
    while len(faces) > most and cells > 4:
        cell = np.floor((mesh.vertices - mesh.bounds[0]) / mesh.extents.max() * cells).astype(int)
        _, first, merged = np.unique(cell, axis=0, return_index=True, return_inverse=True)
        faces = np.unique(merged.reshape(-1)[mesh.faces], axis=0)
        faces = faces[(faces != np.roll(faces, 1, axis=1)).all(axis=1)]
        vertices = np.asarray(mesh.vertices)[first]
        cells = int(cells / 1.4)
    if colours is not None and len(vertices) != len(colours):
        colours = colours[first]
    return vertices, faces, colours


def embedded(data: dict[str, Any]) -> Markup:
    """JSON that can stand in a `<script type="application/json">`: nothing in it can end the element."""
    text = json.dumps(data, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))
