"""Clone one image policy from the demonstrations of all clips, and an image-blind copy of it."""

import json
import logging
from dataclasses import asdict, replace
from typing import Any

from scripts.stage import Input, Output, stage
from video2policy.policy import bc
from video2policy.policy.cloning import Hardware, told, train
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
    hardware: dict[str, Any] | None = None,
) -> None:
    """`weights`: folder or hub name of ResNet18's, for a preset that has it as its backbone. `hardware`: what
    is cloned on (`policy.cloning.Hardware`)."""
    config = replace(bc.PRESETS[preset], seed=seed, weights=weights)
    data = load_demonstrations(trajectories, config)
    log.info("%d frames of the behaviours %s", len(data), ", ".join(data.behaviours))
    losses = {}
    for path, name, blindness in ((policy, "seeing", False), (blind, "blind", True)):
        on_epoch = told(f"{name} policy", config.epochs)
        here = replace(config, image_blind=blindness)
        trained, losses[name] = train(data, here, on_epoch, Hardware(**hardware or {}))
        trained.save(path)
        log.info("%s policy: loss %.4f after %d epochs", name, losses[name][-1], config.epochs)
    about = {"config": asdict(config), "behaviours": data.behaviours, "frames": len(data), "loss": losses}
    log_json.write_text(json.dumps(about, indent=1) + "\n")


stage(main)
