"""What is honest is never refused: a thousand programs of the grammar, and the paper's figures."""

import random
from pathlib import Path

import pytest

from tests.author.conftest import OBJECTS
from tests.scenes import primitive_scene
from video2policy.author import grammar
from video2policy.author.source import repair_quotes
from video2policy.guard.behaviour import check_task
from video2policy.guard.load import run_module
from video2policy.guard.syntax import check_syntax
from video2policy.scene import Scene

FIGURES = sorted((Path(__file__).parent / "figures").glob("*.txt"))
PROGRAMS = 10
"""Tasks of each family; each has a reward besides."""


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scene]:
    return {
        family: Scene.load(primitive_scene(tmp_path_factory.mktemp(family), family, objects=objects))
        for family, objects in OBJECTS.items()
    }


def reward_of(scene: Scene, sample: int) -> str:
    """A sampled reward; every other one varied widely, as reflection and crossover leave them."""
    rng = random.Random(sample)
    genome = grammar.sample_reward(scene, rng)
    if sample % 2:
        genome = grammar.vary(genome, rng, 3.0)
    return grammar.write_reward_file(genome, scene.task.roles, grammar.choose_thresholds(scene))


def test_a_thousand_programs_pass_the_syntax_check(scenes: dict[str, Scene]) -> None:
    sources = set()
    for seed, (_family, scene) in enumerate(sorted(scenes.items())):
        for sample in range(PROGRAMS):
            genome = grammar.draw_task(scene, seed, sample)
            sources.add(grammar.write_task(genome, scene))
            sources.add(reward_of(scene, sample))
    assert len(sources) >= 1000
    assert [problems for source in sources if (problems := check_syntax(source))] == []


@pytest.mark.parametrize("family", OBJECTS)
def test_a_sample_of_them_passes_the_other_checks(
    family: str, scenes: dict[str, Scene], tmp_path: Path
) -> None:
    for sample in (100,):
        genome = grammar.draw_task(scenes[family], 5, sample)
        task_py, reward_py = tmp_path / f"task_{sample}.py", tmp_path / f"reward_{sample}.py"
        task_py.write_text(grammar.write_task(genome, scenes[family]))
        reward_py.write_text(reward_of(scenes[family], sample))
        report = check_task(scenes[family], task_py, reward_py)
        assert report.runs, [check for check in report.checks if not check.passed]


@pytest.mark.parametrize("path", FIGURES, ids=lambda path: path.stem)
def test_the_figures_pass(path: Path) -> None:
    source = repair_quotes(path.read_text(encoding="utf-8"))
    assert check_syntax(source) == []
    assert run_module(source, path.stem)
