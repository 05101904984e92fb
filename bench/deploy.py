"""The policy server under fire and its latency: `python -m bench.deploy`.

Hostile messages (wrong shapes, NaN, cut off, replayed, too fast, late, noise) go to a session as fast as it
answers them; every answer is held against the limits. Then one client over loopback: the server's whole
answer beside the policy's inference alone.
"""

import argparse
import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from websockets.asyncio.client import connect

from video2policy.policy import bc, wire
from video2policy.policy.deploy import Server, describe
from video2policy.policy.safety import Limits
from video2policy.policy.session import Session

GOAL = 1.2
"""99th percentile of the answer over that of the bare inference."""


def tiny_policy(preset: bc.Config | None = None) -> bc.ImagePolicy:
    """A policy with random weights that commands large actions."""
    torch.manual_seed(0)
    small = replace(bc.PRESETS["small"], cameras=("front",), image_size=32, channels=(8, 8), hidden=(64,))
    policy = bc.ImagePolicy(preset or small, ["lift"], 14).eval()
    with torch.no_grad():
        policy.head[-1].weight.mul_(30)  # type: ignore[operator, union-attr]
    return policy


def observation(sequence: int, sent: float, side: int = 32, **more: Any) -> dict[str, Any]:
    """A good one, for one camera."""
    rng = np.random.default_rng(sequence)
    state = np.zeros(14, np.float32)
    state[:3] = rng.uniform((-0.2, -0.2, 0.05), (0.2, 0.2, 0.4))
    image = rng.integers(0, 255, (side, side, 3), np.uint8)
    return {"state": state, "images": {"front": image}, "sequence": sequence, "time": sent, **more}


def crossed(replies: Sequence[Mapping[str, Any]], limits: Limits) -> list[str]:
    """Which limits consecutive replies cross; a reset, which starts anew, must not lie between them."""
    found = []
    if any(reply["target"] is None and not reply["stopped"] for reply in replies):
        found.append("moved to nowhere")
    replies = [reply for reply in replies if reply["target"] is not None]
    if not replies:
        return found
    targets = np.array([reply["target"] for reply in replies])
    if not np.isfinite(targets).all() or (targets < limits.low).any() or (targets > limits.high).any():
        found.append("box")
    speeds = np.abs(np.diff(targets, axis=0)) / limits.period
    if (speeds > limits.speed + 1e-9).any():
        found.append("speed")
    for reply in replies:
        if (
            not 0 <= reply["gripper_width"] <= limits.opening
            or not 0 <= reply["gripper_force"] <= limits.grip
        ):
            found.append("gripper")
        if not np.isfinite(reply["actions"]).all() or np.abs(reply["actions"]).max() > 1 + 1e-6:
            found.append("action")
        if reply["stopped"] and reply["actions"].any():
            found.append("moved while stopped")
    return found


def mangled(message: dict[str, Any], rng: np.random.Generator) -> bytes:
    """One hostile version of an observation."""
    kind = rng.integers(12)
    odd = [None, -1, 2**62, "x", [], {}, np.nan, np.zeros((2, 2)), np.full(14, np.inf, np.float32), b"\x80"]
    if kind < 5:
        message[rng.choice(list(message))] = odd[rng.integers(len(odd))]
    elif kind == 5:
        del message[rng.choice(list(message))]
    elif kind == 6:
        shape = rng.integers(0, 40, rng.integers(1, 5))
        message["images"] = {"front": np.zeros(shape, np.uint8)}
    elif kind == 7:
        return rng.integers(0, 256, rng.integers(0, 200), np.uint8).tobytes()
    data = bytearray(wire.pack(message))
    if kind == 8:
        return bytes(data[: rng.integers(len(data))])
    if kind >= 9:
        for place in rng.integers(0, min(len(data), 400), rng.integers(1, 6)):
            data[place] = rng.integers(256)
    return bytes(data)


def hostile(policy: bc.ImagePolicy, limits: Limits, messages: int, seed: int) -> dict[str, Any]:
    """Send `messages`, good and bad, to one session; what became of them, and which limits were crossed."""
    rng, session = np.random.default_rng(seed), Session(policy, "lift", limits)
    now, last, pair = 100.0, b"", None
    tally: dict[str, Any] = {"messages": 0, "moved": 0, "stopped": 0, "crossed": set()}
    for sequence in range(messages):
        now += limits.period * rng.choice(
            [1.0, 1.0, 1.0, 1.0, 0.1, 20.0], p=[0.3, 0.3, 0.2, 0.14, 0.03, 0.03]
        )
        reset = session.stopped is not None and rng.random() < 0.7
        sent = now - rng.choice([0.0, 5.0], p=[0.97, 0.03])
        message = observation(sequence, sent, reset=bool(reset))
        data = mangled(message, rng) if rng.random() < 0.3 else wire.pack(message)
        if last and rng.random() < 0.05:
            data = last
        last, started = data, session.stopped
        reply = session.handle(data, now)
        tally["messages"] += 1
        tally["stopped" if reply["stopped"] else "moved"] += 1
        anew = started is not None and not reply["stopped"]
        tally["crossed"] |= set(crossed([reply] if pair is None or anew else [pair, reply], limits))
        pair = reply
    return tally


class Client:
    """A client that asks one question after another, a control period apart."""

    def __init__(self, uri: str, side: int = 32) -> None:
        self.uri, self.side, self.sequence = uri, side, -1

    async def __aenter__(self) -> "Client":
        self.socket = await connect(self.uri, compression=None, max_size=None)
        self.description = wire.unpack(await self.socket.recv())  # type: ignore[arg-type]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.close()

    async def ask(self, **more: Any) -> dict[str, Any]:
        self.sequence += 1
        message = observation(self.sequence, time.monotonic(), self.side, **more)
        await self.socket.send(wire.pack(message))
        return wire.unpack(await self.socket.recv())  # type: ignore[arg-type]


async def answers(policy: bc.ImagePolicy, limits: Limits, questions: int) -> tuple[list[float], list[float]]:
    """Milliseconds in the server for each answer, and of the inference in it."""
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    server = Server(lambda: Session(policy, "lift", limits), describe(policy, "lift", limits))
    task = asyncio.create_task(server.run("127.0.0.1", 0, port.set_result))
    total, bare = [], []
    async with Client(f"ws://127.0.0.1:{await port}", policy.config.image_size) as client:
        stopped = True
        for question in range(questions):
            reply = await client.ask(reset=stopped)
            stopped = reply["stopped"]
            await asyncio.sleep(limits.period)
            if not stopped and question > 5:
                total.append(reply["server_timing"]["total_ms"])
                bare.append(reply["server_timing"]["infer_ms"])
    task.cancel()
    await asyncio.wait([task])
    return total, bare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument(
        "--policy", type=Path, help="for the latency; random weights of the small preset without"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    limits = Limits()
    start = time.process_time()
    tally = hostile(tiny_policy(), limits, arguments.messages, seed=0)
    print(f"{tally} in {time.process_time() - start:.0f} s of processor time", flush=True)
    one_camera = replace(bc.PRESETS["small"], cameras=("front",))
    policy = bc.ImagePolicy.load(arguments.policy) if arguments.policy else tiny_policy(one_camera)
    total, bare = asyncio.run(answers(policy, limits, arguments.questions))
    whole, alone = np.percentile(total, [50, 99]), np.percentile(bare, [50, 99])
    print("| | median, ms | p99, ms |\n|---|---|---|")
    print(f"| answer | {whole[0]:.2f} | {whole[1]:.2f} |\n| inference | {alone[0]:.2f} | {alone[1]:.2f} |")
    print(f"\np99 ratio {whole[1] / alone[1]:.2f}; the goal is at most {GOAL}.")


if __name__ == "__main__":
    main()
