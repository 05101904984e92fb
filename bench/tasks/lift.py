"""Reference task: lift the cube 10 cm and hold it."""

import torch

from video2policy.task import Task

scene_info = {"task_class_name": "LiftCube", "objects": [{"name": "cube"}]}


class LiftCube(Task):
    """Lift the cube up."""

    def __init__(self, envs, urdf_assets_root) -> None:
        super().__init__(envs, urdf_assets_root, scene_info)
        self.task_description = "lift the cube up"

    def compute_success(self, states):
        high = states["cube_displacement"][:, 2] > 0.1
        held = (states["cube_grasped"] > 0.5) & (torch.norm(states["cube_from_eef"], dim=-1) < 0.06)
        return high & held

    def compute_reward(self, actions, states):
        return reward_function(actions, states)


@torch.jit.script
def reward_function(actions, states):
    # type: (Tensor, Dict[str, Tensor]) -> Tuple[Tensor, Dict[str, Tensor]]
    # where the tool should be: below the top of the object, but over it until it is lined up with it
    offset = states["cube_pos"] - states["eef_pos"]
    half = 0.5 * states["cube_size"][:, 2]
    depth = torch.clamp(half - 0.03, min=0.0)
    apart = torch.norm(offset[:, :2], dim=-1)
    over = torch.minimum(3.0 * torch.clamp(apart - 0.01, min=0.0), half - depth + 0.03)
    offset = torch.stack([offset[:, 0], offset[:, 1], offset[:, 2] + depth + over], dim=-1)
    distance = torch.norm(offset, dim=-1)
    # open until it is there, then closed
    there = torch.exp(-((distance / 0.02) ** 2))
    opening = states["gripper_opening"] / 0.08
    reach = 1.0 - torch.tanh(10.0 * distance)
    grip = 0.5 * (there * (1.0 - opening) + (1.0 - there) * opening)
    lift = 2.0 * torch.clamp(states["cube_displacement"][:, 2] / 0.1, 0.0, 1.0)
    return reach + grip + lift, {"reach": reach, "grip": grip, "lift": lift}
