"""The report as a plain command."""

import json
import subprocess
import sys
from pathlib import Path

from tests.report import synthetic

ROOT = Path(__file__).parents[2]


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    row = synthetic.row("lift_cube", "lifting a cube", ["cube"])
    synthetic.write_clip(tmp_path / "results", row)
    arguments = {
        "report": tmp_path / "report.html",
        "outcomes": tmp_path / "results" / "videos" / "lift_cube" / "scene.json",
        "videos": json.dumps([row]),
        "variant": "v2p",
        "results": tmp_path / "results",
        "clip_pixels": "false",
    }
    options = [part for name, value in arguments.items() for part in (f"--{name}", str(value))]
    subprocess.run([sys.executable, "-m", "scripts.report", *options], cwd=ROOT, check=True)
    page = (tmp_path / "report.html").read_text()
    assert "scene made, no task chosen yet" in page and "data:image" not in page
