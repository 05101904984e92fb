"""A mesh of unit length from the least occluded frame."""

import json
import logging
from functools import partial
from typing import Any

import numpy as np

from scripts.stage import NO_INPUTS, Input, Output, stage
from video2policy import mesh as meshes
from video2policy.clip import Frames
from video2policy.mask import load_masks, write_image
from video2policy.perceive import generated
from video2policy.perceive.backend import Backend
from video2policy.perceive.depth import View
from video2policy.perceive.ground import frame_of
from video2policy.perceive.reconstruct import overlay as draw
from video2policy.perceive.reconstruct import reconstruct
from video2policy.perceive.verdict import Verdict

log = logging.getLogger("video2policy")


def main(
    frames: Input,
    masks: list[Input],
    camera_json: Input,
    clip_json: Input,
    mesh: Output,
    mesh_json: Output,
    overlay: Output,
    obj: str,
    row: dict[str, Any],
    sides: list[float] | None = None,
    given: list[Input] = NO_INPUTS,
    backend: dict[str, Any] | None = None,
) -> Verdict:
    chosen = Backend.from_param(backend)
    names = list(row["objects"])
    loaded = {name: load_masks(path) for name, path in zip(names, masks, strict=True)}
    own, score = loaded[obj]
    others = np.zeros_like(own)
    for name, (item, _) in loaded.items():
        if name != obj:
            others |= item
    view = View.from_json(json.loads(camera_json.read_text()))
    images = Frames(frames)
    label = dict(zip(names, row["labels"], strict=True))[obj]
    roles = {name: role for role, name in row["roles"].items()}
    seen = (images, own, score, others, view.camera, view.contacts[obj], label)
    shape = dict(row["shapes"].get(obj, {}))
    reference = None
    if "frame" in shape:
        reference = frame_of(shape["frame"], json.loads(clip_json.read_text())["source_index"], label)
    if given:
        own_mesh, method = generated.given_mesh(given[0]), "the sheet's mesh"
        result = generated.reconstruct(lambda image, mask: own_mesh, *seen, reference)
    elif chosen.embedded:
        wanted = {key: shape[key] for key in ("kind", "opening") if key in shape}
        result = reconstruct(*seen, row["family"], roles.get(obj), reference, sides, **wanted)
    else:
        method = chosen.model.title
        result = generated.reconstruct(partial(chosen.module().generate, backend=chosen), *seen, reference)
    write_image(overlay, draw(images[result.frame], result, view.camera))
    meshes.save(result.mesh, mesh)
    mesh_json.write_text(json.dumps(result.to_json(), indent=1) + "\n")
    log.info("%s: %s, from frame %d", label, result.shape, result.frame)
    standing = 1.0 if result.standing else 0.6
    if given or not chosen.embedded:
        sure = round(min(result.iou, 1.0) * standing, 3)
        return Verdict("reconstruct", True, f"{method}, placed by its silhouette", sure)
    return Verdict(
        "reconstruct",
        True,
        f"{result.shape} under the known camera" if result.solid else "inflated silhouette",
        round(min(result.iou, 1.0) * standing * (1.0 if result.solid else 0.7), 3),
        better="no image-to-mesh network: its weights are in no package registry",
    )


stage(main)
