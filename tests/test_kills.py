"""The workflow, its jobs and workers killed at random moments; run again, it ends with the same artifacts.

A few kills here; `python -m bench.kills --kills 50` does the same as often as one likes.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bench.kills import differences, run_with_kills
from tests.workflow import SNAKEMAKE, Project, demo_rows

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SNAKEMAKE.exists(), reason="no host environment .venv here: run `make setup`"),
]


def test_killed_at_random_moments_it_completes_with_the_same_results(smoke: Project, tmp_path: Path) -> None:
    killed = Project.copy(tmp_path / "killed")
    killed.write_sheet(demo_rows()[:1])
    kills = run_with_kills(killed, random.Random(7), pause=12.0, limit=6)
    assert kills.total() >= 3, "the run ended before much was killed"
    assert differences(killed, smoke) == []
