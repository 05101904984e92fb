"""Sizes of objects beside the true ones (paper, table 6)."""

import json
from typing import Any

import numpy as np

from scripts.stage import Input, Output, stage
from video2policy.evaluate.perception import (
    first_refusals,
    paper_size_lines,
    size_line,
    truth_beside,
    write_table,
)

NOTES = (
    "Sides in metres, longest first. The method `given` takes the size from the sheet: it is no measurement.",
)


def main(
    sizes: list[Input],
    verdicts: list[Input],
    truths: list[Input],
    table: Output,
    markdown: Output,
    rows: dict[str, Any],
) -> None:
    """Write table 6 as CSV and as Markdown."""
    refused = first_refusals(verdicts)
    lines = paper_size_lines()
    by_object = {(path.parts[-4], path.parts[-2]): path for path in sizes}
    for (video, name), path in by_object.items():
        truth = truth_beside(rows[video]["clip"], truths)
        reason = "no truth beside the clip" if truth is None else refused.get(video)
        if truth is not None and not reason:
            with np.load(truth) as data:
                true = data.get(f"size_{name}")
            if true is not None:
                lines.append(size_line(video, name, json.loads(path.read_text()), true))
                continue
            reason = "the truth has no object of this name"
        lines.append(
            {key: {"clip": video, "object": name, "reason": reason}.get(key, "") for key in lines[0]}
        )
    write_table(lines, NOTES, table, markdown)


stage(main)
