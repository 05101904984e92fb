"""How fast the report is with many clips: writing, bytes, and how long a browser takes to open it.

    python -m bench.report [--clips 100]

Draws synthetic results of clips of every kind (tests/report/synthetic.py), writes the whole report and the
live page, and opens the overview and one clip's page in a headless Chromium, where there is one.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.report import synthetic
from tests.report.browser import CHROMIUM, browser
from tests.test_live import Dag, job
from video2policy.board import STAGE_OF
from video2policy.live import Watch
from video2policy.report import build_index, build_page

KINDS = 10
"""Clips that are drawn; the others are copies of them."""


def timed(what: Callable[[], Any]) -> tuple[float, float]:
    """Wall and processor seconds of a call."""
    wall, cpu = time.perf_counter(), time.process_time()
    what()
    return time.perf_counter() - wall, time.process_time() - cpu


def write_results(results: Path, count: int) -> list[dict[str, Any]]:
    """Of ten clips seven are trained, two refused, one is unfinished; the others are copies of these."""
    rows = []
    for number in range(count):
        row = synthetic.row(f"clip_{number:03d}", f"lifting cube number {number}", ["cube"])
        rows.append(row)
        if number >= KINDS:
            copied(results / "videos", number)
        elif number in (3, 6):
            synthetic.write_clip(results, row, stop="segment", reason="the cube is hidden")
        elif number == 9:
            synthetic.write_clip(results, row)
        else:
            synthetic.write_trained(results, row, 0.5 + 0.04 * number)
    return rows


def copied(folder: Path, number: int) -> None:
    """The folder of clip `number` as a copy of one of the first ten's."""
    shutil.copytree(folder / f"clip_{number % KINDS:03d}", folder / f"clip_{number:03d}")


def live(results: Path, rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Seconds for one writing of the live page: the mean of ten."""
    watch = Watch({row["video"]: row["caption"] for row in rows}, results / "live.html")
    jobs = [job(k, rule, video=row["video"]) for k, row in enumerate(rows) for rule in STAGE_OF]
    watch.start(Dag(jobs, set(range(len(rows) // 2))), logging.Logger("bench"), quiet=["all"])
    wall, cpu = timed(lambda: [watch.write() for _ in range(10)])
    watch.stop("finished")
    return wall / 10, cpu / 10


def opened(page: Path, profile: Path) -> tuple[float, int]:
    """Milliseconds until the page has loaded, by the browser's own clock, and files asked for."""
    with browser(profile) as chromium:
        chromium.open(page, 1280)
        times = "JSON.parse(JSON.stringify(performance.getEntriesByType('navigation')[0])).loadEventStart"
        return float(chromium.evaluate(times)), len(chromium.requests())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=100)
    count = parser.parse_args().clips
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        rows = write_results(results, count)
        spent = []
        for number, row in enumerate(rows):
            page = results / "report" / row["video"]
            if number >= KINDS:
                copied(results / "report", number)
                continue
            page.mkdir(parents=True)
            spent.append(timed(partial(build_page, results, row, "v2p", page)))
        index = results / "report.html"
        overview = timed(lambda: build_index(results, rows, "v2p", index))
        sizes = [sum(f.stat().st_size for f in d.iterdir()) for d in (results / "report").iterdir()]
        print(f"| {count} clips | wall s | CPU s | bytes |\n|---|---|---|---|")
        mean = [sum(one) / len(spent) for one in zip(*spent, strict=True)]
        print(
            f"| one clip's page, mean | {mean[0]:.2f} | {mean[1]:.2f} | {sum(sizes) / count / 1e6:.2f} MB |"
        )
        print(
            f"| the overview | {overview[0]:.2f} | {overview[1]:.2f} | {index.stat().st_size / 1e3:.0f} kB |"
        )
        wall, cpu = live(results, rows)
        size = (results / "live.html").stat().st_size
        print(f"| live.html, one writing | {wall:.3f} | {cpu:.3f} | {size / 1e3:.0f} kB |")
        if CHROMIUM is None:
            return
        for name, page in (("overview", index), ("clip", results / "report" / "clip_000" / "index.html")):
            milliseconds, asked = opened(page, Path(folder) / name)
            print(f"| opening the {name} | {milliseconds / 1000:.2f} | | {asked} files |")


if __name__ == "__main__":
    main()
