"""The live page and the terminal, from the events that snakemake logs."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from tests.report.outline import Outline
from video2policy import live
from video2policy.live import Watch, duration

CLIPS = {"cup": "lifting a cup", "ball": "rolling <b>a ball</b>"}


@dataclass
class Dag:
    """As much of snakemake's as is asked for: the jobs that are there, and which need not run."""

    jobs: list[Any]
    ready: set[int]

    def __len__(self) -> int:
        return len(self.jobs) - len(self.ready)

    def needrun(self, job: Any) -> bool:
        return job.jobid not in self.ready

    def finished(self, job: Any) -> bool:
        return job.jobid in self.ready


def job(jobid: int, rule: str, **wildcards: str) -> Any:
    return SimpleNamespace(jobid=jobid, rule=SimpleNamespace(name=rule), wildcards_dict=wildcards)


@dataclass
class Run:
    """A run of the workflow as its logger sees it."""

    watch: Watch
    logger: logging.Logger

    def event(self, event: str, **extra: Any) -> None:
        self.logger.info("", extra={"event": event, **extra})

    def begin(self, one: Any, output: tuple[str, ...] = ()) -> None:
        log = [f"logs/{one.rule.name}.log"]
        words = {"rule_name": one.rule.name, "wildcards": one.wildcards_dict, "output": output, "log": log}
        self.event("job_info", jobid=one.jobid, **words)

    def state(self, clip: str, stage: str) -> str:
        return self.watch.board.rows[clip][stage].state


JOBS = [
    job(0, "frames", video="cup"),
    job(1, "frames", video="ball"),
    job(2, "segment", video="cup", obj="cup"),
    job(3, "segment", video="ball", obj="ball"),
    job(4, "report"),
]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    logger = logging.Logger("snakemake")
    logger.addHandler(chatter := logging.StreamHandler(io.StringIO()))
    chatter.name = "DefaultStreamHandler"
    watch = Watch(CLIPS, tmp_path / "results" / "live.html")
    watch.start(Dag(list(JOBS), {0}), logger)
    yield Run(watch, logger)
    watch.stop("interrupted")


def test_jobs_are_followed_from_the_plan_to_their_end(run: Run) -> None:
    assert run.state("cup", "frames") == "done"  # by an earlier run
    assert run.state("ball", "frames") == "waiting" and run.state("ball", "track") == "none"
    run.begin(JOBS[1])
    assert run.state("ball", "frames") == "running"
    run.event("job_finished", job_id=1)
    run.begin(JOBS[3])
    run.event("job_error", jobid=3)
    assert (run.state("ball", "frames"), run.state("ball", "segment")) == ("done", "failed")
    run.begin(JOBS[3])  # tried again
    assert run.state("ball", "segment") == "running"
    run.watch.stop("ended with failed jobs")
    assert run.state("ball", "segment") == "waiting" and run.watch.finished == 1


def test_a_checkpoint_brings_new_jobs(run: Run) -> None:
    new = job(5, "track", video="cup", obj="cup")
    run.watch.dag.jobs.append(new)
    run.begin(new)
    assert run.state("cup", "track") == "running" and run.watch.planned == 5


def test_a_refused_clip_shows_where_and_why(run: Run, tmp_path: Path) -> None:
    verdict = tmp_path / "ball.verdict.json"
    for stage, state in (("frames", "done"), ("segment", "stopped")):
        verdict.write_text(json.dumps({"stage": stage, "passed": False, "reason": "<i>hidden</i>"}))
        run.begin(JOBS[3], (str(verdict),))
        run.event("job_finished", job_id=3)
        assert run.state("ball", "segment") == state  # what an earlier stage refused is its own


def test_groups_of_jobs_fail_together(run: Run) -> None:
    for one in JOBS[2:4]:
        run.begin(one)
    run.event("group_error", job_error_info=[{"jobid": 2}, {"jobid": 3}])
    assert run.state("cup", "segment") == run.state("ball", "segment") == "failed"


def test_the_page_is_whole_escaped_and_stops_reloading(run: Run) -> None:
    run.begin(JOBS[2])
    run.watch.write()
    text = run.watch.page.read_text()
    outline = Outline(text)
    assert "segment cup cup" in outline.text and 'http-equiv="refresh"' in text
    assert "<b>a ball</b>" not in text and "script" not in {tag for tag, _ in outline.tags}
    (run.watch.page.parent / "report" / "cup").mkdir(parents=True)
    run.watch.stop("finished")
    text = run.watch.page.read_text()
    assert 'http-equiv="refresh"' not in text and "finished" in Outline(text).text
    assert Outline(text).values("href") == ["report/cup/index.html"]
    assert [path.name for path in run.watch.page.parent.iterdir() if path.is_file()] == ["live.html"]


def test_a_page_that_cannot_be_written_stops_nothing(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.watch.page = Path("/proc/none/live.html")
    run.begin(JOBS[1])
    run.event("job_finished", job_id=1)
    run.watch.stop("finished")
    assert "1 of 4 jobs (25%) done: frames ball" in capsys.readouterr().err


def test_an_event_that_is_not_understood_stops_nothing(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.event("job_info")  # without all that one has
    assert "AttributeError" in capsys.readouterr().err
    run.begin(JOBS[1])
    assert run.state("ball", "frames") == "running"


def test_without_a_terminal_every_job_has_a_line(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    for one in JOBS[2:4]:
        run.begin(one)
    run.event("job_finished", job_id=2)
    run.event("job_error", jobid=3)
    run.logger.info("Select jobs to execute...")
    run.logger.error("what snakemake must say")
    said = run.logger.handlers[0].stream.getvalue()  # type: ignore[attr-defined]
    assert said == "what snakemake must say\n"
    assert capsys.readouterr().err.splitlines() == [
        "1 of 4 jobs (25%) done: segment cup cup",
        "failed: segment ball ball (log: logs/segment.log)",
    ]


def test_quiet_is_quiet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    watch, logger = Watch(CLIPS, tmp_path / "live.html"), logging.Logger("snakemake")
    watch.start(Dag(list(JOBS), set()), logger, quiet=["all"])
    Run(watch, logger).begin(JOBS[0])
    Run(watch, logger).event("job_finished", job_id=0)
    watch.stop("finished")
    assert capsys.readouterr().err == "" and watch.page.is_file()


def test_the_board_fits_the_terminal_and_shows_what_moves_first(tmp_path: Path) -> None:
    clips = {f"clip_{k:02d}": "" for k in range(40)}
    watch = Watch(clips, tmp_path / "live.html")
    watch.start(
        Dag([job(k, "track", video=clip, obj="a") for k, clip in enumerate(clips)], set()), logging.Logger("")
    )
    one = Run(watch, logging.Logger(""))
    one.logger.addHandler(watch)
    one.begin(job(33, "track", video="clip_33", obj="a"))
    console = Console(file=io.StringIO(), width=80, height=24, force_terminal=False)
    console.print(watch)
    watch.stop("finished")
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) <= 24 and max(map(len, lines)) <= 80
    assert lines[2].startswith("clip_33") and "track a 0 s" in lines[2]
    assert "24 more clips" in lines[-1] and "0 of 40 jobs" in lines[-1]


def test_what_others_print_stands_above_the_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, (read, write) = os.dup(2), os.pipe()
    os.dup2(write, 2)
    monkeypatch.setattr(sys, "stderr", os.fdopen(os.dup(2), "w", buffering=1))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    watch = Watch(CLIPS, tmp_path / "live.html")
    try:
        watch.start(Dag(list(JOBS), set()), logging.Logger(""))
        assert watch.screen is not None
        os.write(2, b"a line of a job\n")  # as a child process does, which has inherited the descriptor
        watch.stop("finished")
        os.write(2, b"after it\n")
    finally:
        os.dup2(kept, 2)
        os.close(write)
        sys.stderr.close()
    with os.fdopen(read, "rb") as stream:
        text = stream.read().decode()
    assert text.index("a line of a job") < text.rindex("0 of 5 jobs") < text.index("after it")


@pytest.mark.parametrize(("seconds", "words"), [(0, "0 s"), (65, "1 min 05 s"), (7800, "2 h 10 min")])
def test_durations_are_said_as_people_do(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_it_needs_no_rich(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(live, "HAS_RICH", False)
    watch = Watch(CLIPS, tmp_path / "other.html")
    watch.start(Dag([], set()), logging.Logger(""))
    watch.stop("finished")
    assert watch.screen is None
