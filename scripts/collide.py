"""Convex pieces, mass, inertia, resting pose and URDF."""

import json
import logging
from typing import Any

from scripts.stage import Input, Output, stage
from video2policy import mesh as meshes
from video2policy.perceive import collide
from video2policy.perceive.reconstruct import solid_from_json
from video2policy.perceive.verdict import Verdict

log = logging.getLogger("video2policy")


def main(
    mesh: Input,
    mesh_json: Input,
    size_json: Input,
    collision: Output,
    urdf: Output,
    rest_json: Output,
    obj: str,
    row: dict[str, Any],
) -> Verdict:
    scale = float(json.loads(size_json.read_text())["scale"])
    solid = solid_from_json(json.loads(mesh_json.read_text()))
    shape = meshes.load(mesh)
    shape.apply_scale(scale)
    mass = row["shapes"].get(obj, {}).get("mass")
    body = collide.body(shape, solid.scaled(scale) if solid is not None else None, mass)
    rest = collide.settle(body)
    collide.write(obj, body, rest, scale, collision, urdf, rest_json)
    log.info("%s: %d convex pieces, %.0f g", obj, len(body.pieces), 1000 * body.inertial.mass)
    pieces = "pieces of a standing solid" if solid is not None else "CoACD"
    weight = "given mass" if mass else "mass from a usual density"
    return Verdict("collide", True, f"{pieces}; {weight}", 0.9 if solid is not None else 0.7)


stage(main)
