"""The share of pixels whose depth is within a tenth of the truth (paper, table 5)."""

import json
from typing import Any

import numpy as np

from scripts.stage import Input, Output, stage
from video2policy.demo import true_masks
from video2policy.evaluate.perception import PAPER_D1, depth_line, first_refusals, truth_beside, write_table
from video2policy.perceive.depth import DepthImages

NOTES = (
    "d1: share of pixels whose relative depth error is at most .1, over all frames (the formula in the paper",
    "counts those above .1, against its own words). The paper's line is UniDepth on a clip of its own.",
)


def main(
    clip_jsons: list[Input],
    depths: list[Input],
    sizes: list[Input],
    verdicts: list[Input],
    truths: list[Input],
    table: Output,
    markdown: Output,
    rows: dict[str, Any],
) -> None:
    """Write table 5 as CSV and as Markdown."""
    refused = first_refusals(verdicts)
    lines = [{"clip": "paper: Sliding", **PAPER_D1, "reason": ""}]
    size_of = {path.parts[-4]: path for path in sizes}
    for video, clip_json, depth in zip(rows, clip_jsons, depths, strict=True):
        truth = truth_beside(rows[video]["clip"], truths)
        reason = "no truth beside the clip" if truth is None else refused.get(video)
        if truth is None or reason:
            lines.append({"clip": video, **dict.fromkeys(PAPER_D1), "reason": reason})
            continue
        source = json.loads(clip_json.read_text())["source_index"]
        images = DepthImages(depth, float(json.loads(size_of[video].read_text())["depth_scale"]))
        with np.load(truth) as data:
            known = dict(data)
        masks = {name: true_masks(known, name) for name in known["names"].tolist()}
        lines.append(
            depth_line(video, (images[i] for i in range(len(source))), known["depth"], masks, source)
        )
    write_table(lines, NOTES, table, markdown)


stage(main)
