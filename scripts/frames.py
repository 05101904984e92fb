"""Decode a clip into frames and check its quality (paper, section 4)."""

import json
import logging
from typing import Any

from scripts.stage import Input, Output, stage
from video2policy.clip import Limits, extract
from video2policy.perceive.verdict import Rejected, Verdict

log = logging.getLogger("video2policy")


def main(
    clip: Input, frames: Output, clip_json: Output, row: dict[str, Any], settings: dict[str, Any]
) -> Verdict:
    options = dict(settings)
    limits = Limits.from_config(options.pop("quality", None) or {})
    record, complaint = extract(clip, frames, limits=limits, **options)
    record = {"video": row["video"], "caption": row["caption"], **record}
    clip_json.write_text(json.dumps(record, indent=1) + "\n")
    log.info(
        "%d frames of %dx%d at %.3g fps", record["n_frames"], record["width"], record["height"], record["fps"]
    )
    if complaint:
        raise Rejected(complaint)
    quality = record["quality"]
    better = None
    if quality["fault"]:
        better = f"the file is cut off, damaged or odd ({quality['fault']}); what decodes was used"
    elif not quality["camera_motion_measurable"]:
        better = "too few features to measure the camera's motion; it was taken as fixed"
    still = 1.0 - 0.5 * quality["camera_motion"] / limits.max_camera_motion
    return Verdict("frames", True, "PyAV decoding", round(still * (0.7 if better else 1.0), 3), better=better)


stage(main)
