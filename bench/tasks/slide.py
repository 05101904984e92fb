"""Reference task: slide the thing closer to the other one."""

import torch
from factory.tasks.task import Task

scene_info = {"task_class_name": "Slide", "objects": ["thing", "other"]}


class Slide(Task):
    """Slide the thing closer to the other one."""

    def __init__(self, envs, urdf_assets_root) -> None:
        super().__init__(envs, urdf_assets_root, scene_info)
        self.task_description = "slide the thing closer to the other one"

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
        # between the two at the reset, m
        start_distance = torch.norm(states["other_init_pos"][:, :2] - states["thing_init_pos"][:, :2], dim=-1)
        # the part of the first distance by which they have come together
        closer = 1.0 - distance / torch.clamp(start_distance, min=0.01)
        # how far the object has been raised, m
        height = states["thing_pos"][:, 2] - states["thing_init_pos"][:, 2]
        # how far the other object was displaced, m
        b_moved = torch.norm(states["other_displacement"][:, :2], dim=-1)
        # much closer than at the start
        success = closer > 0.35
        # still on the table
        success = success & (torch.abs(height) < 0.03)
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
    4. Bring the object closer to the other one.
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
    # from the object to the other one, horizontally, m
    b_from_a = states["other_pos"][:, :2] - states["thing_pos"][:, :2]
    # m
    distance = torch.norm(b_from_a, dim=-1)
    # between the two at the reset, m
    start_distance = torch.norm(states["other_init_pos"][:, :2] - states["thing_init_pos"][:, :2], dim=-1)
    # the part of the first distance by which they have come together
    closer = 1.0 - distance / torch.clamp(start_distance, min=0.01)
    reward_components = {}
    # 1. Turn the fingers across its narrow sides.
    reward_components["align"] = 15.0 * (torch.exp(-2.0 * misalignment))
    # 2. Come down over the object with open fingers, then close them.
    reward_components["reach"] = 20.0 * (1.0 - torch.tanh(10.0 * grasp_distance))
    # 3. Hold it between both fingers, not under them.
    reward_components["grasp"] = 20.0 * (grasped * (around > 0.5))
    # 4. Bring the object closer to the other one.
    reward_components["approach"] = 60.0 * (torch.clamp(1.5 * torch.clamp(closer, min=-0.1), -1.0, 1.0))
    # 5. Move no more than is needed.
    reward_components["calm"] = 5.0 * (torch.clamp(1.0 - 1.0 * torch.mean(actions**2, dim=-1), min=0.0) - 1.0)
    rewards = (
        reward_components["align"]
        + reward_components["reach"]
        + reward_components["grasp"]
        + reward_components["approach"]
        + reward_components["calm"]
    )
    return rewards, reward_components
