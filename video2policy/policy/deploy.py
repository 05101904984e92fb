"""A policy server: frames and the robot's state in, limited commands out, over a websocket.

It speaks openpi's client protocol: MessagePack with arrays (`policy.wire`), the server's description first,
then one reply for each observation. One arm at a time. Whatever is wrong with a message, the answer is to
hold still, with the reason; after a stop the client must say `reset`. Loopback by default, a token beyond it.

    python -m video2policy.policy.deploy policy.safetensors --behaviour lift
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
import torch
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from video2policy.policy import bc, wire
from video2policy.policy.encoders import BackboneError
from video2policy.policy.safety import Command, Guard, Limits
from video2policy.task import ROBOT_STATES

log = logging.getLogger("video2policy")

LOOPBACK = ("127.0.0.1", "::1", "localhost")
TOKEN_ENV = "VIDEO2POLICY_TOKEN"
STATE_DIM = sum(ROBOT_STATES[key] for key in bc.PROPRIOCEPTION)
TRY_LATER = 1013
IDLE = 60.0
"""Seconds after which a silent client loses the arm to another."""
MAX_GAP = 100
"""By which a sequence number may run ahead of the one before."""
MAX_SIDE = 2048
"""Pixels of an image that is looked at."""


class Stop(ValueError):
    """Why the arm must hold still; one sentence for the client."""


def _column(key: str) -> int:
    before = bc.PROPRIOCEPTION[: bc.PROPRIOCEPTION.index(key)]
    return sum(ROBOT_STATES[name] for name in before)


TOOL, WIDTH = slice(_column("eef_pos"), _column("eef_pos") + 3), _column("gripper_opening")


@dataclass(frozen=True)
class Timing:
    """When an observation counts.

    Attributes:
        stale: seconds that one may be older, in comparison with the session's first. watchdog: seconds
        without one after which the arm needs a reset. fastest: share of the control period between two.
    """

    stale: float = 0.2
    watchdog: float = 0.5
    fastest: float = 0.5


class Session:
    """One client's arm: checks its observations, asks the policy, limits the answer. No network in here."""

    def __init__(
        self, policy: bc.ImagePolicy, behaviour: str, limits: Limits, timing: Timing = Timing()
    ) -> None:
        self.agent = bc.Agent(policy, behaviour)
        self.cameras = policy.config.cameras
        self.guard, self.timing = Guard(limits), timing
        self.stopped: str | None = "not started: send reset with the first observation"
        self._sequence = -1
        self._offset = self._last = 0.0

    def handle(self, data: bytes | str, now: float) -> dict[str, Any]:
        """The reply to one message that arrived at `now` (seconds, monotonic); never raises."""
        started = time.perf_counter()
        inference = 0.0
        try:
            state, images = self._check(data, now)
            before = time.perf_counter()
            action = self.agent.act(images, torch.from_numpy(state)[None])[0].numpy()
            inference = time.perf_counter() - before
            if not np.isfinite(action).all():
                raise Stop("the policy's action is not finite")
            command = self.guard.limit(action, state[TOOL].astype(float))
        except (Stop, wire.WireError) as error:
            self.stopped = self.stopped or str(error)
            command = self.guard.hold()
            return self._reply(command, str(error), started, inference)
        return self._reply(command, None, started, inference)

    def _reply(
        self, command: Command, reason: str | None, started: float, inference: float
    ) -> dict[str, Any]:
        return {
            "actions": command.action[None],
            "target": command.target,
            "turn": command.turn,
            "gripper_width": command.width,
            "gripper_force": command.grip,
            "stopped": reason is not None,
            "reason": reason or "",
            "server_timing": {
                "infer_ms": 1000 * inference,
                "total_ms": 1000 * (time.perf_counter() - started),
            },
        }

    def _check(self, data: bytes | str, now: float) -> tuple[Any, dict[str, Any]]:
        """The robot's state (14,) and images (1, h, w, 3) of a message that may move the arm."""
        if isinstance(data, str):
            raise Stop("a text message; observations are binary MessagePack")
        message = wire.unpack(data)
        state = message.get("state")
        if not isinstance(state, np.ndarray) or state.shape != (STATE_DIM,) or state.dtype.kind != "f":
            raise Stop(f"state must be {STATE_DIM} floats")
        if not np.isfinite(state).all() or np.abs(state).max() > 100:
            raise Stop("state holds numbers that are not finite or not of a robot")
        images = self._images(message.get("images"))
        sequence, sent = message.get("sequence"), message.get("time")
        if type(sequence) is not int or not isinstance(sent, float) or not np.isfinite(sent):
            raise Stop("sequence must be a whole number and time a float, in seconds")
        if sequence > self._sequence + MAX_GAP:  # would make everything after it look replayed
            raise Stop(f"sequence {sequence} is more than {MAX_GAP} ahead")
        if message.get("reset") is True:
            if sequence <= self._sequence:
                raise Stop(f"sequence {sequence} came before: a reset is not replayed either")
            self.agent.reset()
            self.guard.start(state[TOOL].astype(float), float(state[WIDTH]))
            self.stopped, self._offset = None, now - sent
        elif self.stopped is not None:
            raise Stop(f"stopped ({self.stopped}): send reset to go on")
        elif sequence <= self._sequence:
            raise Stop(f"sequence {sequence} came before: replayed or out of order")
        elif now - self._last > self.timing.watchdog:
            raise Stop(f"nothing came for {now - self._last:.2f} s")
        elif now - self._last < self.timing.fastest * self.guard.limits.period:
            raise Stop(f"too fast: one observation in {self.guard.limits.period} s is wanted")
        elif now - sent - self._offset > self.timing.stale:
            raise Stop(f"the observation is {now - sent - self._offset:.2f} s old")
        self._sequence, self._last = sequence, now
        return state.astype(np.float32), images

    def _images(self, given: Any) -> dict[str, Any]:
        if not isinstance(given, Mapping) or set(given) != set(self.cameras):
            raise Stop(f"images must be those of the cameras {', '.join(self.cameras)}")
        images = {}
        for camera in self.cameras:
            image = given[camera]
            if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3:
                raise Stop(f"the image of {camera} must be uint8 (height, width, 3)")
            if image.shape[2] != 3 or not all(8 <= side <= MAX_SIDE for side in image.shape[:2]):
                raise Stop(f"the image of {camera} has the shape {image.shape}")
            images[camera] = np.array(image)[None]
        return images


class Server:
    """Serves one arm; further clients are told to try later."""

    def __init__(
        self,
        make_session: Callable[[], Session],
        description: Mapping[str, Any],
        token: str | None = None,
    ) -> None:
        self.make_session, self.description, self.token = make_session, dict(description), token
        self._busy = False

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse a client without the token, before any message."""
        if self.token is None:
            return None
        given = request.headers.get("Authorization", "").removeprefix("Api-Key ")
        if hmac.compare_digest(given.encode(), self.token.encode()):
            return None
        return connection.respond(HTTPStatus.UNAUTHORIZED, "a token is needed: Authorization: Api-Key ...\n")

    async def talk(self, connection: ServerConnection) -> None:
        """One client from its first to its last message."""
        if self._busy:
            await connection.close(TRY_LATER, "another client moves the arm")
            return
        self._busy = True
        session = self.make_session()
        try:
            await connection.send(wire.pack(self.description))
            while True:
                async with asyncio.timeout(IDLE):
                    data = await connection.recv()
                await connection.send(wire.pack(session.handle(data, time.monotonic())))
        except ConnectionClosed:
            log.info("the client went away; the next one must reset")
        except TimeoutError:
            await connection.close(TRY_LATER, "silent for too long")
        finally:
            self._busy = False

    async def run(self, host: str, port: int, ready: Callable[[int], None] = lambda port: None) -> None:
        """Serve until cancelled; `ready` is told the port."""
        async with serve(
            self.talk,
            host,
            port,
            process_request=self.admit,
            compression=None,
            max_size=wire.MAX_BYTES,
            max_queue=4,
        ) as server:
            ready(next(iter(server.sockets)).getsockname()[1])
            await server.serve_forever()


def describe(policy: bc.ImagePolicy, behaviour: str, limits: Limits) -> dict[str, Any]:
    """What the client is told first."""
    return {
        "policy": "video2policy image policy",
        "behaviour": behaviour,
        "behaviours": list(policy.behaviours),
        "cameras": list(policy.config.cameras),
        "image_size": policy.config.image_size,
        "inputs": policy.config.inputs,
        "state": list(bc.PROPRIOCEPTION),
        "period": limits.period,
        "low": list(limits.low),
        "high": list(limits.high),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("policy", type=Path, help="policy.safetensors of the generalist")
    parser.add_argument("--behaviour", help="which of the policy's behaviours, if it has several")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--low", nargs=3, type=float, default=Limits.low, help="corner of the box, metres")
    parser.add_argument("--high", nargs=3, type=float, default=Limits.high)
    parser.add_argument("--speed", type=float, default=Limits.speed, help="metres a second, per axis")
    parser.add_argument("--jerk", type=float, default=Limits.jerk, help="metres a second^3, per axis")
    parser.add_argument("--grip", type=float, default=Limits.grip, help="newtons")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    token = os.environ.get(TOKEN_ENV)
    if arguments.host not in LOOPBACK and not token:
        sys.exit(f"{arguments.host} can be reached from outside: put a token into {TOKEN_ENV} first")
    try:
        limits = Limits(
            tuple(arguments.low),
            tuple(arguments.high),
            speed=arguments.speed,
            jerk=arguments.jerk,
            grip=arguments.grip,
        )
        policy = bc.ImagePolicy.load(arguments.policy)
        if not arguments.behaviour and len(policy.behaviours) > 1:
            sys.exit(f"the policy knows {', '.join(policy.behaviours)}: say which with --behaviour")
        behaviour = arguments.behaviour or policy.behaviours[0]
        bc.Agent(policy, behaviour)
    except (bc.BCError, BackboneError, OSError, ValueError) as error:
        sys.exit(str(error))
    server = Server(lambda: Session(policy, behaviour, limits), describe(policy, behaviour, limits), token)

    def ready(port: int) -> None:
        log.info("serving %s on ws://%s:%d", behaviour, arguments.host, port)

    try:
        asyncio.run(server.run(arguments.host, arguments.port, ready))
    except KeyboardInterrupt:
        log.info("ended")
    except OSError as error:
        sys.exit(f"cannot serve on {arguments.host}:{arguments.port}: {error.strerror or error}")


if __name__ == "__main__":
    main()
