"""What a person watches while the workflow runs: results/live.html, and a board in the terminal.

Snakemake reports every job to its logger, whoever executes it: `Watch` listens there, in the workflow's own
process, so that jobs on a cluster are seen like local ones. Where the output is no terminal (or rich is not
installed), a line for every finished job takes the board's place.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from video2policy.board import PHASES, STAGES, Board, Cell
from video2policy.files import written

try:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

    HAS_RICH = True
except ImportError:  # a snakemake of the user's own, without this project's requirements.txt
    HAS_RICH = False

TEMPLATES = Path(__file__).parent / "report" / "templates"
GLYPHS = {
    **{"done": ("✓", "green"), "running": ("▶", "cyan"), "begun": ("·", ""), "waiting": ("·", "dim")},
    **{"failed": ("✗", "red"), "stopped": ("■", "yellow"), "none": ("", "dim")},
}
SHARE = 0.05
"""The most of the time that the page's writing may take."""


@dataclass
class Job:
    """A job that was announced. `started` in seconds of the monotonic clock."""

    rule: str
    wildcards: Mapping[str, str]
    output: list[str]
    log: list[str]
    started: float = field(default_factory=time.monotonic)

    @property
    def video(self) -> str | None:
        return self.wildcards.get("video")

    @property
    def name(self) -> str:
        return " ".join([self.rule, *self.wildcards.values()])


class Watch(logging.Handler):
    """Follows one run of the workflow. `clips` maps the sheet's ids to their captions."""

    def __init__(self, clips: Mapping[str, str], page: Path) -> None:
        super().__init__()
        self.clips, self.page = clips, page
        self.board = Board(clips)
        self.jobs: dict[int, Job] = {}
        self.running: dict[int, Job] = {}
        self.finished = self.planned = 0
        self.ended: str | None = None
        self.screen: Screen | None = None
        self.quiet = False

    def start(self, dag: Any, logger: logging.Logger, quiet: Iterable[Any] = ()) -> None:
        """Listen to `logger` until `stop`; `dag` says which jobs there are."""
        self.dag = dag
        self.began = time.monotonic()
        self.quiet = bool({"all", "progress"} & {str(getattr(one, "value", one)) for one in quiet})
        self._plan()
        for handler in logger.handlers:
            if handler.name == "DefaultStreamHandler":
                handler.addFilter(lambda record: record.levelno >= logging.WARNING)
        if not self.quiet and HAS_RICH and sys.stderr.isatty():
            self.screen = Screen(self)
        logger.addHandler(self)
        self.changed, self.writer = threading.Event(), threading.Thread(target=self._write_on, daemon=True)
        self.changed.set()
        self.writer.start()
        atexit.register(self.stop, "interrupted")

    def stop(self, how: str) -> None:
        """Write the page for the last time; `how` the run ended, in a word or two."""
        if self.ended is not None or not hasattr(self, "dag"):
            return
        self.ended = how
        self.running.clear()
        for cell in self.board.cells():
            cell.running = 0
        self.changed.set()
        self.writer.join()
        if self.screen is not None:
            self.screen.close()

    # ------------------------------------------------------------------ events

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of one event of snakemake's. What cannot be shown stops no workflow: it is only said."""
        try:
            self._note(record)
        except Exception:
            self.handleError(record)

    def _note(self, record: logging.LogRecord) -> None:
        event = str(getattr(record, "event", None) or "")
        if self.ended is not None:
            return
        if event == "job_info":
            self._begin(record)
        elif event == "job_finished":
            self._finish(getattr(record, "job_id", -1))
        elif event == "job_error":
            self._fail(getattr(record, "jobid", -1))
        elif event == "group_error":
            for info in getattr(record, "job_error_info", ()):
                self._fail(info["jobid"])
        else:
            return
        self.changed.set()

    def _begin(self, record: Any) -> None:
        job = Job(record.rule_name, dict(record.wildcards), list(record.output), list(record.log))
        self.jobs[record.jobid] = self.running[record.jobid] = job
        if len(self.dag) != self.planned:  # a checkpoint has finished
            self._plan()
        cell = self.board.cell(job.rule, job.video)
        cell.running += 1
        cell.failed = max(0, cell.failed - 1)  # one that failed before and is tried again

    def _ended(self, jobid: int) -> tuple[Job, Cell] | None:
        """A job that runs no longer and its cell; None for one that was not seen to begin."""
        job = self.running.pop(jobid, None)
        if job is None:
            return None
        cell = self.board.cell(job.rule, job.video)
        cell.running -= 1
        return job, cell

    def _finish(self, jobid: int) -> None:
        ended = self._ended(jobid)
        if ended is None:
            return
        job, cell = ended
        cell.done += 1
        self.finished += 1
        reason = refusal(job)
        if reason is not None:
            cell.stopped = reason
        share = 100 * self.finished // max(self.planned, 1)
        self._say(f"{self.finished} of {self.planned} jobs ({share}%) done: {job.name}")

    def _fail(self, jobid: int) -> None:
        ended = self._ended(jobid)
        if ended is None:
            return
        job, cell = ended
        cell.failed += 1
        self._say(f"failed: {job.name}" + (f" (log: {job.log[0]})" if job.log else ""))

    def _plan(self) -> None:
        """Count the jobs anew, those of earlier runs included."""
        self.planned = len(self.dag)
        for cell in self.board.cells():
            cell.total = cell.done = 0
        for job in self.dag.jobs:
            cell = self.board.cell(job.rule.name, dict(job.wildcards_dict).get("video"))
            cell.total += 1
            cell.done += not self.dag.needrun(job) or self.dag.finished(job)

    def _say(self, line: str) -> None:
        if not self.quiet and self.screen is None:
            print(line, file=sys.stderr, flush=True)

    # -------------------------------------------------------------------- page

    def _write_on(self) -> None:
        """Write the page after every change, as long as that takes no more than its share of the time."""
        while True:
            self.changed.wait()
            self.changed.clear()
            last, before = self.ended is not None, time.monotonic()
            try:
                self.write()
            except OSError as error:  # a full disk stops no workflow
                self._say(f"{self.page} could not be written: {error}")
            if last:
                return
            time.sleep(0.1 + (time.monotonic() - before) * (1 / SHARE - 1) if self.ended is None else 0)

    def write(self) -> None:
        """The page as it is now, written beside it and renamed."""
        self.acquire()
        try:
            html = self.html()
        finally:
            self.release()
        self.page.parent.mkdir(parents=True, exist_ok=True)
        with written(self.page) as part:
            part.write_text(html, encoding="utf-8")

    def html(self) -> str:
        """The page's text."""
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
        )
        now = time.monotonic()
        return environment.get_template("live.html.j2").render(
            clips=self.clips,
            board=self.board,
            stages=list(STAGES),
            ended=self.ended,
            finished=self.finished,
            planned=self.planned,
            running=[(job.name, duration(now - job.started)) for job in self.running.values()],
            took=duration(now - self.began),
            written=time.strftime("%Y-%m-%d %H:%M:%S"),
            pages={clip for clip in self.clips if (self.page.parent / "report" / clip).is_dir()},
            report=(self.page.parent / "report.html").is_file(),
        )

    # ------------------------------------------------------------------- board

    def __rich__(self) -> Group:
        """The board, for a terminal: what moves first, as many rows as fit."""
        now = time.monotonic()
        table = Table(box=None, padding=(0, 2, 0, 0), expand=True)
        for name in ("clip", *PHASES):
            table.add_column(name, no_wrap=True)
        table.add_column("now", ratio=1, no_wrap=True, overflow="ellipsis")
        busy: dict[str | None, list[str]] = {}
        for job in list(self.running.values()):
            detail = " ".join(
                [job.rule, *(v for k, v in job.wildcards.items() if k not in ("video", "variant"))]
            )
            busy.setdefault(job.video, []).append(f"{detail} {duration(now - job.started)}")
        order = sorted(self.clips, key=lambda clip: _ORDER.index(self.board.whole(clip).state))
        room = max(3, (self.screen.console.height if self.screen else 24) - 8)
        for clip in order[:room]:
            cells = self.board.phases(clip)
            stopped = next((cell.stopped for cell in cells.values() if cell.stopped is not None), "")
            said = Text(", ".join(busy.get(clip, ())) or stopped, style="" if clip in busy else "yellow")
            table.add_row(Text(clip[:24]), *(_shown(cell) for cell in cells.values()), said)
        failed = sum(cell.failed for cell in self.board.cells())
        last = [f"{self.finished} of {self.planned} jobs, {duration(now - self.began)}"]
        last += [f"{failed} failed"] if failed else []
        last += busy.get(None, [])
        last += [f"{len(order) - room} more clips: {self.page}"] if len(order) > room else []
        style = "red" if failed else "bold"
        return Group(Text(""), table, Text("; ".join(last), style, no_wrap=True, overflow="ellipsis"))


_ORDER = ("running", "failed", "begun", "waiting", "none", "stopped", "done")


def _shown(cell: Cell) -> Any:
    glyph, style = GLYPHS[cell.state]
    number = "" if cell.total < 2 or cell.state in ("done", "none") else f" {cell.done}/{cell.total}"
    return Text(glyph + number, style=style)


def refusal(job: Job) -> str | None:
    """Why this job's gate refused the clip; None where it did not, or an earlier one did."""
    for path in job.output:
        if path.endswith(".verdict.json"):
            try:
                verdict = json.loads(Path(path).read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            own = verdict.get("stage") in (job.rule, Path(path).name.split(".")[0])
            if verdict.get("passed") is False and own:
                return str(verdict.get("reason") or "no reason was given")
    return None


def duration(seconds: float) -> str:
    """Seconds as a person says them: "42 s", "3 min 05 s", "2 h 10 min"."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class Screen:
    """Holds the terminal: the board at the bottom, above it whatever this process and its jobs print.

    Jobs inherit the descriptor of standard error; behind it is a pipe meanwhile, so that no line of theirs is
    written across the board.
    """

    def __init__(self, watch: Watch) -> None:
        self.terminal = os.fdopen(os.dup(2), "w", buffering=1)
        self.console = Console(file=self.terminal, force_terminal=True)
        read, write = os.pipe()
        os.dup2(write, 2)
        os.close(write)
        self.live = Live(
            get_renderable=watch.__rich__,
            console=self.console,
            refresh_per_second=2,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self.live.start()
        self.reader = threading.Thread(target=self._pass_on, args=(read,), daemon=True)
        self.reader.start()

    def _pass_on(self, read: int) -> None:
        for line in self._lines(read):
            with contextlib.suppress(OSError):  # the terminal is gone, but jobs still need to print
                self.console.print(Text.from_ansi(line), soft_wrap=True)

    @staticmethod
    def _lines(read: int) -> Iterator[str]:
        with os.fdopen(read, "r", encoding="utf-8", errors="replace") as stream:
            for line in stream:
                yield line.rstrip("\n")

    def close(self) -> None:
        """Give the terminal back, with the board as it was last."""
        sys.stderr.flush()
        os.dup2(self.terminal.fileno(), 2)
        self.reader.join(timeout=2)  # a job that outlives the run may keep the pipe open
        self.live.stop()
        if not self.reader.is_alive():
            self.terminal.close()
