"""ManiSkill3's PickCube (Panda, delta pose, CPU), timed by `bench.peers` in an environment of its own."""

import sys
import time
import types

import gymnasium

# SAPIEN finds no device to draw with in Debian 12's Vulkan on a processor, and needs none for states: the
# materials of what ManiSkill builds but never draws are kept as plain attributes.
for module in [m for name, m in sys.modules.items() if name.startswith("sapien")]:
    if hasattr(module, "RenderMaterial"):
        module.RenderMaterial = types.SimpleNamespace

import mani_skill.envs  # noqa: E402, F401 - registers the tasks


def main(steps: int) -> None:
    env = gymnasium.make(
        "PickCube-v1",
        num_envs=1,
        obs_mode="state",
        control_mode="pd_ee_delta_pose",
        sim_backend="cpu",
        render_backend="none",
        reward_mode="dense",
    )
    env.reset(seed=0)
    env.action_space.seed(0)
    for step in range(-50, steps):
        if step == 0:
            begin = time.process_time()
        _, _, _, truncated, _ = env.step(env.action_space.sample())
        if truncated:
            env.reset()
    print(f"steps/s {steps / (time.process_time() - begin):.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
