"""How many objects are found by name alone: `python -m bench.grounding SHEET [--truth FOLDER]`.

SHEET is a sample sheet of clips; FOLDER (`truth` beside the sheet) has `{video}.npz` with the objects' true
masks, as `video2policy.demo` writes them. Boxes and points of the sheet are hidden from the method; where a
clip has no truth, its boxes are what is compared with. An object is found when its box and the true box in
the same frame share at least half of their union. Each clip is done twice, with and without the detector.
"""

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from video2policy.clip import Source
from video2policy.demo import true_masks
from video2policy.mask import bounding_box, box_iou, write_image
from video2policy.perceive.coco import FOLDER, Detector, NoDetector
from video2policy.perceive.ground import draw_groundings, ground
from video2policy.perceive.verdict import Rejected
from video2policy.sheet import Row, read_sheet

Image = NDArray[np.uint8]
FOUND = 0.5
LONG_SIDE = 1024
"""Clips are scaled down to this side, as the workflow does."""


def read(clip: Path) -> tuple[list[Image], dict[str, Any]]:
    """A clip's frames and record, as the frames stage gives them."""
    import cv2

    images = [frame.image for frame in Source.open(clip)]
    height, width = images[0].shape[:2]
    scale = min(1.0, LONG_SIDE / max(height, width))
    if scale < 1:
        images = [
            np.asarray(cv2.resize(i, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
            for i in images
        ]
    record = {
        "source_width": width,
        "source_height": height,
        "scale": scale,
        "source_index": list(range(len(images))),
    }
    return images, record


@lru_cache(maxsize=4)
def masks(path: Path, name: str) -> NDArray[np.bool_]:
    """An object's true masks (n, H, W)."""
    with np.load(path) as data:
        return true_masks(data, name)


def true_box(row: Row, truth: Path, name: str, frame: int, scale: float) -> Sequence[float] | None:
    """The object's true box in frame pixels; None if it is not visible there."""
    path = truth / f"{row.video}.npz"
    if path.is_file():
        box = bounding_box(masks(path, name)[frame])
        return box and [v * scale for v in box]
    if name in row.boxes:
        return [v * scale for v in row.boxes[name]["box"]]
    raise SystemExit(f"{row.video}: there is no {path}, and the sheet has no box for {name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sheet", type=Path)
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--overlays", type=Path, help="folder for a picture of each clip's boxes")
    parser.add_argument("--ids", nargs="*", default=[], help="only these clips")
    parser.add_argument("--every", type=int, default=1, help="only each n-th clip")
    parser.add_argument("--only", choices=("with", "without"), help="do not run the other")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    truth = arguments.truth or arguments.sheet.parent / "truth"
    detectors: dict[str, Detector | None] = {"with": None, "without": None}
    try:
        detectors["with"] = Detector.load(FOLDER)
    except NoDetector as missing:
        print(f"{missing}; measuring without it")
        del detectors["with"]
    if arguments.only:
        detectors = {arguments.only: detectors[arguments.only]}
    results: dict[str, list[tuple[str, str, float, float]]] = defaultdict(list)
    seconds: dict[str, list[float]] = defaultdict(list)
    for row in read_sheet(arguments.sheet, ids=arguments.ids)[:: arguments.every]:
        images, record = read(row.clip)
        blind = row.to_dict() | {"boxes": {}, "points": {}}
        for name, detector in detectors.items():
            started = time.process_time()
            try:
                groundings, _ = ground(images, record, blind, detector=detector)
            except Rejected as rejected:
                groundings = []
                results[name] += [(f"{row.video}/{o}", "refused", 0.0, 0.0) for o in row.objects]
                if arguments.verbose:
                    print(f"{name:8}{row.video}: {rejected}")
            seconds[name].append(time.process_time() - started)
            for g in groundings:
                box = true_box(row, truth, g.name, g.frame, record["scale"])
                value = box_iou(g.box, box) if box else 0.0
                results[name].append((f"{row.video}/{g.name}", g.method, value, g.score))
                if arguments.verbose:
                    print(
                        f"{name:8}{row.video}/{g.name}: IoU {value:.2f} score {g.score:.2f} frame {g.frame} "
                        f"by {g.method}",
                        flush=True,
                    )
            if arguments.overlays and groundings:
                arguments.overlays.mkdir(parents=True, exist_ok=True)
                picture = draw_groundings(images, groundings)
                write_image(arguments.overlays / f"{row.video}-{name}.png", picture)
    for name, rows in results.items():
        print(
            f"\n{name} the detector: {len(rows)} objects, "
            f"median {statistics.median(seconds[name]):.1f} CPU s a clip"
        )
        print(f"| evidence | objects | IoU >= {FOUND} | mean IoU |\n|---|---|---|---|")
        for method in ["all", *sorted({r[1] for r in rows})]:
            values = [r[2] for r in rows if method in ("all", r[1])]
            right = sum(v >= FOUND for v in values)
            print(f"| {method} | {len(values)} | {right / len(values):.2f} | {statistics.mean(values):.2f} |")
        for right in (True, False):
            scores = [r[3] for r in rows if (r[2] >= FOUND) == right]
            if scores:
                which = "right" if right else "wrong"
                print(f"score of the {which} ones: median {statistics.median(scores):.2f}")


if __name__ == "__main__":
    main()
