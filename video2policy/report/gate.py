"""How many clips entered, passed and left at every gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from video2policy.report.artifact import STAGES, Clip

MEANING = {
    "frames": "the clip is read and its quality checked",
    "ground": "the named objects are found",
    "segment": "a mask per frame and object",
    "depth": "camera and depth",
    "reconstruct": "a mesh per object",
    "scale": "its size in metres",
    "track": "its pose in every frame",
    "collide": "its collision shape and mass",
    "scene": "the scene from all of these",
    "task": "task code that passes its checks",
    "policy": "a trained policy, judged",
}
"""What each gate asks for, in plain words."""


@dataclass(frozen=True)
class Yield:
    """One gate over all clips. `dropped` holds (clip, reason)."""

    stage: str
    entered: int
    passed: int
    dropped: tuple[tuple[str, str], ...]

    @property
    def rate(self) -> float:
        return self.passed / self.entered if self.entered else 0.0


def yields(clips: Sequence[Clip]) -> list[Yield]:
    """A row per perception gate, then what became of the clips whose scene was made.

    A clip enters a gate when it has a verdict there and failed none before. A stage that judges every object
    on its own has several verdicts for a clip: it passes when all pass.
    """
    rows = []
    for stage in stages(clips):
        entered = [clip for clip in clips if _meets(clip, stage)]
        dropped = tuple(
            (clip.name, str(clip.stop.verdict.reason))
            for clip in entered
            if clip.stop is not None and clip.stop.stage == stage
        )
        rows.append(Yield(stage, len(entered), len(entered) - len(dropped), dropped))
    through = [clip for clip in clips if clip.scene and clip.stop is None]
    steps = (
        ("task", through, [clip for clip in through if clip.task_code]),
        ("policy", [c for c in through if c.task_code], [c for c in through if c.judged is not None]),
    )
    for name, before, after in steps:
        names = {clip.name for clip in after}
        missing = tuple((clip.name, clip.outcome.words) for clip in before if clip.name not in names)
        rows.append(Yield(name, len(before), len(after), missing))
    return [row for row in rows if row.entered]


def stages(clips: Sequence[Clip]) -> list[str]:
    """The gates that any clip met, in order; those that this page does not know come last."""
    met = {gate.stage for clip in clips for gate in clip.gates}
    return [stage for stage in STAGES if stage in met] + sorted(met - set(STAGES))


def _meets(clip: Clip, stage: str) -> bool:
    """Whether the clip has a verdict at `stage` and was not stopped before it."""
    met = stages([clip])
    return stage in met and (clip.stop is None or met.index(stage) <= met.index(clip.stop.stage))
