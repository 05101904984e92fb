"""A simulated robot as the policy server's client, over a real socket."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench.deploy import tiny_policy
from tests.perceive.tiny import tiny_sam2
from tests.scenes import primitive_scene
from video2policy.perceive.backend import Backend
from video2policy.perceive.sam2 import Segmenter
from video2policy.policy import bc, robot
from video2policy.policy.clicks import Clicked
from video2policy.policy.deploy import Server, describe
from video2policy.policy.safety import Limits
from video2policy.policy.session import Session, Timing
from video2policy.scene import Scene
from video2policy.sim.mujoco import MujocoSim

QUICK = Limits(period=0.001)
PATIENT = Timing(stale=60, watchdog=60, fastest=0)
SMALL = replace(bc.PRESETS["small_mask"], cameras=("front",), image_size=32, channels=(8, 8), hidden=(64,))


@pytest.fixture(params=["rgb", "mask_state", "clicks"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A server with random weights, in a thread; with clicks, SAM 2.1 of a few thousand weights is in it."""
    clicks = ("a",) if request.param == "clicks" else ()
    policy = tiny_policy(replace(SMALL, inputs="mask_state" if clicks else request.param))
    segmenter = (
        Segmenter(Backend("sam2", str(tiny_sam2(tmp_path / "weights")), device="cpu")) if clicks else None
    )

    def session() -> Session:
        return Session(policy, "lift", QUICK, PATIENT, Clicked(segmenter, clicks) if segmenter else None)

    server = Server(session, describe(policy, "lift", QUICK, clicks))
    loop, port, started = asyncio.new_event_loop(), [], threading.Event()

    def ready(number: int) -> None:
        port.append(number)
        started.set()

    def serve() -> None:
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(task)

    task = loop.create_task(server.run("127.0.0.1", 0, ready))
    thread = threading.Thread(target=serve)
    thread.start()
    assert started.wait(20)
    yield f"ws://127.0.0.1:{port[0]}"
    loop.call_soon_threadsafe(task.cancel)
    thread.join(20)


def test_it_drives_episodes_and_says_how_they_ended(tmp_path, capsys, uri):
    scene = primitive_scene(tmp_path, "lift")
    robot.main([uri, str(scene), "--episodes", "2", "--horizon", "25", "--robot", "floating"])
    printed = capsys.readouterr().out.splitlines()
    assert printed == ["episode 1: failed", "episode 2: failed", "0 of 2 episodes succeed"]


def test_a_scene_that_is_none_is_told_in_one_sentence(tmp_path):
    (tmp_path / "scene.json").write_text("")
    for name in ("scene.json", "missing.json"):
        with pytest.raises(SystemExit, match=f"{name} is no scene.json"):
            robot.main(["ws://127.0.0.1:1", str(tmp_path / name)])


def test_no_server_is_told_in_one_sentence(tmp_path):
    scene = primitive_scene(tmp_path, "lift")
    with pytest.raises(SystemExit, match=r"ws://127.0.0.1:1: .*refused"):
        robot.main(["ws://127.0.0.1:1", str(scene), "--robot", "floating"])


def test_it_clicks_inside_the_objects_that_a_camera_shows(tmp_path):
    path = primitive_scene(tmp_path, "put_next", objects={"cube": "box", "mug": "mug"})
    sim = MujocoSim(Scene.load(path), path.parent, 1, "floating")
    sim.reset(robot.ONE, sim.sample_object_poses(robot.ONE))
    clicks = robot.clicks_on(sim, ["front"], ["a", "b"])["front"]
    side = robot.CLICKED_SIDE
    labels = sim.render(0, "front", side, side, "segmentation")
    for role, (x, y) in clicks.items():
        assert sim.object_names[labels[int(y), int(x)] - 1] == sim.scene.task.roles[role]
    assert set(clicks) == {"a", "b"}
    sim.close()
