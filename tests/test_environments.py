"""Environment files: exact pins, one version of a package across files, everything that scripts import."""

import ast
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

from video2policy import reach
from video2policy.models import MODELS

REPO = Path(__file__).resolve().parent.parent
REQUIREMENTS = sorted(REPO.glob("requirements*.txt"))
CPU = ("bundle", "embedded", "export", "hands", "onnx", "resnet", "warp")
"""Those that need no GPU and nothing off the package index."""
ENVIRONMENTS = sorted((REPO / "envs").glob("*.yaml"))


def pins(path: Path) -> dict[str, str]:
    if path.suffix == ".txt":
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    else:
        dependencies = yaml.safe_load(path.read_text())["dependencies"]
        lines = [line for part in dependencies if isinstance(part, dict) for line in part["pip"]]
    return {line.split("==")[0]: line for line in lines}


def versions(path: Path) -> dict[str, str]:
    """Version by package, names as the index compares them."""
    lines = [line.split("==") for line in pins(path).values()]
    return {re.sub(r"[-_.]+", "-", name.split("[")[0].lower()): version for name, version in lines}


@pytest.mark.parametrize("path", [*REQUIREMENTS, *ENVIRONMENTS], ids=lambda p: p.name)
def test_every_requirement_is_pinned_exactly(path: Path) -> None:
    assert pins(path)
    for line in pins(path).values():
        assert re.fullmatch(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==[0-9][A-Za-z0-9.+]*", line), line


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda p: p.name)
def test_every_environment_has_a_lock_that_fits_its_pins(path: Path) -> None:
    lock = versions(path.parent / "locks" / f"{path.stem}.txt")
    named = versions(path)
    assert named.items() <= lock.items()
    assert len(lock) > len(named)


def test_the_tests_environment_agrees_with_the_rules() -> None:
    stack, tests, host = (
        pins(REPO / name) for name in ("envs/embedded.yaml", "requirements-test.txt", "requirements.txt")
    )
    for name in (stack.keys() & tests.keys()) | (stack.keys() & host.keys()):
        assert {files[name] for files in (stack, tests, host) if name in files} == {stack[name]}


def imported(*files: str) -> set[str]:
    """Packages that these files import when they are loaded, and the project's files that they reach."""
    reached = set[Path]().union(*(reach.reached(REPO / file) for file in files))
    names = set()
    for path in reached:
        for node in ast.parse(path.read_text()).body if path.suffix == ".py" else ():
            if isinstance(node, ast.Import):
                names.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
    return names - sys.stdlib_module_names - {"video2policy", "scripts"}


ENGINE = (
    "scripts/train_reward.py",
    "scripts/train_policy.py",
    "scripts/evaluate.py",
    "scripts/collect.py",
)
IMITATION = (
    "scripts/train_bc.py",
    "scripts/evaluate_bc.py",
    "scripts/clone.py",
    "scripts/judge_clones.py",
    "video2policy/policy/worker.py",
    "video2policy/policy/robot.py",
)
RUNS = [
    ("bundle", ("scripts/bundle.py",)),
    ("hands", ("scripts/hands.py",)),
    ("embedded", (*ENGINE, "video2policy/sim/mujoco.py")),
    ("embedded", (*IMITATION, "video2policy/policy/deploy.py", "video2policy/policy/calibrate.py")),
    ("resnet", IMITATION),
    ("export", ("scripts/export.py",)),
    ("onnx", ("scripts/export_onnx.py",)),
    ("lerobot", ("scripts/train_lerobot.py", "scripts/evaluate_lerobot.py")),
    ("warp", (*ENGINE, "video2policy/sim/warp.py")),
    ("isaacgym", ("scripts/train_policy.py", "video2policy/train/ppo.py")),
] + [
    (model.name, (f"scripts/{stage}.py", f"video2policy/perceive/{model.name}.py"))
    for model in MODELS.values()
    for stage in model.stages
]


@pytest.mark.parametrize(("name", "files"), RUNS, ids=lambda value: value if isinstance(value, str) else "")
def test_an_environment_has_what_its_scripts_import(name: str, files: tuple[str, ...]) -> None:
    pinned = {package.split("[")[0].lower() for package in pins(REPO / "envs" / f"{name}.yaml")}
    provided = packages_distributions()
    missing = [
        package
        for package in sorted(imported(*files))
        if not {distribution.lower() for distribution in provided.get(package, [package])} & pinned
        and not (package == "cv2" and "opencv-python-headless" in pinned)  # without contrib
    ]
    assert not missing


@pytest.mark.slow
@pytest.mark.parametrize("name", CPU)
def test_a_cpu_environment_is_built_and_has_its_packages(name: str) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "bench.environments", name],
        cwd=REPO,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    assert f"| {name} | " in built.stdout
