"""Replies by the hash of what was asked: a cache that makes a rerun exact and free, without a network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from video2policy.author.exchange import digest
from video2policy.files import written


class NoReply(Exception):
    """Why no reply came, in one sentence for the user."""


@dataclass(frozen=True)
class Usage:
    """Tokens that a call used; `cached` ones are part of `prompt`."""

    prompt: int = 0
    cached: int = 0
    completion: int = 0


@dataclass(frozen=True)
class Answer:
    """What an endpoint answered: its text, why it stopped there, and a refusal where it made one."""

    text: str
    finish: str = "stop"
    refusal: str = ""
    model: str = ""
    usage: Usage = field(default_factory=Usage)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Answer:
        return cls(**{**data, "usage": Usage(**data["usage"])})


def call_key(body: Mapping[str, Any], sample: int, attempt: int) -> str:
    """sha256 of a call: the request's body with pictures by their hash, the sample's index, the attempt."""
    return digest({"body": body, "sample": sample, "attempt": attempt})


@dataclass(frozen=True)
class Cassette:
    """A folder with one JSON file for each answered call, `{key}.json`; delete one to ask again."""

    folder: Path

    def load(self, key: str) -> Answer | None:
        """The recorded answer, or None. Raises NoReply for a file that holds none."""
        path = self.folder / f"{key}.json"
        try:
            return Answer.from_json(json.loads(path.read_text(encoding="utf-8"))["answer"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise NoReply(f"{path} holds no recorded reply; delete it to ask again") from error

    def save(self, key: str, body: Mapping[str, Any], sample: int, attempt: int, answer: Answer) -> None:
        """Write the call with its answer, then rename."""
        self.folder.mkdir(parents=True, exist_ok=True)
        record = {"key": key, "sample": sample, "attempt": attempt, "body": body, "answer": asdict(answer)}
        with written(self.folder / f"{key}.json", shared=True) as part:
            part.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
