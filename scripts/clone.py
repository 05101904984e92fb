"""Clone one image policy for each training seed from the demonstrations of some clips."""

import json
from dataclasses import replace
from typing import Any

from scripts.stage import Input, Output, stage
from video2policy.policy import bc
from video2policy.policy.cloning import Hardware, clone


def main(
    trajectories: list[Input],
    policies: Output,
    log_json: Output,
    preset: str,
    seed: int,
    seeds: int,
    weights: str = "",
    hardware: dict[str, Any] | None = None,
) -> None:
    """`policies` is a folder; `seed` is the first of `seeds`; `weights` and `hardware` as in `train_bc`."""
    policies.mkdir(exist_ok=True)
    config = replace(bc.PRESETS[preset], seed=seed, weights=weights)
    about = clone(trajectories, config, seeds, policies, Hardware(**hardware or {}))
    log_json.write_text(json.dumps(about, indent=1) + "\n")


stage(main)
