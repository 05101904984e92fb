"""Scene folders made of simple solids, without any clip: fixtures for simulation, tasks and training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import trimesh
from numpy.typing import ArrayLike

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

BOARD = Solid("box", (0.14, 0.14, 0.02))
BOWL = Solid("frustum", (0.1, 0.14, 0.04), "up")
PLANK = Solid("box", (0.05, 0.16, 0.03))

OBJECTS = {
    "lift": {"cube": "box"},
    "push_left": {"cube": "box"},
    "push_right": {"tin": "cylinder"},
    "move_closer": {"cube": "box", "tin": "cylinder"},
    "put_next": {"tin": "cylinder", "cube": "box"},
    "drop_next": {"ball": "ball", "cube": "box"},
    "put_front": {"cube": "box", "tin": "cylinder"},
    "drop_front": {"cube": "box", "tin": "cylinder"},
    "cover": {"cup": "cup", "ball": "ball"},
    "uncover": {"cup": "cup", "ball": "ball"},
    "put_into": {"ball": "ball", "mug": "mug"},
    "drop_into": {"ball": "ball", "mug": "mug"},
    "throw_into": {"ball": "ball", "mug": "mug"},
    "tip_over": {"tin": "cylinder"},
    "push_with": {"cube": "box", "tin": "cylinder"},
    "push_any": {"cube": "box"},
    "poke_move": {"tin": "cylinder"},
    "touch": {"tin": "cylinder"},
    "push_off_edge": {"cube": "box"},
    "push_near_edge": {"cube": "box"},
    "pull_left": {"cube": "box"},
    "pull_right": {"tin": "cylinder"},
    "push_off": {"ball": "ball", "board": BOARD},
    "push_onto": {"cube": "box", "board": BOARD},
    "pull_onto": {"cube": "box", "board": BOARD},
    "move_away": {"cube": "box", "tin": "cylinder"},
    "move_to_cam": {"cube": "box"},
    "move_away_cam": {"cube": "box"},
    "pull_from_behind": {"cube": "box", "ball": "ball"},
    "remove_reveal": {"tin": "cylinder", "ball": "ball"},
    "put_behind": {"cube": "box", "tin": "cylinder"},
    "drop_behind": {"cube": "box", "tin": "cylinder"},
    "hold": {"cube": "box"},
    "hold_next": {"cube": "box", "tin": "cylinder"},
    "hold_front": {"cube": "box", "tin": "cylinder"},
    "hold_behind": {"cube": "box", "tin": "cylinder"},
    "hold_over": {"ball": "ball", "mug": "mug"},
    "put_onto": {"tin": "cylinder", "board": BOARD},
    "drop_onto": {"cube": "box", "board": BOARD},
    "take_out": {"ball": "ball", "bowl": BOWL},
    "lift_with": {"cube": "box", "ball": "ball"},
    "lay_side": {"tin": "cylinder"},
    "upright": {"tin": "cylinder"},
    "upside_down": {"mug": "mug"},
    "lift_end": {"plank": PLANK},
    "lift_end_drop": {"plank": PLANK},
    "roll": {"ball": "ball"},
    "spin": {"cube": "box"},
    "spin_stop": {"plank": PLANK},
    "put_surface": {"cube": "box"},
    "put_still": {"ball": "ball"},
    "move_down": {"cube": "box"},
    "drop": {"cube": "box"},
    "lift_drop": {"cube": "box"},
    "throw": {"ball": "ball"},
    "throw_surface": {"ball": "ball"},
    "throw_up": {"ball": "ball"},
    "throw_against": {"ball": "ball", "cube": "box"},
}
"""Objects of a scene for every family, in the order of its roles."""

CAPTIONS = {
    "pull_right": "pulling {a} from left to right",
    "pull_left": "pulling {a} from right to left",
    "push_any": "moving {a} across a surface without it falling down",
    "poke_move": "poking {a} so it slightly moves",
    "touch": "poking {a} so lightly that it doesn't or almost doesn't move",
    "push_off_edge": "pushing {a} so that it falls off the table",
    "push_near_edge": "pushing {a} so that it almost falls off but doesn't",
    "push_off": "pushing {a} off of {b}",
    "push_onto": "pushing {a} onto {b}",
    "pull_onto": "pulling {a} onto {b}",
    "move_away": "moving {a} away from {b}",
    "move_to_cam": "moving {a} towards the camera",
    "move_away_cam": "moving {a} away from the camera",
    "pull_from_behind": "pulling {a} from behind of {b}",
    "remove_reveal": "removing {a}, revealing {b} behind",
    "put_behind": "putting {a} behind {b}",
    "drop_behind": "dropping {a} behind {b}",
    "drop_next": "dropping {a} next to {b}",
    "drop_front": "dropping {a} in front of {b}",
    "drop_into": "dropping {a} into {b}",
    "hold": "holding {a}",
    "hold_next": "holding {a} next to {b}",
    "hold_front": "holding {a} in front of {b}",
    "hold_behind": "holding {a} behind {b}",
    "hold_over": "holding {a} over {b}",
    "put_onto": "putting {a} onto {b}",
    "drop_onto": "dropping {a} onto {b}",
    "take_out": "taking {a} out of {b}",
    "lift_with": "lifting {a} with {b} on it",
    "lay_side": "laying {a} on the table on its side, not upright",
    "upright": "putting {a} upright on the table",
    "upside_down": "turning {a} upside down",
    "lift_end": "lifting up one end of {a} without letting it drop down",
    "lift_end_drop": "lifting up one end of {a}, then letting it drop down",
    "roll": "rolling {a} on a flat surface",
    "spin": "pushing {a} so it spins",
    "spin_stop": "spinning {a} that quickly stops spinning",
    "put_surface": "putting {a} on a surface",
    "put_still": "putting {a} on a flat surface without letting it roll",
    "move_down": "moving {a} down",
    "drop": "{a} falling like a rock",
    "lift_drop": "lifting {a} up completely, then letting it drop down",
    "throw": "throwing {a}",
    "throw_surface": "throwing {a} onto a surface",
    "throw_up": "throwing {a} in the air and letting it fall",
    "throw_against": "throwing {a} against {b}",
    "lift": "lifting {a} up",
    "push_right": "pushing {a} from left to right",
    "push_left": "pushing {a} from right to left",
    "put_next": "putting {a} next to {b}",
    "put_front": "putting {a} in front of {b}",
    "move_closer": "moving {a} closer to {b}",
    "cover": "covering {b} with {a}",
    "uncover": "uncovering {b}",
    "put_into": "putting {a} into {b}",
    "throw_into": "throwing {a} into {b}",
    "tip_over": "tipping {a} over",
    "push_with": "pushing {b} with {a}",
}

TURNS = {"tip_over": 90, "lay_side": 90, "upright": 90, "upside_down": 180, "lift_end": 40}
"""Degrees about x by which the handled object is turned at one end of the clip."""

LEANS = {"lift_end_drop": 40}
"""The same on the way alone."""

HOPS = {"lift_drop": 0.2, "throw_up": 0.25, "throw": 0.15, "throw_surface": 0.15}
"""Metres by which the handled object rises on the way, beyond the straight line."""

N_FRAMES = 12


def _ends(
    family: str, height: Mapping[str, float], width: Mapping[str, float], roles: Mapping[str, str]
) -> dict:
    """First and last centre of each role's object, for a clip that does what its family says."""
    a, b = roles["a"], roles.get("b")
    side = (width[a] + width.get(b or "", 0)) / 2
    near = {a: height[a], **({b: height[b]} if b else {})}
    here, apart = (0.0, 0.0), (0.05, 0.2)
    # how far a centre rises on top of the other object, beyond where it stands on the table
    above = 2 * height[a if family == "lift_with" else b] if b else 0.0
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
        "throw_into": (apart, (0, 0, 0.02)),
        "tip_over": (here, (0.06, 0.0, -0.02)),
        "push_with": (apart, (0, side - 0.09)),
        "pull_right": ((0, 0.1), (0, -0.12)),
        "pull_left": ((0, -0.1), (0, 0.12)),
        "push_any": (here, (0.08, 0.08)),
        "poke_move": (here, (0.03, 0.02)),
        "touch": (here, here),
        "push_off_edge": (here, (0, 0.2)),
        "push_near_edge": (here, (0, 0.12)),
        "push_off": ((0, 0, above), (0, side + 0.05)),
        "push_onto": (apart, (0, 0, above)),
        "pull_onto": (apart, (0, 0, above)),
        "move_away": ((0, side + 0.02), (0, side + 0.22)),
        "move_to_cam": (here, (-0.2, 0)),
        "move_away_cam": (here, (0.2, 0)),
        "pull_from_behind": ((side + 0.02, 0), (side + 0.02, side + 0.04)),
        "remove_reveal": ((-side - 0.02, 0), (-side - 0.02, side + 0.04)),
        "put_behind": (apart, (side + 0.04, 0)),
        "drop_behind": (apart, (side + 0.04, 0)),
        "hold": (here, (0.0, 0.0, 0.18)),
        "hold_next": (apart, (0, side + 0.02, 0.1)),
        "hold_front": (apart, (-side - 0.04, 0, 0.1)),
        "hold_behind": (apart, (side + 0.04, 0, 0.1)),
        "hold_over": (apart, (0, 0, above + 0.1)),
        "put_onto": (apart, (0, 0, above)),
        "drop_onto": (apart, (0, 0, above)),
        "take_out": ((0, 0, 0.02), (0, side + 0.1, 0.1)),
        "lift_with": (here, (0, 0, 0.18)),
        "lay_side": (here, (0.06, 0.0, -0.02)),
        "upright": ((0.06, 0.0, -0.02), here),
        "upside_down": (here, here),
        "lift_end": (here, (0, 0, 0.03)),
        "lift_end_drop": (here, here),
        "roll": (here, (0, 0.2)),
        "spin": (here, here),
        "spin_stop": (here, here),
        "put_surface": ((0, 0, 0.1), (0, 0.1)),
        "put_still": ((0, 0, 0.1), (0, 0.1)),
        "move_down": ((0, 0, 0.25), here),
        "drop": ((0, 0, 0.15), here),
        "lift_drop": (here, here),
        "throw": (here, (0.2, 0)),
        "throw_surface": (here, (0.2, 0)),
        "throw_up": (here, here),
        "throw_against": (apart, (0, side + 0.02)),
    }
    others = {"push_with": (here, (0.0, -0.1)), "lift_with": ((0, 0, above), (0, 0, above + 0.18))}
    other = others.get(family, (here, here))
    ends = {}
    for name, where in zip((a, b), (moves[family], other), strict=True):
        if name:
            ends[name] = [np.array([*w[:2], near[name] + (w[2] if len(w) > 2 else 0)]) for w in where]
    return ends


def primitive_scene(
    folder: Path,
    family: str = "lift",
    roles: Mapping[str, str] | None = None,
    objects: Mapping[str, str | Solid | trimesh.Trimesh] | None = None,
    ends: Mapping[str, Sequence[Sequence[float]]] | None = None,
    turns: Mapping[str, ArrayLike] | None = None,
) -> Path:
    """Write a valid scene folder and return its scene.json.

    `objects` name the kind ("box", "cylinder", "mug", "cup", "ball") or give a `Solid` or a mesh in metres;
    the default is one box called cube. `ends` overrides an object's first and last centre (3,), metres, which
    otherwise follow from the family; `turns` the rotation (3, 3) by which it ends turned from its rest.
    """
    objects = {"cube": "box"} if objects is None else objects
    roles = dict(zip("ab", objects, strict=False)) if roles is None else dict(roles)
    solids = {name: SOLIDS[kind] if isinstance(kind, str) else kind for name, kind in objects.items()}
    files, rests = [], {}
    for name, item in solids.items():
        place = folder / "objects" / name
        place.mkdir(parents=True, exist_ok=True)
        solid, mesh = (item, item.mesh()) if isinstance(item, Solid) else (None, item)
        unit, scale = meshes.unit(mesh)
        grey = np.full((1, 1, 3), 150, np.uint8)
        meshes.paint(unit, grey, np.ones((1, 1), bool), np.eye(3), pose.transform(None, [0, 0, 5]))
        meshes.save(unit, place / "mesh.obj")
        result = collide.body(mesh, solid)
        rests[name] = collide.settle(result)
        collide.write(
            name, result, rests[name], scale, place / "collision", place / "object.urdf", place / "rest.json"
        )
    hops = {} if ends else HOPS
    ends = dict(ends or {}) or _ends(
        family,
        {name: rest.height for name, rest in rests.items()},
        {name: float(rest.size[:2].max()) for name, rest in rests.items()},
        roles,
    )
    if turns is None:
        turns = {roles["a"]: pose.rotation_about([1, 0, 0], TURNS[family])} if family in TURNS else {}
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
        turned = np.asarray(turns.get(name, np.eye(3))) @ rotation
        before, after = (turned, rotation) if family == "upright" else (rotation, turned)
        hop = np.array([0, 0, hops.get(family, 0.0)]) if name == roles["a"] else np.zeros(3)
        lean = pose.rotation_about([1, 0, 0], LEANS.get(family, 0)) @ rotation
        path = [
            pose.transform(
                lean if family in LEANS and 0 < t < 1 else before if t < 1 else after,
                first + t * (last - first) + 4 * t * (1 - t) * hop,
            )
            for t in way
        ]
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
