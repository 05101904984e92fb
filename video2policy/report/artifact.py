"""Read one clip's artifacts without ever failing: a clip may have stopped anywhere, or be half done."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from video2policy.board import STAGE_OF, Cell
from video2policy.board import STAGES as BOARD
from video2policy.perceive.verdict import Verdict

PLACEHOLDER = "rejected: "
"""How a file begins that stands where a stopped clip's output would be."""

STAGES = (
    *("frames", "ground", "segment", "depth", "reconstruct", "scale", "track", "collide"),
    *("caption", "scene"),
)
"""The gates of perception, in the order in which a clip meets them."""


@dataclass
class Reader:
    """Reads files below `root`; a missing file or a placeholder is simply absent, a broken one is noted."""

    root: Path
    problems: list[str] = field(default_factory=list)

    def text(self, path: Path) -> str | None:
        """The file's text, None when it is absent or empty."""
        if not path.is_file():
            return None
        text = path.read_text(encoding="utf-8", errors="replace")
        return None if not text.strip() or text.startswith(PLACEHOLDER) else text

    def json(self, path: Path) -> dict[str, Any]:
        """The file's JSON object, {} when there is none."""
        text = self.text(path)
        if text is None:
            return {}
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            return self._broken(path, f"is not JSON ({error.msg}, line {error.lineno})")
        return data if isinstance(data, dict) else self._broken(path, "is not a JSON object")

    def table(self, path: Path) -> dict[str, list[float]]:
        """The columns of a CSV file with a header; a cell that is no number is NaN."""
        text = self.text(path)
        if text is None:
            return {}
        rows = list(csv.DictReader(text.splitlines()))
        names = [name for name in (rows[0] if rows else {}) if name is not None]
        return {name: [number(row.get(name), math.nan) for row in rows] for name in names}

    def _broken(self, path: Path, what: str) -> dict[str, Any]:
        self.problems.append(f"{path.relative_to(self.root)} {what}")
        return {}


def number(value: Any, default: float = math.nan) -> float:
    """`value` as a float, or `default` when it is not a number."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return default


def finite(value: Any) -> float | None:
    """`value` as a finite float, else None."""
    found = number(value)
    return found if math.isfinite(found) else None


@dataclass(frozen=True)
class Rate:
    """A success rate and its 95% interval, where one is known."""

    value: float
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        interval = "" if self.low is None or self.high is None else f" [{self.low:.2f}, {self.high:.2f}]"
        return f"{self.value:.2f}{interval}"


@dataclass(frozen=True)
class Outcome:
    """What became of a clip, in one word (`kind`) and in one line (`words`)."""

    kind: str  # "trained", "stopped" or "unfinished"
    words: str
    generated: float | None = None
    judged: Rate | None = None

    @property
    def tone(self) -> str:
        """How it is coloured: "good", "fair" (also a policy that mostly fails) or "bad"."""
        if self.judged is not None and self.judged.value >= 0.5:
            return "good"
        return "bad" if self.kind == "stopped" else "fair"


@dataclass(frozen=True)
class Gate:
    """A stage's verdict on a clip, or on one `object` of it."""

    stage: str
    object: str | None
    verdict: Verdict

    @property
    def passed(self) -> bool:
        return self.verdict.passed


@dataclass(frozen=True)
class Sample:
    """One reward sample of one round: its code and what its author notes, the search's record, the log."""

    iteration: int
    index: int
    code: str | None
    notes: tuple[str, ...]
    search: dict[str, Any]
    log: dict[str, list[float]]

    @property
    def success(self) -> float | None:
        """The generated success rate, None when the sample was not trained or its training failed."""
        return (
            None
            if self.search.get("stopped") in ("failed", "screened", "spared")
            else finite(self.search.get("success_rate"))
        )

    @property
    def key(self) -> tuple[int, int]:
        return self.iteration, self.index


@dataclass(frozen=True)
class Round:
    """One iteration of the reward search. `best` is the best of all rounds so far."""

    iteration: int
    samples: tuple[Sample, ...]
    best: dict[str, Any]
    best_code: str | None
    feedback: str | None

    @property
    def best_key(self) -> tuple[int, int] | None:
        return sample_key(self.best)


@dataclass(frozen=True)
class Candidate:
    """One written task: its code and what `pick.json` says about it."""

    index: int
    code: str
    note: dict[str, Any]
    picked: bool


@dataclass(frozen=True)
class Work:
    """What the jobs of one rule took for the clip: their provenance summed, memory its maximum."""

    rule: str
    jobs: int
    seconds: float
    peak_memory_mb: float


@dataclass(frozen=True)
class Clip:
    """Everything that the results folder holds about one clip and one variant."""

    row: dict[str, Any]
    folder: Path
    variant: Path
    info: dict[str, Any]
    detections: tuple[dict[str, Any], ...]
    camera: dict[str, Any]
    scene: dict[str, Any]
    sizes: dict[str, dict[str, Any]]
    meshes: dict[str, dict[str, Any]]
    gates: tuple[Gate, ...]
    candidates: tuple[Candidate, ...]
    pick: dict[str, Any]
    task_code: str | None
    rounds: tuple[Round, ...]
    evaluation: dict[str, Any]
    work: tuple[Work, ...]
    problems: tuple[str, ...]

    @property
    def name(self) -> str:
        return str(self.row["video"])

    @property
    def caption(self) -> str:
        return str(self.row.get("caption") or self.info.get("caption") or "")

    @property
    def stop(self) -> Gate | None:
        """The first gate that did not pass."""
        return next((gate for gate in self.gates if not gate.passed), None)

    @property
    def best_code(self) -> str | None:
        """The reward the policy was trained with, the best over all rounds."""
        return next((one.best_code for one in reversed(self.rounds) if one.best_code), None)

    @property
    def generated(self) -> float | None:
        """The best sample's generated success, the only one that the search may see."""
        return next((finite(one.best.get("success_rate")) for one in reversed(self.rounds) if one.best), None)

    @property
    def judged(self) -> Rate | None:
        """The success that the hand-written judge saw, with its interval."""
        rate = finite(self.evaluation.get("success_rate"))
        if rate is None:
            return None
        low, high = (self.evaluation.get("ci95") or (None, None))[:2]
        return Rate(rate, finite(low), finite(high))

    @property
    def verdicts(self) -> list[dict[str, Any]]:
        """Whatever else was found out about the policy: `name`, `passed` and `message` of each."""
        found = self.evaluation.get("verdicts")
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    @property
    def cells(self) -> dict[str, Cell]:
        """The clip's row of the board: what the folder says of every stage."""
        row = {stage: Cell() for stage in BOARD}
        for one in self.work:
            if one.rule in STAGE_OF:
                row[STAGE_OF[one.rule]].total += one.jobs
                row[STAGE_OF[one.rule]].done += one.jobs
        if self.stop is not None:
            at = row.get(self.stop.stage, row["scene"])
            at.stopped = str(self.stop.verdict.reason)
            later = list(BOARD)[list(BOARD).index(STAGE_OF.get(self.stop.stage, "scene")) + 1 :]
            row |= {stage: Cell() for stage in later}  # these repeat the refusal and computed nothing
        return row

    @property
    def outcome(self) -> Outcome:
        """The clip's verdict in plain words."""
        if self.stop is not None:
            return Outcome("stopped", f"stopped at {self.stop.stage}: {self.stop.verdict.reason}")
        if self.judged is not None:
            words = f"policy trained, success {self.judged}"
            return Outcome("trained", words, self.generated, self.judged)
        if self.generated is not None:
            words = f"best generated success so far {self.generated:.2f}, policy not judged yet"
        elif self.rounds:
            words = "reward search under way"
        elif self.task_code:
            words = "task chosen, nothing trained yet"
        elif self.scene:
            words = "scene made, no task chosen yet"
        elif self.info:
            words = "perception under way"
        else:
            words = "not started"
        return Outcome("unfinished", words, self.generated)


def sample_key(data: dict[str, Any]) -> tuple[int, int] | None:
    """(iteration, sample) that a best.json or one step of its lineage names."""
    try:
        return int(data["iter"]), int(data["sample"])
    except (KeyError, TypeError, ValueError):
        return None


def read_clip(results: Path, row: dict[str, Any], variant: str) -> Clip:
    """Collect what `results/videos/{row['video']}` and its `variant` hold, whatever is missing."""
    folder = results / "videos" / str(row["video"])
    reader = Reader(results)
    scene = reader.json(folder / "scene.json")
    detections = reader.json(folder / "objects.json").get("objects") or ()
    task = folder / variant / "task"
    pick = reader.json(task / "pick.json")
    return Clip(
        row=row,
        folder=folder,
        variant=folder / variant,
        info=reader.json(folder / "clip.json"),
        detections=tuple(one for one in detections if isinstance(one, dict)),
        camera=reader.json(folder / "camera.json"),
        scene=scene,
        sizes={path.parent.name: reader.json(path) for path in sorted(folder.glob("objects/*/size.json"))},
        meshes={path.parent.name: reader.json(path) for path in sorted(folder.glob("objects/*/mesh.json"))},
        gates=_gates(folder, scene, reader),
        candidates=tuple(_candidates(task, pick, reader)),
        pick=pick,
        task_code=reader.text(task / "task.py"),
        rounds=tuple(_rounds(folder / variant / "reward", reader)),
        evaluation=reader.json(folder / variant / "policy" / "eval.json"),
        work=tuple(_work(folder, variant, reader)),
        problems=tuple(reader.problems),
    )


def _work(folder: Path, variant: str, reader: Reader) -> Iterable[Work]:
    """The jobs that left their provenance, in the order of the board; those of other variants left out."""
    perception = [*folder.glob("*.provenance.json"), *folder.glob("masks/*.provenance.json")]
    perception += folder.glob("objects/*/*.provenance.json")
    jobs: dict[str, list[dict[str, Any]]] = {}
    for path in sorted([*perception, *(folder / variant).rglob("*.provenance.json")]):
        record = reader.json(path)
        if record:
            jobs.setdefault(str(record.get("rule")), []).append(record)
    for rule in [*(rule for rule in STAGE_OF if rule in jobs), *sorted(jobs.keys() - STAGE_OF.keys())]:
        seconds = sum(number(one.get("seconds"), 0.0) for one in jobs[rule])
        memory = max(number(one.get("peak_memory_mb"), 0.0) for one in jobs[rule])
        yield Work(rule, len(jobs[rule]), seconds, memory)


def _gates(folder: Path, scene: dict[str, Any], reader: Reader) -> tuple[Gate, ...]:
    """The verdicts beside the artifacts, in the order of `STAGES`.

    Stages behind a rejection repeat it as their own verdict; only the first is a gate that the clip met.
    """
    found: list[tuple[str, str | None, Path]] = []
    for path in folder.glob("*.verdict.json"):
        found.append((path.name.removesuffix(".verdict.json"), None, path))
    for path in folder.glob("masks/*.verdict.json"):
        found.append(("segment", path.name.removesuffix(".verdict.json"), path))
    for path in folder.glob("objects/*/*.verdict.json"):
        found.append((path.name.removesuffix(".verdict.json"), path.parent.name, path))
    gates: list[Gate] = []
    for stage, name, path in sorted(found, key=lambda one: (_stage_place(one[0]), one[0], one[1] or "")):
        try:
            verdict = Verdict.from_json(reader.json(path))
        except (TypeError, ValueError) as error:
            reader.problems.append(f"{path.relative_to(reader.root)} is not a verdict ({error})")
            continue
        if verdict.passed or verdict not in [gate.verdict for gate in gates]:
            gates.append(Gate(stage, name, verdict))
    if scene.get("passed") is False and all(gate.passed for gate in gates):
        reason = str(scene.get("reason") or "no reason was given")
        gates.append(Gate("scene", None, Verdict.rejected("scene", reason)))
    return tuple(gates)


def _stage_place(stage: str) -> int:
    return STAGES.index(stage) if stage in STAGES else len(STAGES)


def _candidates(task: Path, pick: dict[str, Any], reader: Reader) -> Iterable[Candidate]:
    notes = {number(note.get("index")): note for note in pick.get("candidates") or []}
    for index, path in numbered(task, r"candidate_(\d+)\.py"):
        code = reader.text(path)
        if code is not None:
            yield Candidate(index, code, notes.get(index, {}), number(pick.get("picked")) == index)


def _rounds(folder: Path, reader: Reader) -> Iterable[Round]:
    for iteration, path in numbered(folder, r"(\d+)"):
        samples = tuple(
            Sample(
                iteration,
                index,
                reader.text(one / "reward.py"),
                tuple(str(note) for note in reader.json(one / "reply.json").get("notes") or ()),
                reader.json(one / "search.json"),
                reader.table(one / "log.csv"),
            )
            for index, one in numbered(path, r"(\d+)")
        )
        yield Round(
            iteration,
            samples,
            reader.json(path / "best" / "best.json"),
            reader.text(path / "best" / "reward.py"),
            reader.text(path / "feedback.md") or reader.text(path / "best" / "feedback.md"),
        )


def numbered(folder: Path, pattern: str) -> list[tuple[int, Path]]:
    """The entries of `folder` whose whole name matches `pattern`, by the number in it."""
    if not folder.is_dir():
        return []
    found = [(re.fullmatch(pattern, path.name), path) for path in folder.iterdir()]
    return sorted((int(match[1]), path) for match, path in found if match)
