"""Judge the trained policies by the family's hand-written predicate, and film episodes."""

import json
from typing import Any

from scripts.stage import Input, Output, stage
from video2policy.evaluate.evaluation import Rollouts, describe, evaluate, policies_of, write_video


def main(
    scene: Input,
    task: Input,
    seeds: Input,
    eval_json: Output,
    rollout: Output,
    video: str,
    variant: str,
    evaluation: dict[str, Any],
    simulation: dict[str, Any],
    sandbox: str = "best_effort",
) -> None:
    """`seeds` is the folder of the policies, one per training seed (seed_0.safetensors ...).

    `evaluation`: episodes for each of them, and the seed of the resets.
    """
    rollouts = Rollouts.from_config(scene, task, simulation, sandbox)
    policies = policies_of(seeds)
    measured, recordings, verdicts = evaluate(
        rollouts, policies, int(evaluation["episodes"]), int(evaluation["seed"])
    )
    result = describe(rollouts, video, variant, len(policies), measured)
    eval_json.write_text(json.dumps(result, indent=1) + "\n")
    caption = f"{result['task']}: {result['successes']} of {result['episodes']} episodes succeed"
    write_video(rollout, rollouts, recordings, verdicts, caption)


stage(main)
