"""Judge the trained policies in their scene with the objects' true sizes (paper, beside table 6)."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from scripts.stage import Failed, Input, Output, stage
from video2policy.evaluate.evaluation import Rollouts, describe, evaluate, policies_of
from video2policy.evaluate.perception import box_sides
from video2policy.evaluate.true_size import resize
from video2policy.scene import Scene


def main(
    scene: Input,
    task: Input,
    seeds: Input,
    truth: list[Input],
    eval_json: Output,
    video: str,
    variant: str,
    evaluation: dict[str, Any],
    simulation: dict[str, Any],
    sandbox: str = "best_effort",
) -> None:
    """The same policies, episodes and seeds as in `evaluate`; `truth` is the clip's npz, if it has one."""
    if not truth:
        raise Failed(f"nothing tells the true sizes of {video}: rendered clips have a truth (docs/suite.md)")
    sides = {}
    found = Scene.load(scene)
    with np.load(truth[0]) as data:
        for name in found.names:
            if f"vertices_{name}" not in data:
                raise Failed(
                    f'{truth[0]} has no object "{name}": name objects in the sheet as the truth does'
                )
            sides[name] = box_sides(data[f"vertices_{name}"])
    policies = policies_of(seeds)
    with TemporaryDirectory() as folder:
        rollouts = Rollouts.from_config(resize(scene, sides, Path(folder)), task, simulation, sandbox)
        measured, _, _ = evaluate(rollouts, policies, int(evaluation["episodes"]), int(evaluation["seed"]))
        result = describe(rollouts, video, variant, len(policies), measured)
    for item in found.objects:
        pair = {"found": sorted(item.size, reverse=True), "true": sides[item.name].tolist()}
        result.setdefault("sizes", {})[item.name] = {
            key: [round(side, 4) for side in values] for key, values in pair.items()
        }
    eval_json.write_text(json.dumps(result, indent=1) + "\n")


stage(main)
