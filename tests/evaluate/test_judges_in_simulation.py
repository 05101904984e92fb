"""The judges on what the simulator makes of real contacts: a cup that stands over a ball, and so on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.scenes import primitive_scene
from video2policy.evaluate.judges import judge
from video2policy.scene import Scene
from video2policy.sim.mujoco import MujocoSim
from video2policy.task import Poses, Task

APART = {"a": (0.05, 0.22), "b": (-0.05, -0.05)}

END_STATES = {
    "cover": ("cup", "ball", lambda task, poses: task.place_over(poses, "a", "b")),
    "put_into": ("ball", "mug", lambda task, poses: task.place_on(poses, "a", "b")),
    "put_next": ("box", "mug", lambda task, poses: task.place_beside(poses, "a", "b", (0.0, 1.0), 0.0)),
    "put_front": ("box", "mug", lambda task, poses: task.place_in_front(poses, "a", "b")),
    "move_closer": ("box", "mug", lambda task, poses: task.place_beside(poses, "a", "b", (0.0, 1.0), 0.02)),
}


def placed(sim: MujocoSim, poses: Poses) -> dict[str, np.ndarray]:
    """The states after a reset to these poses and settling."""
    sim.reset(torch.arange(sim.n_envs), poses)
    return {name: value.numpy() for name, value in sim.states().items()}


def simulated(folder, family: str, n: int = 4) -> tuple[dict, dict]:
    """States with the objects apart, and as the family's clip ends, both settled in simulation."""
    kind_a, kind_b, end = END_STATES[family]
    path = primitive_scene(folder / "scene", family, {"a": "a", "b": "b"}, {"a": kind_a, "b": kind_b})
    sim = MujocoSim(Scene.load(path), path.parent, n, robot="floating", seed=5)
    task = Task(sim, "", {"objects": ["a", "b"]})
    poses = sim.sample_object_poses(torch.arange(n))
    for name, place in APART.items():
        poses[name][:, :2] = torch.tensor(place)
    return placed(sim, poses), placed(sim, end(task, poses))


def episode(first: dict, last: dict) -> dict[str, np.ndarray]:
    """Ten rows of one, then twenty of the other, the gripper having touched `a` in between."""
    rows = {name: np.stack([first[name]] * 10 + [last[name]] * 20) for name in first}
    rows["a_contact_gripper"][9] = 1
    return rows


@pytest.mark.parametrize("family", END_STATES)
def test_the_end_that_the_caption_asks_for_is_accepted(tmp_path, family):
    apart, done = simulated(tmp_path, family)
    roles = {"a": "a", "b": "b"}
    assert judge(family, roles, episode(apart, done)).success.all()
    assert not judge(family, roles, episode(apart, apart)).success.any()
    assert not judge(family, roles, episode(done, done)).success.any()  # nothing was done
    assert not judge(family, roles, episode(done, apart)).success.any()
    if family == "cover":
        assert judge("uncover", roles, episode(done, apart)).success.all()
        assert not judge("uncover", roles, episode(apart, done)).success.any()
