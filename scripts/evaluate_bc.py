"""Judge the image policy and its image-blind copy in every clip's scene."""

import json
from typing import Any

from scripts.stage import Input, Output, stage
from video2policy.evaluate.evaluation import Rollouts
from video2policy.policy import bc
from video2policy.policy.generalist import draw, evaluate


def main(
    policy: Input,
    blind: Input,
    scenes: list[Input],
    tasks: list[Input],
    eval_json: Output,
    figure: Output,
    episodes: int,
    simulation: dict[str, Any],
    splits: dict[str, str],
    sandbox: str = "best_effort",
) -> None:
    """`episodes` in each scene; `scenes` and `tasks` are in the same order; `splits`: clip -> its split."""
    clips = Rollouts.of_clips(scenes, tasks, simulation, sandbox)
    cloned = bc.ImagePolicy.load(policy)
    judged = evaluate(clips, {"seeing": policy, "blind": blind}, episodes, splits)
    result = {
        "policy": "behaviour cloning of images",
        "behaviours": list(cloned.behaviours),
        "image_size": cloned.config.image_size,
        "cameras": list(cloned.config.cameras),
        "blind_success_rate": judged["blind"]["rate"],
        **judged,
    }
    eval_json.write_text(json.dumps(result, indent=1) + "\n")
    draw(result, figure)


stage(main)
