"""Reference task: lift the thing up."""

import torch
from factory.tasks.task import Task

scene_info = {"task_class_name": "Lift", "objects": ["thing"]}


class Lift(Task):
    """Lift the thing up."""

    def __init__(self, envs, urdf_assets_root) -> None:
        super().__init__(envs, urdf_assets_root, scene_info)
        self.task_description = "lift the thing up"

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
        # how far the object has been raised, m
        height = states["thing_pos"][:, 2] - states["thing_init_pos"][:, 2]
        # how far it is to be raised, m
        high = torch.clamp(0.75 * states["thing_size"][:, 2] + 0.01, min=0.11)
        # both fingers touch the object
        grasped = states["thing_grasped"]
        # from the tool centre to the object's centre, m
        tool_distance = torch.norm(states["thing_pos"] - states["eef_pos"], dim=-1)
        # how far from its centre the tool holds it at most, m: a tall object is held below its top
        hand = torch.clamp(0.5 * states["thing_size"][:, 2] + 0.02, min=0.05)
        # raised well over where it started
        success = height > high
        # between both fingers
        success = success & (grasped > 0.5)
        # with the tool at it
        success = success & (tool_distance < hand)
        return success

    def compute_reward(self, actions, states):
        return reward_function(actions, states)


# REWARD FUNCTION
@torch.jit.script
def reward_function(actions, states):
    # type: (Tensor, Dict[str, Tensor]) -> Tuple[Tensor, Dict[str, Tensor]]
    """
    1. Turn the fingers across its narrow sides.
    2. Come down over the object with open fingers, then close them.
    3. Hold it between both fingers, not under them.
    4. Raise it.
    5. Move no more than is needed.
    """
    # yaw between the fingers and the nearest way to close across the object's narrow sides, rad
    misalignment = torch.abs(states["thing_grasp_turn"])
    # where the object is held: its centre
    held_at = states["thing_pos"]
    # horizontally from the tool to that place, m
    sideways_off = torch.norm(held_at[:, :2] - states["eef_pos"][:, :2], dim=-1)
    # 1 while the tool is over the object's middle and below its top, so that closing would grasp it
    below_top = held_at[:, 2] + 0.5 * states["thing_size"][:, 2] - states["eef_pos"][:, 2]
    deep = torch.clamp(0.25 * states["thing_size"][:, 2], max=0.01)
    around = torch.clamp(below_top / deep, 0.0, 1.0)
    around = around * torch.clamp(2.0 - 50.0 * sideways_off, 0.0, 1.0)
    # how far the tool is from where it grasps, m, less what the fingers have closed there. It comes
    # from above: the further off to the side, the higher it should be. Fingers that touch the top from
    # outside gain nothing. A tall object is grasped below its top, where the palm stays clear of it
    grasp_rise = torch.clamp(0.5 * states["thing_size"][:, 2] - 0.03, 0.0, 0.04)
    hover = torch.clamp(2.0 * sideways_off - 0.01, 0.0, 0.06)
    drop = states["eef_pos"][:, 2] - held_at[:, 2] - grasp_rise - hover
    closed = 0.08 - states["gripper_opening"]
    grasp_distance = sideways_off + 0.5 * torch.abs(drop) + (0.02 - around) * closed
    # both fingers touch the object
    grasped = states["thing_grasped"]
    # how far the object has been raised, m
    height = states["thing_pos"][:, 2] - states["thing_init_pos"][:, 2]
    reward_components = {}
    # 1. Turn the fingers across its narrow sides.
    reward_components["align"] = 15.0 * (torch.exp(-2.0 * misalignment))
    # 2. Come down over the object with open fingers, then close them.
    reward_components["reach"] = 20.0 * (1.0 - torch.tanh(10.0 * grasp_distance))
    # 3. Hold it between both fingers, not under them.
    reward_components["grasp"] = 20.0 * (grasped * (around > 0.5))
    # 4. Raise it.
    reward_components["lift"] = 40.0 * (torch.clamp(10.0 * torch.clamp(height, min=0.0), -1.0, 1.0))
    # 5. Move no more than is needed.
    reward_components["calm"] = 5.0 * (torch.clamp(1.0 - 1.0 * torch.mean(actions**2, dim=-1), min=0.0) - 1.0)
    rewards = (
        reward_components["align"]
        + reward_components["reach"]
        + reward_components["grasp"]
        + reward_components["lift"]
        + reward_components["calm"]
    )
    return rewards, reward_components
