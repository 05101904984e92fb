"""The trained policy's judged successes as a LeRobot dataset."""

from typing import Any

from scripts.stage import Input, Output, stage
from video2policy.dataset.collection import Wish, collect
from video2policy.evaluate.evaluation import Rollouts
from video2policy.policy.bc import PRESETS
from video2policy.policy.demonstrations import demonstrations_of


def main(
    scene: Input,
    task: Input,
    policy: Input,
    trajectories: Output,
    collection: dict[str, Any],
    simulation: dict[str, Any],
    sandbox: str = "best_effort",
    randomise: Any = None,
) -> None:
    """`collection`: how many episodes to keep, and either what of (`Wish`) or the imitation preset.

    `randomise` replaces that of `simulation`.
    """
    if randomise is not None:
        simulation = {**simulation, "randomise": randomise}
    if "preset" in collection:
        wish = demonstrations_of(PRESETS[collection["preset"]], int(collection["episodes"]))
    else:
        wish = Wish(**{**collection, "cameras": tuple(collection["cameras"])})
    rollouts = Rollouts.from_config(scene, task, simulation, sandbox)
    collect(rollouts, policy, wish, trajectories)


stage(main)
