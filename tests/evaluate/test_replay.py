"""What a bundle says of its clip is checked before anything of it is used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.scenes import primitive_scene
from video2policy.evaluate.replay import ReplayError, compare, find_clip

RECORDED = {
    "success_rate": 0.75,
    "ci95": [0.4, 0.9],
    "per_seed": [{"successes": 6, "episodes": 8}],
}
SETTINGS = {
    "simulation": {
        "robot": "floating",
        "engine": "mujoco",
        "device": "auto",
        "horizon": 30,
        "fit_gripper": True,
        "randomise": "none",
    },
    "evaluation": {"seeds": 1, "episodes": 8, "seed": 1},
}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    clip = tmp_path / "results" / "videos" / "a"
    clip.mkdir(parents=True)
    primitive_scene(clip, "lift", objects={"cube": "box"})
    policy = clip / "v2p" / "policy"
    (policy / "seeds").mkdir(parents=True)
    (policy / "seeds" / "seed_0.safetensors").write_bytes(b"")
    (clip / "v2p" / "task").mkdir()
    (clip / "v2p" / "task" / "task.py").write_text("")
    write(policy / "eval.json", RECORDED)
    write(policy / "evaluate.provenance.json", {"params": SETTINGS})
    return tmp_path


def write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value))


def edit(name: str, change: Callable[[dict], object]) -> Callable[[Path], None]:
    def apply(clip: Path) -> None:
        content = json.loads((clip / name).read_text())
        change(content)
        write(clip / name, content)

    return apply


def settings(block: str, **values: Any) -> Callable[[Path], None]:
    return edit("v2p/policy/evaluate.provenance.json", lambda c: c["params"][block].update(values))


def test_a_sound_bundle(bundle: Path) -> None:
    clip = find_clip(bundle)
    assert (clip.video, clip.variant, clip.evaluation) == ("a", "v2p", {"episodes": 8, "seed": 1})
    assert [path.name for path in clip.policies] == ["seed_0.safetensors"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (settings("simulation", engine="warp"), "only MuJoCo"),
        (settings("simulation", horizon=10**9), "out of range"),
        (settings("simulation", horizon="30"), "simulation.horizon"),
        (settings("simulation", randomise={"preset": "/etc"}), "randomisation"),
        (settings("evaluation", episodes=10**9), "episodes"),
        (settings("evaluation", episodes=True), "episodes"),
        (settings("evaluation", seed=-1), "out of range"),
        (edit("v2p/policy/evaluate.provenance.json", lambda c: c.update(params=[])), "no settings"),
        (edit("v2p/policy/eval.json", lambda c: c.update(ci95=[0, 2])), "no judgement"),
        (edit("v2p/policy/eval.json", lambda c: c.update(per_seed=[])), "no judgement"),
        (edit("v2p/policy/eval.json", lambda c: c.pop("success_rate")), "no judgement"),
        (lambda clip: (clip / "v2p/policy/eval.json").write_text("[" * 9999), "cannot be read"),
        (edit("scene.json", lambda c: c["objects"][0].update(mesh="../../../a")), "not in the bundle"),
        (edit("scene.json", lambda c: c["objects"][0].update(hull="/etc/passwd")), "not in the bundle"),
        (edit("scene.json", lambda c: c["objects"][0].update(urdf="scene.json")), "not in the bundle"),
        (edit("scene.json", lambda c: c.pop("task")), "no scene"),
        (lambda clip: (clip / "v2p/task/task.py").unlink(), "no task.py"),
        (lambda clip: (clip / "v2p/policy/seeds/seed_0.safetensors").unlink(), "0 policies"),
        (lambda clip: (clip / "v2p/policy/eval.json").unlink(), "0 judged policies"),
    ],
)
def test_what_is_wrong_is_said(spoil: Callable[[Path], object], words: str, bundle: Path) -> None:
    spoil(bundle / "results" / "videos" / "a")
    with pytest.raises(ReplayError, match=words):
        find_clip(bundle)


@pytest.mark.parametrize(
    ("successes", "agreement"), [(6, "identical"), (5, "within"), (8, "different"), (1, "different")]
)
def test_agreement(successes: int, agreement: str) -> None:
    measured = {
        "successes": successes,
        "episodes": 8,
        "success_rate": successes / 8,
        "per_seed": [{"successes": successes, "episodes": 8}],
    }
    result = compare(RECORDED, measured)
    assert result["agreement"] == agreement and f"{successes} of 8" in result["sentence"]
