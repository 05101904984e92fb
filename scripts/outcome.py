"""What became of one clip: its policy's judgement, or the gate that rejected it."""

import json
from pathlib import Path

from scripts.stage import Input, Output, stage


def main(
    scene: Input,
    outcome: Output,
    video: str,
    variant: str,
    eval_json: Input | list[Input] | None = None,
    rollout: Input | list[Input] | None = None,
    trajectories: Input | list[Input] | None = None,
) -> None:
    """Write one clip's line of the summary.

    `eval_json`, `rollout` and `trajectories` are empty for a rejected clip.
    """
    record = json.loads(Path(scene).read_text())
    line = {
        "video": video,
        "variant": variant,
        "caption": record["task"]["caption"],
        "family": record["task"]["family"],
        "passed": record["passed"],
        "reason": record["reason"],
    }
    if record["passed"]:
        judged = json.loads(Path(str(eval_json)).read_text())
        line |= {key: judged[key] for key in ("success_rate", "ci95", "episodes")}
        line |= {"rollout": str(rollout), "trajectories": str(trajectories)}
    outcome.write_text(json.dumps(line, indent=1) + "\n")


stage(main)
