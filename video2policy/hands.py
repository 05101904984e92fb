"""The robots by name: which arm carries which hand, and what follows from the hand."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Robot:
    """An arm and a hand, each an MJCF file under robots/; lengths in metres."""

    arm: str
    hand: str
    opening: float
    """Between the finger pads, at most."""
    graspable: float
    """Width of an object around which the open fingers still come down with room to spare."""
    fitted: float
    """Grasp width to which `mjcf.gripper_scale` brings an object that is too wide."""
    wrist_above_tool: float
    """From the tool centre up to the Panda's last-but-one axis, while the tool points down."""
    licence: str
    """Of its meshes, as a data set's card names it."""


GYM_HIL = "meshes: Apache-2.0 (as packaged by gym-hil)"
ROBOTS = {
    "panda": Robot("panda", "hand", 0.08, 0.07, 0.055, 0.2104, f"Panda {GYM_HIL}"),
    "floating": Robot("floating", "hand", 0.08, 0.07, 0.055, 0.2104, f"Panda hand {GYM_HIL}"),
    "panda_robotiq": Robot("panda", "robotiq", 0.085, 0.075, 0.06, 0.2633, f"Panda and Robotiq {GYM_HIL}"),
}
"""The Panda with its own hand, that hand alone, and the Panda with the paper's hand (Robotiq 2F-85)."""
