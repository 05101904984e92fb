"""Reference task: push the other thing with this one."""

import torch
from factory.tasks.task import Task

scene_info = {"task_class_name": "PushWith", "objects": ["thing", "other"]}


class PushWith(Task):
    """Push the other thing with this one."""

    def __init__(self, envs, urdf_assets_root) -> None:
        super().__init__(envs, urdf_assets_root, scene_info)
        self.task_description = "push the other thing with this one"

    # RESET FUNCTION
    def reset_objects_states(self, env_ids):
        poses = super().reset_objects_states(env_ids)
        # draw again where the goal is reached already or too near
        for _ in range(10):
            pos_a, pos_b = poses["thing"][:, :3], poses["other"][:, :3]
            again = (torch.norm(pos_a[:, :2] - pos_b[:, :2], dim=-1) < 0.2).unsqueeze(-1)
            other = super().reset_objects_states(env_ids)
            poses = {name: torch.where(again, other[name], poses[name]) for name in poses}
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
        # how far the other object was displaced, m
        b_moved = torch.norm(states["other_displacement"][:, :2], dim=-1)
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
        # the gripper touches the other object
        b_touched = states["other_contact_gripper"]
        # 1 while the other object stands as at the reset
        b_standing = states["other_up"]
        # the other object was moved far enough
        success = b_moved > 0.06
        # by this one, which is at it
        success = success & (gap < 0.04)
        # and not by the gripper
        success = success & (b_touched < 0.5)
        # it still stands
        success = success & (b_standing > 0.8)
        return success

    def compute_reward(self, actions, states):
        return reward_function(actions, states)


# REWARD FUNCTION
@torch.jit.script
def reward_function(actions, states):
    # type: (Tensor, Dict[str, Tensor]) -> Tuple[Tensor, Dict[str, Tensor]]
    """
    1. Bring the tool behind the object.
    2. Bring the object to its goal.
    3. Move the other object with it.
    4. Keep the gripper off the other object.
    5. Keep the other object standing.
    6. Move no more than is needed.
    """
    # from the object to the other one, horizontally, m
    b_from_a = states["other_pos"][:, :2] - states["thing_pos"][:, :2]
    # m
    distance = torch.norm(b_from_a, dim=-1)
    # half the mean horizontal extent of the object, m
    reach_a = 0.25 * (states["thing_size"][:, 0] + states["thing_size"][:, 1])
    # from the tool to the place behind the object, seen from the other one, from which it is pushed, m
    towards_b = b_from_a / torch.clamp(distance, min=0.01).unsqueeze(-1)
    behind = states["thing_pos"][:, :2] - towards_b * (reach_a + 0.03).unsqueeze(-1)
    push_distance = torch.norm(behind - states["eef_pos"][:, :2], dim=-1)
    push_distance = push_distance + torch.abs(states["eef_pos"][:, 2] - states["thing_pos"][:, 2])
    # and of the other object
    reach_b = 0.25 * (states["other_size"][:, 0] + states["other_size"][:, 1])
    # between the two outlines, m
    gap = distance - reach_a - reach_b
    # between the two outlines, m
    goal_distance = torch.clamp(gap, min=0.0)
    # how far the other object was displaced, m
    b_moved = torch.norm(states["other_displacement"][:, :2], dim=-1)
    # the gripper touches the other object
    b_touched = states["other_contact_gripper"]
    # 1 while the other object stands as at the reset
    b_standing = states["other_up"]
    # by this one, which is at it
    when_touching = (gap < 0.04).float()
    reward_components = {}
    # 1. Bring the tool behind the object.
    reward_components["line_up"] = 20.0 * (1.0 - torch.tanh(8.0 * push_distance))
    # 2. Bring the object to its goal.
    reward_components["carry"] = 20.0 * (1.0 - torch.tanh(8.0 * goal_distance))
    # 3. Move the other object with it.
    reward_components["drive"] = 40.0 * (torch.clamp(8.0 * b_moved, -1.0, 1.0)) * when_touching
    # 4. Keep the gripper off the other object.
    reward_components["hands_off"] = 20.0 * (torch.clamp(1.0 - 1.0 * b_touched, min=0.0) - 1.0)
    # 5. Keep the other object standing.
    reward_components["b_stand"] = 10.0 * (torch.clamp(1.0 * b_standing, -1.0, 1.0))
    # 6. Move no more than is needed.
    reward_components["calm"] = 3.0 * (torch.clamp(1.0 - 1.0 * torch.mean(actions**2, dim=-1), min=0.0) - 1.0)
    rewards = (
        reward_components["line_up"]
        + reward_components["carry"]
        + reward_components["drive"]
        + reward_components["hands_off"]
        + reward_components["b_stand"]
        + reward_components["calm"]
    )
    return rewards, reward_components
