"""The author's side of episodes in which its programs act (`evaluate.code_worker`): it answers what is asked.

It runs in the workflow's process and only writes programs; they run in the worker.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from video2policy.author import grammar
from video2policy.author.programs import NoProgram, write_program
from video2policy.files import written
from video2policy.guard import leavings
from video2policy.scene import Scene

log = logging.getLogger("video2policy")

WORKER = "video2policy.evaluate.code_worker"
EVERY = 50
"""Control steps between two programs (paper, section 4.1)."""
MAX_ASKED = 2**26

Write = Callable[[Mapping[str, Sequence[float]], int, int], str]
"""The states of one episode, its index and the control step -> source. Raises NoProgram."""


def writer(scene: Path, author: Mapping[str, Any], config: Mapping[str, Any] | None) -> Write:
    """Who writes programs for a scene: the grammar, or the language model of the config's `author`."""
    if author["name"] == grammar.NAME:
        loaded = Scene.load(scene)
        task, grip = loaded.task, grammar.grip(loaded)

        def write(states: Mapping[str, Sequence[float]], episode: int, step: int) -> str:
            return write_program(task.family, task.roles, states, step, task.caption, grip)

        return write
    from video2policy.author.llm import Author  # its client takes a second to import

    return Author.of(scene, author, config).write_program


@dataclass
class Improviser:
    """Answers a worker; keeps every program under `folder`, by its hash, and which episode ran which."""

    write: Write
    folder: Path
    log_rows: list[dict[str, Any]] = field(default_factory=list)
    run: int = -1
    workspace: Path | None = None
    """Of the worker that runs."""
    number: int = 0
    """Of its next question."""

    def answer(self, workspace: Path, line: str) -> None:
        """What `guard.process.run_worker` calls with each line of progress. Raises LeavingsError.

        Each question is answered once, in their order: programs in the worker may print such lines as well.
        """
        if workspace != self.workspace:
            self.workspace, self.number, self.run = workspace, 0, self.run + 1
        number = self.number
        if line != f"asked {number}" or not os.path.lexists(workspace / f"asked_{number}.json"):
            return
        self.number += 1
        asked = leavings.read_json(workspace, f"asked_{number}.json", MAX_ASKED)
        step, episodes = _read(asked)
        sources = [self._source(states, episode, step) for episode, states in enumerate(episodes)]
        _put(workspace, f"written_{number}.json", json.dumps(sources))
        log.info("step %d: %d programs, %d different", step, len(sources), len(set(sources)))

    def _source(self, states: Mapping[str, Sequence[float]], episode: int, step: int) -> str | None:
        row: dict[str, Any] = {"run": self.run, "episode": episode, "step": step}
        self.log_rows.append(row)
        try:
            source = self.write(states, episode, step)
        except NoProgram as error:
            row["reason"] = str(error)
            return None
        row["program"] = hashlib.sha256(source.encode()).hexdigest()[:16]
        path = self.folder / f"{row['program']}.py"
        if not path.exists():
            path.write_text(source, encoding="utf-8")
        return source

    def save(self) -> None:
        """Leave index.json: run, episode, step and program of each reply."""
        (self.folder / "index.json").write_text(json.dumps(self.log_rows, indent=0) + "\n")


def _read(asked: Mapping[str, Any]) -> tuple[int, list[dict[str, list[float]]]]:
    """The step and each episode's states, checked: the process that wrote them runs generated code."""
    step, states = asked.get("step"), asked.get("states")
    if not isinstance(step, int) or not isinstance(states, dict) or not states:
        raise leavings.LeavingsError("asked for programs in a form that cannot be read")
    counts = {len(rows) if isinstance(rows, list) else -1 for rows in states.values()}
    numbers = (
        value for rows in states.values() if isinstance(rows, list) for row in rows for value in _row(row)
    )
    if (
        len(counts) != 1
        or -1 in counts
        or not all(isinstance(v, int | float) and math.isfinite(v) for v in numbers)
    ):
        raise leavings.LeavingsError("asked for programs with states that are no numbers")
    return step, [{name: rows[k] for name, rows in states.items()} for k in range(counts.pop())]


def _row(row: Any) -> list[Any]:
    return row if isinstance(row, list) else [None]


def _put(folder: Path, name: str, text: str) -> None:
    """Write a file into a worker's folder, following no link that it may have laid there."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with written(folder / name) as part, os.fdopen(os.open(part, flags, 0o644), "w") as file:
        file.write(text)
