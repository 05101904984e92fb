"""Requests and replies: equal requests have equal keys, replies come back as they were."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.author.conftest import MakeScene
from video2policy.author.exchange import Reply, Request, canonical, scene_summary


def test_the_key_is_that_of_the_content(scene_of: MakeScene) -> None:
    scene = scene_summary(scene_of("lift"))
    one = Request("grammar", 0, "reward", 1, 2, scene, {"genome": {"a": 1, "b": 2.0}})
    same = Request(
        "grammar", 0, "reward", 1, 2, dict(reversed(scene.items())), {"genome": {"b": 2.0, "a": 1}}
    )
    assert one.key == same.key and len(one.key) == 64
    for other in (replace(one, seed=1), replace(one, sample=3), replace(one, parent=None)):
        assert other.key != one.key


def test_the_summary_states_poses_and_their_difference(scene_of: MakeScene) -> None:
    summary = scene_summary(scene_of("put_next"))
    assert summary["roles"] == {"a": "tin", "b": "cube"}
    item = summary["objects"][0]
    assert {"first", "last", "difference", "size"} <= set(item)
    moved = [b - a for a, b in zip(item["first"]["pos"], item["last"]["pos"], strict=True)]
    assert item["difference"]["translation"] == pytest.approx(moved, abs=1e-5)


def test_replies_come_back(tmp_path: Path) -> None:
    reply = Reply("k", "grammar", "import torch\n", {"family": "lift"}, ["note"])
    reply.save(tmp_path / "reply.json")
    assert Reply.load(tmp_path / "reply.json") == reply
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(ValueError, match="no reply"):
        Reply.load(tmp_path / "other.json")


def test_numbers_that_json_does_not_have_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical({"a": float("nan")})
    assert json.loads(canonical({"é": 1})) == {"é": 1}
