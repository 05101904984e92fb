"""Environment files: exact pins, one version of a package across files."""

import re
from pathlib import Path

import pytest
import yaml

REPO = Path(__file__).resolve().parent.parent
REQUIREMENTS = sorted(REPO.glob("requirements*.txt"))
ENVIRONMENTS = sorted((REPO / "envs").glob("*.yaml"))


def pins(path: Path) -> dict[str, str]:
    if path.suffix == ".txt":
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    else:
        dependencies = yaml.safe_load(path.read_text())["dependencies"]
        lines = [line for part in dependencies if isinstance(part, dict) for line in part["pip"]]
    return {line.split("==")[0]: line for line in lines}


@pytest.mark.parametrize("path", [*REQUIREMENTS, *ENVIRONMENTS], ids=lambda p: p.name)
def test_every_requirement_is_pinned_exactly(path: Path) -> None:
    assert pins(path)
    for line in pins(path).values():
        assert re.fullmatch(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==[0-9][A-Za-z0-9.+]*", line), line


def test_the_tests_environment_agrees_with_the_rules() -> None:
    stack, tests, host = (
        pins(REPO / name) for name in ("envs/embedded.yaml", "requirements-test.txt", "requirements.txt")
    )
    for name in (stack.keys() & tests.keys()) | (stack.keys() & host.keys()):
        assert {files[name] for files in (stack, tests, host) if name in files} == {stack[name]}
