"""Masks from clicks: SAM 2.1's real class with random weights, and what the server makes of bad clicks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench.deploy import observation, tiny_policy
from tests.perceive.tiny import tiny_sam2
from video2policy.perceive.backend import Backend
from video2policy.perceive.sam2 import Segmenter
from video2policy.policy import bc, deploy, wire
from video2policy.policy.clicks import Clicked, ClickError, roles_of
from video2policy.policy.safety import Limits
from video2policy.policy.session import Session

CLICKS = {"front": {"a": [10.0, 12.0], "b": [30.0, 40.0]}}


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    folder = tiny_sam2(tmp_path_factory.mktemp("weights") / "tiny")
    return Segmenter(Backend("sam2", str(folder), device="cpu"))


@pytest.fixture(scope="module")
def pictures() -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    return [{"front": rng.integers(0, 255, (1, 48, 64, 3), np.uint8)} for _ in range(20)]


def test_roles_are_those_of_the_behaviour() -> None:
    assert roles_of("lift") == ("a",) and roles_of("put_next") == ("a", "b")


def test_two_objects_are_followed_as_each_alone_would_be(segmenter: Segmenter, pictures: Any) -> None:
    both = Clicked(segmenter, ("a", "b"))
    both.start(pictures[0], CLICKS)
    alone = [Clicked(segmenter, (role,)) for role in "ab"]
    for one in alone:
        one.start(pictures[0], CLICKS)
    for shown in pictures[:4]:
        seen, sure = both.look(shown)
        picture = seen["front"][0]
        assert picture.shape == (48, 64, 3) and set(np.unique(picture)) <= {0, 255}
        masks = [one.look(shown)[0]["front"][0, ..., k] for k, one in enumerate(alone)]
        np.testing.assert_array_equal(picture[..., 1], masks[1])
        np.testing.assert_array_equal(picture[..., 0], np.where(masks[1] > 0, 0, masks[0]))
        assert set(sure) == {"a", "b"} and min(sure.values()) > 0.5


def test_memory_does_not_grow(segmenter: Segmenter, pictures: Any) -> None:
    clicked = Clicked(segmenter, ("a",))
    clicked.start(pictures[0], CLICKS)
    held = []
    for shown in [*pictures, *pictures]:
        clicked.look(shown)
        outputs = clicked._views["front"].session.output_dict_per_obj[0]
        held.append(len(outputs["non_cond_frame_outputs"]))
    assert held[-1] == held[segmenter.remembered] == segmenter.remembered


def test_an_object_that_a_camera_does_not_show_needs_no_click_there(
    segmenter: Segmenter, pictures: Any
) -> None:
    shown = {"front": pictures[0]["front"], "wrist": pictures[1]["front"]}
    clicked = Clicked(segmenter, ("a", "b"))
    clicked.start(shown, {"front": {"a": [1, 1]}, "wrist": {"b": [2, 2]}})
    seen, sure = clicked.look(shown)
    assert not seen["front"][..., 1].any() and not seen["wrist"][..., 0].any()
    assert min(sure.values()) > 0.5


BAD = {
    "no clicks": (None, "none is on a"),
    "one is missing": ({"front": {"a": [1, 1]}}, "none is on b"),
    "a word": ({"front": {"a": "xy", "b": [1, 1]}}, "must be .x, y. in pixels"),
    "three numbers": ({"front": {"a": [1, 2, 3], "b": [1, 1]}}, "must be .x, y. in pixels"),
    "not finite": ({"front": {"a": [float("nan"), 2], "b": [1, 1]}}, "beside the picture of front"),
    "beside the picture": ({"front": {"a": [64, 2], "b": [1, 1]}}, "beside the picture of front"),
}


@pytest.mark.parametrize(("clicks", "reason"), BAD.values(), ids=BAD.keys())
def test_bad_clicks_are_refused(segmenter: Segmenter, pictures: Any, clicks: Any, reason: str) -> None:
    with pytest.raises(ClickError, match=reason):
        Clicked(segmenter, ("a", "b")).start(pictures[0], clicks)


@pytest.fixture
def session(segmenter: Segmenter) -> Session:
    torch_policy = tiny_policy(bc.Config(("front",), 32, (8, 8), (64,), inputs="mask_state"))
    return Session(torch_policy, "lift", Limits(), clicked=Clicked(segmenter, ("a",)))


def ask(session: Session, sequence: int, **more: Any) -> dict[str, Any]:
    now = 10.0 + 0.05 * sequence
    return session.handle(wire.pack(observation(sequence, now) | more), now)


def test_a_session_moves_after_clicks_and_not_before(session: Session) -> None:
    refused = ask(session, 0, reset=True)
    assert refused["stopped"] and "a reset needs clicks" in refused["reason"]
    assert "send reset" in ask(session, 1)["reason"]
    assert not ask(session, 2, reset=True, clicks=CLICKS)["stopped"]
    assert not ask(session, 3)["stopped"]
    larger = ask(session, 4, images={"front": np.zeros((40, 40, 3), np.uint8)})
    assert larger["stopped"] and "not as large" in larger["reason"]


def test_what_no_camera_sees_any_more_stops_the_arm(
    session: Session, segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not ask(session, 0, reset=True, clicks=CLICKS)["stopped"]
    nothing = np.zeros((1, 32, 32), bool), np.zeros(1, np.float32)
    monkeypatch.setattr(segmenter, "step", lambda *_: nothing)
    replies = [ask(session, 1 + k) for k in range(22)]
    assert [reply["stopped"] for reply in replies] == [False] * 20 + [True] * 2
    assert "no camera has seen the object a for 1.1 s" in replies[20]["reason"]
    again = ask(session, 30, reset=True, clicks=CLICKS)
    assert again["stopped"] and "nothing is found at the click on a" in again["reason"]


@pytest.mark.parametrize(
    ("inputs", "weights", "message"),
    [("rgb", "here", "sees pictures, not masks"), ("mask_state", "no/such/folder", "which is no folder")],
)
def test_the_command_refuses_in_one_sentence(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, inputs: str, weights: str, message: str
) -> None:
    tiny_policy(bc.Config(("front",), 32, (8, 8), (64,), inputs=inputs)).save(tmp_path / "p.safetensors")
    monkeypatch.setattr("sys.argv", ["deploy", str(tmp_path / "p.safetensors"), "--clicks", weights])
    with pytest.raises(SystemExit, match=message):
        deploy.main()
