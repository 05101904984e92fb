"""Hand landmarks in every frame, in pixels and metres."""

import json
import logging

from scripts.stage import Input, Output, stage
from video2policy.camera import intrinsics
from video2policy.clip import Frames
from video2policy.perceive import hand
from video2policy.perceive.mediapipe_hands import METHOD, find_hands
from video2policy.perceive.verdict import Verdict

log = logging.getLogger("video2policy")


def main(frames: Input, clip_json: Input, hands_json: Output) -> Verdict:
    clip = json.loads(clip_json.read_text())
    images = Frames(frames)
    found = find_hands(images)
    K, *_ = intrinsics(clip["width"], clip["height"], lens=clip.get("lens"))
    record = hand.to_json(found, K, METHOD)
    hands_json.write_text(json.dumps(record) + "\n")
    verdict = hand.verdict(record)
    log.info(
        "hands in %d of %d frames%s",
        sum(map(bool, found)),
        len(found),
        f"; {verdict.better}" if verdict.better else "",
    )
    return verdict


stage(main)
