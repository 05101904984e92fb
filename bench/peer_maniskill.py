"""ManiSkill3's PickCube (Panda, delta pose, CPU), timed by `bench.peers` in an environment of its own."""

import argparse
import importlib
import sys
import time
import types


def draw_nothing() -> None:
    """Let materials be plain attributes, in what is built but never drawn.

    SAPIEN finds no device to draw with in Debian 12's Vulkan on a processor, and needs none for states.
    """
    import sapien

    material = sapien.render.RenderMaterial
    for name, module in list(sys.modules.items()):
        if name.startswith("sapien") and getattr(module, "RenderMaterial", None) is material:
            module.RenderMaterial = types.SimpleNamespace


def main(steps: int) -> None:
    import gymnasium

    draw_nothing()
    importlib.import_module("mani_skill.envs")  # registers the tasks
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
    for step in range(-50, steps):  # the first ones compile
        if step == 0:
            begin = time.process_time()
        _, _, _, truncated, _ = env.step(env.action_space.sample())
        if truncated:
            env.reset()
    print(f"steps/s {steps / (time.process_time() - begin):.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("steps", type=int)
    main(parser.parse_args().steps)
