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
    reach = 0.25 * (states["cube_size"][:, 0] + states["cube_size"][:, 1]) + 0.03
    zero = torch.zeros_like(reach)
    behind = states["cube_pos"] + torch.stack([zero, reach, zero], dim=-1)
    line_up = 10.0 * (1.0 - torch.tanh(5.0 * torch.norm(behind - states["eef_pos"], dim=-1)))
    sideways = torch.abs(states["cube_displacement"][:, 0])
    push = 40.0 * torch.clamp(8.0 * (-states["cube_displacement"][:, 1] - sideways), -1.0, 1.0)
    straight = 10.0 * (1.0 - torch.tanh(5.0 * sideways))
    upright = 20.0 * states["cube_up"]
    calm = -3.0 * torch.mean(actions[:, :6] ** 2, dim=-1)
    components = {"line_up": line_up, "push": push, "straight": straight, "upright": upright, "calm": calm}
    return line_up + push + straight + upright + calm, components
