"""Reference task: tip the thing over."""

import torch
from factory.tasks.task import Task

scene_info = {"task_class_name": "TipOver", "objects": ["thing"]}


class TipOver(Task):
    """Tip the thing over."""

    def __init__(self, envs, urdf_assets_root) -> None:
        super().__init__(envs, urdf_assets_root, scene_info)
        self.task_description = "tip the thing over"

    # RESET FUNCTION
    def reset_objects_states(self, env_ids):
        return super().reset_objects_states(env_ids)

    # OBSERVATION FUNCTION
    def compute_observation_key(self, states):
        obs_keys = super().compute_observation_key(states)
        # distance between the tool and thing
        states["dist_to_thing"] = torch.norm(states["thing_pos"] - states["eef_pos"], dim=-1)
        obs_keys.append("dist_to_thing")
        # height of thing over the table
        states["thing_height"] = states["thing_pos"][:, 2] - states["table_height"]
        obs_keys.append("thing_height")
        # what is left of the episode
        states["time_remaining"] = states["time_left"] * 1.0
        obs_keys.append("time_remaining")
        return obs_keys

    def get_observation_space(self):
        obs_space = super().get_observation_space()
        return obs_space + 3

    # SUCCESS FUNCTION
    def compute_success(self, states):
        # 1 while it stands as at the reset, 0 when it lies on its side
        standing = torch.clamp(states["thing_up"], 0.0, 1.0)
        # it touches the table
        on_table_a = states["thing_contact_table"]
        # m/s
        speed = torch.norm(states["thing_vel_linear"], dim=-1)
        # lies on its side
        success = standing < 0.3
        # on the table
        success = success & (on_table_a > 0.5)
        # at rest
        success = success & (speed < 0.05)
        return success

    def compute_reward(self, actions, states):
        return reward_function(actions, states)


# REWARD FUNCTION
@torch.jit.script
def reward_function(actions, states):
    # type: (Tensor, Dict[str, Tensor]) -> Tuple[Tensor, Dict[str, Tensor]]
    """
    1. Bring the tool to its side, near the top.
    2. Tip it.
    3. Move no more than is needed.
    """
    # where the object is held: its centre
    held_at = states["thing_pos"]
    # horizontally from the tool to that place, m
    sideways_off = torch.norm(held_at[:, :2] - states["eef_pos"][:, :2], dim=-1)
    # half the mean horizontal extent of the object, m
    reach_a = 0.25 * (states["thing_size"][:, 0] + states["thing_size"][:, 1])
    # from the tool to the object's side near its top, where a push tips it, m
    tip_height = states["thing_init_pos"][:, 2] + 0.35 * states["thing_size"][:, 2]
    tip_distance = torch.clamp(sideways_off - reach_a - 0.01, min=0.0) + torch.abs(
        states["eef_pos"][:, 2] - tip_height
    )
    # 1 while it stands as at the reset, 0 when it lies on its side
    standing = torch.clamp(states["thing_up"], 0.0, 1.0)
    reward_components = {}
    # 1. Bring the tool to its side, near the top.
    reward_components["tip_reach"] = 20.0 * (1.0 - torch.tanh(8.0 * tip_distance))
    # 2. Tip it.
    reward_components["tip"] = 40.0 * (torch.clamp(1.5 * (1.0 - standing), -1.0, 1.0))
    # 3. Move no more than is needed.
    reward_components["calm"] = 3.0 * (torch.clamp(1.0 - 1.0 * torch.mean(actions**2, dim=-1), min=0.0) - 1.0)
    rewards = reward_components["tip_reach"] + reward_components["tip"] + reward_components["calm"]
    return rewards, reward_components
