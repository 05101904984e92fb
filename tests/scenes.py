"""Scene folders made of simple solids, without any clip: fixtures for simulation, tasks and training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import trimesh

from video2policy import mesh as meshes
from video2policy import pose
from video2policy.mesh import Solid
from video2policy.perceive import collide
from video2policy.perceive.verdict import Verdict
from video2policy.scene import ObjectFiles, Scene, SceneClip, SceneTask, assemble

SOLIDS = {
    "box": Solid("box", (0.05, 0.05, 0.05)),
    "cylinder": Solid("frustum", (0.05, 0.05, 0.09)),
    "mug": Solid("frustum", (0.07, 0.075, 0.09), "up"),
    "cup": Solid("frustum", (0.09, 0.065, 0.1), "down"),
    "ball": Solid("sphere", (0.04, 0.04, 0.04)),
}
"""Kinds that `primitive_scene` knows by name."""

CAPTIONS = {
    "lift": "lifting {a} up",
    "push_right": "pushing {a} from left to right",
    "push_left": "pushing {a} from right to left",
    "put_next": "putting {a} next to {b}",
    "put_front": "putting {a} in front of {b}",
    "move_closer": "moving {a} closer to {b}",
    "cover": "covering {b} with {a}",
    "uncover": "uncovering {b}",
    "put_into": "putting {a} into {b}",
}

N_FRAMES = 12


def _ends(
    family: str, height: Mapping[str, float], width: Mapping[str, float], roles: Mapping[str, str]
) -> dict:
    """First and last centre of each role's object, for a clip that does what its family says."""
    a, b = roles["a"], roles.get("b")
    side = (width[a] + width.get(b or "", 0)) / 2
    near = {a: height[a], **({b: height[b]} if b else {})}
    here, apart = (0.0, 0.0), (0.05, 0.2)
    moves = {
        "lift": (here, (0.0, 0.0, 0.18)),
        "push_right": ((0, 0.1), (0, -0.12)),
        "push_left": ((0, -0.1), (0, 0.12)),
        "put_next": (apart, (0, side + 0.02)),
        "drop_next": (apart, (0, side + 0.02)),
        "put_front": (apart, (-side - 0.04, 0)),
        "drop_front": (apart, (-side - 0.04, 0)),
        "move_closer": (apart, (0.02, side + 0.03)),
        "cover": (apart, here),
        "uncover": (here, apart),
        "put_into": (apart, (0, 0, 0.02)),
        "drop_into": (apart, (0, 0, 0.02)),
    }
    ends = {}
    for name, where in zip((a, b), (moves[family], (here, here)), strict=True):
        if name:
            ends[name] = [np.array([*w[:2], near[name] + (w[2] if len(w) > 2 else 0)]) for w in where]
    return ends


def primitive_scene(
    folder: Path,
    family: str = "lift",
    roles: Mapping[str, str] | None = None,
    objects: Mapping[str, str | Solid | trimesh.Trimesh] | None = None,
    ends: Mapping[str, Sequence[Sequence[float]]] | None = None,
) -> Path:
    """Write a valid scene folder and return its scene.json.

    `objects` name the kind ("box", "cylinder", "mug", "cup", "ball") or give a `Solid` or any mesh in metres;
    the default is one box called cube. `ends` overrides an object's first and last centre (3,), metres, which
    otherwise follow from the family.
    """
    objects = {"cube": "box"} if objects is None else objects
    roles = dict(zip("ab", objects, strict=False)) if roles is None else dict(roles)
    solids = {name: SOLIDS[kind] if isinstance(kind, str) else kind for name, kind in objects.items()}
    files, rests = [], {}
    for name, given in solids.items():
        solid, shape = (given, given.mesh()) if isinstance(given, Solid) else (None, given)
        place = folder / "objects" / name
        place.mkdir(parents=True, exist_ok=True)
        unit, scale = meshes.unit(shape)
        grey = np.full((1, 1, 3), 150, np.uint8)
        meshes.paint(unit, grey, np.ones((1, 1), bool), np.eye(3), pose.transform(None, [0, 0, 5]))
        meshes.save(unit, place / "mesh.obj")
        result = collide.body(shape, solid)
        rests[name] = collide.settle(result)
        collide.write(
            name, result, rests[name], scale, place / "collision", place / "object.urdf", place / "rest.json"
        )
    ends = dict(ends or {}) or _ends(
        family,
        {name: rest.height for name, rest in rests.items()},
        {name: float(rest.size[:2].max()) for name, rest in rests.items()},
        roles,
    )
    pitch = np.radians(30)
    forward, right = np.array([np.cos(pitch), 0, -np.sin(pitch)]), np.array([0, -1.0, 0])
    world_from_camera = pose.transform(
        np.stack([right, np.cross(forward, right), forward], axis=1), [-0.5, 0, 0.35]
    )
    K = [[500.0, 0, 320], [0, 500.0, 240], [0, 0, 1]]
    for name, solid in solids.items():
        first, last = (np.asarray(p, dtype=float) for p in ends.get(name, [[0, 0, rests[name].height]] * 2))
        # The middle two thirds move; both ends stand still, as clips do.
        way = np.clip((np.arange(N_FRAMES) - 2) / (N_FRAMES - 5), 0, 1)
        rotation = pose.matrix_from_quat(rests[name].quat)
        path = [pose.transform(rotation, first + t * (last - first)) for t in way]
        poses = {
            "camera_from_object": [(pose.inverse(world_from_camera) @ p).tolist() for p in path],
            "confidence": [1.0] * N_FRAMES,
            "world_from_camera": world_from_camera.tolist(),
        }
        extents = np.asarray(solid.extents)
        size = {"scale": float(extents.max()), "size": extents.tolist()}
        place = folder / "objects" / name
        (place / "poses.json").write_text(json.dumps(poses))
        (place / "size.json").write_text(json.dumps(size))
        rest = json.loads((place / "rest.json").read_text())
        files.append(ObjectFiles(name, name.replace("_", " "), f"objects/{name}", size, poses, rest))
    caption = CAPTIONS.get(family, family).format(**{k: v.replace("_", " ") for k, v in roles.items()})
    scene: Scene = assemble(
        video=folder.name,
        task=SceneTask(caption, caption, None, None, family, "caption", roles),
        clip=SceneClip("clip.mp4", 12.0, N_FRAMES, 640, 480),
        camera={"K": K, "method": "given"},
        files=files,
        gates=[Verdict("scene", True, "made by hand", 1.0)],
    )
    scene.save(folder / "scene.json")
    return folder / "scene.json"
