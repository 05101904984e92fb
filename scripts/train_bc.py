"""Clone one image policy from the demonstrations of all clips, and an image-blind copy of it."""

import json
import logging
from dataclasses import asdict, replace

from scripts.stage import Input, Output, stage
from video2policy.policy import bc
from video2policy.policy.cloning import train
from video2policy.policy.demonstrations import load_demonstrations

log = logging.getLogger("video2policy")


def main(
    trajectories: list[Input],
    policy: Output,
    blind: Output,
    log_json: Output,
    preset: str,
    seed: int,
    weights: str = "",
) -> None:
    """`weights`: folder or hub name of ResNet18's, for a preset that has it as its backbone."""
    config = replace(bc.PRESETS[preset], seed=seed, weights=weights)
    data = load_demonstrations(trajectories, config)
    log.info("%d frames of the behaviours %s", len(data), ", ".join(data.behaviours))
    losses = {}
    for path, name, blindness in ((policy, "seeing", False), (blind, "blind", True)):
        trained, losses[name] = train(data, replace(config, image_blind=blindness))
        trained.save(path)
        log.info("%s policy: loss %.4f after %d epochs", name, losses[name][-1], config.epochs)
    about = {"config": asdict(config), "behaviours": data.behaviours, "frames": len(data), "loss": losses}
    log_json.write_text(json.dumps(about, indent=1) + "\n")


stage(main)
