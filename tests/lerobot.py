"""LeRobot's own environment for the tests that need the real package."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def environment(folder: Path) -> Path:
    """envs/lerobot.yaml, built in `folder` (8 GB, minutes); the test is skipped where it cannot be had."""
    if shutil.disk_usage(folder).free < 12 * 2**30:
        pytest.skip("lerobot's environment needs 8 GB of disk")
    prefix = folder / "environment"
    conda = [Path("tools/conda/bin/conda").resolve(), "env", "create", "--file", "envs/lerobot.yaml"]
    built = subprocess.run([*conda, "--prefix", prefix], capture_output=True, text=True)
    if "No interpreter found" in built.stderr:
        pytest.skip("lerobot needs Python 3.12, which is not on this machine")
    assert built.returncode == 0, built.stderr
    environ = {**os.environ, "PATH": f"{prefix / 'bin'}:{os.environ['PATH']}", "CONDA_PREFIX": str(prefix)}
    subprocess.run(["bash", "envs/lerobot.post-deploy.sh"], env=environ, check=True)
    return prefix
