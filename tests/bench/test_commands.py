"""What `--help` reads can be read without the environments that the commands themselves need."""

import importlib
import subprocess

import pytest

from tests.workflow import REPO, SNAKEMAKE


@pytest.mark.parametrize(
    "name", ["bench.linkage", "bench.peer_maniskill", "bench.peer_robosuite", "scripts.bundle"]
)
def test_it_can_be_imported(name: str) -> None:
    assert importlib.import_module(name).__doc__


@pytest.mark.skipif(not SNAKEMAKE.exists(), reason="no host environment .venv here: run `make setup`")
def test_an_environment_that_lacks_what_they_need_is_told_in_a_sentence() -> None:
    run = [str(SNAKEMAKE.with_name("python")), "-m", "bench.suite", "--help"]
    done = subprocess.run(run, cwd=REPO, capture_output=True, text=True)
    assert done.returncode == 1
    assert "`make setup-test`" in done.stderr and done.stderr.count("\n") == 1
