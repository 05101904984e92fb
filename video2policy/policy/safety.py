"""Limits on what a policy may command: workspace box, speed, acceleration, jerk, gripper force.

Pure: positions and actions in, a limited command out. World frame, metres, seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from video2policy.sim.robot import FINGER_STEP, HIGH, LOW, POSITION_STEP, ROTATION_STEP, YAW_STEP

Array = npt.NDArray[np.float64]

TURN_STEPS = np.array([ROTATION_STEP, ROTATION_STEP, YAW_STEP])


@dataclass(frozen=True)
class Limits:
    """What the arm may do.

    Attributes:
        low, high: corners of the box that the tool's target stays in. period: seconds between two commands.
        speed, acceleration, jerk: of the target, per axis. lead: the target's furthest from the tool, per
        axis. grip: newtons that the gripper may press with. opening: metres between its open fingers.
    """

    low: tuple[float, float, float] = LOW
    high: tuple[float, float, float] = HIGH
    period: float = 0.05
    speed: float = 0.3
    acceleration: float = 4.0
    jerk: float = 200.0
    lead: float = 0.03
    grip: float = 20.0
    opening: float = 0.08

    def __post_init__(self) -> None:
        positive = ("period", "speed", "acceleration", "jerk", "lead", "grip", "opening")
        wrong = [name for name in positive if not 0 < getattr(self, name) < np.inf]
        box = zip(self.low, self.high, strict=True)
        if wrong or not all(-np.inf < a < b < np.inf for a, b in box):
            raise ValueError(f"limits: {', '.join(wrong) or 'low and high'} make no sense")


@dataclass(frozen=True)
class Command:
    """What the arm is told.

    Attributes:
        target: (3,) where the tool shall be; None before the guard was started: nobody knows where it is.
        turn: (3,) radians about x, y, z in this period. width: metres between the fingers, None likewise.
        grip: newtons.
        action: (7,) the same in the policy's units: what was left of its action.
    """

    target: Array | None
    turn: Array
    width: float | None
    grip: float
    action: npt.NDArray[np.float32]


class Guard:
    """Limits one arm's commands in a row; `start` where the tool is, then `limit` each action."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.started = False

    def outside(self, tool: Array) -> bool:
        """Whether the tool at `tool` (3,) is farther outside the box than the lead bridges."""
        beyond = np.maximum(self.limits.low - tool, tool - self.limits.high)
        return bool((beyond > self.limits.lead).any())

    def start(self, tool: Array, width: float) -> None:
        """Forget the past: the tool rests at `tool` (3,), not `outside` the box."""
        self.started = True
        self.target = np.clip(tool, self.limits.low, self.limits.high)
        self.velocity, self.acceleration = np.zeros(3), np.zeros(3)
        self.width = float(np.clip(width, 0.0, self.limits.opening))

    def hold(self) -> Command:
        """Stay where the target is: the answer to whatever is wrong. Stopping at once may exceed the jerk."""
        if not self.started:
            return Command(None, np.zeros(3), None, self.limits.grip, np.zeros(7, np.float32))
        self.velocity, self.acceleration = np.zeros(3), np.zeros(3)
        return self._command(np.zeros(3), np.zeros(3), 0.0)

    def limit(self, action: npt.ArrayLike, tool: Array) -> Command:
        """The part of `action` (7,) in [-1, 1] that is allowed, with the tool at `tool` (3,).

        The box and the lead win over the jerk: a target that would leave them stops at their side.
        """
        limits, wanted = self.limits, np.asarray(action, dtype=float)
        if wanted.shape != (7,) or not np.isfinite(wanted).all():
            return self.hold()
        wanted = np.clip(wanted, -1.0, 1.0)
        velocity = np.clip(wanted[:3] * POSITION_STEP / limits.period, -limits.speed, limits.speed)
        # Slow enough to stop in front of the box's side.
        for side, sign in ((limits.low, -1.0), (limits.high, 1.0)):
            room = np.maximum(sign * (np.asarray(side) - self.target), 0.0)
            fastest = np.sqrt(2.0 * limits.acceleration * room)
            velocity = np.where(sign * velocity > fastest, sign * fastest, velocity)
        change = limits.jerk * limits.period
        acceleration = np.clip(
            (velocity - self.velocity) / limits.period, self.acceleration - change, self.acceleration + change
        ).clip(-limits.acceleration, limits.acceleration)
        moved = self.velocity + acceleration * limits.period
        moved = np.clip(moved, -limits.speed, limits.speed)
        before = self.target
        reach = np.clip(tool, limits.low, limits.high)
        target = np.clip(before + moved * limits.period, reach - limits.lead, reach + limits.lead)
        # The lead follows the tool, so that it may ask for more than the speed: the speed wins.
        step = limits.speed * limits.period
        target = np.clip(np.clip(target, before - step, before + step), limits.low, limits.high)
        velocity = (target - before) / limits.period
        self.acceleration = (velocity - self.velocity) / limits.period
        self.velocity, self.target = velocity, target
        return self._command(target - before, wanted[3:6], float(wanted[6]))

    def _command(self, moved: Array, turn: Array, fingers: float) -> Command:
        opening = self.limits.opening
        before = self.width
        self.width = float(np.clip(before + 2 * FINGER_STEP * fingers, 0.0, opening))
        action = np.concatenate(
            [moved / POSITION_STEP, turn, [(self.width - before) / (2 * FINGER_STEP)]]
        ).astype(np.float32)
        return Command(self.target.copy(), turn * TURN_STEPS, self.width, self.limits.grip, action)
