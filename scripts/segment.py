"""One mask per frame for one object."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from scripts.stage import NO_INPUTS, Input, Output, stage
from video2policy.clip import Frames
from video2policy.mask import mask_sheet, save_masks, write_image
from video2policy.perceive.backend import Backend
from video2policy.perceive.given import given_masks
from video2policy.perceive.prompt import Prompt
from video2policy.perceive.segment import METHOD, Segmentation, joined, segment, verdict
from video2policy.perceive.verdict import Verdict

log = logging.getLogger("video2policy")


def main(
    frames: Input,
    clip_json: Input,
    objects_json: Input,
    masks: Output,
    overlay: Output,
    obj: str,
    given: list[Input] = NO_INPUTS,
    backend: dict[str, Any] | None = None,
) -> Verdict:
    chosen = Backend.from_param(backend)
    images = list(Frames(frames)) if chosen.embedded and not given else Frames(frames)
    clip = json.loads(clip_json.read_text())
    objects = [Prompt.from_json(entry) for entry in json.loads(objects_json.read_text())["objects"]]
    own = next(prompts for prompts in objects if prompts[0].name == obj)
    others = [prompts[0] for prompts in objects if prompts is not own]
    if given:
        drawn = given_masks(given[0], clip)
        score = np.asarray(drawn.any(axis=(1, 2)), np.float32)
        result, method = Segmentation(drawn, score), "masks of the sheet"
    else:
        follow: Callable[..., Segmentation] = segment
        method = METHOD
        if not chosen.embedded:
            follow, method = partial(chosen.module().segment, backend=chosen), chosen.model.title
        found = [follow(images, [prompt, *others], obj) for prompt in own]
        result = joined(found, [prompt.frame for prompt in own])
    save_masks(masks, result.masks, result.score)
    write_image(overlay, mask_sheet(images, result.masks, result.score))
    judged = verdict(obj, result, method, clip["source_index"])
    judged = judged if method == METHOD else replace(judged, better=None)
    seen = int(result.masks.any(axis=(1, 2)).sum())
    log.info("%s seen on %d of %d frames, score %.2f", obj, seen, len(images), judged.confidence)
    return judged


stage(main)
