"""One mask per frame for one object."""

import json
import logging

from scripts.stage import Input, Output, stage
from video2policy.clip import Frames
from video2policy.mask import mask_sheet, save_masks, write_image
from video2policy.perceive.segment import METHOD, Prompt, segment, verdict
from video2policy.perceive.verdict import Verdict

log = logging.getLogger("video2policy")


def main(frames: Input, objects_json: Input, masks: Output, overlay: Output, obj: str) -> Verdict:
    images = list(Frames(frames))
    prompts = [Prompt.from_json(entry) for entry in json.loads(objects_json.read_text())["objects"]]
    result = segment(images, prompts, obj)
    save_masks(masks, result.masks, result.score)
    write_image(overlay, mask_sheet(images, result.masks, result.score))
    judged = verdict(obj, result, METHOD)
    seen = int(result.masks.any(axis=(1, 2)).sum())
    log.info("%s seen on %d of %d frames, score %.2f", obj, seen, len(images), judged.confidence)
    return judged


stage(main)
