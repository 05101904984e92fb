"""Example: reaching a block.

What happens: the hand moves to the block; the block stays where it is.
Success: the tool centre is at the block, so a small distance between the two, set against the block's size.
Steps: there is one, to reach. Its distance is the whole reward.
Observations: the distance itself.
"""

import torch
from factory.tasks.task import Task

scene_info = {"task_class_name": "ReachBlock", "objects": [{"name": "block", "size": [0.05, 0.05, 0.05]}]}


class ReachBlock(Task):
    """reaching a block"""

    def __init__(self, envs, urdf_assets_root) -> None:
        super().__init__(envs, urdf_assets_root, scene_info)

    def reset_objects_states(self, env_ids):
        # Nothing must hold at the start: the default is right.
        return super().reset_objects_states(env_ids)

    def compute_observation_key(self, states):
        obs_keys = super().compute_observation_key(states)
        states["tool_to_block"] = torch.norm(states["block_pos"] - states["eef_pos"], dim=-1)
        obs_keys.append("tool_to_block")
        return obs_keys

    def get_observation_space(self):
        return super().get_observation_space() + 1  # tool_to_block

    def compute_success(self, states):
        distance = torch.norm(states["block_pos"] - states["eef_pos"], dim=-1)
        reach = 0.5 * states["block_size"].min(dim=-1).values
        return distance < torch.clamp(reach, min=0.02)

    def compute_reward(self, actions, states):
        return reward_function(actions, states)


@torch.jit.script
def reward_function(actions, states):
    # type: (Tensor, Dict[str, Tensor]) -> Tuple[Tensor, Dict[str, Tensor]]
    # Far away, a gentle slope leads on; close by, a steep one rewards the last centimetres.
    distance = torch.norm(states["block_pos"] - states["eef_pos"], dim=-1)
    reach_far = 0.5 * (1 - torch.tanh(3.0 * distance))
    reach_near = 0.5 * (1 - torch.tanh(15.0 * distance))
    components = {"reach_far": reach_far, "reach_near": reach_near}
    return reach_far + reach_near, components
