"""The object's 6D pose in every frame."""

import json
import logging
from typing import Any

import numpy as np

from scripts.stage import Input, Output, stage
from video2policy import mesh as meshes
from video2policy.clip import Frames
from video2policy.mask import load_masks, write_image
from video2policy.perceive.backend import Backend
from video2policy.perceive.depth import DepthImages, View
from video2policy.perceive.track import complaint, metric_poses, track
from video2policy.perceive.track import overlay as draw
from video2policy.perceive.verdict import Rejected, Verdict

log = logging.getLogger("video2policy")


def main(
    frames: Input,
    masks: list[Input],
    camera_json: Input,
    depth: Input,
    mesh: Input,
    mesh_json: Input,
    size_json: Input,
    poses_json: Output,
    overlay: Output,
    obj: str,
    row: dict[str, Any],
    backend: dict[str, Any] | None = None,
) -> Verdict:
    chosen = Backend.from_param(backend)
    names = list(row["objects"])
    loaded = {name: load_masks(path)[0] for name, path in zip(names, masks, strict=True)}
    others = np.zeros_like(loaded[obj])
    for name, item in loaded.items():
        if name != obj:
            others |= item
    view = View.from_json(json.loads(camera_json.read_text()))
    record, size = json.loads(mesh_json.read_text()), json.loads(size_json.read_text())
    images = Frames(frames)
    camera = view.camera.scaled(float(size["depth_scale"]))
    shape = meshes.load(mesh)
    seen = (images, loaded[obj], others, camera, view.contacts[obj], shape, record, size["depth_scale"])
    if chosen.embedded:
        result = track(*seen)
    else:
        result = chosen.module().track(*seen, DepthImages(depth, size["depth_scale"]), chosen)
    write_image(overlay, draw(images, result, camera, 0.7 * float(max(size["size"]))))
    poses = metric_poses(result, shape, camera, record["extent"] * size["depth_scale"], size["scale"])
    poses_json.write_text(json.dumps(poses, indent=1) + "\n")
    reason = complaint(result, loaded[obj])
    if reason:
        raise Rejected(f"{obj}: {reason}")
    sure = [c for c, p in zip(result.confidence, result.camera_from_object, strict=True) if p is not None]
    log.info("%s: a pose in %d of %d frames", obj, len(sure), len(result.confidence))
    return Verdict(
        "track",
        True,
        result.method,
        round(float(np.mean(sure)), 3),
        better="no pose network: its weights are in no package registry" if chosen.embedded else None,
    )


stage(main)
