"""Chat Completions at an OpenAI-compatible endpoint; the only file that imports `openai` and its `httpx2`.

Nothing secret leaves this file: the key is read from the environment here, and texts that come back are
searched for it, because servers repeat it in their messages.
"""

from __future__ import annotations

import base64
import json
import logging
import math
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai
import tenacity

from video2policy.author.cassette import Answer, NoReply, Usage

log = logging.getLogger("video2policy")

FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0
"""Seconds between two tries: on average the first, and the most, whatever the endpoint asks for."""
LARGEST = 8_000_000
"""Bytes of a reply."""
MOST_TOKENS = 10_000_000
"""A server that counts more than this for one call has not counted."""
LONGEST_NAME = 100
"""Characters that are kept of the model's name and of why a reply stopped."""
HIDDEN = "[hidden]"


class Unsound(Exception):
    """A reply that is no chat completion: a proxy's page, broken JSON."""


@dataclass(frozen=True)
class Endpoint:
    """Where a model is asked, and how patiently.

    `key_env` names the environment variable with the key, empty for a server that wants none; `azure` is
    {"api_version": ...} for Azure's own paths, with `base_url` the resource's address.
    """

    base_url: str
    key_env: str = "OPENAI_API_KEY"
    azure: Mapping[str, Any] = field(default_factory=dict)
    timeout: float = 180.0
    retries: int = 5

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).hostname or ""

    def key(self) -> str:
        """Raises NoReply where the environment lacks it."""
        if not self.key_env:
            return "none"
        key = os.environ.get(self.key_env, "").strip()
        if not key:
            raise NoReply(
                f"the environment variable {self.key_env} holds no key for {self.host}: set it,"
                ' or set author.key_env to "" for a server that wants none'
            )
        if not re.fullmatch(r"[!-~]+", key):
            raise NoReply(
                f"the environment variable {self.key_env} holds no key for {self.host}, but characters that"
                " no key has: set it anew, in ASCII and without spaces"
            )
        return key

    def client(self) -> openai.OpenAI:
        """A client without retries of its own: each try is written into the ledger."""
        logging.getLogger("openai").setLevel(logging.WARNING)  # OPENAI_LOG=debug would print requests
        options: dict[str, Any] = {
            "api_key": self.key(),
            "timeout": self.timeout,
            "max_retries": 0,
            "http_client": openai.DefaultHttpxClient(
                # A redirect would carry the clip's frames to a place that nobody chose.
                follow_redirects=False,
                timeout=self.timeout,
                event_hooks={"request": [self._begin], "response": [_bound]},
            ),
            "default_headers": {"Accept-Encoding": "identity"},
        }
        if self.azure:
            version = str(self.azure.get("api_version", ""))
            return openai.AzureOpenAI(azure_endpoint=self.base_url, api_version=version, **options)
        return openai.OpenAI(base_url=self.base_url, **options)

    def _begin(self, request: httpx2.Request) -> None:
        request.extensions["end"] = time.monotonic() + self.timeout

    def clean(self, text: str) -> str:
        """Text from outside as UTF-8 can hold it, without the key and this user's home."""
        text = text.encode("utf-8", "replace").decode("utf-8")
        key = os.environ.get(self.key_env, "").strip() if self.key_env else ""
        for secret in (key, str(Path.home())):
            if len(secret) > 3:
                text = text.replace(secret, HIDDEN)
        return re.sub(r"(?i)(bearer|api-key:?)\s+[^\s\"']{8,}", rf"\1 {HIDDEN}", text)


def is_address(url: str) -> bool:
    """Whether `url` can be asked: http or https, a host, and a port that there is."""
    try:
        parts, _ = httpx2.URL(url), urlsplit(url).port
    except (httpx2.InvalidURL, ValueError):
        return False
    return parts.scheme in ("http", "https") and bool(parts.host)


@dataclass
class _Bounded(httpx2.SyncByteStream):
    """The body of a reply up to a time and a size: a time-out of the client's counts from byte to byte."""

    stream: httpx2.SyncByteStream
    end: float

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self.stream:
            size += len(chunk)
            if size > LARGEST:
                raise Unsound(f"its reply is larger than {LARGEST / 1e6:g} MB")
            if time.monotonic() > self.end:
                raise httpx2.ReadTimeout("the whole reply took too long")
            yield chunk

    def close(self) -> None:
        self.stream.close()


def _bound(response: httpx2.Response) -> None:
    if response.headers.get("content-encoding", "identity") != "identity":  # it may unpack to anything
        raise Unsound("its reply is compressed, which was not asked for")
    assert isinstance(response.stream, httpx2.SyncByteStream)
    response.stream = _Bounded(response.stream, response.request.extensions["end"])


def complete(endpoint: Endpoint, client: openai.OpenAI, body: Mapping[str, Any]) -> Answer:
    """One try. `body` is as recorded, with pictures by path; raises what `is_passing` and `explain` know."""
    extra = {name: value for name, value in body.items() if name not in ("model", "messages")}
    try:
        reply = client.chat.completions.create(
            model=body["model"],
            messages=[_with_pictures(message) for message in body["messages"]],  # type: ignore[misc]
            extra_body=extra,
        )
    except openai.BadRequestError as error:
        if _code(error) == "content_filter":  # Azure turns a filtered prompt down with a status
            return Answer("", "content_filter", endpoint.clean(_message(error)) or "filtered", body["model"])
        raise
    except json.JSONDecodeError as error:
        raise Unsound(f"its reply is no JSON ({str(error)[:100]})") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Unsound("its reply is no JSON that can be read") from error
    return _read(endpoint, reply)


def _with_pictures(message: Mapping[str, Any]) -> dict[str, Any]:
    content = message["content"]
    if isinstance(content, str):
        return dict(message)
    parts = [_picture(part) if part["type"] == "image" else part for part in content]
    return {**message, "content": parts}


def _picture(part: Mapping[str, Any]) -> dict[str, Any]:
    data = base64.b64encode(Path(part["path"]).read_bytes()).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}}


def _read(endpoint: Endpoint, reply: Any) -> Answer:
    """The answer in a reply; raises Unsound for anything that is none (the client checks nothing)."""
    try:
        choice = reply.choices[0]
        message, finish = choice.message, choice.finish_reason
        text, refusal = message.content, getattr(message, "refusal", None)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise Unsound("its reply is no chat completion") from error
    return Answer(
        text=endpoint.clean(text if isinstance(text, str) else ""),
        finish=endpoint.clean(str(finish or "stop"))[:LONGEST_NAME],
        refusal=endpoint.clean(refusal if isinstance(refusal, str) else ""),
        model=endpoint.clean(str(reply.model or ""))[:LONGEST_NAME],
        usage=_usage(reply.usage),
    )


def _usage(usage: Any) -> Usage:
    """What a reply says it used; 0 for what it does not say, or cannot have used."""

    def count(value: Any) -> int:
        return int(value) if isinstance(value, int | float) and 0 <= value <= MOST_TOKENS else 0

    details = getattr(usage, "prompt_tokens_details", None)
    prompt = count(getattr(usage, "prompt_tokens", 0))
    cached = min(count(getattr(details, "cached_tokens", 0)), prompt)
    return Usage(prompt, cached, count(getattr(usage, "completion_tokens", 0)))


# ---------------------------------------------------------------- what may go wrong


def is_passing(error: BaseException) -> bool:
    """Whether asking again may help: too many requests, a server's fault, a lost or odd reply."""
    if isinstance(error, openai.RateLimitError):
        return _code(error) != "insufficient_quota"
    if isinstance(error, openai.APIStatusError):
        return error.status_code in (408, 409) or error.status_code >= 500
    return isinstance(error, openai.APIConnectionError | openai.APIResponseValidationError | Unsound)


NEVER_LEFT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.UnsupportedProtocol,
    httpx2.LocalProtocolError,
    UnicodeEncodeError,
)
"""What the client raises before it sends anything."""


def is_billed(error: BaseException) -> bool:
    """Whether the endpoint may charge for a try that failed so: what it did not turn down, and what left."""
    return not (isinstance(error, openai.APIStatusError) or isinstance(error.__cause__, NEVER_LEFT))


def wait_for() -> Any:
    """Seconds until the next try: what the endpoint says, else twice as long each time, with jitter."""
    growing = tenacity.wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, openai.APIStatusError):
            try:
                asked = float(error.response.headers["retry-after"])
            except (KeyError, ValueError):
                asked = math.nan
            if math.isfinite(asked):
                return min(max(asked, FIRST_WAIT), LONGEST_WAIT)
        return float(growing(state))

    return wait


def explain(endpoint: Endpoint, error: BaseException, tries: int) -> NoReply:
    """The last error as one sentence for the user."""
    where = f"{endpoint.host or endpoint.base_url} gave no reply"
    after = f" after {tries} tries" if tries > 1 else ""
    if isinstance(error, openai.APITimeoutError):
        what = f"it took longer than {endpoint.timeout:g} s"
    elif isinstance(error, openai.APIStatusError):
        what = f"status {error.status_code}: {_message(error)}"
    elif isinstance(error, openai.APIConnectionError):
        what = "it cannot be reached, or hung up"
    else:
        what = str(error)
    line = "".join(filter(str.isprintable, " ".join(what.split())))
    return NoReply(f"{where}{after}: {endpoint.clean(line)[:300]}")


def _body(error: openai.APIError) -> Mapping[str, Any]:
    body = error.body
    inner = body.get("error", body) if isinstance(body, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def _code(error: openai.APIError) -> str:
    return str(_body(error).get("code") or _body(error).get("type") or "")


def _message(error: openai.APIStatusError) -> str:
    """What the server says: OpenAI's message, else the whole body."""
    return str(_body(error).get("message") or error.response.text.strip() or "without a message")
