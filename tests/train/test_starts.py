"""What a job imports before it does anything: seconds of every training of a search."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "needless"),
    [("video2policy.train.run", "torch"), ("video2policy.train.ppo", "torch._inductor")],
)
def test_it_does_not_load_what_it_does_not_use(module: str, needless: str) -> None:
    code = f"import sys, {module}; sys.exit({needless!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
