"""Reference task: take the cover off the other thing."""

import torch
from factory.tasks.task import Task

scene_info = {"task_class_name": "Uncover", "objects": ["thing", "other"]}


class Uncover(Task):
    """Take the cover off the other thing."""

    def __init__(self, envs, urdf_assets_root) -> None:
        super().__init__(envs, urdf_assets_root, scene_info)
        self.task_description = "take the cover off the other thing"

    # RESET FUNCTION
    def reset_objects_states(self, env_ids):
        poses = super().reset_objects_states(env_ids)
        poses = self.place_over(poses, "thing", "other")
        return poses

    # OBSERVATION FUNCTION
    def compute_observation_key(self, states):
        obs_keys = super().compute_observation_key(states)
        # where other is from thing
        states["thing_to_other"] = states["other_pos"] - states["thing_pos"]
        obs_keys.append("thing_to_other")
        # distance between thing and other
        states["dist_thing_to_other"] = torch.norm(
            states["other_pos"][:, :2] - states["thing_pos"][:, :2], dim=-1
        )
        obs_keys.append("dist_thing_to_other")
        # distance between the tool and thing
        states["dist_to_thing"] = torch.norm(states["thing_pos"] - states["eef_pos"], dim=-1)
        obs_keys.append("dist_to_thing")
        # how far other was displaced
        states["other_moved"] = torch.norm(states["other_displacement"][:, :2], dim=-1)
        obs_keys.append("other_moved")
        return obs_keys

    def get_observation_space(self):
        obs_space = super().get_observation_space()
        return obs_space + 6

    # SUCCESS FUNCTION
    def compute_success(self, states):
        # from the object to the other one, horizontally, m
        b_from_a = states["other_pos"][:, :2] - states["thing_pos"][:, :2]
        # m
        distance = torch.norm(b_from_a, dim=-1)
        # half the mean horizontal extent of the object, m
        reach_a = 0.25 * (states["thing_size"][:, 0] + states["thing_size"][:, 1])
        # and of the other object
        reach_b = 0.25 * (states["other_size"][:, 0] + states["other_size"][:, 1])
        # between the two outlines, m
        gap = distance - reach_a - reach_b
        # how far the other object was displaced, m
        b_moved = torch.norm(states["other_displacement"][:, :2], dim=-1)
        # the outlines no longer overlap
        success = gap > 0.01
        # the other object stayed in its place
        success = success & (b_moved < 0.035)
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
    4. Raise it over the other object.
    5. Take it off and away from the other object.
    6. Leave the other object where it is.
    7. Move no more than is needed.
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
    # height of the object's underside over the table, m
    half_height = 0.5 * states["thing_size"][:, 2] * torch.abs(states["thing_up"])
    half_height = half_height + torch.abs(states["thing_long"][:, 2])
    bottom = states["thing_pos"][:, 2] - half_height - states["table_height"]
    # from the object to the other one, horizontally, m
    b_from_a = states["other_pos"][:, :2] - states["thing_pos"][:, :2]
    # m
    distance = torch.norm(b_from_a, dim=-1)
    # half the mean horizontal extent of the object, m
    reach_a = 0.25 * (states["thing_size"][:, 0] + states["thing_size"][:, 1])
    # and of the other object
    reach_b = 0.25 * (states["other_size"][:, 0] + states["other_size"][:, 1])
    # between the two outlines, m
    gap = distance - reach_a - reach_b
    # how far the outlines are apart, m; negative while they overlap
    cleared = gap
    # how far the other object was displaced, m
    b_moved = torch.norm(states["other_displacement"][:, :2], dim=-1)
    # between both fingers
    when_held = (grasped > 0.5).float()
    reward_components = {}
    # 1. Turn the fingers across its narrow sides.
    reward_components["align"] = 15.0 * (torch.exp(-2.0 * misalignment))
    # 2. Come down over the object with open fingers, then close them.
    reward_components["reach"] = 20.0 * (1.0 - torch.tanh(10.0 * grasp_distance))
    # 3. Hold it between both fingers, not under them.
    reward_components["grasp"] = 20.0 * (grasped * (around > 0.5))
    # 4. Raise it over the other object.
    reward_components["unveil"] = (
        20.0 * (torch.clamp(10.0 * torch.clamp(bottom, min=0.0), -1.0, 1.0)) * when_held
    )
    # 5. Take it off and away from the other object.
    reward_components["clear_away"] = 40.0 * (torch.clamp(6.0 * cleared, -1.0, 1.0)) * when_held
    # 6. Leave the other object where it is.
    reward_components["undisturbed"] = 10.0 * (1.0 - torch.tanh(15.0 * b_moved) - 1.0)
    # 7. Move no more than is needed.
    reward_components["calm"] = 5.0 * (torch.clamp(1.0 - 1.0 * torch.mean(actions**2, dim=-1), min=0.0) - 1.0)
    rewards = (
        reward_components["align"]
        + reward_components["reach"]
        + reward_components["grasp"]
        + reward_components["unveil"]
        + reward_components["clear_away"]
        + reward_components["undisturbed"]
        + reward_components["calm"]
    )
    return rewards, reward_components
