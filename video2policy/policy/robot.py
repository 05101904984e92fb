"""A client of the policy server that drives a simulated robot, in real time: a rehearsal of a deployment.

    python -m video2policy.policy.deploy policy.safetensors --behaviour lift
    python -m video2policy.policy.robot ws://127.0.0.1:8000 results/videos/lift_box/scene.json

The simulation stands in for hardware (`simulation.randomise: real`). Objects start at random; the family's
judge says whether an episode succeeded. No generated code runs in here.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from video2policy import mjcf
from video2policy.evaluate.judges import judge
from video2policy.perceive.sam2 import points_inside
from video2policy.policy import bc, wire
from video2policy.policy.deploy import TOKEN_ENV
from video2policy.policy.worker import Eyes
from video2policy.scene import Scene
from video2policy.sim.lens import Lens
from video2policy.sim.mujoco import MujocoSim
from video2policy.sim.randomise import PRESETS, Randomisation

ONE = torch.zeros(1, dtype=torch.long)

Ask = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""An observation -> the server's reply."""


CLICKED_SIDE = 256
"""Pixels a side of the pictures that are clicked on."""


def clicks_on(sim: MujocoSim, cameras: Sequence[str], roles: Sequence[str]) -> dict[str, Any]:
    """Where a person would click: camera -> role -> (x, y), well inside each object that the camera shows."""
    clicks: dict[str, Any] = {}
    for camera in cameras:
        labels = sim.render(0, camera, CLICKED_SIDE, CLICKED_SIDE, "segmentation")
        for role in roles:
            mask = labels == 1 + list(sim.object_names).index(sim.scene.task.roles[role])
            if mask.any():
                clicks.setdefault(camera, {})[role] = list(points_inside(mask, 1)[0])
    return clicks


def drive(
    sim: MujocoSim, eyes: Eyes, ask: Ask, period: float, first: int, roles: Sequence[str] = ()
) -> tuple[Any, list[str]]:
    """One episode in real time; its trajectory as judges read it, and why the server stopped, if it did.

    `first` is the number of the first observation. After a stop the next observation is a reset, with clicks
    on the objects of these `roles`. The episode ends with a stop, so that the next begins where its arm is.
    """
    sim.reset(ONE, sim.sample_object_poses(ONE))
    rows, stops, reset = [sim.states()], [], True
    for step in range(sim.horizon):
        due = time.monotonic() + period
        state = bc.proprioception(rows[-1])[0].numpy()
        images = {camera: views[0] for camera, views in eyes.look().items()}
        about: dict[str, Any] = {"sequence": first + step, "time": time.monotonic(), "reset": reset}
        if reset and roles:
            about["clicks"] = clicks_on(sim, list(images), roles)
        reply = ask({"images": images, "state": state, **about})
        reset = bool(reply["stopped"])
        if reset:
            stops.append(str(reply["reason"]))
        sim.step(torch.from_numpy(np.array(reply["actions"])))
        rows.append(sim.states())
        time.sleep(max(0.0, due - time.monotonic()))
    ask({"stop": True})
    states = {name: np.stack([row[name].numpy() for row in rows]) for name in rows[0]}
    return states | {"valid": np.ones((len(rows), 1), bool)}, stops


def rehearse(
    uri: str, scene_path: Path, episodes: int, robot: str, horizon: int, flaws: Randomisation, seed: int
) -> Iterator[tuple[bool, list[str]]]:
    """Success of each episode, and the server's reasons for stops.

    Raises:
        WebSocketException, OSError: the server cannot be reached, refuses, or goes away.
        SceneError: the scene cannot be simulated.
    """
    scene = Scene.load(scene_path)
    sim = MujocoSim(scene, scene_path.parent, 1, robot, seed=seed, horizon=horizon, randomise=flaws)
    token = os.environ.get(TOKEN_ENV)
    headers = {"Authorization": f"Api-Key {token}"} if token else {}
    with connect(uri, compression=None, max_size=None, additional_headers=headers) as socket:

        def receive() -> Mapping[str, Any]:
            return wire.unpack(socket.recv(decode=False))

        def ask(message: Mapping[str, Any]) -> Mapping[str, Any]:
            socket.send(wire.pack(message))
            return receive()

        server = receive()
        roles = server["clicks"]
        masked = None if roles or server["inputs"] == "rgb" else bc.mask_pictures
        side = CLICKED_SIDE if roles else int(server["image_size"])
        for episode in range(episodes):
            lenses = {camera: Lens(flaws, (seed, episode, k)) for k, camera in enumerate(server["cameras"])}
            eyes = Eyes(sim, side, lenses, masked)
            trajectory, stops = drive(sim, eyes, ask, float(server["period"]), episode * horizon, roles)
            verdict = judge(scene.task.family, scene.task.roles, trajectory)
            yield bool(verdict.success[0]), stops
    sim.close()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("uri", help="of the server, such as ws://127.0.0.1:8000")
    parser.add_argument("scene", type=Path, help="scene.json of a clip that passed")
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--robot", default="panda")
    parser.add_argument("--horizon", type=int, default=100, help="control steps of an episode")
    parser.add_argument("--randomise", default="real", choices=list(PRESETS))
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    try:
        Scene.load(chosen.scene)
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(f"{chosen.scene} is no scene.json that can be read: {error}")
    flaws, successes, number = Randomisation.of(chosen.randomise), 0, 0
    episodes = rehearse(
        chosen.uri, chosen.scene, chosen.episodes, chosen.robot, chosen.horizon, flaws, chosen.seed
    )
    try:
        for number, (success, stops) in enumerate(episodes, 1):
            successes += success
            why = f"; {len(stops)} stops, the first: {stops[0]}" if stops else ""
            print(f"episode {number}: {'success' if success else 'failed'}{why}", flush=True)
    except (OSError, WebSocketException, wire.WireError) as error:
        sys.exit(f"{chosen.uri}: {str(error) or type(error).__name__}")
    except mjcf.SceneError as error:
        sys.exit(str(error))
    print(f"{successes} of {number} episodes succeed")


if __name__ == "__main__":
    main()
