"""Rolls a cloned image policy out in one scene; started by `guard.process.run_worker`.

The specification is that of `video2policy.evaluate.worker`, with behaviour (the family asked for) beside it.
With `served`, every observation goes through the policy server's session as a message, and its limited answer
moves the arm: as a robot's client would, without the wire.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from video2policy.evaluate.worker import Act, record
from video2policy.policy import bc, wire
from video2policy.policy.safety import Limits
from video2policy.policy.session import Session
from video2policy.sim.base import Kind
from video2policy.sim.lens import Lens
from video2policy.sim.randomise import Randomisation
from video2policy.sim.tabletop import Tabletop

Masked = Callable[[npt.NDArray[np.int32], Sequence[str], Mapping[str, str]], bc.Images]
"""Labels (n, h, w), the objects in order and the task's roles -> masks (n, h, w, 3) as a policy sees them."""


class Eyes:
    """What a policy sees of n simulations: its cameras' pictures or masks, with the flaws that are wanted."""

    def __init__(self, sim: Tabletop, size: int, lenses: Mapping[str, Lens], masked: Masked | None) -> None:
        """`size` is the pictures' side in pixels; without `masked` they show colours."""
        self.sim, self.size, self.lenses, self.masked = sim, size, lenses, masked
        self.kind: Kind = "segmentation" if masked else "rgb"

    def look(self) -> dict[str, bc.Images]:
        """Camera -> (n, size, size, 3) uint8."""
        return {camera: self._through(camera, lens) for camera, lens in self.lenses.items()}

    def _through(self, camera: str, lens: Lens) -> bc.Images:
        sim, size = self.sim, self.size
        drawn = np.stack([sim.render(i, camera, size, size, self.kind) for i in range(sim.n_envs)])
        if not self.masked:
            return lens.pictures(drawn, sim.draws())
        labels = lens.labels(drawn, len(sim.object_names))
        return self.masked(labels, sim.object_names, sim.scene.task.roles)


class Served:
    """A session of the policy server for each simulation, with a clock that runs by control steps."""

    def __init__(self, policy: bc.ImagePolicy, behaviour: str, count: int, period: float) -> None:
        self.sessions = [Session(policy, behaviour, Limits(period=period)) for _ in range(count)]
        self.period, self.step = period, 0

    def act(self, images: Mapping[str, bc.Images], state: torch.Tensor) -> torch.Tensor:
        """The limited actions (n, 7)."""
        now = 1.0 + self.step * self.period
        replies = []
        for k, session in enumerate(self.sessions):
            message = {
                "images": {camera: views[k] for camera, views in images.items()},
                "state": state[k].numpy(),
                "sequence": self.step,
                "time": now,
                "reset": session.stopped is not None,
            }
            replies.append(session.handle(wire.pack(message), now)["actions"][0])
        self.step += 1
        return torch.from_numpy(np.stack(replies))


class Actor(Protocol):
    """A policy in closed loop over n environments."""

    def act(self, images: Mapping[str, bc.Images], state: torch.Tensor) -> torch.Tensor: ...


def record_seeing(
    spec: Mapping[str, Any],
    cameras: Sequence[str],
    size: int,
    masked: Masked | None,
    begin: Callable[[Tabletop], Actor],
) -> None:
    """`record` for a policy that sees through cameras, `size` pixels a side.

    `begin` gives what acts in one batch of episodes.
    """
    flaws = Randomisation.of(spec.get("randomise", "none"))
    batches = itertools.count()

    def make_policy(sim: Tabletop) -> Act:
        batch = next(batches)
        lenses = {camera: Lens(flaws, (int(spec["seed"]), batch, k)) for k, camera in enumerate(cameras)}
        eyes = Eyes(sim, size, lenses, masked)
        actor = begin(sim)
        return lambda _: actor.act(eyes.look(), bc.proprioception(sim.states()))

    record(spec, make_policy, drawing=True)


def main(spec: Mapping[str, Any]) -> None:
    policy = bc.ImagePolicy.load(Path(spec["policy"]))

    def begin(sim: Tabletop) -> Actor:
        if spec.get("served"):
            return Served(policy, spec["behaviour"], sim.n_envs, sim.control_step)
        return bc.Agent(policy, spec["behaviour"])

    config = policy.config
    masked = bc.mask_pictures if config.masks else None
    record_seeing(spec, config.cameras, config.image_size, masked, begin)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
