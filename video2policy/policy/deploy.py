"""A policy server: frames and the robot's state in, limited commands out, over a websocket.

It speaks openpi's client protocol: MessagePack with arrays (`policy.wire`), the server's description first,
then one reply for each observation. One arm at a time. Whatever is wrong with a message, the answer is to
hold still, with the reason; after a stop the client must say `reset`. Loopback by default, a token beyond it.

    python -m video2policy.policy.deploy policy.safetensors --behaviour lift
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hmac
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from video2policy.perceive.backend import Backend
from video2policy.perceive.sam2 import Segmenter
from video2policy.perceive.verdict import Unavailable
from video2policy.policy import bc, wire
from video2policy.policy.clicks import Clicked, roles_of
from video2policy.policy.encoders import BackboneError
from video2policy.policy.safety import Limits
from video2policy.policy.session import Session

log = logging.getLogger("video2policy")

LOOPBACK = ("127.0.0.1", "::1", "localhost")
TOKEN_ENV = "VIDEO2POLICY_TOKEN"
TRY_LATER = 1013
IDLE = 60.0
"""Seconds after which a silent client loses the arm to another."""
UNREAD = 5.0
"""Seconds after which one that does not read the replies does."""


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
        given = request.headers.get_all("Authorization")
        wanted = f"Api-Key {self.token}"
        if len(given) == 1 and hmac.compare_digest(given[0].encode(), wanted.encode()):
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
            # Who connects anew for each command shall not be faster than who stays.
            await asyncio.sleep(float(self.description["period"]))
            await self._send(connection, self.description)
            while True:
                async with asyncio.timeout(IDLE):
                    data = await connection.recv()
                await self._send(connection, session.handle(data, time.monotonic()))
        except ConnectionClosed:
            log.info("the client went away; the next one must reset")
        except TimeoutError:
            await connection.close(TRY_LATER, "silent for too long")
        finally:
            self._busy = False

    async def _send(self, connection: ServerConnection, message: Mapping[str, Any]) -> None:
        """Cut off a client that does not read what it asked for."""
        try:
            async with asyncio.timeout(UNREAD):
                await connection.send(wire.pack(message))
        except TimeoutError:
            connection.transport.abort()  # which the next recv tells

    async def run(self, host: str, port: int, ready: Callable[[int], None] = lambda port: None) -> None:
        """Serve until cancelled; `ready` is told the port."""
        async with serve(
            self.talk,
            host,
            port,
            process_request=self.admit,
            origins=[None],  # browsers name one: no web page moves the arm
            compression=None,
            max_size=wire.MAX_BYTES,
            max_queue=4,
        ) as server:
            ready(next(iter(server.sockets)).getsockname()[1])
            await server.serve_forever()


def describe(
    policy: bc.ImagePolicy, behaviour: str, limits: Limits, clicks: Sequence[str] = ()
) -> dict[str, Any]:
    """What the client is told first; `clicks` are the roles of the objects to click on."""
    return {
        "policy": "video2policy image policy",
        "behaviour": behaviour,
        "behaviours": list(policy.behaviours),
        "cameras": list(policy.config.cameras),
        "image_size": policy.config.image_size,
        "inputs": policy.config.inputs,
        "clicks": list(clicks),
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
    parser.add_argument("--port", type=int, default=8000, choices=range(65536), metavar="PORT")
    parser.add_argument("--low", nargs=3, type=float, default=Limits.low, help="corner of the box, metres")
    parser.add_argument("--high", nargs=3, type=float, default=Limits.high)
    parser.add_argument("--speed", type=float, default=Limits.speed, help="metres a second, per axis")
    parser.add_argument("--jerk", type=float, default=Limits.jerk, help="metres a second^3, per axis")
    parser.add_argument("--grip", type=float, default=Limits.grip, help="newtons")
    parser.add_argument(
        "--clicks",
        metavar="WEIGHTS",
        help="folder or hub name of SAM 2.1's weights (facebook/sam2.1-hiera-tiny): for a policy that sees "
        "masks, which are made here of the client's pictures and its clicks on the objects",
    )
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"], help="for SAM 2.1")
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
        Session(policy, behaviour, limits)
        if arguments.clicks and not policy.config.masks:
            sys.exit("the policy sees pictures, not masks: leave --clicks out")
        roles = roles_of(behaviour) if arguments.clicks else ()
        segmenter = Segmenter(Backend("sam2", arguments.clicks, device=arguments.device)) if roles else None
    except (bc.BCError, BackboneError, Unavailable, OSError, ValueError) as error:
        sys.exit(str(error))

    def make_session() -> Session:
        return Session(policy, behaviour, limits, clicked=Clicked(segmenter, roles) if segmenter else None)

    server = Server(make_session, describe(policy, behaviour, limits, roles), token)

    def ready(port: int) -> None:
        log.info("serving %s on ws://%s:%d", behaviour, arguments.host, port)

    async def serve_until_told() -> None:
        serving = asyncio.ensure_future(server.run(arguments.host, arguments.port, ready))
        for signal_number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(signal_number, serving.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        log.info("ended")

    try:
        asyncio.run(serve_until_told())
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        sys.exit(f"cannot serve on {arguments.host}:{arguments.port}: {reason}")


if __name__ == "__main__":
    main()
