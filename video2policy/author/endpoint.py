"""Chat Completions at an OpenAI-compatible endpoint; the only file that imports `openai`.

Nothing secret leaves this file: the key is read from the environment here, and texts that come back are
searched for it, because servers repeat it in their messages.
"""

from __future__ import annotations

import base64
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import tenacity
from openai.types.chat import ChatCompletion

from video2policy.author.cassette import Answer, NoReply, Usage

log = logging.getLogger("video2policy")

FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0
"""Seconds between two tries: on average the first, and the most, whatever the endpoint asks for."""
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
        return key

    def client(self) -> openai.OpenAI:
        """A client without retries of its own: each try is written into the ledger."""
        logging.getLogger("openai").setLevel(logging.WARNING)  # OPENAI_LOG=debug would print requests
        options: dict[str, Any] = {
            "api_key": self.key(),
            "timeout": self.timeout,
            "max_retries": 0,
            # A redirect would carry the clip's frames to a place that nobody chose.
            "http_client": openai.DefaultHttpxClient(follow_redirects=False, timeout=self.timeout),
        }
        if self.azure:
            version = str(self.azure.get("api_version", ""))
            return openai.AzureOpenAI(azure_endpoint=self.base_url, api_version=version, **options)
        return openai.OpenAI(base_url=self.base_url, **options)

    def clean(self, text: str) -> str:
        """Text from outside as UTF-8 can hold it, without the key and this user's home."""
        text = text.encode("utf-8", "replace").decode("utf-8")
        key = os.environ.get(self.key_env, "").strip() if self.key_env else ""
        for secret in (key, str(Path.home())):
            if len(secret) > 3:
                text = text.replace(secret, HIDDEN)
        return re.sub(r"(?i)(bearer|api-key:?)\s+[^\s\"']{8,}", rf"\1 {HIDDEN}", text)


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
    except ValueError as error:
        raise Unsound(f"its reply is no JSON ({str(error)[:100]})") from error
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
    choices = reply.choices if isinstance(reply, ChatCompletion) else None
    if not isinstance(choices, list) or not choices or getattr(choices[0], "message", None) is None:
        raise Unsound("its reply is no chat completion")
    message = choices[0].message
    text = message.content if isinstance(message.content, str) else ""
    refusal = message.refusal if isinstance(getattr(message, "refusal", None), str) else ""
    return Answer(
        text=endpoint.clean(text),
        finish=endpoint.clean(str(choices[0].finish_reason or "stop"))[:LONGEST_NAME],
        refusal=endpoint.clean(refusal or ""),
        model=endpoint.clean(str(reply.model or ""))[:LONGEST_NAME],
        usage=_usage(reply.usage),
    )


def _usage(usage: Any) -> Usage:
    def count(value: Any) -> int:
        return int(value) if isinstance(value, int | float) and value >= 0 else 0

    details = getattr(usage, "prompt_tokens_details", None)
    return Usage(
        count(getattr(usage, "prompt_tokens", 0)),
        count(getattr(details, "cached_tokens", 0)),
        count(getattr(usage, "completion_tokens", 0)),
    )


# ---------------------------------------------------------------- what may go wrong


def is_passing(error: BaseException) -> bool:
    """Whether asking again may help: too many requests, a server's fault, a lost or odd reply."""
    if isinstance(error, openai.RateLimitError):
        return _code(error) != "insufficient_quota"
    if isinstance(error, openai.APIStatusError):
        return error.status_code in (408, 409) or error.status_code >= 500
    return isinstance(error, openai.APIConnectionError | openai.APIResponseValidationError | Unsound)


def is_billed(error: BaseException) -> bool:
    """Whether the endpoint may charge for a try that failed so: all that it did not turn down itself."""
    return not isinstance(error, openai.APIStatusError)


def wait_for() -> Any:
    """Seconds until the next try: what the endpoint says, else twice as long each time, with jitter."""
    growing = tenacity.wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, openai.APIStatusError):
            try:
                return min(max(float(error.response.headers["retry-after"]), 0.0), LONGEST_WAIT)
            except (KeyError, ValueError):
                pass
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
    return NoReply(endpoint.clean(f"{where}{after}: {' '.join(what.split())[:300]}"))


def _body(error: openai.APIError) -> Mapping[str, Any]:
    body = error.body
    inner = body.get("error", body) if isinstance(body, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def _code(error: openai.APIError) -> str:
    return str(_body(error).get("code") or _body(error).get("type") or "")


def _message(error: openai.APIError) -> str:
    return str(_body(error).get("message") or "without a message")
