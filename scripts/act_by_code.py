"""Code-as-Policies: programs act, rewritten every 50 steps from the states; judged as policies are."""

import json
from pathlib import Path
from typing import Any

from scripts.stage import Failed, Input, Output, stage
from video2policy.author.cassette import NoReply
from video2policy.evaluate.evaluation import Rollouts, describe, evaluate, write_video
from video2policy.evaluate.improvise import EVERY, WORKER, Improviser, writer


def main(
    scene: Input,
    task: Input,
    programs: Output,
    eval_json: Output,
    rollout: Output,
    video: str,
    variant: str,
    author: dict[str, Any],
    evaluation: dict[str, Any],
    simulation: dict[str, Any],
    sandbox: str = "best_effort",
    config: dict[str, Any] | None = None,
) -> None:
    """`task` gives the resets; `programs` is a folder of all that was written, with index.json.

    `evaluation`: seeds times episodes, and the seed of the resets, which are those of trained policies.
    """
    programs.mkdir(exist_ok=True)
    improviser = Improviser(writer(scene, author, config), programs)
    rollouts = Rollouts.from_config(scene, task, simulation, sandbox, improviser.answer)
    try:
        measured, recordings, verdicts = evaluate(
            rollouts,
            [Path(task)] * int(evaluation["seeds"]),
            int(evaluation["episodes"]),
            int(evaluation["seed"]),
            worker=WORKER,
            every=EVERY,
            patience=rollouts.timeout,
        )
    except NoReply as error:
        raise Failed(str(error)) from None
    improviser.save()
    result = describe(rollouts, video, variant, 0, measured)
    rows = improviser.log_rows
    result["programs"] = {
        "asked": len(rows),
        "written": sum("program" in row for row in rows),
        "different": len({row["program"] for row in rows if "program" in row}),
        "reasons": sorted({row["reason"] for row in rows if "reason" in row})[:5],
    }
    eval_json.write_text(json.dumps(result, indent=1) + "\n")
    caption = f"{result['task']}: {result['successes']} of {result['episodes']} episodes succeed"
    write_video(rollout, rollouts, recordings, verdicts, caption)


stage(main)
