"""One clip's page of the report: films, pictures, the scene in three dimensions, code and curves."""

from pathlib import Path
from typing import Any

from scripts.stage import Input, Output, stage
from video2policy.report import build_page


def main(
    page: Output,
    outcomes: list[Input],
    row: dict[str, Any],
    variant: str,
    results: str = "results",
    clip_pixels: bool = True,
) -> None:
    """Write the page. `outcomes` only says when: it reads the clip's artifacts below `results` by itself."""
    page.mkdir(parents=True, exist_ok=True)
    build_page(Path(results), row, variant, page, clip_pixels)


stage(main, gate=False)
