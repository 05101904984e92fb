"""The links of the Robotiq hand, drawn where its pads are."""

from pathlib import Path

import mujoco
import numpy as np
import pytest
import torch

from tests.scenes import primitive_scene
from video2policy.scene import Scene
from video2policy.sim import linkage
from video2policy.sim.mujoco import MujocoSim


@pytest.mark.parametrize("opening", np.linspace(0, linkage.OPEN, 6))
def test_the_loop_closes_at_every_opening(opening: float) -> None:
    driver, coupler, spring, moved = linkage.angles(opening)

    def turned(angle: float, arm: np.ndarray) -> np.ndarray:
        c, s = np.cos(angle), np.sin(angle)
        return np.array([[c, -s], [s, c]]) @ arm

    rod = linkage.FOLLOWER - linkage.DRIVER - linkage.DRIVER_TIP
    tip = linkage.DRIVER + turned(driver, linkage.DRIVER_TIP) + turned(coupler, rod)
    assert np.allclose(tip, linkage.FOLLOWER + moved, atol=1e-9)
    assert np.allclose(turned(spring, linkage.SPRING_LINK_TIP), linkage.SPRING_LINK_TIP + moved, atol=1e-9)
    assert moved[0] == pytest.approx(opening - linkage.OPEN)
    assert 0 <= moved[1] < 0.0136, "the fingers reach 13 mm deeper when closed"


def test_an_open_hand_is_drawn_as_it_was_compiled(tmp_path: Path) -> None:
    path = primitive_scene(tmp_path)
    sim = MujocoSim(Scene.load(path), path.parent, 1, "panda_robotiq")
    sim.reset(torch.arange(1), sim.sample_object_poses(torch.arange(1)))
    data = mujoco.MjData(sim.model)
    data.qpos[:] = sim.configuration()[0]
    data.qpos[7:9] = linkage.OPEN
    mujoco.mj_forward(sim.model, data)
    place, turn = data.geom_xpos.copy(), data.geom_xmat.copy()
    linkage.draw(sim.model, data)
    follower = [sim.model.geom(f"gripper/{side}_follower").id for side in ("left", "right")]
    others = np.setdiff1d(np.arange(sim.model.ngeom), follower)
    assert np.allclose(data.geom_xpos[others], place[others], atol=2e-4)
    assert np.allclose(data.geom_xmat, turn, atol=1e-6)
    apart = np.linalg.norm(data.geom_xpos[follower] - place[follower], axis=1)
    assert np.allclose(apart, 0.0091, atol=3e-4), "pads lie where those of a half-closed hand are"
    data.qpos[7:9] = 0.01
    mujoco.mj_forward(sim.model, data)
    linkage.draw(sim.model, data)
    assert not np.allclose(data.geom_xpos[others], place[others], atol=5e-3)
