"""Reference task: push the thing from left to right."""

import torch
from factory.tasks.task import Task

scene_info = {"task_class_name": "PushRight", "objects": ["thing"]}


class PushRight(Task):
    """Push the thing from left to right."""

    def __init__(self, envs, urdf_assets_root) -> None:
        super().__init__(envs, urdf_assets_root, scene_info)
        self.task_description = "push the thing from left to right"

    # RESET FUNCTION
    def reset_objects_states(self, env_ids):
        return super().reset_objects_states(env_ids)

    # OBSERVATION FUNCTION
    def compute_observation_key(self, states):
        obs_keys = super().compute_observation_key(states)
        # distance between the tool and thing
        states["dist_to_thing"] = torch.norm(states["thing_pos"] - states["eef_pos"], dim=-1)
        obs_keys.append("dist_to_thing")
        # what is left of the episode
        states["time_remaining"] = states["time_left"] * 1.0
        obs_keys.append("time_remaining")
        return obs_keys

    def get_observation_space(self):
        obs_space = super().get_observation_space()
        return obs_space + 2

    # SUCCESS FUNCTION
    def compute_success(self, states):
        # displacement to the right of the image (y points left), m
        moved = -1.0 * states["thing_displacement"][:, 1]
        # displacement across that direction, m
        sideways = torch.abs(states["thing_displacement"][:, 0])
        # how far the object has been raised, m
        height = states["thing_pos"][:, 2] - states["thing_init_pos"][:, 2]
        # 1 while it stands as in the clip; 1 always for what has three like sides, as a ball
        alike = torch.amin(states["thing_size"], dim=-1) / torch.amax(states["thing_size"], dim=-1)
        upright = torch.where(alike < 0.85, states["thing_up"], 1.0)
        # moved far enough
        success = moved > torch.clamp(0.5 * torch.amax(states["thing_size"][:, :2], dim=-1), min=0.05) + 0.01
        # and not mostly sideways
        success = success & (sideways < moved)
        # still on the table
        success = success & (torch.abs(height) < 0.03)
        # not tipped over, unless its three sides are alike
        success = success & (upright > 0.8)
        return success

    def compute_reward(self, actions, states):
        return reward_function(actions, states)


# REWARD FUNCTION
@torch.jit.script
def reward_function(actions, states):
    # type: (Tensor, Dict[str, Tensor]) -> Tuple[Tensor, Dict[str, Tensor]]
    """
    1. Bring the tool behind the object.
    2. Move it in the direction of the clip, and not across.
    3. Keep it on its line.
    4. Keep it standing.
    5. Move no more than is needed.
    """
    # half the mean horizontal extent of the object, m
    reach_a = 0.25 * (states["thing_size"][:, 0] + states["thing_size"][:, 1])
    # from the tool to the place behind the object from which it is pushed, m
    behind = states["thing_pos"] - -1.0 * torch.stack(
        [torch.zeros_like(reach_a), reach_a + 0.03, torch.zeros_like(reach_a)], dim=-1
    )
    push_distance = torch.norm(behind - states["eef_pos"], dim=-1)
    # displacement to the right of the image (y points left), m
    moved = -1.0 * states["thing_displacement"][:, 1]
    # displacement across that direction, m
    sideways = torch.abs(states["thing_displacement"][:, 0])
    # 1 while it stands as in the clip; 1 always for what has three like sides, as a ball
    alike = torch.amin(states["thing_size"], dim=-1) / torch.amax(states["thing_size"], dim=-1)
    upright = torch.where(alike < 0.85, states["thing_up"], 1.0)
    reward_components = {}
    # 1. Bring the tool behind the object.
    reward_components["line_up"] = 10.0 * (1.0 - torch.tanh(5.0 * push_distance))
    # 2. Move it in the direction of the clip, and not across.
    reward_components["push"] = 40.0 * (torch.clamp(4.0 * (moved - sideways), -1.0, 1.0))
    # 3. Keep it on its line.
    reward_components["straight"] = 10.0 * (1.0 - torch.tanh(5.0 * sideways))
    # 4. Keep it standing.
    reward_components["stand"] = 20.0 * (torch.clamp(1.0 * upright, -1.0, 1.0))
    # 5. Move no more than is needed.
    reward_components["calm"] = 3.0 * (torch.clamp(1.0 - 1.0 * torch.mean(actions**2, dim=-1), min=0.0) - 1.0)
    rewards = (
        reward_components["line_up"]
        + reward_components["push"]
        + reward_components["straight"]
        + reward_components["stand"]
        + reward_components["calm"]
    )
    return rewards, reward_components
