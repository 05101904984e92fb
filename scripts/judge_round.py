"""Judge every policy of one round of reward search by the family's hand-written predicate."""

import json
from typing import Any

from scripts.stage import Input, Output, stage
from video2policy.evaluate.evaluation import Rollouts, evaluate
from video2policy.scene import Scene
from video2policy.train.search import NOT_TRAINED


def main(
    scene: Input,
    task: Input,
    best: Input,
    searches: list[Input],
    policies: list[Input],
    judged: Output,
    video: str,
    variant: str,
    iteration: int,
    evaluation: dict[str, Any],
    simulation: dict[str, Any],
    sandbox: str = "best_effort",
) -> None:
    """`judged` says, for each policy that was trained, what the judge and the generated success say of it.

    `evaluation`: episodes of each policy, and the seed of the resets.
    """
    rollouts = Rollouts.from_config(scene, task, simulation, sandbox)
    results = [json.loads(path.read_text()) for path in searches]
    trained = [k for k, result in enumerate(results) if result["stopped"] not in NOT_TRAINED]
    rows = []
    for k in trained:
        measured, _, _ = evaluate(
            rollouts, [policies[k]], int(evaluation["episodes"]), int(evaluation["seed"])
        )
        names = ("episodes", "successes", "success_rate", "generated_success_rate")
        rows.append({"iter": iteration, "sample": k, **{name: measured[name] for name in names}})
    record = json.loads((best / "best.json").read_text())
    result = {
        "video": video,
        "variant": variant,
        "family": Scene.load(scene).task.family,
        "iter": iteration,
        "best": {name: record[name] for name in ("iter", "sample")},
        "policies": rows,
    }
    judged.write_text(json.dumps(result, indent=1) + "\n")


stage(main)
