"""Judge cloned image policies, one for each training seed, in the scenes of some clips."""

import json
from typing import Any

from scripts.stage import Failed, Input, Output, stage
from video2policy.evaluate.evaluation import Rollouts, policies_of
from video2policy.policy.generalist import judge_clones


def main(
    policies: Input,
    scenes: list[Input],
    tasks: list[Input],
    eval_json: Output,
    episodes: int,
    simulation: dict[str, Any],
    splits: dict[str, str],
    served: bool = False,
    randomise: Any = None,
    sandbox: str = "best_effort",
) -> None:
    """`policies` is a folder; `episodes` for each policy and scene; `scenes` and `tasks` in the same order.

    `randomise` replaces that of `simulation`; `served`: through the policy server's checks and limits.
    """
    if not scenes:
        raise Failed("no clip to judge in passed its gates")
    if randomise is not None:
        simulation = {**simulation, "randomise": randomise}
    clips = Rollouts.of_clips(scenes, tasks, simulation, sandbox)
    result = judge_clones(clips, policies_of(policies), episodes, splits, served)
    eval_json.write_text(json.dumps(result, indent=1) + "\n")


stage(main)
