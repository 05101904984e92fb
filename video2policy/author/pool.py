"""Examples that a model is shown: two that come with the project, and tasks that were solved before.

The pool grows in the order of the config's curriculum. What one of its stages reads is a folder that no later
clip changes, so that clips depend on each other only where the curriculum says so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from video2policy.author import blocks
from video2policy.author.prompts import PROMPTS, plain
from video2policy.scene import Scene

SOLVED = 0.5
"""Generated success rate from which a task is an example for others."""


def read_examples(folder: Path | None, count: int) -> list[str]:
    """The project's own examples and the latest of `folder`, `count` in all (never fewer than the former)."""
    own = sorted((PROMPTS / "examples").glob("*.py"), reverse=True)  # reach before grasp
    more = sorted(folder.glob("*.py")) if folder is not None else []
    kept = more[-max(count - len(own), 0) :] if count > len(own) else []
    return [path.read_text(encoding="utf-8") for path in [*own, *kept]]


def freeze(scenes: Sequence[Path], tasks: Sequence[Path], bests: Sequence[Path], folder: Path) -> list[str]:
    """Write each solved task with its best reward to `folder`, numbered in their order; the clips' ids.

    `bests` are the last best/ folders of the reward search.
    """
    kept: list[str] = []
    for number, (scene_json, task, best) in enumerate(zip(scenes, tasks, bests, strict=True)):
        if float(json.loads((best / "best.json").read_text())["success_rate"]) < SOLVED:
            continue
        scene = Scene.load(scene_json)
        source = example(scene, task.read_text(encoding="utf-8"), (best / "reward.py").read_text("utf-8"))
        (folder / f"{number:03d}_{scene.video}.py").write_text(source, encoding="utf-8")
        kept.append(scene.video)
    return kept


def example(scene: Scene, task: str, reward: str) -> str:
    """A task module with another reward, and its caption above it."""
    pieces, better = blocks.read_module(task), blocks.read_module(reward)
    pieces.definitions |= better.definitions
    pieces.imports += [line for line in better.imports if line not in pieces.imports]
    caption = plain(scene.task.caption).replace("\\", " ").replace('"', "'")
    return f'"""Example: {caption}. This task was learnt."""\n\n{blocks.task_module(pieces, scene)}'
