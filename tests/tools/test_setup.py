"""What set-up says, and does, on machines and in folders that are not as usual."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]


def checkout(folder: Path) -> Path:
    """A folder with what set-up needs at first."""
    folder.mkdir()
    shutil.copytree(REPO / "tools", folder / "tools", symlinks=True)
    shutil.copy2(REPO / "requirements.txt", folder)
    return folder


def set_up(folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    run = [str(folder / "tools" / "setup")]
    return subprocess.run(run, capture_output=True, text=True, env={**os.environ, **environ}, timeout=60)


@pytest.fixture
def python(tmp_path: Path) -> str:
    """A Python that is found, and builds no environment."""
    program = tmp_path / "python"
    program.write_text('#!/bin/sh\n[ "$1" = -c ] && exit 0\necho "asked for $*"\nexit 7\n')
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize("name", ["my work", "it's", "a:b", "a$b"])
def test_a_path_in_which_no_environment_can_be_built_is_refused_at_once(name: str, tmp_path: Path) -> None:
    done = set_up(checkout(tmp_path / name))
    assert done.returncode == 1
    assert "move the folder and run again" in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / name / ".venv").exists()


def test_letters_of_any_script_are_no_odd_path(tmp_path: Path, python: str) -> None:
    assert set_up(checkout(tmp_path / "für_自分"), PYTHON=python, LC_ALL="C").returncode == 7


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "project")
    bound = subprocess.run(["mount", "--bind", folder, folder], capture_output=True, text=True)
    if bound.returncode:
        pytest.skip(f"no file system can be mounted here: {bound.stderr.strip()}")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        done = set_up(folder)
    finally:
        subprocess.run(["umount", folder], check=True)
    assert done.returncode == 1
    assert f"{folder} cannot be written" in done.stderr and done.stderr.count("\n") == 1


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("no folder\n")
    done = set_up(checkout(tmp_path / "project"), HOME=str(tmp_path / "home"), XDG_CACHE_HOME="")
    assert done.returncode == 1
    assert f"{tmp_path}/home/.cache cannot be written" in done.stderr and done.stderr.count("\n") == 1


def test_an_environment_whose_python_is_gone_is_made_anew(tmp_path: Path, python: str) -> None:
    folder = checkout(tmp_path / "project")
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "snakemake").write_text(f"#!{tmp_path}/formerly/.venv/bin/python\n")
    shutil.copy2(folder / "requirements.txt", folder / ".venv")
    done = set_up(folder, PYTHON=python)
    assert done.returncode == 7
    assert "asked for -m venv --clear .venv" in done.stdout


@pytest.mark.parametrize(
    ("script", "then"), [("setup", "asked for -m venv"), ("setup-test", "test environment")]
)
def test_of_two_set_ups_in_one_folder_one_waits(script: str, then: str, tmp_path: Path, python: str) -> None:
    folder = checkout(tmp_path / "project")
    (folder / "envs").mkdir()
    (folder / "envs" / "embedded.yaml").touch()
    first = os.open(folder, os.O_RDONLY)
    fcntl.flock(first, fcntl.LOCK_EX)
    environ = {**os.environ, "PYTHON": python}
    second = subprocess.Popen([folder / "tools" / script], stdout=subprocess.PIPE, text=True, env=environ)
    assert second.stdout and "waiting for another set-up" in second.stdout.readline()
    os.close(first)
    assert then in second.stdout.read()
    assert second.wait() != 0


@pytest.mark.parametrize(("target", "says"), [("bundle", "name the clip"), ("replay", "name the bundle")])
def test_make_says_what_a_target_wants(target: str, says: str, tmp_path: Path) -> None:
    shutil.copy2(REPO / "Makefile", tmp_path)
    done = subprocess.run(["make", "-n", target], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0 and says in done.stderr


@pytest.mark.parametrize("target", ["verify", "bundle VIDEO=lift_box", "replay BUNDLE=lift_box.v2p.zip"])
def test_make_sets_up_a_fresh_clone_for_what_needs_it(target: str, tmp_path: Path) -> None:
    shutil.copy2(REPO / "Makefile", tmp_path)
    # Under `make test` this make is an inner one, which would say so in its first line.
    command = ["make", "-n", "--no-print-directory", *target.split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.splitlines()[0] == "tools/setup"
