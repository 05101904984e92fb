"""Example: grasping a block.

What happens: the hand closes around the block; the block hardly moves.
Success: both fingers hold the block, and it is still there: not pushed away, not knocked over.
Steps: reach the block with an open gripper, then close it. Closing pays only near the block, or the policy
would close the gripper at once; holding pays most.
Observations: the distance, and the gap between the fingers compared with the block's width.
"""

import torch
from factory.tasks.task import Task

scene_info = {"task_class_name": "GraspBlock", "objects": [{"name": "block", "size": [0.05, 0.05, 0.05]}]}


class GraspBlock(Task):
    """grasping a block"""

    def __init__(self, envs, urdf_assets_root) -> None:
        super().__init__(envs, urdf_assets_root, scene_info)

    def reset_objects_states(self, env_ids):
        return super().reset_objects_states(env_ids)

    def compute_observation_key(self, states):
        obs_keys = super().compute_observation_key(states)
        states["tool_to_block"] = torch.norm(states["block_pos"] - states["eef_pos"], dim=-1)
        states["spare_gap"] = states["gripper_opening"] - states["block_size"][:, :2].min(dim=-1).values
        obs_keys += ["tool_to_block", "spare_gap"]
        return obs_keys

    def get_observation_space(self):
        return super().get_observation_space() + 2  # tool_to_block, spare_gap

    def compute_success(self, states):
        held = states["block_grasped"] > 0.5
        moved = torch.norm(states["block_displacement"][:, :2], dim=-1)
        upright = states["block_up"] > 0.9
        return held & (moved < 0.05) & upright

    def compute_reward(self, actions, states):
        return reward_function(actions, states)


@torch.jit.script
def reward_function(actions, states):
    # type: (Tensor, Dict[str, Tensor]) -> Tuple[Tensor, Dict[str, Tensor]]
    distance = torch.norm(states["block_pos"] - states["eef_pos"], dim=-1)
    reach = 0.3 * (1 - torch.tanh(8.0 * distance))
    # The commanded opening, 0 to 0.08, counts only where the fingers can touch the block.
    near = (distance < 0.03).float()
    close = 0.3 * near * (1 - states["gripper_command"] / 0.08)
    hold = 1.0 * states["block_grasped"]
    components = {"reach": reach, "close": close, "hold": hold}
    return reach + close + hold, components
