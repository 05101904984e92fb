"""The overview of all clips, which leads to the page of each."""

from pathlib import Path
from typing import Any

from scripts.stage import Input, Output, stage
from video2policy.report import build_index


def main(
    report: Output,
    pages: list[Input],
    videos: list[dict[str, Any]],
    variant: str,
    results: str = "results",
    replies: str = "replies",
) -> None:
    """Write the overview. `pages` only says when: it reads every artifact below `results` by itself."""
    build_index(Path(results), videos, variant, report, Path(replies, "ledger.tsv"))


stage(main, gate=False)
