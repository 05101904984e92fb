"""The Panda's kinematics are those of the scene's MJCF."""

from pathlib import Path

import mujoco
import numpy as np

from tests.scenes import primitive_scene
from video2policy import mjcf
from video2policy.scene import Scene
from video2policy.sim import panda


def test_kinematics_are_those_of_the_scene(tmp_path: Path) -> None:
    path = primitive_scene(tmp_path)
    model = mjcf.build(Scene.load(path), tmp_path).compile()
    data = mujoco.MjData(model)
    tool = model.site(f"{mjcf.GRIPPER}tool").id
    rng = np.random.default_rng(0)
    for _ in range(10):
        joints = rng.uniform(panda.LOWER, panda.UPPER)
        data.qpos[:7] = joints
        mujoco.mj_forward(model, data)
        place, rotation, jacobian = panda.forward(joints)
        wanted = np.zeros((6, model.nv))
        mujoco.mj_jacSite(model, data, wanted[:3], wanted[3:], tool)
        assert np.allclose(place, data.site_xpos[tool], atol=1e-6)
        assert np.allclose(rotation, data.site_xmat[tool].reshape(3, 3), atol=1e-6)
        assert np.allclose(jacobian, wanted[:, :7], atol=1e-6)
    assert np.allclose(np.stack([panda.LOWER, panda.UPPER], axis=1), model.jnt_range[:7])


def test_joints_hold_the_tool_where_it_is_wanted() -> None:
    tools = np.array([[-0.02, 0, 0.15], [0.1, 0.2, 0.3], [-0.2, -0.2, 0.05]])
    for joints, wanted in zip(panda.joints_at(tools), tools, strict=True):
        place, rotation, _ = panda.forward(joints)
        assert np.abs(place - wanted).max() < 1e-3
        assert rotation[2, 2] < -0.999 and abs(rotation[1, 0]) > 0.999  # down, a quarter turned
