"""The real client against a real local server: every fault is retried or said in one sentence."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.author.two_clips import settings
from tests.llm_server import FAULTS, Script, Server, completion
from video2policy.author import endpoint, ledger
from video2policy.author.cassette import Answer, NoReply
from video2policy.author.llm import Caller
from video2policy.author.settings import Settings

KEY = "planted-key-90ab"
MESSAGES = [{"role": "user", "content": "Say something."}]
PASSING = ("!429", "!500", "!503", "!slow", "!drop", "!cut", "!html", "!json", "!bare")
FINAL = {
    "!quota": "status 429: you exceeded your current quota",
    "!400": "status 400: this model takes no such field",
    "!401": r"status 401: the key Bearer \[hidden\] is wrong",
    "!moved": "status 307",
}
REPLIES = {
    "!null": ("", "stop", ""),
    "!empty": ("  \n", "stop", ""),
    "!length": ("hel", "length", ""),
    "!refuse": ("", "stop", "I cannot help with that."),
    "!filter": ("", "content_filter", ""),
    "!azure_filter": ("", "content_filter", "the prompt was filtered"),
}


@pytest.fixture(autouse=True)
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRIPTED_KEY", KEY)
    monkeypatch.setattr(endpoint, "FIRST_WAIT", 0.01)


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Start a server that says these things in turn."""
    servers: list[Server] = []

    def start(*what: str) -> Server:
        script = Script([{"when": "something", "say": list(what)}], {"a.md": "hello"})
        servers.append(Server(script, slow=1.0).__enter__())
        return servers[-1]

    yield start
    for server in servers:
        server.__exit__()


@pytest.fixture
def say_raw(say: Any) -> Any:
    """Start a server that says this body, or this change to a completion's first choice or to all of it."""

    def start(body: str = "", choice: Any = (), **values: Any) -> Server:
        data = completion("", "hello", {"model": "m"})
        data["choices"][0].update(choice)
        server: Server = say("!raw body")
        server.script.replies["body"] = body or json.dumps(data | values)
        return server

    return start


def ask(server: Server, folder: Path, **values: Any) -> Answer:
    block = settings(server.base_url, folder / "replies", timeout=0.4, retries=2) | values
    return Caller(Settings.read(block)).ask(MESSAGES, 0, 0, "clip/task/0/0")[1]


def test_every_fault_is_tested_here() -> None:
    assert set(FAULTS) == {*PASSING, *FINAL, *REPLIES, "!tell", "!uncounted", "!raw"}


def test_what_is_sent_is_a_chat_completion(say: Any, tmp_path: Path) -> None:
    server = say("a.md")
    answer = ask(server, tmp_path, options={"top_p": 0.5, "seed": None, "reasoning_effort": "low"})
    assert answer.text == "hello" and answer.usage.completion == 1
    (asked,) = server.asked
    assert asked.path == "/v1/chat/completions" and asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.body == {
        "model": "scripted",
        "messages": MESSAGES,
        "temperature": 1.0,
        "max_tokens": 2000,
        "top_p": 0.5,
        "reasoning_effort": "low",
    }


def test_azures_paths_and_header(say: Any, tmp_path: Path) -> None:
    server = say("a.md")
    ask(server, tmp_path, base_url=server.base_url.removesuffix("/v1"), azure={"api_version": "2024-10-21"})
    (asked,) = server.asked
    assert asked.path == "/openai/deployments/scripted/chat/completions?api-version=2024-10-21"
    assert asked.headers["api-key"] == KEY


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_is_asked_again(fault: str, say: Any, tmp_path: Path) -> None:
    server = say(fault, fault, "a.md")
    assert ask(server, tmp_path).text == "hello"
    assert len(server.asked) == 3
    rows = ledger.rows(tmp_path / "replies" / "ledger.tsv")
    assert len({row["call"] for row in rows}) == 3


@pytest.mark.parametrize("fault", PASSING)
def test_what_does_not_pass_is_said_in_one_sentence(fault: str, say: Any, tmp_path: Path) -> None:
    server = say(fault)
    with pytest.raises(NoReply, match=r"127.0.0.1 gave no reply after 3 tries: \S+") as caught:
        ask(server, tmp_path)
    assert len(server.asked) == 3
    assert "\n" not in str(caught.value) and caught.value.__cause__ is None
    assert not list((tmp_path / "replies").glob("*.json"))


@pytest.mark.parametrize("fault", FINAL)
def test_what_no_retry_can_mend_is_said_at_once(fault: str, say: Any, tmp_path: Path) -> None:
    server = say(fault)
    with pytest.raises(NoReply, match=FINAL[fault]) as caught:
        ask(server, tmp_path)
    assert len(server.asked) == 1 and KEY not in str(caught.value)
    assert ledger.total(ledger.rows(tmp_path / "replies" / "ledger.tsv")) == 0


@pytest.mark.parametrize("fault", REPLIES)
def test_an_odd_reply_is_a_reply(fault: str, say: Any, tmp_path: Path) -> None:
    server = say(f"{fault} a.md" if fault == "!length" else fault)
    answer = ask(server, tmp_path)
    text, finish, refusal = REPLIES[fault]
    text = text[: len("hello") // 2] if fault == "!length" else text
    assert (answer.text, answer.finish, answer.refusal) == (text, finish, refusal)
    assert ask(server, tmp_path) == answer and len(server.asked) == 1


def test_a_reply_that_repeats_the_key_is_cleaned(say: Any, tmp_path: Path) -> None:
    assert "[hidden]" in ask(say("!tell a.md"), tmp_path).text
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and KEY.encode() in p.read_bytes()]


def test_names_that_repeat_the_key_or_are_no_text_are_cleaned(say_raw: Any, tmp_path: Path) -> None:
    home = str(Path.home())
    server = say_raw(choice={"finish_reason": f"stop {KEY}\udfff"}, model=f"{home}/m\ud800 {KEY}" + "x" * 200)
    answer = ask(server, tmp_path)
    assert answer.finish == "stop [hidden]?" and answer.model == f"[hidden]/m? [hidden]{'x' * 200}"[:100]
    assert ask(server, tmp_path) == answer and len(server.asked) == 1


def test_an_uncounted_reply_is_booked_at_the_most_it_can_cost(say: Any, tmp_path: Path) -> None:
    ask(say("!uncounted a.md"), tmp_path)
    last = ledger.rows(tmp_path / "replies" / "ledger.tsv")[-1]
    assert last["state"] == "answered" and int(last["completion"]) == 2000


def test_the_budget_stops_before_the_call(say: Any, tmp_path: Path) -> None:
    server = say("a.md")
    with pytest.raises(NoReply, match=r"budget of 0\.001 USD does not allow another call"):
        ask(server, tmp_path, budget_usd=0.001)
    assert server.asked == []


def test_retries_count_towards_the_budget(say: Any, tmp_path: Path) -> None:
    server = say("!drop")
    with pytest.raises(NoReply, match="does not allow another call"):
        ask(server, tmp_path, budget_usd=0.009)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"base_url": ""}, "base_url names no endpoint"),
        ({"model": ""}, "names no model"),
        ({"prices": {}}, "author.prices is empty"),
        ({"options": {"max_tokens": None}}, "a reply needs a limit"),
        ({"key_env": "NO_SUCH_KEY"}, "NO_SUCH_KEY holds no key"),
        ({"name": "oracle"}, 'no author "oracle"'),
        ({"name": "replay"}, "is recorded"),
    ],
)
def test_what_is_not_set_is_said_before_any_call(
    values: dict[str, Any], reason: str, say: Any, tmp_path: Path
) -> None:
    server = say("a.md")
    with pytest.raises(NoReply, match=reason):
        ask(server, tmp_path, **values)
    assert server.asked == []


def test_a_server_without_key_gets_none(say: Any, tmp_path: Path) -> None:
    server = say("a.md")
    ask(server, tmp_path, key_env="", prices={}, budget_usd=None)
    assert KEY not in json.dumps(server.asked[0].headers)


def test_the_clients_own_log_stays_quiet(say: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    logging.getLogger("openai").setLevel(logging.DEBUG)
    ask(say("a.md"), tmp_path)
    assert "something" not in caplog.text and KEY not in caplog.text
