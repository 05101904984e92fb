"""From demonstrations to a judged image policy through the rules' scripts, very small."""

from __future__ import annotations

import csv
import json

import pytest

from scripts import collect, evaluate_bc, tabulate_scaling, train_bc
from tests.evaluate.pushing import pushing
from video2policy.policy import bc
from video2policy.policy.generalist import load_demonstrations

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

    outputs = [tmp_path / f"figure6{end}" for end in (".csv", ".md", ".png")]
    tabulate_scaling.main([tmp_path / "eval.json"] * 2, *outputs, counts=[2, 4])
    lines = list(csv.DictReader(outputs[0].open()))
    ours = [line for line in lines if line["source"] == "ours"]
    assert [(line["training_clips"], line["split"]) for line in ours] == [
        (count, split) for count in "24" for split in ("unseen_instance", "unseen_category")
    ]
    assert float(ours[0]["success_rate"]) == row["seeing"]["rate"] and not ours[1]["success_rate"]
    assert {line["success_rate"] for line in lines if "paper" in line["source"]} == {"0.75", "0.32", "0.26"}
    assert outputs[2].read_bytes()[1:4] == b"PNG"


def test_clips_without_any_success_are_left_out(tmp_path):
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta" / "collection.json").write_text(json.dumps({"episodes": 0, "video": "cup"}))
    with pytest.raises(bc.BCError, match="no episode"):
        load_demonstrations([tmp_path], TINY)
