"""The Robotiq 2F-85's links, put where the four-bar linkage has them, for drawing only.

In the simulation the pads slide straight (robots/robotiq.xml), so its links never collide nor cost time.
"""

import math

import mujoco
import numpy as np
from numpy.typing import NDArray

from video2policy import mjcf, pose

Array = NDArray[np.float64]

# In the plane of a finger, (y, z) in metres from the base's frame; from gym-hil's model of the hand.
DRIVER, SPRING_LINK = np.array([0.0306, 0.0549]), np.array([0.0132, 0.0609])
"""Pivots on the base."""
DRIVER_TIP, SPRING_LINK_TIP = np.array([0.0315, -0.0041]), np.array([0.037, 0.044])
"""Far ends with the hand open, from their pivots."""
FOLLOWER = np.array([0.0682, 0.0984])
"""Where the coupler holds the follower while the hand is open."""
OPEN, BASE_BEHIND_TOOL = 0.0425, 0.1525


def angles(opening: float) -> tuple[float, float, float, Array]:
    """One finger's driver, coupler, spring link (radians from open), and the follower's way (y, z) in metres.

    `opening` in metres from the middle, 0 to .0425.
    """
    reach = float(np.hypot(*SPRING_LINK_TIP))
    start = math.atan2(SPRING_LINK_TIP[1], SPRING_LINK_TIP[0])
    across = SPRING_LINK_TIP[0] - (OPEN - opening)
    spring = math.acos(across / reach) - start
    moved = np.array([across, reach * math.sin(start + spring)]) - SPRING_LINK_TIP
    # The coupler's lower end is where the driver's circle meets the coupler's around the follower.
    upper = FOLLOWER + moved - DRIVER
    coupler = float(np.linalg.norm(FOLLOWER - DRIVER - DRIVER_TIP))
    driver, distance = float(np.hypot(*DRIVER_TIP)), float(np.hypot(*upper))
    cosine = (driver**2 + distance**2 - coupler**2) / (2 * driver * distance)
    direction = math.atan2(upper[1], upper[0]) - math.acos(min(max(cosine, -1.0), 1.0))
    turned = direction - math.atan2(DRIVER_TIP[1], DRIVER_TIP[0])
    lower = driver * np.array([math.cos(direction), math.sin(direction)])
    before, after = FOLLOWER - DRIVER - DRIVER_TIP, upper - lower
    leaned = math.atan2(after[1], after[0]) - math.atan2(before[1], before[0])
    return turned, leaned, spring, moved


def draw(model: mujoco.MjModel, data: mujoco.MjData) -> None:
    """Move the links' geoms of `data`, whose positions are computed, to where the pads have them."""
    hand = model.body(f"{mjcf.GRIPPER}hand").id
    origin, axes = data.xpos[hand], data.xmat[hand].reshape(3, 3)
    for side, flip in (("left", np.eye(3)), ("right", np.diag([-1.0, -1.0, 1.0]))):
        opening = float(data.joint(f"{mjcf.GRIPPER}{side}_finger").qpos[0])
        driver, coupler, spring, moved = angles(opening)
        turn = _about_x(driver)
        places = {
            "driver": (DRIVER, turn),
            "coupler": (DRIVER + (turn @ [0, *DRIVER_TIP])[1:], _about_x(coupler)),
            "spring_link": (SPRING_LINK, _about_x(spring)),
            "follower": (FOLLOWER + moved, np.eye(3)),
        }
        for name, (place, rotation) in places.items():
            geom = model.geom(f"{mjcf.GRIPPER}{side}_{name}").id
            # The compiler moves a mesh's frame to its centre: undo what it did.
            mesh = model.geom_dataid[geom]
            offset, quat = model.mesh_pos[mesh], model.mesh_quat[mesh]
            frame = axes @ flip @ rotation
            lifted = np.array([0, place[0], place[1] - BASE_BEHIND_TOOL])
            data.geom_xpos[geom] = origin + axes @ flip @ lifted + frame @ offset
            data.geom_xmat[geom] = (frame @ pose.matrix_from_quat(quat)).ravel()


def _about_x(angle: float) -> Array:
    return pose.rotation_about([1, 0, 0], math.degrees(angle))
