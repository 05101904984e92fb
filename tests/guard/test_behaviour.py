"""What is wrong with a candidate is found before training, each time by the check meant for it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scenes import primitive_scene
from video2policy.guard import check_worker
from video2policy.guard.behaviour import Report, check_task
from video2policy.guard.process import Sandbox, run_worker
from video2policy.scene import Scene

GOOD = """
import torch
from factory.tasks.task import Task

scene_info = {"objects": ["cube"]}

class Lift(Task):
    def __init__(self, envs, urdf_assets_root):
        super().__init__(envs, urdf_assets_root, scene_info)

    def reset_objects_states(self, env_ids):
        return super().reset_objects_states(env_ids)

    def compute_observation_key(self, states):
        obs_keys = super().compute_observation_key(states)
        states["offset"] = states["cube_pos"] - states["eef_pos"]
        obs_keys.append("offset")
        return obs_keys

    def get_observation_space(self):
        return super().get_observation_space() + 3

    def compute_success(self, states):
        return states["cube_pos"][:, 2] - states["cube_init_pos"][:, 2] > 0.1

    def compute_reward(self, actions, states):
        height = states["cube_pos"][:, 2] - states["cube_init_pos"][:, 2]
        reward = 1 - torch.tanh(5 * states["offset"].norm(dim=-1)) + height
        return reward, {"height": height}
"""

SUCCESS = 'return states["cube_pos"][:, 2] - states["cube_init_pos"][:, 2] > 0.1'
REWARD = 'return reward, {"height": height}'
RESET = "return super().reset_objects_states(env_ids)"

BROKEN = [
    # (what is replaced, by what, the check that fails, words of its reason)
    ("+ 3", "+ 2", "observations", "it declares"),
    ('append("offset")', 'append("ofset")', "observations", '"ofset"'),
    (SUCCESS, SUCCESS + " or True", "success", "RuntimeError"),
    (SUCCESS, SUCCESS.replace("> 0.1", "* 1.0"), "success", "float32"),
    (SUCCESS, "raise ValueError('\\x1b[2J\\ud800')", "success", "ValueError: ?[2J?"),
    (SUCCESS, 'return (states["cube_pos"] > 0.1)', "success", "shape (64, 3)"),
    (SUCCESS, 'return bool((states["cube_pos"] > 0.1).any())', "success", "is a bool"),
    (SUCCESS, 'return states["cube_pos"][:, 2] > -1', "success", "asks for nothing"),
    (SUCCESS, 'return states["lid_pos"][:, 2] > 0.1', "success", "KeyError: 'lid_pos'"),
    (REWARD, "return reward", "reward", "unpack"),
    (REWARD, 'return reward.mean(), {"height": height}', "reward", "shape ()"),
    (REWARD, 'return torch.log(height - 1), {"height": height}', "reward", "not finite"),
    (REWARD, 'return reward.double(), {"height": height}', "reward", "float64"),
    (REWARD, 'return reward * 1e6, {"height": height}', "reward", "more than ten times"),
    (REWARD, 'return reward, {"height": height.mean()}', "reward", '"height"'),
    (REWARD, "return reward, [height]", "reward", "no dict"),
    (REWARD, 'return reward + torch.rand(1), {"height": height}', "repeatable", "two calls"),
    (
        REWARD,
        'self.n = self.n + 1 if "n" in vars_of else 0\n        return reward, {}',
        "reward",
        "NameError",
    ),
    (REWARD, 'return reward - reward.mean(), {"height": height}', "independent", "other environments"),
    (REWARD, "return (reward if len(reward) in (64, 11) else -reward), {}", "independent", "the number of"),
    (REWARD, "return reward, {'a': reward} if len(reward) == 64 else {}", "independent", "a depends on the"),
    (REWARD, "return reward, {f'c{k}': reward for k in range(5000)}", "reward", "more than 100 components"),
    (REWARD, "return reward, {'x' * 3000: reward}", "reward", "longer names"),
    (
        SUCCESS,
        "if len(states['cube_pos']) < 10: states['cube_pos'].fill_(5.0)\n        " + SUCCESS,
        "independent",
        "depends",
    ),
    (SUCCESS, 'return states["cube_pos"][:, 2] > states["cube_size"].max() * 2.0', "independent", "depends"),
    (
        REWARD,
        'states["cube_pos"][:, 2] = 1.0\n        return reward, {}',
        "leaves_states",
        'overwrites the state "cube_pos"',
    ),
    (SUCCESS, 'return states["cube_pos"][:, 2] < 0.03', "false_at_start", "first poses already"),
    (SUCCESS, 'return states["cube_pos"][:, 2] > 0.3', "true_at_end", "in the gripper"),
    ("+ height\n", "- 9 * height\n", "reward_rises", "first poses and"),
    (RESET, "return {}", "reset", "not of every object"),
    (
        RESET,
        "return {k: v[:1] for k, v in super().reset_objects_states(env_ids).items()}",
        "reset",
        "shape (1, 7)",
    ),
    (
        RESET,
        "return {k: v * 0 for k, v in super().reset_objects_states(env_ids).items()}",
        "reset",
        "length 1",
    ),
    (RESET, "return {k: v / 0 for k, v in super().reset_objects_states(env_ids).items()}", "reset", "finite"),
    ("import torch\n", "import torch\nimport os\n", "loads", "import os is not allowed"),
    ("class Lift(Task):", "class Lift(Tsk):", "loads", "must derive from Task"),
]

Check = Callable[[str], Report]


@pytest.fixture(scope="module")
def scene_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return primitive_scene(tmp_path_factory.mktemp("lift"))


@pytest.fixture
def check(scene_path: Path, tmp_path: Path) -> Check:
    def run(source: str) -> Report:
        path = tmp_path / "task.py"
        path.write_text(source)
        return check_task(Scene.load(scene_path), path)

    return run


def test_a_good_task_passes(check: Check) -> None:
    report = check(GOOD)
    assert [(c.name, c.reason) for c in report.checks if not c.passed] == []
    assert report.runs and report.facts == {"extra_observations": 3, "onset": 0.6}


@pytest.mark.parametrize(("old", "new", "name", "words"), BROKEN, ids=range(len(BROKEN)))
def test_each_fault_is_found(check: Check, old: str, new: str, name: str, words: str) -> None:
    assert GOOD.count(old) == 1
    report = check(GOOD.replace(old, new))
    first = next(c for c in report.checks if not c.passed)
    assert first.name == name and words in first.reason, first
    assert report.runs == (name in ("false_at_start", "true_at_end", "reward_rises"))


def test_the_worker_survives_hangs_crashes_and_bombs(scene_path: Path, tmp_path: Path) -> None:
    hang = GOOD.replace(SUCCESS, "while True:\n            pass")
    bomb = GOOD.replace(SUCCESS, "x = torch.zeros(10**6, 10**6)\n        return x[0] > 0")
    # The first tensor that the process makes of a list is the module's.
    good = GOOD.replace("class Lift", "GOAL = torch.tensor([0.0, 0.1, 0.3])\n\nclass Lift")
    sources = {"hang": hang, "good": good, "bomb": bomb, "text": "this is no code"}
    candidates = []
    for name, source in sources.items():
        (tmp_path / f"{name}.py").write_text(source)
        candidates.append({"task": str(tmp_path / f"{name}.py"), "reward": None})
    spec = {"scene": str(scene_path), "candidates": candidates, "timeout": 5.0}
    limits = Sandbox(read=tuple(Path(candidate["task"]) for candidate in candidates))
    result = run_worker("video2policy.guard.check_worker", spec, tmp_path / "work", 60, sandbox=limits)
    hung, passed, bombed, text = result["reports"]
    assert "did not end within 5 s" in hung["checks"][0]["reason"] and not hung["runs"]
    assert passed["runs"] and passed["facts"]["extra_observations"] == 3
    assert not bombed["runs"]
    assert "does not parse" in text["checks"][0]["reason"]


def test_a_child_that_dies_is_reported(scene_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> Report:
        raise KeyboardInterrupt

    monkeypatch.setattr(check_worker, "check_task", die)
    report = check_worker.check_apart(Scene.load(scene_path), {"task": "x"}, 20.0)
    assert not report["runs"] and "died" in report["checks"][0]["reason"]
