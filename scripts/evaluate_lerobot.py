"""Judge one of LeRobot's own policies in every clip's scene."""

import json
from typing import Any

from scripts.stage import Failed, Input, Output, stage
from video2policy.evaluate.evaluation import Rollouts
from video2policy.policy.generalist import draw, evaluate


def main(
    checkpoint: Input,
    scenes: list[Input],
    tasks: list[Input],
    eval_json: Output,
    figure: Output,
    episodes: int,
    simulation: dict[str, Any],
    splits: dict[str, str],
    sandbox: str = "best_effort",
) -> None:
    """`checkpoint` is a folder; `episodes` in each scene; `scenes` and `tasks` are in the same order."""
    if not scenes:
        raise Failed("no clip to judge in passed its gates")
    clips = Rollouts.of_clips(scenes, tasks, simulation, sandbox)
    kind = json.loads((checkpoint / "config.json").read_text())["type"]
    result = {"policy": f"LeRobot's {kind}", **evaluate(clips, {"seeing": checkpoint}, episodes, splits)}
    eval_json.write_text(json.dumps(result, indent=1) + "\n")
    draw(result, figure)


stage(main)
