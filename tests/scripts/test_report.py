"""The report's two scripts as plain commands."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.report import synthetic

ROOT = Path(__file__).parents[2]


def call(script: str, **arguments: Any) -> None:
    options = [part for name, value in arguments.items() for part in (f"--{name}", str(value))]
    subprocess.run([sys.executable, "-m", f"scripts.{script}", *options], cwd=ROOT, check=True)


def test_the_commands_write_the_pages(tmp_path: Path) -> None:
    results = tmp_path / "results"
    row = synthetic.row("lift_cube", "lifting a cube", ["cube"])
    outcome = synthetic.write_clip(results, row) / "scene.json"
    page = results / "report" / "lift_cube"
    common = {"variant": "v2p", "results": results}
    call("draw", page=page, outcomes=outcome, row=json.dumps(row), clip_pixels="false", **common)
    call("report", report=results / "report.html", pages=page, videos=json.dumps([row]), **common)
    assert "scene made, no task chosen yet" in (results / "report.html").read_text()
    assert "pixels are left out" in (page / "index.html").read_text()
    assert not list(page.glob("*.mp4"))
