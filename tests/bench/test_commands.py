"""What `--help` reads can be read without the environments that the commands themselves need."""

import importlib

import pytest


@pytest.mark.parametrize(
    "name", ["bench.linkage", "bench.peer_maniskill", "bench.peer_robosuite", "scripts.bundle"]
)
def test_it_can_be_imported(name: str) -> None:
    assert importlib.import_module(name).__doc__
