"""Is a reward worth training? It must run, and give more along the clip's way than where it begins.

Used inside the training worker, after its lockdown: it runs generated code.
"""

from __future__ import annotations

from pathlib import Path

from video2policy.guard.behaviour import HARD, check_task
from video2policy.scene import Scene

RANKS = "reward_rises"
"""The check that a scripted trajectory which does what the clip shows is worth more at its end."""


def why_not(scene: Scene, task_py: Path, reward_py: Path, clip: bool = True) -> str | None:
    """Why the reward is not worth training, in one sentence; None where it is.

    What the task's own success says of the clip is left aside: it was judged when the task was picked.
    Without `clip` so is the clip's way: the author did not see it.
    """
    report = check_task(scene, task_py, reward_py, clip=clip)
    failed = [check for check in report.checks if not check.passed and check.name in (*HARD, RANKS)]
    return f"{failed[0].name}: {failed[0].reason}" if failed else None
