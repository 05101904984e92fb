"""A scene, a task and a linear policy that pushes a cube to the right, unless it starts too far left."""

from __future__ import annotations

from pathlib import Path

import torch

from tests.scenes import primitive_scene
from video2policy.evaluate.evaluation import Rollouts
from video2policy.task import observation_keys, state_widths
from video2policy.train.policy import Policy, PolicyInfo, save_policy

TASK = """
import torch
from video2policy.task import Task

scene_info = {"task_description": "push the cube from left to right", "objects": ["cube"]}


@torch.jit.script
def reward_function(actions, states):
    moved = states["cube_init_pos"][:, 1] - states["cube_pos"][:, 1]
    return moved, {"moved": moved}


class PushCube(Task):
    def __init__(self, envs, urdf_assets_root):
        super().__init__(envs, urdf_assets_root, scene_info)

    def reset_objects_states(self, env_ids):
        poses = super().reset_objects_states(env_ids)
        # Every fourth cube starts to the left of the tool, which never comes there.
        poses["cube"][:, 1] = torch.where(env_ids % 4 == 3, 0.2, -0.07)
        return poses

    def compute_success(self, states):
        return states["cube_init_pos"][:, 1] - states["cube_pos"][:, 1] > 0.03

    def compute_reward(self, actions, states):
        return reward_function(actions, states)
"""


def linear_policy() -> Policy:
    """Lowers the tool at the cube's x, moving left while it is high and right once it is low."""
    keys = observation_keys(["cube"])
    widths = state_widths(["cube"])
    at = {key: sum(widths[k] for k in keys[: keys.index(key)]) for key in keys}
    size = sum(widths[key] for key in keys)
    weight, bias = torch.zeros(7, size), torch.zeros(7)
    weight[0, at["cube_pos"]], weight[0, at["eef_pos"]] = 27.0, -27.0
    weight[1, at["eef_pos"] + 2], bias[1] = 16.0, -0.87
    weight[2, at["eef_pos"] + 2], bias[2] = -10.0, 0.25
    bias[6] = -1.0
    weights = {
        "running_mean_std.running_mean": torch.zeros(size),
        "running_mean_std.running_var": torch.ones(size),
        "a2c_network.mu.weight": weight,
        "a2c_network.mu.bias": bias,
    }
    return Policy(PolicyInfo(size, (), 0, 0), weights)


def pushing(folder: Path, horizon: int = 60) -> tuple[Rollouts, Path]:
    """The scene with its task, and the policy's file."""
    scene = primitive_scene(folder / "push", "push_right")
    (folder / "task.py").write_text(TASK)
    save_policy(folder / "policy.safetensors", linear_policy())
    rollouts = Rollouts(scene, folder / "task.py", robot="floating", horizon=horizon, timeout=120)
    return rollouts, folder / "policy.safetensors"
