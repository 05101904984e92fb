"""The conda stand-in, through its command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CONDA = Path(__file__).resolve().parents[2] / "tools" / "conda" / "bin" / "conda"


def conda(*args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    run = [sys.executable, str(CONDA), *args]
    return subprocess.run(run, capture_output=True, text=True, env={**os.environ, **environ}, timeout=120)


def write_environment(path: Path, *dependencies: str) -> Path:
    path.write_text("dependencies:\n" + "".join(f"  - {d}\n" for d in dependencies))
    return path


def test_it_answers_what_snakemake_asks() -> None:
    info = json.loads(conda("info", "--json").stdout)
    assert (Path(info["conda_prefix"]) / "bin" / "activate").is_file()
    assert conda("--version").stdout.startswith("conda 24.")
    priority = json.loads(conda("config", "--get", "channel_priority", "--json").stdout)
    assert priority["get"]["channel_priority"] == "strict"
    assert conda("clean", "--all").returncode == 0


def test_it_builds_an_environment_from_a_pip_list(tmp_path: Path) -> None:
    file = write_environment(tmp_path / "env.yaml", "python=3.11", "pip", "pip: [six==1.16.0]")
    done = conda(
        "env",
        "create",
        "--quiet",
        "--no-default-packages",
        "--file",
        str(file),
        "--prefix",
        str(tmp_path / "p"),
    )
    assert done.returncode == 0, done.stderr
    python = tmp_path / "p" / "bin" / "python"
    out = subprocess.run(
        [python, "-c", "import six, sys; print(six.__version__, *sys.version_info[:2])"],
        capture_output=True,
        text=True,
    )
    assert out.stdout.split() == ["1.16.0", "3", "11"]


@pytest.mark.parametrize("package", ["cudatoolkit=11.8", "pytorch3d"])
def test_what_only_conda_has_is_refused_by_name(tmp_path: Path, package: str) -> None:
    file = write_environment(tmp_path / "env.yaml", "python=3.11", package)
    done = conda("env", "create", "--file", str(file), "--prefix", str(tmp_path / "p"))
    assert done.returncode != 0
    assert package in done.stderr and "Traceback" not in done.stderr


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    file = write_environment(tmp_path / "env.yaml", "python=3.11", "pip", "pip: [six==0.0.0.1]")
    done = conda("env", "create", "--file", str(file), "--prefix", str(tmp_path / "p"))
    assert done.returncode != 0
    assert not (tmp_path / "p").exists()
    assert "building" in done.stderr and "Traceback" not in done.stderr
