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
    # fingers across the object's narrow sides, both at it, below its top
    align = 10.0 * torch.exp(-3.0 * torch.abs(states["cube_grasp_turn"]))
    offset = states["cube_pos"] - states["eef_pos"]
    rise = torch.clamp(0.5 * states["cube_size"][:, 2] - 0.03, 0.0, 0.04)
    offset = torch.stack([offset[:, 0], offset[:, 1], offset[:, 2] + rise], dim=-1)
    finger = 0.5 * states["gripper_opening"].unsqueeze(-1) * states["eef_rot6d"][:, 3:6]
    distance = torch.norm(offset, dim=-1) + torch.norm(offset - finger, dim=-1)
    distance = (distance + torch.norm(offset + finger, dim=-1)) / 3.0
    reach = 20.0 * (1.0 - torch.tanh(10.0 * distance))
    lift = 40.0 * torch.clamp(10.0 * states["cube_displacement"][:, 2], 0.0, 1.0)
    calm = -5.0 * torch.mean(actions[:, :6] ** 2, dim=-1)
    return align + reach + lift + calm, {"align": align, "reach": reach, "lift": lift, "calm": calm}
