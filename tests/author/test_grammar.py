"""Task programs of the grammar: every family runs, passes all checks on its clip, and is a valid program."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.author.conftest import OBJECTS, MakeScene
from video2policy.author import grammar
from video2policy.author.catalogue import CONDITIONS, FAMILIES, QUANTITIES, TERMS
from video2policy.author.fragments import ordered, shaped
from video2policy.author.genome import SHAPES, RewardGenome
from video2policy.families import N_OBJECTS, SUPPORTED
from video2policy.guard.behaviour import Tables, check_task
from video2policy.guard.load import load_task
from video2policy.guard.stand_in import STAND_INS, clip_states
from video2policy.guard.syntax import check_syntax


def test_families_roles_and_stand_ins_agree() -> None:
    assert set(SUPPORTED) == set(FAMILIES) == set(STAND_INS) == set(OBJECTS)
    assert all(len(objects) == N_OBJECTS[family] for family, objects in OBJECTS.items())


@pytest.mark.parametrize("family", SUPPORTED)
def test_every_candidate_passes_every_check(family: str, scene_of: MakeScene, tmp_path: Path) -> None:
    scene = scene_of(family)
    for sample in (0, 1, 2):
        genome = grammar.draw_task(scene, 0, sample)
        task_py = tmp_path / f"candidate_{sample}.py"
        task_py.write_text(grammar.write_task(genome, scene))
        report = check_task(scene, task_py)
        assert [(c.name, c.reason) for c in report.checks if not c.passed] == []
        assert len(report.checks) == 11 + STAND_INS[family].remembers and report.runs


def test_no_program_is_refused_by_the_syntax_check(scene_of: MakeScene) -> None:
    count = 0
    for family in SUPPORTED:
        scene = scene_of(family)
        for sample in range(8):
            source = grammar.write_task(grammar.draw_task(scene, 1, sample), scene)
            assert check_syntax(source) == []
            count += 1
    assert count == 8 * len(SUPPORTED)


def test_draws_depend_on_seed_and_sample_alone(scene_of: MakeScene) -> None:
    scene = scene_of("put_next")
    drawn = [grammar.write_task(grammar.draw_task(scene, 0, sample), scene) for sample in range(8)]
    assert drawn == [grammar.write_task(grammar.draw_task(scene, 0, sample), scene) for sample in range(8)]
    assert len(set(drawn)) == 8
    assert grammar.draw_task(scene, 1, 3) != grammar.draw_task(scene, 0, 3)


def test_the_source_has_the_six_parts_of_figure_7(scene_of: MakeScene) -> None:
    scene = scene_of("lift")
    source = grammar.write_task(grammar.draw_task(scene, 0, 0), scene)
    parts = [
        "from factory.tasks.task import Task",
        "scene_info = {",
        "(Task):",
        "def reset_objects_states(self, env_ids):",
        "def compute_observation_key(self, states):",
        "def get_observation_space(self):",
        "def compute_success(self, states):",
        "def compute_reward(self, actions, states):",
        "@torch.jit.script\ndef reward_function(actions, states):\n    # type: (Tensor",
    ]
    places = [source.index(part) for part in parts]
    assert places == sorted(places)


def test_the_difference_of_poses_is_stated(scene_of: MakeScene) -> None:
    source = grammar.write_task(grammar.draw_task(scene_of("lift"), 0, 0), scene_of("lift"))
    for words in ('"first_position"', '"last_position"', '"difference"', "0.18"):
        assert words in source


@pytest.mark.parametrize(
    "caption", ['say "hi" """ twice', "back\\slash\\", "{a} {b} {height}", "naïve caption", "3 cups"]
)
def test_captions_cannot_break_out_of_the_source(caption: str, scene_of: MakeScene, tmp_path: Path) -> None:
    scene = scene_of("lift")
    scene = replace(scene, task=replace(scene.task, caption=caption))
    path = tmp_path / "task.py"
    path.write_text(grammar.write_task(grammar.draw_task(scene, 0, 0), scene), encoding="utf-8")
    task = load_task(path)(Tables(scene, 4), "")
    assert task.task_description == caption


def test_thresholds_follow_the_clip_within_their_bounds(scene_of: MakeScene) -> None:
    scene = scene_of("push_left")
    cube = scene.object("cube")

    def moved_by(metres: float) -> float:
        changed = replace(cube, difference=replace(cube.difference, translation=[0.0, metres, 0.0]))
        return grammar.choose_thresholds(replace(scene, objects=[changed]))["moved"]

    assert moved_by(0.2) == pytest.approx(0.12)
    assert moved_by(0.01) == pytest.approx(0.06)
    assert moved_by(2.0) == pytest.approx(0.15)


def test_thresholds_are_read_back_without_running_the_module(scene_of: MakeScene) -> None:
    scene = scene_of("cover")
    genome = grammar.draw_task(scene, 0, 3)
    assert grammar.read_thresholds(grammar.write_task(genome, scene)) == genome.thresholds
    assert grammar.read_thresholds("scene_info = {'thresholds': open('x')}") is None
    assert grammar.read_thresholds("import torch") is None
    assert grammar.read_thresholds("scene_info = (") is None


def test_other_families_are_refused_by_name(scene_of: MakeScene) -> None:
    scene = scene_of("lift")
    scene = replace(scene, task=replace(scene.task, family="juggle"))
    with pytest.raises(grammar.AuthorError, match=r'"juggle" is none that this author writes: .*push_left'):
        grammar.draw_task(scene, 0, 0)


@pytest.mark.parametrize("family", SUPPORTED)
def test_rewards_by_every_gate_and_shape_run(family: str, scene_of: MakeScene, tmp_path: Path) -> None:
    scene = scene_of(family)
    states = clip_states(scene)
    task_py = tmp_path / "task.py"
    task_py.write_text(grammar.write_task(grammar.draw_task(scene, 0, 0), scene))
    base = grammar.default_reward(scene)
    rewards = [
        replace(
            base,
            components=tuple(
                replace(c, shape=shape, gate=gate if c.name in FAMILIES[family].gated else c.gate)
                for c in base.components
            ),
        )
        for shape in SHAPES
        for gate in FAMILIES[family].gates
    ]
    for index, reward in enumerate(rewards):
        path = tmp_path / f"reward_{index}.py"
        path.write_text(grammar.write_reward_file(reward, scene.task.roles, grammar.choose_thresholds(scene)))
        task = load_task(task_py, path)(Tables(scene, 11), "")
        values, components = task.compute_reward(torch.zeros(11, 7), states)
        assert torch.isfinite(values).all() and list(components) == [c.name for c in base.components]
        assert torch.allclose(values, sum(components.values(), torch.zeros(11)), atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_distances_pay_one_at_the_goal_and_less_further_off(shape: str) -> None:
    distance = torch.linspace(0, 0.5, 20)
    value = eval(shaped("distance", shape, 5.0, "distance"), {"torch": torch, "distance": distance})
    assert value[0].item() == pytest.approx(1.0)
    assert (value[1:] <= value[:-1]).all() and value[-1] >= 0
    penalty = eval(shaped("penalty", shape, 5.0, "distance"), {"torch": torch, "distance": distance})
    assert torch.allclose(penalty, value - 1)


def test_what_needs_what_is_complete_and_has_no_circle() -> None:
    for family in FAMILIES.values():
        quantities = {**QUANTITIES, **family.quantities}
        names = [*family.conditions, *family.stricter, *(gate for gate in family.gates if gate)]
        needs = [need for name in names for need in CONDITIONS[name].needs]
        for component in family.components:
            needs += TERMS[component.name].needs
            needs += CONDITIONS[component.gate].needs if component.gate else ()
        found = ordered(needs, quantities)
        for place, name in enumerate(found):
            assert set(quantities[name].needs) <= set(found[:place])


def test_varied_rewards_differ_and_survive_json(scene_of: MakeScene) -> None:
    rng = random.Random(0)
    base = grammar.default_reward(scene_of("put_into"))
    for _ in range(20):
        varied = grammar.vary(base, rng)
        assert varied != base and [c.name for c in varied.components] == [c.name for c in base.components]
        assert RewardGenome.from_json(varied.to_json()) == varied
