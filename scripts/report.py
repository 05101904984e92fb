"""One self-contained page on all clips."""

from pathlib import Path
from typing import Any

from scripts.stage import Input, Output, stage
from video2policy.report import build_report


def main(
    report: Output,
    outcomes: list[Input],
    videos: list[dict[str, Any]],
    variant: str,
    results: str = "results",
    clip_pixels: bool = True,
) -> None:
    """Write the page. `outcomes` only says when: the page reads every artifact below `results` by itself."""
    build_report(Path(results), videos, variant, report, clip_pixels)


stage(main, gate=False)
