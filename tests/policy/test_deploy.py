"""The policy server: what it answers, what it refuses, and that nothing moves the arm outside its limits."""

from __future__ import annotations

import asyncio
import sys

import msgpack
import numpy as np
import pytest
import torch
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from bench.deploy import Client, crossed, hostile, observation, tiny_policy
from video2policy.policy import deploy, wire
from video2policy.policy.deploy import Server, describe
from video2policy.policy.safety import Guard, Limits
from video2policy.policy.session import Session

LIMITS = Limits()
DT = LIMITS.period


@pytest.fixture(scope="module")
def policy():
    torch.set_num_threads(1)
    return tiny_policy()


@pytest.fixture
def session(policy):
    return Session(policy, "lift", LIMITS)


def talk(session: Session, now: float, **message) -> dict:
    return session.handle(wire.pack(observation(message.pop("sequence"), now, **message)), now)


def test_observations_are_answered_with_limited_commands(session):
    first = talk(session, 10.0, sequence=0, reset=True)
    assert not first["stopped"] and first["actions"].shape == (1, 7) and first["gripper_force"] == 20.0
    second = talk(session, 10.05, sequence=1)
    assert not second["stopped"]
    assert not crossed([first, second], LIMITS)
    assert second["server_timing"]["total_ms"] >= second["server_timing"]["infer_ms"] > 0


BAD = {
    "not of the right shape": ({"state": np.zeros(13, np.float32)}, "state must be 14 floats"),
    "not a number": ({"state": np.full(14, np.nan, np.float32)}, "not finite"),
    "not of a robot": ({"state": np.full(14, 1e9, np.float32)}, "not of a robot"),
    "no image": ({"images": {}}, "images must be those of the cameras front"),
    "an image of floats": ({"images": {"front": np.zeros((32, 32, 3))}}, "must be uint8"),
    "an empty image": ({"images": {"front": np.zeros((0, 32, 3), np.uint8)}}, "has the shape"),
    "no sequence": ({"sequence": "7"}, "whole number"),
    "no time": ({"time": float("inf")}, "whole number and time"),
}


@pytest.mark.parametrize(("change", "reason"), BAD.values(), ids=BAD.keys())
def test_a_wrong_observation_stops_the_arm_until_a_reset(session, change, reason):
    talk(session, 10.0, sequence=0, reset=True)
    moving = talk(session, 10.05, sequence=1)
    bad = session.handle(wire.pack(observation(2, 10.1) | change), 10.1)
    assert bad["stopped"] and reason in bad["reason"]
    np.testing.assert_array_equal(bad["target"], moving["target"])
    assert not bad["actions"].any()
    assert "send reset" in talk(session, 10.15, sequence=3)["reason"]
    assert not talk(session, 10.2, sequence=4, reset=True)["stopped"]


@pytest.mark.parametrize(
    ("sequence", "now", "sent", "reason"),
    [
        (1, 10.1, 10.1, "replayed"),
        (2, 10.055, 10.055, "too fast"),
        (2, 11.0, 11.0, "nothing came for"),
        (2, 10.4, 10.1, "s old"),
    ],
    ids=["replayed", "too fast", "a gap", "stale"],
)
def test_an_observation_at_the_wrong_time_stops_the_arm(session, sequence, now, sent, reason):
    talk(session, 10.0, sequence=0, reset=True)
    talk(session, 10.05, sequence=1)
    reply = session.handle(wire.pack(observation(sequence, sent)), now)
    assert reply["stopped"] and reason in reply["reason"]


def test_nothing_moves_before_a_reset_and_a_reset_is_not_replayed(session):
    assert "send reset" in talk(session, 10.0, sequence=0)["reason"]
    assert not talk(session, 10.05, sequence=5, reset=True)["stopped"]
    assert "more than 100 ahead" in talk(session, 10.07, sequence=2**62, reset=True)["reason"]
    assert "replayed" in talk(session, 10.1, sequence=5, reset=True)["reason"]


def test_before_the_first_reset_the_answer_is_to_stay_wherever_the_arm_is(session):
    for reply in (session.handle(b"junk", 9.0), talk(session, 10.0, sequence=0)):
        assert reply["stopped"] and reply["target"] is None and reply["gripper_width"] is None
        assert not reply["actions"].any()
    far = observation(1, 10.05, reset=True)
    far["state"][:3] = 1.0, 1.0, 2.0
    reply = session.handle(wire.pack(far), 10.05)
    assert reply["target"] is None and "outside the workspace box" in reply["reason"]


def test_resets_are_no_way_past_the_limits(session):
    """Neither many of them nor one, as by a flipped bit, within a motion."""
    replies = [talk(session, 10.0 + 0.001 * k, sequence=k, reset=True) for k in range(200)]
    assert sum(not reply["stopped"] for reply in replies) == 8
    assert "too fast" in replies[1]["reason"]
    talk(session, 11.0, sequence=200, stop=True)
    moving = [talk(session, 12.0 + DT * k, sequence=210 + k, reset=k in (0, 5, 6)) for k in range(10)]
    assert not any(reply["stopped"] for reply in moving) and not crossed(moving, LIMITS)


def test_a_client_can_stop_the_arm(session):
    moving = talk(session, 10.0, sequence=0, reset=True)
    stop = session.handle(wire.pack({"stop": True}), 10.05)
    assert stop["stopped"] and "client said stop" in stop["reason"]
    np.testing.assert_array_equal(stop["target"], moving["target"])


@pytest.mark.parametrize("sent", [1010.05, 10.0, 9.0, 1e300], ids=["ahead", "again", "back", "endless"])
def test_a_clock_that_jumps_stops_the_arm(session, sent):
    talk(session, 10.0, sequence=0, reset=True)
    reply = session.handle(wire.pack(observation(1, sent)), 10.05)
    assert reply["stopped"] and (
        "clock" in reply["reason"] or "time a float" in reply["reason"] or "old" in reply["reason"]
    )


def test_garbage_is_no_message(session):
    for data in (b"", b"\xff" * 50, "text", msgpack.packb([1, 2]), b"\x00" * (wire.MAX_BYTES + 1)):
        assert session.handle(data, 1.0)["stopped"]


@pytest.mark.parametrize(
    "array",
    [
        {b"dtype": "object", b"shape": [1], b"data": b"x"},
        {b"dtype": "<f4", b"shape": [2], b"data": b"x"},
        {b"dtype": "<f4", b"shape": [-1], b"data": b""},
        {b"dtype": "<f4", b"shape": [2**40, 2**40], b"data": b""},
        {b"dtype": 7, b"shape": [1], b"data": b"x"},
        {},
    ],
)
def test_an_array_that_does_not_fit_is_refused(array):
    with pytest.raises(wire.WireError):
        wire.unpack(msgpack.packb({"state": {b"__ndarray__": True, **array}}))


@pytest.mark.parametrize(
    "bomb", [[[]] * 2000, [[[]] * 60] * 60, [[{}] * 60] * 60], ids=["long", "lists", "maps"]
)
def test_a_message_of_endless_parts_is_refused(bomb):
    with pytest.raises(wire.WireError):
        wire.unpack(msgpack.packb({"state": bomb}))


def test_arrays_cross_the_wire():
    sent = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": {"c": np.bool_(True)}}
    read = wire.unpack(wire.pack(sent))
    np.testing.assert_array_equal(read["a"], sent["a"])
    assert read["a"].dtype == np.float32 and read["b"]["c"] is True


def test_fuzzed_messages_cross_no_limit(policy):
    tally = hostile(policy, LIMITS, messages=1000, seed=3)
    assert tally["messages"] == 1000 and tally["moved"] > 300 and tally["stopped"] > 200
    assert not tally["crossed"]


def test_a_guard_brakes_in_front_of_the_box():
    guard, tool = Guard(LIMITS), np.array([0.0, 0.0, 0.2])
    guard.start(tool, 0.08)
    xs = []
    for _ in range(60):
        tool = guard.limit([1, 0, 0, 0, 0, 0, -1], tool).target
        xs.append(tool[0])
    assert xs[-1] <= LIMITS.high[0] and xs[-1] > LIMITS.high[0] - 0.01
    speeds = np.diff(xs) / DT
    assert speeds.max() <= LIMITS.speed + 1e-9 and guard.width == 0.0
    assert np.abs(np.diff(speeds)).max() / DT <= LIMITS.acceleration * 1.6


def test_limits_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="speed"):
        Limits(speed=-1.0)
    with pytest.raises(ValueError, match="low and high"):
        Limits(high=(np.inf, 1.0, 1.0))
    with pytest.raises(ValueError, match="low and high"):
        Limits(low=(1.0, 0.0, 0.0))


def served(policy, use, token: str | None = None):
    """Run `use(uri)` beside a server on a free port."""

    async def run():
        port = asyncio.get_running_loop().create_future()
        server = Server(lambda: Session(policy, "lift", LIMITS), describe(policy, "lift", LIMITS), token)
        task = asyncio.create_task(server.run("127.0.0.1", 0, port.set_result))
        try:
            return await use(f"ws://127.0.0.1:{await port}")
        finally:
            task.cancel()
            await asyncio.wait([task])

    return asyncio.run(run())


def test_a_web_page_is_no_client(policy):
    async def use(uri):
        with pytest.raises(InvalidStatus, match="403"):
            async with connect(uri, origin="https://example.org"):
                pass

    served(policy, use)


def test_a_client_that_reads_nothing_loses_the_arm(policy, monkeypatch):
    monkeypatch.setattr(deploy, "UNREAD", 0.05)
    monkeypatch.setattr(ServerConnection, "send", lambda *_: asyncio.sleep(60))

    async def use(uri):
        async with connect(uri) as deaf:
            with pytest.raises(ConnectionClosed):
                await deaf.recv()

    served(policy, use)


def test_one_client_at_a_time_and_the_next_after_it(policy):
    async def use(uri):
        async with Client(uri) as client:
            assert client.description["cameras"] == ["front"]
            assert not (await client.ask(reset=True))["stopped"]
            async with connect(uri) as second:
                with pytest.raises(ConnectionClosed, match="another client"):
                    await second.recv()
        async with connect(uri) as half:  # goes away in the middle of a session
            await half.recv()
            await half.send(b"\x81")
            half.transport.abort()
        for _ in range(50):
            await asyncio.sleep(0.02)
            try:
                async with Client(uri) as client:
                    return await client.ask(reset=True)
            except ConnectionClosed:
                continue

    assert not served(policy, use)["stopped"]


def test_a_silent_client_loses_the_arm(policy, monkeypatch):
    monkeypatch.setattr(deploy, "IDLE", 0.05)

    async def use(uri):
        async with connect(uri) as silent:
            await silent.recv()
            with pytest.raises(ConnectionClosed, match="silent for too long"):
                await silent.recv()
        async with Client(uri) as client:
            return client.description

    assert served(policy, use)["policy"]


def test_a_token_is_asked_for(policy):
    async def use(uri):
        twice = [("Authorization", "Api-Key secret")] * 2
        for headers in ({}, {"Authorization": "Api-Key wrong"}, {"Authorization": "secret"}, twice):
            with pytest.raises(InvalidStatus):
                async with connect(uri, additional_headers=headers):
                    pass
        async with connect(uri, additional_headers={"Authorization": "Api-Key secret"}) as good:
            return wire.unpack(await good.recv())

    assert served(policy, use, "secret")["behaviour"] == "lift"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--host", "0.0.0.0"], "put a token into VIDEO2POLICY_TOKEN"),
        (["--behaviour", "cover"], "has not seen 'cover'"),
        (["--speed", "-1"], "speed"),
        (["--port", "99999"], "2"),
    ],
)
def test_the_command_refuses_in_one_sentence(policy, tmp_path, monkeypatch, arguments, message):
    policy.save(tmp_path / "policy.safetensors")
    monkeypatch.delenv(deploy.TOKEN_ENV, raising=False)
    monkeypatch.setattr(sys, "argv", ["deploy", str(tmp_path / "policy.safetensors"), *arguments])
    with pytest.raises(SystemExit, match=message):
        deploy.main()
