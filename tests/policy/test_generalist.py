"""From demonstrations to a judged image policy through the rules' scripts, very small."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import torch

from scripts import clone, collect, evaluate_bc, judge_clones, train_bc
from scripts.stage import Failed
from tests.evaluate.pushing import pushing
from video2policy.policy import bc
from video2policy.policy.demonstrations import load_demonstrations
from video2policy.policy.safety import Limits
from video2policy.policy.session import TOOL
from video2policy.policy.worker import Served
from video2policy.sim.robot import POSITION_STEP

TINY = bc.Config(
    ("side",),
    32,
    channels=(8, 8),
    hidden=(64,),
    epochs=3,
    batch_size=64,
    action_noise=0.05,
    inputs="mask_state",
)
WISH = {"preset": "small", "episodes": 4}
SIMULATION = {
    "engine": "mujoco",
    "device": "auto",
    "robot": "floating",
    "horizon": 60,
    "fit_gripper": True,
    "environments": 64,
}


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(bc.PRESETS, "small", TINY)


def test_demonstrations_are_collected_cloned_and_judged(tmp_path, tiny):
    rollouts, policy = pushing(tmp_path)
    demonstrations = tmp_path / "demonstrations"
    collect.main(rollouts.scene, rollouts.task, policy, demonstrations, WISH, SIMULATION)
    outputs = [tmp_path / name for name in ("policy.safetensors", "blind.safetensors", "log.json")]
    train_bc.main([demonstrations], *outputs, preset="small", seed=1)
    log = json.loads(outputs[2].read_text())
    # four episodes of 60 steps at most: what follows a success is left out
    assert 4 < log["frames"] <= 240
    assert log["behaviours"] == ["push_right"] and log["config"]["seed"] == 1
    assert log["loss"]["seeing"][-1] < log["loss"]["seeing"][0]
    assert bc.ImagePolicy.load(outputs[1]).config.image_blind
    assert not bc.ImagePolicy.load(outputs[0]).config.image_blind

    evaluate_bc.main(
        outputs[0],
        outputs[1],
        [rollouts.scene],
        [rollouts.task],
        tmp_path / "eval.json",
        tmp_path / "figure.png",
        4,
        SIMULATION,
        {"push": "unseen_instance"},
    )
    result = json.loads((tmp_path / "eval.json").read_text())
    (row,) = result["per_clip"]
    assert row["video"] == "push" and row["judge"] == "push_right"
    assert row["seeing"]["episodes"] == row["blind"]["episodes"] == 4
    assert result["success_rate"] == row["seeing"]["rate"] == row["seeing"]["successes"] / 4
    assert (tmp_path / "figure.png").read_bytes()[1:4] == b"PNG"
    assert result["by_split"]["unseen_instance"]["successes"] == row["seeing"]["successes"]


@pytest.mark.slow
def test_clones_of_several_seeds_are_judged_on_a_stand_in_through_the_servers_limits(tmp_path, tiny, caplog):
    rollouts, policy = pushing(tmp_path)
    demonstrations = tmp_path / "demonstrations"
    collect.main(rollouts.scene, rollouts.task, policy, demonstrations, WISH, SIMULATION, randomise="wide")
    kept = json.loads((demonstrations / "meta" / "collection.json").read_text())
    assert kept["randomise"] == "wide" and kept["settings"]["masks"]
    policies = tmp_path / "policies"
    with caplog.at_level("INFO", "video2policy"):
        clone.main([demonstrations], policies, tmp_path / "log.json", preset="small", seed=3, seeds=2)
    assert "cloning 2 of 2: 1 of 3 epochs, loss" in caplog.text
    assert [path.name for path in sorted(policies.iterdir())] == ["seed_0.safetensors", "seed_1.safetensors"]
    log = json.loads((tmp_path / "log.json").read_text())
    assert len(log["loss"]) == 2 and log["loss"][0] != log["loss"][1] and log["clips"] == 1
    judge = {"episodes": 3, "simulation": SIMULATION, "splits": {"push": "unseen_category"}}
    results = []
    for name, more in (("plain", {}), ("real", {"served": True, "randomise": "real"})):
        path = tmp_path / f"{name}.json"
        judge_clones.main(policies, [rollouts.scene], [rollouts.task], path, **judge, **more)
        results.append(json.loads(path.read_text()))
    assert [one["randomise"] for one in results] == ["none", "real"] and results[1]["served"]
    for one in results:
        (row,) = one["clips"]
        assert row["video"] == "push" and row["split"] == "unseen_category" and len(row["successes"]) == 2
        assert row["success_rate"] == round(sum(row["successes"]) / 6, 4)
    with pytest.raises(Failed, match="no clip to judge in passed"):
        judge_clones.main(policies, [], [], tmp_path / "none.json", **judge)


def test_the_servers_limits_stand_between_the_policy_and_the_arm(monkeypatch):
    """A policy that jerks to and fro is slowed to the acceleration that the limits allow."""
    policy, period = bc.ImagePolicy(TINY, ["push_right"], 14), Limits().period
    served, jerks = Served(policy, "push_right", 1, period), itertools.cycle((1.0, -1.0))
    monkeypatch.setattr(bc.Agent, "act", lambda *_: torch.full((1, 7), next(jerks)))
    state = torch.zeros(1, 14)
    state[0, TOOL] = torch.tensor([0.0, 0.0, 0.2])
    images = {"side": np.zeros((1, 32, 32, 3), np.uint8)}
    actions = torch.cat([served.act(images, state) for _ in range(20)])
    assert served.sessions[0].stopped is None and actions.abs().max() > 0
    most = Limits().acceleration * period**2 / POSITION_STEP
    assert actions[:, :3].diff(dim=0).abs().max() <= most + 1e-5 < 2


def test_clips_without_any_success_are_left_out(tmp_path):
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta" / "collection.json").write_text(json.dumps({"episodes": 0, "video": "cup"}))
    with pytest.raises(bc.BCError, match="no episode"):
        load_demonstrations([tmp_path], TINY)
