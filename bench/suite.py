"""Render the suite: clips of the paper's 12 tasks with exact truth, and a sample sheet of them.

    python -m bench.suite OUT --variants 10 --jobs 2
    python -m bench.suite OUT --families lift --variants 100 --seeds-from 1000 --with sizes boxes camera

Seeds below 1000 are for tuning, those from 1000 on are held out for reported figures. What is complete in
OUT is
kept, so that a stopped run goes on where it stopped. docs/suite.md says what the files hold.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from video2policy.families import find_template
from video2policy.files import written

EXTRAS = ("sizes", "boxes", "camera")
HELD_OUT = 1000
"""Seeds from here on are held out; as in `video2policy.rendered.suite`, which is imported late for the
workers."""
COLUMNS = ("video", "clip", "caption", "objects", "template", "split")


def make(out: Path, family: str, seed: int, size: tuple[int, int], fps: int) -> str | None:
    """Render one clip with its truth and row below ``out``; its id, or None where it was there already."""
    from video2policy.rendered import suite

    video = f"{family}_{seed:04d}"
    row_path = out / "rows" / f"{video}.json"
    if row_path.exists():
        return None
    take = suite.draw(family, seed, size, fps)
    clip, truth = out / "clips" / f"{video}{take.suffix}", out / "truth" / f"{video}.npz"
    for path in (row_path, clip, truth):
        path.parent.mkdir(parents=True, exist_ok=True)
    with (  # the row gets its name last: it says that the others are complete
        written(row_path, shared=True) as row_part,
        written(clip, shared=True) as clip_part,
        written(truth, shared=True) as truth_part,
    ):
        suite.render(take, clip_part, truth_part)
        row_part.write_text(json.dumps(describe(take, truth_part), indent=1))
    return video


def describe(take: Any, truth_path: Path) -> dict[str, Any]:
    """A sheet row of a take, with all that the extra columns may say."""
    import numpy as np

    from video2policy.demo import true_masks
    from video2policy.mask import bounding_box
    from video2policy.rendered.suite import identifier

    with np.load(truth_path) as data:
        truth = dict(data)
    boxes, sizes = {}, {}
    for label in take.labels:
        name = identifier(label)
        masks = true_masks(truth, name)
        # Where it is first seen well, or at all: a covered object is not there in the first frame.
        seen = truth[f"visible_{name}"]
        frame = int(np.argmax(seen > 0.9)) if (seen > 0.9).any() else int(np.argmax(seen))
        box = bounding_box(masks[frame])
        if box is not None:
            boxes[label] = {"frame": frame, "box": [int(v) for v in box]}
        sizes[label] = [round(float(v), 5) for v in truth[f"dimensions_{name}"]]
    return {
        "video": take.video,
        "clip": f"clips/{take.video}{take.suffix}",
        "caption": take.caption,
        "objects": ";".join(take.labels),
        "template": take.template,
        "split": "test" if take.seed >= HELD_OUT else "train",
        "boxes": boxes,
        "sizes": sizes,
        "camera": {"fov": round(take.lens.fov, 3), "pitch": round(take.lens.pitch, 3)},
    }


def write_sheets(
    out: Path, extras: Sequence[str], splits: Mapping[str, str] | None = None
) -> tuple[int, int]:
    """Write videos.tsv, and refused.tsv with what this version's author has no tasks for; their numbers of
    rows. `splits`: the clips that go in, each with its split; all of them with the suite's own without."""
    rows = [json.loads(path.read_text()) for path in sorted((out / "rows").glob("*.json"))]
    if splits is not None:
        rows = [row | {"split": splits[row["video"]]} for row in rows if row["video"] in splits]
    counts = []
    for name, wanted in (("videos.tsv", False), ("refused.tsv", True)):
        chosen = [row for row in rows if _is_refused(row) == wanted]
        counts.append(len(chosen))
        lines = ["\t".join((*COLUMNS, *extras))]
        for row in chosen:
            cells = [row[column] for column in COLUMNS]
            lines.append("\t".join(cells + [json.dumps(row[column]) for column in extras]))
        temporary = out / f".{name}"
        temporary.write_text("\n".join(lines) + "\n")
        temporary.replace(out / name)
    return counts[0], counts[1]


def _is_refused(row: dict[str, Any]) -> bool:
    if not row["template"]:  # the caption tells the family
        return False
    template = find_template(row["template"])
    return template is None or template.refusal is not None


def _job(arguments: tuple[Path, str, int, tuple[int, int], int]) -> tuple[str, str | None, float, str]:
    start = time.perf_counter()
    name = f"{arguments[1]}_{arguments[2]:04d}"
    try:
        made = make(*arguments)
    except RuntimeError as error:
        return name, None, time.perf_counter() - start, str(error)
    return name, made, time.perf_counter() - start, ""


def run(
    out: Path, families: Iterable[str], seeds: Iterable[int], size: tuple[int, int], fps: int, jobs: int
) -> list[str]:
    """Render all clips that are not there yet, over ``jobs`` processes; what could not be drawn."""
    work = [(out, family, seed, size, fps) for seed in seeds for family in families]
    begin, failed = time.perf_counter(), []
    os.environ["LP_NUM_THREADS"] = "1"  # a software renderer's threads; one process per core is quicker
    os.environ.setdefault("MUJOCO_GL", "egl")
    with multiprocessing.get_context("spawn").Pool(jobs, maxtasksperchild=12) as pool:
        for number, (name, made, seconds, error) in enumerate(pool.imap_unordered(_job, work), 1):
            state = error or (f"{seconds:.1f} s" if made else "there already")
            if error:
                failed.append(error)
            passed = time.perf_counter() - begin
            left = passed / number * (len(work) - number)
            print(f"[{number}/{len(work)}] {name}: {state}; {passed:.0f} s, {left:.0f} s left", flush=True)
    return failed


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and min(int(width), int(height)) >= 16):
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 427x240")
    return int(width), int(height)


def main(arguments: Sequence[str] | None = None) -> int:
    from video2policy.rendered.suite import FAMILIES

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--variants", type=int, default=10, help="clips per family")
    parser.add_argument("--seeds-from", type=int, default=0, help=f"first seed; from {HELD_OUT} on: held out")
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES), metavar="FAMILY")
    parser.add_argument("--size", type=_size, default=(427, 240))
    parser.add_argument("--fps", type=int, default=12)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--with", dest="extras", nargs="+", choices=EXTRAS, default=[])
    chosen = parser.parse_args(arguments)
    if chosen.variants < 1 or chosen.jobs < 1 or chosen.fps < 1:
        parser.error("--variants, --jobs and --fps must be at least 1")
    seeds = range(chosen.seeds_from, chosen.seeds_from + chosen.variants)
    failed = run(chosen.out, chosen.families, seeds, chosen.size, chosen.fps, chosen.jobs)
    accepted, refused = write_sheets(chosen.out, chosen.extras)
    print(f"{chosen.out}/videos.tsv: {accepted} rows; refused.tsv: {refused} rows")
    for line in failed:
        print(f"not rendered: {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
