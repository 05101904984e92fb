"""Clone one image policy for each training seed from the demonstrations of some clips."""

import json
from dataclasses import replace

from scripts.stage import Input, Output, stage
from video2policy.policy import bc
from video2policy.policy.generalist import clone


def main(
    trajectories: list[Input],
    policies: Output,
    log_json: Output,
    preset: str,
    seed: int,
    seeds: int,
    weights: str = "",
) -> None:
    """`policies` is a folder; `seed` is the first of `seeds`; `weights` as in `train_bc`."""
    policies.mkdir(exist_ok=True)
    config = replace(bc.PRESETS[preset], seed=seed, weights=weights)
    log_json.write_text(json.dumps(clone(trajectories, config, seeds, policies), indent=1) + "\n")


stage(main)
