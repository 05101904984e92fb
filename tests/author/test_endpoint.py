"""The real client against a real local server: every fault is retried or said in one sentence."""

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
import tenacity

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


@pytest.mark.parametrize(
    ("usage", "prompt", "completion"),
    [
        ({"prompt_tokens": 9, "completion_tokens": None}, 9, 2000),
        ({"prompt_tokens": 10**30, "completion_tokens": 2}, 7, 2000),
        ({"prompt_tokens": -1, "completion_tokens": 2}, 7, 2000),
        ({"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 99}}, 9, 2),
    ],
)
def test_what_cannot_have_been_used_is_not_counted(
    usage: dict[str, Any], prompt: int, completion: int, say_raw: Any, tmp_path: Path
) -> None:
    ask(say_raw(usage=usage), tmp_path)
    last = ledger.rows(tmp_path / "replies" / "ledger.tsv")[-1]
    assert (int(last["prompt"]), int(last["completion"])) == (prompt, completion)
    assert int(last["cached"]) <= prompt


@pytest.mark.parametrize("cause", endpoint.NEVER_LEFT)
def test_what_never_left_costs_nothing(cause: type[Exception]) -> None:
    error = openai.APIConnectionError(request=httpx2.Request("POST", "http://x"))
    assert endpoint.is_billed(error)
    error.__cause__ = cause("ascii", "é", 0, 1, "") if cause is UnicodeEncodeError else cause("")
    assert not endpoint.is_billed(error)


def test_a_port_that_nobody_listens_at_costs_nothing(say: Any, tmp_path: Path) -> None:
    with pytest.raises(NoReply, match="it cannot be reached"):
        ask(say("a.md"), tmp_path, base_url="http://127.0.0.1:9/v1", retries=0)
    assert ledger.total(ledger.rows(tmp_path / "replies" / "ledger.tsv")) == 0


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"choice": {"message": "hello"}}, "is no chat completion"),
        ({"choice": {"message": ["hello"]}}, "is no chat completion"),
        ({"choices": {"0": 1}}, "is no chat completion"),
        ({"body": '{"a":' * 100_000}, "is no JSON that can be read"),
        ({"body": "1" * 5000}, "is no JSON that can be read"),
        ({"body": "{"}, "is no JSON"),
    ],
)
def test_a_reply_of_another_form_is_asked_for_again(
    values: dict[str, Any], reason: str, say_raw: Any, tmp_path: Path
) -> None:
    server = say_raw(**values)
    with pytest.raises(NoReply, match=f"after 3 tries: its reply {reason}"):
        ask(server, tmp_path)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"error": "bad thing"}', '{"error": "bad thing"}'),
        ('{"detail": [{"msg": "field required"}]}', '{"detail": [{"msg": "field required"}]}'),
        ("<html>\noops</html>", "<html> oops</html>"),
        ('{"error": {"message": "\\u001b[31mred\\n\\u202eline"}}', "[31mred line"),
        (f'{{"error": {{"message": "{"x " * 145}{KEY}"}}}}', "x " * 145 + "[hidden]"[:5]),
        ("", "without a message"),
    ],
)
def test_an_error_is_told_in_the_servers_words(body: str, said: str) -> None:
    place = endpoint.Endpoint("http://127.0.0.1/v1", "SCRIPTED_KEY")
    request = httpx2.Request("POST", "http://127.0.0.1/v1")
    response = httpx2.Response(400, text=body, request=request)
    error = openai.OpenAI(api_key="none")._make_status_error_from_response(response)
    line = str(endpoint.explain(place, error, 1))
    assert line == f"127.0.0.1 gave no reply: {f'status 400: {said}'[:300]}"


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [("nan", 0, 60), ("inf", 0, 60), ("-5", 0.01, 0.01), ("0", 0.01, 0.01), ("3", 3, 3), ("1e300", 60, 60)],
)
def test_the_wait_that_is_asked_for_is_kept_within_bounds(asked: str, least: float, most: float) -> None:
    request = httpx2.Request("POST", "http://127.0.0.1/v1")
    response = httpx2.Response(429, headers={"retry-after": asked}, request=request)
    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    state.set_exception(
        (openai.RateLimitError, openai.RateLimitError("", response=response, body=None), None)
    )
    assert least <= endpoint.wait_for()(state) <= most


def test_a_reply_has_a_time_and_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "LARGEST", 10)

    def read(chunks: list[bytes], left: float, **headers: str) -> bytes:
        request = httpx2.Request("POST", "http://x", extensions={"end": time.monotonic() + left})
        stream = httpx2.Response(200, content=iter(chunks)).stream
        response = httpx2.Response(200, stream=stream, headers=headers, request=request)
        endpoint._bound(response)
        return response.read()

    assert read([b"12345"] * 2, 9.0) == b"1234512345"
    with pytest.raises(endpoint.Unsound, match="is larger than"):
        read([b"12345"] * 3, 9.0)
    with pytest.raises(httpx2.ReadTimeout):
        read([b"1", b"2"], -1.0)
    with pytest.raises(endpoint.Unsound, match="is compressed"):
        read([b""], 9.0, **{"content-encoding": "gzip"})


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
        ({"base_url": "127.0.0.1:8000/v1"}, "base_url is '127.0.0.1:8000/v1', no address"),
        ({"base_url": "http://[::1"}, "no address that can be asked"),
        ({"base_url": "http://127.0.0.1:99999/v1"}, "no address that can be asked"),
        ({"base_url": "ftp://x/y"}, "no address that can be asked"),
        ({"prices": {"input": 1}}, "prices must give USD"),
        ({"prices": {"input": -1, "output": 1}}, "prices must give USD"),
        ({"prices": {"input": 1, "output": float("nan")}}, "prices must give USD"),
        ({"budget_usd": float("nan")}, "budget_usd is nan"),
        ({"budget_usd": -1}, "budget_usd is -1"),
        ({"options": {"n": 4}}, "n asks for several replies"),
    ],
)
def test_what_is_not_set_is_said_before_any_call(
    values: dict[str, Any], reason: str, say: Any, tmp_path: Path
) -> None:
    server = say("a.md")
    with pytest.raises(NoReply, match=reason):
        ask(server, tmp_path, **values)
    assert server.asked == []


@pytest.mark.parametrize("key", ["schlüssel", "two words", "a\nb"])
def test_what_is_no_key_is_not_sent(
    key: str, say: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRIPTED_KEY", key)
    server = say("a.md")
    with pytest.raises(NoReply, match="characters that no key has") as caught:
        ask(server, tmp_path)
    assert key not in str(caught.value) and server.asked == [] and not list(tmp_path.rglob("*.tsv"))


def test_a_server_without_key_gets_none(say: Any, tmp_path: Path) -> None:
    server = say("a.md")
    ask(server, tmp_path, key_env="", prices={}, budget_usd=None)
    assert KEY not in json.dumps(server.asked[0].headers)


def test_the_clients_own_log_stays_quiet(say: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    logging.getLogger("openai").setLevel(logging.DEBUG)
    ask(say("a.md"), tmp_path)
    assert "something" not in caplog.text and KEY not in caplog.text
