"""Intrinsics, the camera's orientation over the table, and a depth image for every frame."""

import json
import logging
from typing import Any

from scripts.stage import Input, Output, stage
from video2policy.clip import Frames
from video2policy.mask import load_masks
from video2policy.perceive.backend import Backend
from video2policy.perceive.depth import depth_images, find_view, save_depth
from video2policy.perceive.metric import MetricDepth
from video2policy.perceive.verdict import Verdict

log = logging.getLogger("video2policy")


def main(
    frames: Input,
    clip_json: Input,
    masks: list[Input],
    camera_json: Output,
    depth: Output,
    row: dict[str, Any],
    backend: dict[str, Any] | None = None,
) -> Verdict:
    chosen = Backend.from_param(backend)
    clip = json.loads(clip_json.read_text())
    names = list(row["objects"])
    loaded = {name: load_masks(path)[0] for name, path in zip(names, masks, strict=True)}
    given, scale, lens = row["camera"] or {}, float(clip["scale"]), clip.get("lens")
    pictures = Frames(frames)
    if chosen.embedded:
        labels = dict(zip(names, row["labels"], strict=True))
        view = find_view(pictures, loaded, labels, given, scale, lens)
        images = iter(depth_images(view, loaded, pictures, labels))
    else:
        metric = MetricDepth(chosen.module().network(chosen), pictures, loaded, given, scale, lens)
        view, images = metric.view(), metric.images()
    camera_json.write_text(json.dumps(view.to_json(), indent=1) + "\n")
    depth.mkdir(exist_ok=True)
    for index, image in enumerate(images):
        save_depth(depth / f"{index:06d}.npz", image)
    log.info("camera: %.0f degrees wide, %.0f degrees down", view.camera.fov, view.camera.pitch)
    return Verdict(
        "depth",
        True,
        view.method,
        view.confidence,
        better="no depth network: its weights are in no package registry" if chosen.embedded else None,
    )


stage(main)
