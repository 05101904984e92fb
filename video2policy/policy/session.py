"""One client's arm, without any network: checks its observations, asks the policy, limits the answer.

Whatever is wrong with a message, the answer is to hold still, with the reason.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from video2policy.policy import bc, wire
from video2policy.policy.clicks import SURE, Clicked, ClickError
from video2policy.policy.safety import Command, Guard, Limits
from video2policy.task import ROBOT_STATES

STATE_DIM = sum(ROBOT_STATES[key] for key in bc.PROPRIOCEPTION)
MAX_GAP = 100
"""By which a sequence number may run ahead of the one before."""
LATEST = 1e10
"""Seconds up to which a clock is fine enough to tell ages by; since 1970 it is 2e9."""
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
        stale: seconds by which its age may differ from that of the last reset. watchdog: seconds
        without one after which the arm needs a reset. fastest: share of the control period between two.
        lost: seconds for which a clicked object may be seen by no camera.
    """

    stale: float = 0.2
    watchdog: float = 0.5
    fastest: float = 0.5
    lost: float = 1.0


class Session:
    """Between one client's messages and the policy; `handle` answers each.

    With `clicked` the images are the cameras' pictures, and masks are made of them here.

    Raises bc.BCError for a behaviour that the policy has not seen, or one of another robot state.
    """

    def __init__(
        self,
        policy: bc.ImagePolicy,
        behaviour: str,
        limits: Limits,
        timing: Timing = Timing(),
        clicked: Clicked | None = None,
    ) -> None:
        if len(policy.state_mean) != STATE_DIM:
            raise bc.BCError(
                f"the policy reads {len(policy.state_mean)} numbers of the robot, not {STATE_DIM}"
            )
        self.agent = bc.Agent(policy, behaviour)
        self.cameras = policy.config.cameras
        self.guard, self.timing = Guard(limits), timing
        self.stopped: str | None = "not started: send reset with the first observation"
        self._sequence = -1
        self._last = self._sent = -np.inf
        self._offset = self._seen = 0.0
        self.clicked = clicked

    def handle(self, data: bytes | str, now: float) -> dict[str, Any]:
        """The reply to one message that arrived at `now` (seconds, monotonic); never raises."""
        started = time.perf_counter()
        inference = 0.0
        try:
            message = self._check(data, now)
            state, images = message["state"], message["images"]
            before = time.perf_counter()
            if self.clicked is not None:
                images = self._masks(self.clicked, message, now)
            action = self.agent.act(images, torch.from_numpy(state)[None])[0].numpy()
            inference = time.perf_counter() - before
            if not np.isfinite(action).all():
                raise Stop("the policy's action is not finite")
            command = self.guard.limit(action, state[TOOL].astype(float))
        except (Stop, ClickError, wire.WireError) as error:
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

    def _masks(self, clicked: Clicked, message: Mapping[str, Any], now: float) -> dict[str, bc.Images]:
        """The masks of the clicked objects in the message's pictures."""
        if message["reset"]:
            clicked.start(message["images"], message.get("clicks"))
        pictures, sure = clicked.look(message["images"])
        worst = min(sure, key=lambda role: sure[role])
        if sure[worst] >= SURE:
            self._seen = now
        elif message["reset"]:
            raise Stop(f"nothing is found at the click on {worst}")
        elif now - self._seen > self.timing.lost:
            raise Stop(f"no camera has seen the object {worst} for {now - self._seen:.1f} s")
        return pictures

    def _check(self, data: bytes | str, now: float) -> dict[str, Any]:
        """A message that may move the arm, with its state (14,), images (1, h, w, 3) and reset as used."""
        if isinstance(data, str):
            raise Stop("a text message; observations are binary MessagePack")
        message = wire.unpack(data)
        if message.get("stop") is True:
            raise Stop("the client said stop")
        state = message.get("state")
        if not isinstance(state, np.ndarray) or state.shape != (STATE_DIM,) or state.dtype.kind != "f":
            raise Stop(f"state must be {STATE_DIM} floats")
        if not np.isfinite(state).all() or np.abs(state).max() > 100:
            raise Stop("state holds numbers that are not finite or not of a robot")
        images = self._images(message.get("images"))
        sequence, sent = message.get("sequence"), message.get("time")
        if type(sequence) is not int or not isinstance(sent, float) or not abs(sent) < LATEST:
            raise Stop("sequence must be a whole number and time a float, in seconds")
        if sequence > self._sequence + MAX_GAP:  # would make everything after it look replayed
            raise Stop(f"sequence {sequence} is more than {MAX_GAP} ahead")
        if sequence <= self._sequence:
            raise Stop(f"sequence {sequence} came before: replayed or out of order")
        if now - self._last < self.timing.fastest * self.guard.limits.period:
            raise Stop(f"too fast: one observation in {self.guard.limits.period} s is wanted")
        reset = message.get("reset") is True
        moving = self.stopped is None
        if not reset or moving:
            self._check_course(now, sent)
        if self.guard.outside(state[TOOL].astype(float)):
            raise Stop("the tool is outside the workspace box: bring it back first")
        if reset:
            self.agent.reset()
            if not moving:  # an arm in motion goes on from where it was told to be
                self.guard.start(state[TOOL].astype(float), float(state[WIDTH]))
                self._offset = now - sent
            self.stopped = None
        self._sequence, self._last, self._sent = sequence, now, sent
        return message | {"state": state.astype(np.float32), "images": images, "reset": reset}

    def _check_course(self, now: float, sent: float) -> None:
        """Raises Stop unless an observation sent at `sent` may go on with what came before."""
        if self.stopped is not None:
            raise Stop(f"stopped ({self.stopped}): send reset to go on")
        if now - self._last > self.timing.watchdog:
            raise Stop(f"nothing came for {now - self._last:.2f} s")
        age = now - sent - self._offset
        if age > self.timing.stale:
            raise Stop(f"the observation is {age:.2f} s old")
        if age < -self.timing.stale or sent <= self._sent:
            raise Stop("the client's clock jumped or does not count seconds")

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
