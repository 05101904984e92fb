"""Sizes of objects beside the true ones (paper, table 6)."""

import json
from typing import Any

import numpy as np

from scripts.stage import Input, Output, stage
from video2policy.evaluate.perception import (
    box_sides,
    first_refusals,
    paper_size_lines,
    size_line,
    truth_beside,
    write_table,
)
from video2policy.mesh import load

NOTES = (
    "Sides of the smallest box around the mesh, in metres, longest first. The method `given` takes the size",
    "from the sheet: there only the proportions are measured.",
)


def main(
    sizes: list[Input],
    meshes: list[Input],
    verdicts: list[Input],
    truths: list[Input],
    table: Output,
    markdown: Output,
    rows: dict[str, Any],
) -> None:
    """Write table 6 as CSV and as Markdown."""
    refused = first_refusals(verdicts)
    lines = paper_size_lines()
    for path, mesh in zip(sizes, meshes, strict=True):
        video, name = path.parts[-4], path.parts[-2]
        truth = truth_beside(rows[video]["clip"], truths)
        reason = "no truth beside the clip" if truth is None else refused.get(video)
        if truth is not None and not reason:
            with np.load(truth) as data:
                true = data.get(f"vertices_{name}")
            if true is not None:
                size = json.loads(path.read_text())
                mine = box_sides(load(mesh).vertices) * size["scale"]
                lines.append(size_line(video, name, size["method"], mine, box_sides(true)))
                continue
            reason = "the truth has no object of this name"
        lines.append(
            {key: {"clip": video, "object": name, "reason": reason}.get(key, "") for key in lines[0]}
        )
    write_table(lines, NOTES, table, markdown)


stage(main)
