"""Reference task: throw the thing into the container."""

import torch
from factory.tasks.task import Task

scene_info = {"task_class_name": "ThrowInto", "objects": ["thing", "other"]}


class ThrowInto(Task):
    """Throw the thing into the container."""

    def __init__(self, envs, urdf_assets_root) -> None:
        super().__init__(envs, urdf_assets_root, scene_info)
        self.task_description = "throw the thing into the container"

    # RESET FUNCTION
    def reset_objects_states(self, env_ids):
        return super().reset_objects_states(env_ids)

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
        return obs_keys

    def get_observation_space(self):
        obs_space = super().get_observation_space()
        return obs_space + 5

    # SUCCESS FUNCTION
    def compute_success(self, states):
        # from the object to the other one, horizontally, m
        b_from_a = states["other_pos"][:, :2] - states["thing_pos"][:, :2]
        # m
        distance = torch.norm(b_from_a, dim=-1)
        # and of the other object
        reach_b = 0.25 * (states["other_size"][:, 0] + states["other_size"][:, 1])
        # height of the object's underside over the table, m
        half_height = 0.5 * states["thing_size"][:, 2] * torch.abs(states["thing_up"])
        half_height = half_height + torch.abs(states["thing_long"][:, 2])
        bottom = states["thing_pos"][:, 2] - half_height - states["table_height"]
        # height of the other object's top over the table, m
        top_b = states["other_pos"][:, 2] + 0.5 * states["other_size"][:, 2] - states["table_height"]
        # height of the other object's underside over the table, m
        bottom_b = states["other_pos"][:, 2] - 0.5 * states["other_size"][:, 2] - states["table_height"]
        # the gripper does not touch the object
        free = 1.0 - states["thing_contact_gripper"]
        # and flew, far from the tool
        ever_flown = states["thing_ever_flown"]
        # 1 while the other object stands as at the reset
        b_standing = states["other_up"]
        # the other object's centre is below it
        success = distance < 0.9 * reach_b
        # its underside is below the other one's rim
        success = success & (bottom < top_b - 0.005)
        # and not below its floor
        success = success & (states["thing_pos"][:, 2] - states["table_height"] > bottom_b)
        # it still stands
        success = success & (b_standing > 0.8)
        # let go
        success = success & (free > 0.5)
        # thrown or dropped from a height
        success = success & (ever_flown > 0.5)
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
    3. Hold it between both fingers, not under them, until it is at its goal.
    4. Carry it at a height that clears the way; at the goal this no longer matters.
    5. Bring the object to its goal.
    6. Let go of it at the goal: open, and touch it no more.
    7. Let it fly into its goal.
    8. Move no more than is needed.
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
    # from the object to the other one, horizontally, m
    b_from_a = states["other_pos"][:, :2] - states["thing_pos"][:, :2]
    # m
    distance = torch.norm(b_from_a, dim=-1)
    # horizontal distance of the centres, m
    goal_distance = distance
    # and of the other object
    reach_b = 0.25 * (states["other_size"][:, 0] + states["other_size"][:, 1])
    # how near its goal counts as there, m
    arrive = torch.clamp(0.6 * reach_b, min=0.02)
    # height of the object's underside over the table, m
    half_height = 0.5 * states["thing_size"][:, 2] * torch.abs(states["thing_up"])
    half_height = half_height + torch.abs(states["thing_long"][:, 2])
    bottom = states["thing_pos"][:, 2] - half_height - states["table_height"]
    # height of the other object's top over the table, m
    top_b = states["other_pos"][:, 2] + 0.5 * states["other_size"][:, 2] - states["table_height"]
    # how high over the table its underside is carried to pass over the other object, m
    clear = top_b + 0.13
    # the gripper does not touch the object
    free = 1.0 - states["thing_contact_gripper"]
    # 1 when the gripper does not touch the object; before, the more the wider it is told to open
    loosened = torch.maximum(free, 4.0 * torch.clamp(states["gripper_command"], max=0.08))
    # and flew, far from the tool
    ever_flown = states["thing_ever_flown"]
    # at the goal
    when_arrived = (goal_distance < arrive).float()
    # high enough to pass over, or at the goal
    when_clear = ((bottom > clear - 0.015) | (goal_distance < arrive)).float()
    # between both fingers, or at the goal
    when_held_or_there = ((grasped > 0.5) | (goal_distance < arrive)).float()
    # at the goal, from so high that it flies
    when_high_over = ((goal_distance < arrive) & ((bottom > clear - 0.015) | (ever_flown > 0.5))).float()
    reward_components = {}
    # 1. Turn the fingers across its narrow sides.
    reward_components["align"] = 15.0 * (torch.exp(-2.0 * misalignment))
    # 2. Come down over the object with open fingers, then close them.
    reward_components["reach"] = 20.0 * (1.0 - torch.tanh(10.0 * grasp_distance))
    # 3. Hold it between both fingers, not under them, until it is at its goal.
    reward_components["keep"] = 20.0 * (
        torch.maximum(grasped * (around > 0.5), (goal_distance < arrive).float())
    )
    # 4. Carry it at a height that clears the way; at the goal this no longer matters.
    reward_components["raise"] = (
        20.0
        * (
            torch.where(
                goal_distance < arrive, torch.ones_like(bottom), torch.clamp(bottom / clear, 0.0, 1.0)
            )
        )
        * when_held_or_there
    )
    # 5. Bring the object to its goal.
    reward_components["carry"] = 40.0 * (1.0 - torch.tanh(5.0 * goal_distance)) * when_clear
    # 6. Let go of it at the goal: open, and touch it no more.
    reward_components["release"] = 60.0 * (loosened) * when_high_over
    # 7. Let it fly into its goal.
    reward_components["fly"] = 40.0 * (ever_flown) * when_arrived
    # 8. Move no more than is needed.
    reward_components["calm"] = 5.0 * (torch.clamp(1.0 - 1.0 * torch.mean(actions**2, dim=-1), min=0.0) - 1.0)
    rewards = (
        reward_components["align"]
        + reward_components["reach"]
        + reward_components["keep"]
        + reward_components["raise"]
        + reward_components["carry"]
        + reward_components["release"]
        + reward_components["fly"]
        + reward_components["calm"]
    )
    return rewards, reward_components
