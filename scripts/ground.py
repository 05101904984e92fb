"""Find each named object on one frame: the sheet's boxes and points, else by name."""

import json
import logging
from typing import Any

from scripts.stage import NO_INPUTS, Failed, Input, Output, stage
from video2policy.clip import Frames
from video2policy.mask import write_image
from video2policy.perceive.backend import Backend
from video2policy.perceive.coco import Detector, WrongFiles
from video2policy.perceive.given import box_of, given_masks
from video2policy.perceive.ground import draw_groundings, ground
from video2policy.perceive.verdict import Verdict

log = logging.getLogger("video2policy")


def main(
    frames: Input,
    clip_json: Input,
    objects_json: Output,
    overlay: Output,
    row: dict[str, Any],
    weights: list[Input] = NO_INPUTS,
    given: list[Input] = NO_INPUTS,
    backend: dict[str, Any] | None = None,
) -> Verdict:
    method = Backend.from_param(backend)
    proposer = None if method.embedded else method.module().proposer(method)
    images = Frames(frames)
    write_image(overlay, images[0])  # what there was to look at, should an object not be found
    clip = json.loads(clip_json.read_text())
    for name, path in zip(row["masks"], given, strict=True):
        if name not in row["boxes"]:
            row["boxes"][name] = box_of(given_masks(path, clip), clip, name)
    unplaced = set(row["objects"]) - {*row["boxes"], *row["points"]}
    try:
        detector = Detector.load(weights[0].parent) if weights and unplaced else None
    except WrongFiles as wrong:
        raise Failed(str(wrong)) from None
    groundings, verdict = ground(images, clip, row, proposer, detector)
    objects_json.write_text(json.dumps({"objects": [g.to_json() for g in groundings]}, indent=1) + "\n")
    write_image(overlay, draw_groundings(images, groundings))
    for g in groundings:
        log.info("%s found by %s (%.2f)", g.label, g.method, g.score)
    return verdict


stage(main)
