"""A local server that speaks Chat Completions and replies from a script, faults included.

    .venv-test/bin/python -m tests.llm_server tests/author/replies --port 8000

A script is a folder with script.yaml: a list of {when, say}. `when` is a text that occurs in what is asked,
`say` lists what comes back to the first, second, ... such request (the last goes on): the name of a file
beside it, or one of `FAULTS`. A fault may name a file after it, which it spoils.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

FAULTS = {
    "!429": "too many requests, with a Retry-After",
    "!quota": "429 that says the account is empty",
    "!500": "a server's error",
    "!503": "overloaded",
    "!400": "a request that it does not take",
    "!401": "a wrong key, repeated in the message",
    "!slow": "no reply before the client's time-out",
    "!drop": "the connection is closed without a reply",
    "!cut": "the connection is closed in the middle of the reply",
    "!html": "a proxy's page, with status 200",
    "!json": "broken JSON",
    "!bare": "a completion without choices",
    "!moved": "a redirect to another host",
    "!null": "a message without content",
    "!empty": "an empty text",
    "!length": "a reply cut off at its limit",
    "!refuse": "a refusal",
    "!filter": "a reply that a filter took away",
    "!azure_filter": "a prompt that a filter turned down, as Azure says it",
    "!tell": "a reply that repeats the request's headers",
    "!uncounted": "a reply without usage",
    "!raw": "the named file as the whole body",
}
RETRY_AFTER = "0.05"


@dataclass
class Asked:
    """One request as it came: the path, headers in lower case, the body, and what was said to it."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    said: str

    @property
    def text(self) -> str:
        return all_text(self.body)


def all_text(body: dict[str, Any]) -> str:
    """All texts of a request's messages."""
    texts = []
    for message in body.get("messages", []):
        content = message.get("content") or ""
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        texts += [part["text"] for part in parts if part["type"] == "text"]
    return "\n".join(texts)


@dataclass
class Script:
    """What to say to what; `replies` by their names."""

    rules: list[dict[str, Any]]
    replies: dict[str, str]
    counts: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def read(cls, folder: Path) -> Script:
        rules = yaml.safe_load((folder / "script.yaml").read_text(encoding="utf-8"))
        replies = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
        return cls(rules, replies)

    def choose(self, text: str) -> str:
        """What to say; "" to what the script does not know."""
        with self.lock:
            for rule in self.rules:
                if rule["when"] in text:
                    count = self.counts.get(rule["when"], 0)
                    self.counts[rule["when"]] = count + 1
                    return str(rule["say"][min(count, len(rule["say"]) - 1)])
        return ""


class Server(ThreadingHTTPServer):
    """Listens on a port of this machine alone; `asked` is every request in the order of arrival."""

    daemon_threads = True

    def __init__(self, script: Script, port: int = 0, slow: float = 5.0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.script = script
        self.slow = slow
        self.asked: list[Asked] = []

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def __enter__(self) -> Server:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        says = self.server.script.choose(all_text(body))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append(Asked(self.path, headers, body, says))
        if "/chat/completions" not in self.path or not says:
            self._error(404, "the script has no reply to this", "not_found")
            return
        fault, _, name = says.partition(" ") if says.startswith("!") else ("", "", says)
        text = self.server.script.replies.get(name, "") if name else ""
        self._say(fault, text, body)

    def _say(self, fault: str, text: str, body: dict[str, Any]) -> None:
        key = self.headers.get("authorization") or self.headers.get("api-key") or ""
        errors = {
            "!429": (429, "slow down", "rate_limit_exceeded"),
            "!quota": (429, "you exceeded your current quota", "insufficient_quota"),
            "!500": (500, "something broke", "server_error"),
            "!503": (503, "overloaded", "server_error"),
            "!400": (400, "this model takes no such field", "invalid_request_error"),
            "!401": (401, f"the key {key} is wrong", "invalid_api_key"),
            "!azure_filter": (400, "the prompt was filtered", "content_filter"),
        }
        if fault in errors:
            self._error(*errors[fault])
        elif fault == "!slow":
            time.sleep(self.server.slow)
            self.close_connection = True
        elif fault == "!drop":
            self.close_connection = True
        elif fault == "!moved":
            self._send(307, b"", location="http://elsewhere.invalid/v1/chat/completions")
        elif fault == "!html":
            self._send(200, b"<html><body>Sign in to continue</body></html>", "text/html")
        elif fault == "!json":
            self._send(200, b'{"choices": [{"mess', "application/json")
        elif fault == "!bare":
            self._json(200, {"id": "x", "object": "chat.completion", "choices": None})
        elif fault == "!cut":
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", "100000")
            self.end_headers()
            self.wfile.write(b'{"choices": [')
            self.close_connection = True
        elif fault == "!raw":
            self._send(200, text.encode())
        else:
            if fault == "!tell":
                text = f"You sent {dict(self.headers.items())}.\n\n{text}"
            self._json(200, completion(fault, text, body))

    def _error(self, status: int, message: str, code: str) -> None:
        self._json(status, {"error": {"message": message, "type": code, "code": code}})

    def _json(self, status: int, data: dict[str, Any]) -> None:
        self._send(status, json.dumps(data).encode(), "application/json")

    def _send(self, status: int, data: bytes, kind: str = "application/json", location: str = "") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        if status == 429:
            self.send_header("retry-after", RETRY_AFTER)
        if location:
            self.send_header("location", location)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent; `main` prints what was asked and said."""


def completion(fault: str, text: str, body: dict[str, Any]) -> dict[str, Any]:
    """A chat completion as OpenAI sends it; a token for every four characters, half of the prompt cached."""
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
    finish = "stop"
    if fault == "!null":
        message["content"] = None
    elif fault == "!empty":
        message["content"] = "  \n"
    elif fault == "!length":
        message["content"], finish = text[: len(text) // 2], "length"
    elif fault == "!refuse":
        message |= {"content": None, "refusal": "I cannot help with that."}
    elif fault == "!filter":
        message["content"], finish = "", "content_filter"
    prompt, reply = len(all_text(body)) // 4, len(message["content"] or "") // 4
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": reply,
        "total_tokens": prompt + reply,
        "prompt_tokens_details": {"cached_tokens": prompt // 2},
    }
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": body.get("model", ""),
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
        "usage": None if fault == "!uncounted" else usage,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("script", type=Path, help="folder with script.yaml and the replies")
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    with Server(Script.read(arguments.script), arguments.port) as server:
        print(f"listening at {server.base_url}; end with Ctrl-C", flush=True)
        shown = 0
        try:
            while True:
                for asked in server.asked[shown:]:
                    shown += 1
                    print(
                        f"{asked.path}: {asked.text.strip().splitlines()[-1][:100]} -> {asked.said}",
                        flush=True,
                    )
                time.sleep(0.2)
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
