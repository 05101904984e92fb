"""How good perception was on clips: the paper's tables 4, 5 and 6, its figures beside ours.

The paper's formula of d1 counts pixels whose relative error is *above* .1, against its "higher is better";
here d1 is the share of pixels whose relative error is at most .1.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import trimesh
from numpy.typing import ArrayLike, NDArray

from video2policy.files import truth_files
from video2policy.mask import bounding_box
from video2policy.perceive.verdict import Verdict

Masks = NDArray[np.bool_]

PAPER_FAILURES = {
    "ground": ("Grounding DINO", 0.60),
    "segment": ("SAM-2", 0.15),
    "reconstruct": ("InstantMesh", 0.35),
    "track": ("FoundationPose", 0.55),
}
"""Table 4: the paper's model for a stage and its failure rate over 20 samples of SSv2."""

STAGES = ("frames", "ground", "segment", "depth", "reconstruct", "scale", "track", "collide", "caption")

PAPER_D1 = {"full frame": 0.673, "centre crop": 0.869, "object box": 0.934}
"""Table 5: UniDepth on the paper's own clip "Sliding"."""

PAPER_SIZES = {
    "remote control": ((0.18, 0.04, 0.02), (0.21, 0.05, 0.02)),
    "mouse": ((0.17, 0.10, 0.05), (0.19, 0.08, 0.03)),
}
"""Table 6: predicted and true length, width and height in metres, on the same clip."""

WITHIN = 0.1
"""Largest relative error of a pixel that counts as right."""

CROP = 0.8
"""Share of each side that the centre crop keeps."""


def gate_of(path: Path) -> tuple[str, str]:
    """(video, stage) of a verdict's file in results/videos/."""
    parts = path.parts
    video = parts[len(parts) - 1 - parts[::-1].index("videos") + 1]
    return video, "segment" if path.parent.name == "masks" else path.name.removesuffix(".verdict.json")


def first_refusals(paths: Sequence[Path]) -> dict[str, str]:
    """Why clips were refused, by video, from the files of all verdicts."""
    found: dict[str, str] = {}
    for path in paths:
        verdict = Verdict.from_json(json.loads(path.read_text()))
        if not verdict.passed:
            found.setdefault(gate_of(path)[0], f"refused: {verdict.reason}")
    return found


def truth_beside(clip: str, truths: Sequence[Path]) -> Path | None:
    """The truth of a clip, as `files.truth_files` says where it may lie."""
    return next((path for path in truths if path in truth_files(Path(clip))), None)


def failures(verdicts: Sequence[tuple[str, str, Verdict]]) -> list[dict[str, Any]]:
    """Lines of table 4 from (video, stage, verdict) of every gate.

    A gate was reached where its verdict is its own; behind a refusal the verdicts repeat that of the gate
    that refused. The last line is the yield: the share of clips that no gate refused.
    """
    lines = []
    for stage in STAGES:
        reached = [v for _, s, v in verdicts if s == stage and v.stage == stage]
        refused = [v for v in reached if not v.passed]
        model, paper = PAPER_FAILURES.get(stage, ("", None))
        lines.append(
            {
                "stage": stage,
                "paper_model": model,
                "paper_failure_rate": paper,
                "methods": ", ".join(dict.fromkeys(v.method for v in reached if v.method)),
                "reached": len(reached),
                "refused": len(refused),
                "refusal_rate": round(len(refused) / len(reached), 3) if reached else None,
                "reasons": "; ".join(dict.fromkeys(v.reason or "" for v in refused)),
            }
        )
    clips = {video for video, _, _ in verdicts}
    lost = {video for video, _, v in verdicts if not v.passed}
    through = float(np.prod([1 - rate for _, rate in PAPER_FAILURES.values()]))
    lines.append(
        {
            "stage": "all",
            "paper_model": "all four, were they independent",
            "paper_failure_rate": round(1 - through, 3),
            "methods": "",
            "reached": len(clips),
            "refused": len(lost),
            "refusal_rate": round(len(lost) / len(clips), 3) if clips else None,
            "reasons": "",
        }
    )
    return lines


def d1(predicted: ArrayLike, true: ArrayLike, where: ArrayLike) -> tuple[int, int]:
    """(right, counted): pixels of `where` with a true depth, and those whose relative error is at most .1."""
    guess, real = np.asarray(predicted, dtype=float), np.asarray(true, dtype=float)
    counted = np.asarray(where, dtype=bool) & np.isfinite(real) & (real > 0)
    error = np.abs(guess[counted] - real[counted]) / real[counted]
    return int(np.count_nonzero(error <= WITHIN)), int(np.count_nonzero(counted))


def regions(shape: tuple[int, int], boxes: Sequence[tuple[int, int, int, int]]) -> dict[str, Masks]:
    """Pixels (H, W) of the three columns of table 5: all, the centre, and the boxes of objects."""
    height, width = shape
    centre, objects = np.zeros(shape, bool), np.zeros(shape, bool)
    top, left = round(height * (1 - CROP) / 2), round(width * (1 - CROP) / 2)
    centre[top : height - top, left : width - left] = True
    for x0, y0, x1, y1 in boxes:
        objects[y0:y1, x0:x1] = True
    return {"full frame": np.ones(shape, bool), "centre crop": centre, "object box": objects}


def resized(image: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """An image (H, W) at another size, nearest pixels."""
    if image.shape == shape:
        return image
    return np.asarray(cv2.resize(image, shape[::-1], interpolation=cv2.INTER_NEAREST))


def depth_line(
    video: str,
    depths: Iterable[NDArray[Any]],
    true: NDArray[Any],
    masks: Mapping[str, Masks],
    source: Sequence[int],
) -> dict[str, Any]:
    """The line of table 5 for one clip.

    `depths` are the metric images (H, W) of its frames; `true` (m, H', W') and the objects' true `masks` are
    those of the source clip, of which frame i is number `source[i]`.
    """
    right = dict.fromkeys(PAPER_D1, 0)
    counted = dict.fromkeys(PAPER_D1, 0)
    for depth, number in zip(depths, source, strict=True):
        real = resized(true[number].astype(np.float32), depth.shape)
        seen = [resized(item[number].astype(np.uint8), depth.shape) > 0 for item in masks.values()]
        boxes = [box for item in seen if (box := bounding_box(item)) is not None]
        for name, where in regions(depth.shape, boxes).items():
            good, total = d1(depth, real, where)
            right[name] += good
            counted[name] += total
    values = {name: round(right[name] / counted[name], 4) if counted[name] else None for name in PAPER_D1}
    return {"clip": video, **values, "reason": ""}


def box_sides(points: ArrayLike) -> NDArray[np.float64]:
    """Sides of the smallest box around points (n, 3), longest first: however the object is turned."""
    return np.sort(np.asarray(trimesh.bounds.oriented_bounds(np.asarray(points, dtype=float))[1]))[::-1]


def size_line(video: str, name: str, method: str, mine: ArrayLike, real: ArrayLike) -> dict[str, Any]:
    """The line of table 6 for one object: predicted and true sides (3,) in metres, longest first."""
    return {
        "clip": video,
        "object": name,
        "method": method,
        "predicted": sides(mine),
        "true": sides(real),
        "delta": sides(np.abs(np.subtract(mine, real))),
        "reason": "",
    }


def sides(values: ArrayLike) -> str:
    """Three lengths in metres: "0.18 x 0.04 x 0.02"."""
    return " x ".join(f"{v:.3f}" for v in np.asarray(values, dtype=float))


def paper_size_lines() -> list[dict[str, Any]]:
    """The paper's own lines of table 6."""
    return [
        size_line("paper: Sliding", name, "UniDepth", mine, real)
        for name, (mine, real) in PAPER_SIZES.items()
    ]


def write_table(
    lines: Sequence[Mapping[str, Any]], notes: Sequence[str], table: Path, markdown: Path
) -> None:
    """Write lines of equal keys as CSV and as Markdown, the latter with notes below; None is empty."""
    columns = list(lines[0])
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(lines)
    rows = [
        "| " + " | ".join("" if line[c] is None else str(line[c]).replace("|", "/") for c in columns) + " |"
        for line in lines
    ]
    head = ["| " + " | ".join(c.replace("_", " ") for c in columns) + " |", "|" + "---|" * len(columns)]
    markdown.write_text("\n".join([*head, *rows, "", *notes]) + "\n")
