"""robosuite's Lift (Panda, operational space control), timed by `bench.peers` in its own environment."""

import argparse
import time

import numpy as np


def main(steps: int) -> None:
    import robosuite
    from robosuite.controllers import load_composite_controller_config

    env = robosuite.make(
        "Lift",
        robots="Panda",
        controller_configs=load_composite_controller_config(controller="BASIC"),
        control_freq=20,
        has_renderer=False,
        has_offscreen_renderer=False,
        use_camera_obs=False,
        reward_shaping=True,
        ignore_done=True,
        seed=0,
    )
    env.reset()
    low, high = env.action_spec
    rng = np.random.default_rng(0)
    for step in range(-50, steps):  # the first ones compile
        if step == 0:
            begin = time.process_time()
        env.step(rng.uniform(low, high))
    print(f"steps/s {steps / (time.process_time() - begin):.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("steps", type=int)
    main(parser.parse_args().steps)
