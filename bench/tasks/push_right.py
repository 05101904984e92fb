"""Reference task: push the cube 10 cm to the right of the image without lifting it."""

import torch

from video2policy.task import Task

scene_info = {"task_class_name": "PushCubeRight", "objects": [{"name": "cube"}]}


class PushCubeRight(Task):
    """Push the cube from left to right."""

    def __init__(self, envs, urdf_assets_root) -> None:
        super().__init__(envs, urdf_assets_root, scene_info)
        self.task_description = "push the cube from left to right"

    def compute_success(self, states):
        moved = -states["cube_displacement"][:, 1] > 0.1
        low = states["cube_displacement"][:, 2] < 0.03
        straight = torch.abs(states["cube_displacement"][:, 0]) < 0.08
        return moved & low & straight & (states["cube_up"] > 0.8)

    def compute_reward(self, actions, states):
        return reward_function(actions, states)


@torch.jit.script
def reward_function(actions, states):
    # type: (Tensor, Dict[str, Tensor]) -> Tuple[Tensor, Dict[str, Tensor]]
    # the tool goes to the left side of the object (y points left) and pushes from there
    reach = 0.25 * (states["cube_size"][:, 0] + states["cube_size"][:, 1]) + 0.02
    zero = torch.zeros_like(reach)
    behind = states["cube_pos"] + torch.stack([zero, reach, zero], dim=-1)
    line_up = 0.5 * (1.0 - torch.tanh(5.0 * torch.norm(behind - states["eef_pos"], dim=-1)))
    moved = -states["cube_displacement"][:, 1]
    push = torch.clamp(moved / 0.12, -1.0, 1.0)
    straight = 0.25 * (1.0 - torch.tanh(10.0 * torch.abs(states["cube_displacement"][:, 0])))
    upright = 0.25 * states["cube_up"]
    components = {"line_up": line_up, "push": push, "straight": straight, "upright": upright}
    return line_up + push + straight + upright, components
