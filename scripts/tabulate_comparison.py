"""Variants side by side over the sheet's clips, by task, the paper's figures beside ours."""

import json
from typing import Any

from scripts.stage import NO_INPUTS, Failed, Input, Output, stage
from video2policy.evaluate.comparison import Clip, Results, save, write_csv
from video2policy.paper import COMPARISONS
from video2policy.scene import Scene


def main(
    scenes: list[Input],
    table: Output,
    markdown: Output,
    figure: Output,
    name: str,
    budgets: dict[str, Any],
    evals: list[Input] = NO_INPUTS,
) -> None:
    """`name` is a key of `paper.COMPARISONS`; `evals` judge each clip that passed under its variants."""
    loaded = [Scene.load(path) for path in scenes]
    clips = [Clip(scene.video, scene.task.family, scene.reason) for scene in loaded]
    judged = [json.loads(path.read_text()) for path in evals]
    results = Results(COMPARISONS[name], clips, {(one["video"], one["variant"]): one for one in judged})
    if not results.passed:
        raise Failed("no clip passed the gates, so that there is nothing to compare")
    write_csv(table, results.lines())
    markdown.write_text(results.markdown(name, budgets), encoding="utf-8")
    save(results.draw(), figure)


stage(main)
