"""The workflow, its jobs and workers killed at random moments; run again, it ends with the same artifacts.

A few kills here; `python -m bench.kills --kills 50` does the same as often as one likes.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from bench.kills import differences, run_with_kills
from tests.workflow import SNAKEMAKE, Project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SNAKEMAKE.exists(), reason="no host environment .venv here: run `make setup`"),
]


def test_killed_during_the_search_it_completes_with_the_same_results(smoke: Project, tmp_path: Path) -> None:
    """From the finished perception on, where there are jobs with workers and without."""
    killed = smoke.clone(tmp_path / "killed")
    results = killed.folder / "results"
    for folder in ("videos/lift_box/v2p", "report", "tables"):
        shutil.rmtree(results / folder)
    (results / "report.html").unlink()  # what is newer would hide that the search is gone
    kills = run_with_kills(killed, random.Random(7), pause=5.0, limit=8)
    assert kills.total() >= 3, "the run ended before much was killed"
    assert differences(killed, smoke) == []
