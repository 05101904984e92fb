"""Rewards that cannot rank what the clip shows are not trained; sampled ones of every family are."""

import random
from pathlib import Path

import pytest

from tests.author.conftest import OBJECTS
from tests.scenes import primitive_scene
from video2policy.author import grammar
from video2policy.guard.process import WorkerError
from video2policy.guard.screening import why_not
from video2policy.scene import Scene
from video2policy.train.run import Screened, failed_training
from video2policy.train.search import select

HEAD = "import torch\n\n\ndef reward_function(actions, states):\n"
USELESS = {
    "constant": ("    return torch.ones_like(states['cube_up']), {}\n", "reward_rises"),
    "upside_down": ("    return -states['cube_pos'][:, 2], {}\n", "reward_rises"),
    "not_finite": ("    return states['cube_up'] / 0.0, {}\n", "reward: "),
    "huge": ("    return 1e9 * states['cube_up'], {}\n", "reward: "),
    "random": ("    return torch.rand(len(actions)), {}\n", "repeatable"),
    "of_the_others": ("    return states['cube_pos'][:, 2] - states['cube_pos'].mean(), {}\n", "independent"),
    "giant": ("    return torch.ones(10, 10)[0] * states['nothing'], {}\n", "reward: KeyError"),
}


@pytest.mark.parametrize("kind", USELESS)
def test_what_cannot_rank_is_screened(kind: str, tmp_path: Path) -> None:
    scene = Scene.load(primitive_scene(tmp_path / "scene"))
    task_py, reward_py = tmp_path / "task.py", tmp_path / "reward.py"
    task_py.write_text(grammar.write_task(grammar.draw_task(scene, 0, 0), scene))
    body, words = USELESS[kind]
    reward_py.write_text(HEAD + body)
    said = why_not(scene, task_py, reward_py)
    assert said is not None and words in said


@pytest.mark.parametrize("family", OBJECTS)
def test_sampled_rewards_are_trained(family: str, tmp_path: Path) -> None:
    scene = Scene.load(primitive_scene(tmp_path / "scene", family, objects=OBJECTS[family]))
    task_py, reward_py = tmp_path / "task.py", tmp_path / "reward.py"
    genome = grammar.draw_task(scene, 0, 1)
    task_py.write_text(grammar.write_task(genome, scene))
    thresholds = grammar.choose_thresholds(scene)
    for sample in range(5):
        reward = grammar.sample_reward(scene, random.Random(sample))
        reward_py.write_text(grammar.write_reward_file(reward, scene.task.roles, thresholds))
        assert why_not(scene, task_py, reward_py) is None


def test_a_screened_reward_is_recorded_and_never_selected() -> None:
    record = failed_training(Screened("not worth training: reward_rises"), 0)
    assert record["stopped"] == "screened" and "reward_rises" in record["reason"]
    assert failed_training(WorkerError("it broke"), 0)["stopped"] == "failed"
    trained = {"success_rate": 0.0, "steps": 9, "stopped": "cap"}
    assert select([record, trained], None) == 1
    assert select([record], None) is None
