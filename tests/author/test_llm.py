"""What becomes of replies: the best is kept, what a sample cannot mend is not held against it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.author.conftest import MakeScene
from tests.author.test_blocks import REWARD, SUCCESS, block
from tests.author.two_clips import settings
from tests.llm_server import Script, Server
from video2policy.author.blocks import NoCode
from video2policy.author.llm import Author, Check, read_pick
from video2policy.author.settings import Settings
from video2policy.guard.process import WorkerError

MakeAuthor = Callable[..., Author]


@pytest.fixture
def author(scene_of: MakeScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeAuthor]:
    """An author for a lift whose endpoint says these texts in turn."""
    monkeypatch.setenv("SCRIPTED_KEY", "key")
    servers: list[Server] = []

    def make(check: Check, *texts: str) -> Author:
        names = [f"{k}.md" for k in range(len(texts))]
        script = Script([{"when": "Clip ", "say": names}], dict(zip(names, texts, strict=True)))
        servers.append(Server(script).__enter__())
        known = Settings.read(settings(servers[-1].base_url, tmp_path / "replies"))
        return Author(known, scene_of("lift"), check)

    yield make
    for server in servers:
        server.__exit__()


def report(runs: bool = True, **failed: str) -> dict[str, Any]:
    checks = [{"name": name, "passed": False, "reason": reason} for name, reason in failed.items()]
    return {"runs": runs, "checks": [{"name": "loads", "passed": runs, "reason": "x"}, *checks], "facts": {}}


def task(number: int) -> str:
    return block(SUCCESS.replace("0.5", f"0.{number}")) + "\n" + block(REWARD)


def by_number(reports: Mapping[int, dict[str, Any]]) -> Check:
    """A check whose report depends on the number in the program."""
    return lambda source, _: next(found for number, found in reports.items() if f"> 0.{number}" in source)


def test_the_best_reply_is_kept_not_the_last(author: MakeAuthor) -> None:
    check = by_number({1: report(False), 2: report(True, true_at_end="no"), 3: report(False)})
    _, reply = author(check, task(1), task(2), task(3)).write_task(0, [])
    assert [turn.kind for turn in reply.turns] == ["fails"] * 3
    assert "> 0.2" in reply.source


def test_the_first_flawless_reply_ends_the_dialogue(author: MakeAuthor) -> None:
    check = by_number({1: report(True, reward_rises="no"), 2: report()})
    _, reply = author(check, task(1), task(2), task(3)).write_task(4, [])
    assert [turn.kind for turn in reply.turns] == ["fails", "accepted"]
    assert "reward_rises: no" in reply.turns[0].sent_back


def test_what_the_task_fails_is_not_held_against_a_reward(author: MakeAuthor) -> None:
    def check(_: str, reward: str | None) -> dict[str, Any]:
        assert reward is not None
        return report(True, true_at_end="no", success="no")

    _, reply = author(check, block(REWARD)).write_reward("", 0, 1)
    assert [turn.kind for turn in reply.turns] == ["accepted"]


def test_a_worker_that_dies_is_a_reason(author: MakeAuthor) -> None:
    def check(_: str, __: str | None) -> dict[str, Any]:
        raise WorkerError("the worker did not end within 90 s")

    _, reply = author(check, task(1)).write_task(0, [])
    assert [turn.reason for turn in reply.turns] == ["the worker did not end within 90 s"] * 3


def test_nothing_is_asked_where_there_is_nothing_to_choose(author: MakeAuthor) -> None:
    def never(_: str, __: str | None) -> dict[str, Any]:
        raise AssertionError

    writer = author(never)
    able: Sequence[dict[str, Any]] = [report(False), report(), report(False)]
    chosen, reread = writer.pick(["a", "b", "c"], able)
    assert (chosen.index, reread) == (1, {})
    assert writer.pick(["a"], able[:1])[0].index is None


def test_where_no_pick_can_be_used_the_checks_decide(author: MakeAuthor) -> None:
    chosen, reread = author(lambda _, __: report(), "I like the first.").pick(
        ["a", "b"], [report(), report()]
    )
    assert chosen.index == 0 and len(reread["turns"]) == 3
    assert chosen.reason.startswith("the model picked none (The reply holds no JSON object.); by the checks")


@pytest.mark.parametrize(
    "text", ["{}", '{"pick": true}', '{"pick": 1.0}', '{"pick": -1}', '{"pick": [2]}', "2"]
)
def test_only_the_number_of_a_program_that_runs_is_a_pick(text: str) -> None:
    with pytest.raises(NoCode):
        read_pick(text, [0, 2])


def test_a_number_in_quotes_is_one() -> None:
    assert read_pick('{"pick": " 2 "}', [0, 2]).index == 2
