"""LeRobot's own policies in the simulator: what a checkpoint asks for, the calls, and the real package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tests.evaluate.pushing import pushing
from tests.lerobot import environment
from video2policy.dataset.collection import Wish, collect
from video2policy.policy.bc import BCError
from video2policy.policy.lerobot import LeRobotPolicy, grey, sides_of


def checkpoint(folder: Path, **pictures: list[int]) -> Path:
    """The part of a checkpoint that says what its policy sees."""
    features: dict[str, Any] = {"observation.state": {"type": "STATE", "shape": [14]}}
    for name, shape in pictures.items():
        features[f"observation.images.{name}"] = {"type": "VISUAL", "shape": shape}
    (folder / "config.json").write_text(json.dumps({"type": "act", "input_features": features}))
    return folder


def test_what_a_checkpoint_sees(tmp_path):
    seen = sides_of(checkpoint(tmp_path, front=[3, 64, 64], wrist=[3, 64, 64]))
    assert seen == {"front": 64, "wrist": 64}


@pytest.mark.parametrize(
    "pictures", [{}, {"front": [3, 64, 48]}, {"front": [3, 64, 64], "wrist": [3, 32, 32]}], ids=str
)
def test_a_policy_that_sees_something_else_is_refused(tmp_path, pictures):
    with pytest.raises(BCError, match="not square pictures of one size"):
        sides_of(checkpoint(tmp_path, **pictures))


@pytest.mark.parametrize("text", [None, "{", "[]", '{"input_features": 3}', '{"type": "act"}'])
def test_what_is_no_checkpoint_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(BCError, match="holds no policy of LeRobot"):
        sides_of(tmp_path)


class Recorder:
    """Stands in for a policy of LeRobot's; gives what it is given, made into actions."""

    def __init__(self) -> None:
        self.observed: list[dict[str, Any]] = []
        self.resets = 0

    def eval(self):
        return self

    def reset(self):
        self.resets += 1

    def select_action(self, batch):
        self.observed.append(batch)
        return torch.full((len(batch["observation.state"]), 7), 0.5)


@pytest.fixture
def lerobot(monkeypatch):
    """The three entry points of the package that are called, and what they were called with."""
    calls = SimpleNamespace(policy=Recorder(), config=SimpleNamespace(type="act", device="cuda"))
    calls.config.pretrained_backbone_weights = "ResNet18_Weights.IMAGENET1K_V1"

    class Policy:
        @staticmethod
        def from_pretrained(folder, config):
            assert config.device == "cpu" and config.pretrained_backbone_weights is None
            return calls.policy

    def processors(config, pretrained_path, preprocessor_overrides):
        assert preprocessor_overrides == {"device_processor": {"device": "cpu"}}
        return (lambda batch: batch), (lambda action: 4 * action)

    configs, factory = ModuleType("lerobot.configs.policies"), ModuleType("lerobot.policies.factory")
    configs.PreTrainedConfig = SimpleNamespace(from_pretrained=lambda folder: calls.config)
    factory.get_policy_class = {"act": Policy}.__getitem__
    factory.make_pre_post_processors = processors
    for name in ("lerobot", "lerobot.configs", "lerobot.policies"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, configs.__name__, configs)
    monkeypatch.setitem(sys.modules, factory.__name__, factory)
    return calls


def test_observations_go_in_as_training_saw_them(tmp_path, lerobot):
    policy = LeRobotPolicy(checkpoint(tmp_path, front_mask=[3, 4, 4]), "lifting can up")
    assert (policy.cameras, policy.image_size, policy.masks) == (["front"], 4, True)
    episodes = policy.begin()
    assert lerobot.policy.resets == 1, "nothing is left of the actions of the batch before"
    labels = np.array([[[0, 1], [2, 3]]] * 2, np.int32)
    action = episodes.act({"front": grey(labels, ["can", "box"], {})}, torch.zeros(2, 14))
    assert action.shape == (2, 7) and (action == 1.0).all(), "actions come back through LeRobot, and limited"
    (seen,) = lerobot.policy.observed
    assert set(seen) == {"observation.images.front_mask", "observation.state", "task"}
    picture = seen["observation.images.front_mask"]
    assert picture.shape == (2, 3, 2, 2) and picture[0, 1, 1, 1].item() == pytest.approx(3 * 32 / 255)
    assert seen["task"] == ["lifting can up"] * 2


SMALL = {
    "act": {"chunk_size": 10, "n_action_steps": 10, "dim_model": 32, "dim_feedforward": 64, "n_heads": 4},
    "diffusion": {"down_dims": [32, 64], "num_inference_steps": 3, "horizon": 8},
}


@pytest.mark.heavy
@pytest.mark.timeout(3000)
def test_the_real_package_trains_and_is_judged(tmp_path):
    """ACT on pictures and a diffusion policy on masks: two steps, then two judged episodes, contained."""
    python = environment(tmp_path) / "bin/python"
    rollouts, policy = pushing(tmp_path)
    demonstrations = tmp_path / "demonstrations"
    wish = Wish(episodes=2, image=96, cameras=("front", "wrist"), masks=True)
    assert collect(rollouts, policy, wish, demonstrations)["episodes"] == 2
    about = {"engine": "mujoco", "device": "auto", "robot": "floating", "fit_gripper": True, "horizon": 20}
    environ = {**os.environ, "HF_HUB_OFFLINE": "1"}

    def ran(script: str, **options: Any) -> subprocess.CompletedProcess[str]:
        words = [f"--{name}={value}" for name, value in options.items()]
        command = [python, "-m", f"scripts.{script}", *words]
        return subprocess.run(command, capture_output=True, text=True, env=environ)

    for kind, masks in (("act", False), ("diffusion", True)):
        common = {"trajectories": demonstrations, "policy": kind, "batch_size": 2, "seed": 0}
        refused = ran("train_lerobot", **common, checkpoint=tmp_path / "no", steps=2)
        assert "fetch https" in refused.stderr and refused.returncode, "the backbone's weights are not here"
        options = json.dumps({"pretrained_backbone_weights": None, **SMALL[kind]})
        more = {"steps": 2, "masks": json.dumps(masks), "options": options}
        done = ran("train_lerobot", **common, checkpoint=tmp_path / kind, **more)
        assert done.returncode == 0, done.stderr[-3000:]
        judged = ran(
            "evaluate_lerobot",
            checkpoint=tmp_path / kind,
            scenes=rollouts.scene,
            tasks=rollouts.task,
            eval_json=tmp_path / f"{kind}.json",
            figure=tmp_path / f"{kind}.png",
            episodes=2,
            simulation=json.dumps(about),
            splits=json.dumps({"push": "train"}),
        )
        assert judged.returncode == 0, judged.stderr[-3000:]
        result = json.loads((tmp_path / f"{kind}.json").read_text())
        assert result["policy"] == f"LeRobot's {kind}" and result["seeing"]["episodes"] == 2
        assert (tmp_path / f"{kind}.png").read_bytes().startswith(b"\x89PNG")
