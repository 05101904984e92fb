"""How sure each stage must be: `python -m bench.fit_gates RESULTS TRUTH [RESULTS TRUTH ...]`.

RESULTS and TRUTH are as for `bench.perception`, which says what is right. For every stage the threshold on
its verdict's confidence is printed under which fewest objects are judged wrongly, and how many those are;
objects that the stage refused for another reason are left out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.perception import RIGHT_CHAMFER, RIGHT_ENDS, RIGHT_J, RIGHT_SIZE, Row, measure

STAGES: Mapping[str, tuple[str, Callable[[Row], float]]] = {
    # stage: (its verdict's path, how far from right it is: above 1 is wrong)
    "segment": ("masks/{}.verdict.json", lambda row: (1 - row.j) / (1 - RIGHT_J)),
    "reconstruct": ("objects/{}/reconstruct.verdict.json", lambda row: row.chamfer / RIGHT_CHAMFER),
    "scale": ("objects/{}/scale.verdict.json", lambda row: row.longest / RIGHT_SIZE),
    "track": ("objects/{}/track.verdict.json", lambda row: row.ends / RIGHT_ENDS),
}


@dataclass(frozen=True)
class Case:
    """An object at a stage: how sure it was, and whether it was right."""

    name: str
    sure: float
    right: bool


def cases(results: Path, rows: list[Row], stage: str) -> Iterator[Case]:
    """The objects that the stage did not refuse, where the truth tells whether it was right."""
    pattern, error = STAGES[stage]
    for row in rows:
        verdict = json.loads((results / "videos" / row.video / pattern.format(row.obj)).read_text())
        value = error(row)
        if verdict["passed"] and np.isfinite(value):
            yield Case(f"{row.video}/{row.obj}", float(verdict["confidence"]), value <= 1)


def threshold(found: list[Case]) -> tuple[float, int, int]:
    """Confidence from which a stage is best believed, and how many are then wrongly passed and refused.

    In the middle between two neighbours; 0 where no threshold is better than none.
    """
    sure = np.array([case.sure for case in found])
    right = np.array([case.right for case in found])
    steps = np.unique(sure)
    options = [0.0, *((steps[1:] + steps[:-1]) / 2)]
    counts = [(int((~right & (sure >= t)).sum()), int((right & (sure < t)).sum())) for t in options]
    best = int(np.argmin([sum(count) for count in counts]))
    return float(options[best]), *counts[best]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", metavar="RESULTS TRUTH")
    folders = parser.parse_args().folders
    if len(folders) % 2:
        parser.error("name a folder of results and one of truth, in pairs")
    measured = [
        (results, [row for path in sorted(truth.glob("*.npz")) for row in measure(results, path)])
        for results, truth in zip(folders[::2], folders[1::2], strict=True)
    ]
    print("| stage | objects | wrong | least confidence | wrong, passed | right, refused |")
    print("|---|---|---|---|---|---|")
    for stage in STAGES:
        found = [case for results, rows in measured for case in cases(results, rows, stage)]
        if not found:
            continue
        least, passed, refused = threshold(found)
        wrong = sum(not case.right for case in found)
        print(f"| {stage} | {len(found)} | {wrong} | {least:.2f} | {passed} | {refused} |")
        for case in sorted(found, key=lambda case: case.sure):
            if case.right == (case.sure < least):
                print(f"  {'refused' if case.right else 'passed'}: {case.name} {case.sure:.2f}")


if __name__ == "__main__":
    main()
