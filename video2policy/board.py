"""Which stages of every clip are done, running, failed, refused or still to come. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

STAGES: Mapping[str, tuple[str, ...]] = {
    "frames": ("demo_clip", "frames"),
    "ground": ("ground",),
    "segment": ("segment",),
    "depth": ("depth",),
    "reconstruct": ("reconstruct",),
    "scale": ("hands", "scale"),
    "track": ("track",),
    "collide": ("collide",),
    "scene": ("scene",),
    "task": ("write_task", "pick_task"),
    "reward": ("train_skill", "write_reward", "train_reward", "select_reward"),
    "policy": ("train_policy",),
    "judge": ("evaluate", "judge_round", "judge_true_size"),
    "collect": ("collect", "collect_demonstrations", "export_trajectories"),
    "page": ("outcome", "draw", "page", "bundle"),
}
"""The columns of the board, and the rules whose jobs each counts."""

PHASES: Mapping[str, tuple[str, ...]] = {
    "perception": tuple(STAGES)[:9],
    "task": ("task",),
    "reward": ("reward",),
    "policy": ("policy",),
    "result": ("judge", "collect", "page"),
}
"""The same in fewer columns, for a terminal."""

STAGE_OF = {rule: stage for stage, rules in STAGES.items() for rule in rules}


@dataclass
class Cell:
    """The jobs of one stage of one clip. `stopped` is the reason of a gate that refused the clip here."""

    total: int = 0
    done: int = 0
    running: int = 0
    failed: int = 0
    stopped: str | None = None

    @property
    def state(self) -> str:
        """One word: failed, stopped, running, done, begun, waiting, or none where no job is planned."""
        if self.failed:
            return "failed"
        if self.stopped is not None:
            return "stopped"
        if self.running:
            return "running"
        if self.total == 0:
            return "none"
        return "done" if self.done >= self.total else "begun" if self.done else "waiting"

    @property
    def words(self) -> str:
        """The same with its numbers and reason."""
        if self.state == "none":
            return "nothing planned yet"
        parts = [f"{self.done} of {self.total} done"]
        parts += [f"{self.running} running"] if self.running else []
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [f"stopped: {self.stopped}"] if self.stopped is not None else []
        return ", ".join(parts)


def joined(cells: Iterable[Cell]) -> Cell:
    """Several cells as one."""
    whole = Cell()
    for cell in cells:
        whole.total += cell.total
        whole.done += cell.done
        whole.running += cell.running
        whole.failed += cell.failed
        whole.stopped = whole.stopped if whole.stopped is not None else cell.stopped
    return whole


class Board:
    """A cell for every clip and stage. Jobs of no clip (tables, the generalist) stand in the row ""."""

    def __init__(self, clips: Iterable[str]) -> None:
        self.rows: dict[str, dict[str, Cell]] = {clip: {stage: Cell() for stage in STAGES} for clip in clips}
        self.others = Cell()

    def cell(self, rule: str, clip: str | None) -> Cell:
        """Where the jobs of `rule` for `clip` are counted."""
        row = self.rows.get(clip or "")
        return row[STAGE_OF[rule]] if row is not None and rule in STAGE_OF else self.others

    def phases(self, clip: str) -> dict[str, Cell]:
        """The clip's row in the columns of PHASES."""
        row = self.rows[clip]
        return {phase: joined(row[stage] for stage in stages) for phase, stages in PHASES.items()}

    def whole(self, clip: str | None = None) -> Cell:
        """All of a clip's cells as one, or all there are."""
        if clip is not None:
            return joined(self.rows[clip].values())
        return joined([self.others, *(cell for row in self.rows.values() for cell in row.values())])

    def cells(self) -> Iterable[Cell]:
        """Every cell there is."""
        yield self.others
        for row in self.rows.values():
            yield from row.values()
