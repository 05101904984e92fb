"""What calls to an endpoint cost: a table that all jobs share, and a budget that no call may exceed.

A call is written down before it is made, at the most that it can cost, and again with its real cost when it
was answered. One that never was (killed, timed out) keeps the first figure: the endpoint may have charged it.
"""

from __future__ import annotations

import contextlib
import csv
import fcntl
import json
import math
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from video2policy.author.cassette import NoReply, Usage

COLUMNS = (
    "time", "call", "state", "job", "endpoint", "model", "prompt", "cached", "completion", "usd", "key"
)  # fmt: skip
PER = 1_000_000
CHARACTERS_PER_TOKEN = 2.0
"""Fewer than tokenizers need for English or code, so that a call is not taken for cheaper than it is."""


@dataclass(frozen=True)
class Prices:
    """USD per million tokens of prompt, cached prompt and completion."""

    input: float
    cached: float
    output: float

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Prices:
        """Raises NoReply for one that is absent, no number or below zero."""
        try:
            found = [float(data.get(name, data["input"])) for name in ("input", "cached")]
            found.append(float(data["output"]))
        except (AttributeError, KeyError, TypeError, ValueError):
            found = [-1.0]
        if not all(0 <= price < math.inf for price in found):
            raise NoReply(
                "author.prices must give USD per million tokens, zero or more, as"
                " {input: .., cached: .., output: ..}; only cached may be left out"
            )
        return cls(*found)

    def cost(self, usage: Usage) -> float:
        fresh = max(usage.prompt - usage.cached, 0)
        parts = fresh * self.input + usage.cached * self.cached + usage.completion * self.output
        return parts / PER


def bound(body: Mapping[str, Any], image_tokens: int) -> Usage:
    """The most tokens that a call may use: its text by length, its pictures, and the limit on its reply."""
    text, images = 0, 0
    for message in body["messages"]:
        content = message["content"]
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            if part["type"] == "text":
                text += len(part["text"].encode())
            else:
                images += 1
    limits = [body.get(name) for name in ("max_tokens", "max_completion_tokens")]
    completion = max([int(limit) for limit in limits if limit] or [0])
    return Usage(round(text / CHARACTERS_PER_TOKEN) + images * image_tokens, 0, completion)


@dataclass(frozen=True)
class Ledger:
    """ledger.tsv in `folder`; `budget` in USD over all its rows, None for no limit."""

    folder: Path
    prices: Prices
    budget: float | None

    @property
    def path(self) -> Path:
        return self.folder / "ledger.tsv"

    def reserve(self, job: str, endpoint: str, model: str, key: str, most: Usage) -> str:
        """Write a call down before it is made; its number. Raises NoReply where the budget is too small."""
        call = uuid.uuid4().hex[:12]
        cost = self.prices.cost(most)
        with self._locked() as file:
            spent = total(_read(file))
            if self.budget is not None and spent + cost > self.budget:
                raise NoReply(
                    f"the budget of {self.budget:g} USD does not allow another call: {spent:.4f} USD are"
                    f" spent or reserved ({self.path}) and it may cost {cost:.4f};"
                    " raise author.budget_usd to go on"
                )
            _append(file, (call, "asked", job, endpoint, model), most, cost, key)
        return call

    def settle(self, call: str, job: str, endpoint: str, model: str, key: str, usage: Usage) -> None:
        """What the call used; nothing for one that the endpoint turned down."""
        with self._locked() as file:
            _append(file, (call, "answered", job, endpoint, model), usage, self.prices.cost(usage), key)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[IO[str]]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+", encoding="utf-8", newline="") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file


def rows(path: Path) -> list[dict[str, str]]:
    """The ledger's rows; none without a file."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return _read(file)


def total(found: Sequence[Mapping[str, str]]) -> float:
    """USD over all calls, each by its last row."""
    return sum({row["call"]: float(row["usd"]) for row in found}.values())


def _read(file: IO[str]) -> list[dict[str, str]]:
    """Raises NoReply for a table with a row that cannot be read: a sum without it would be too small."""
    file.seek(0)
    found = list(csv.DictReader(file, dialect="excel-tab"))
    try:
        total(found)
    except (KeyError, TypeError, ValueError) as error:
        raise NoReply(f"the ledger has a row that cannot be read ({error}); mend or move it") from error
    return found


def _append(file: IO[str], names: tuple[str, ...], usage: Usage, cost: float, key: str) -> None:
    file.seek(0, 2)
    writer = csv.writer(file, dialect="excel-tab", lineterminator="\n")
    if file.tell() == 0:
        writer.writerow(COLUMNS)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    tokens = (usage.prompt, usage.cached, usage.completion)
    writer.writerow([now, *names, *tokens, f"{cost:.6f}", key[:12]])
    file.flush()


@contextlib.contextmanager
def turn(folder: Path, count: int) -> Iterator[None]:
    """Wait for one of `count` places, which all jobs on this folder share, and hold it."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [(folder / f".turn-{k}").open("w") for k in range(count)]
    try:
        while not any(_take(file) for file in files):
            time.sleep(0.1)
        yield
    finally:
        for file in files:
            file.close()


def _take(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def summary(path: Path) -> str:
    """Calls, tokens and cost so far, as one line."""
    found = {row["call"]: row for row in rows(path)}.values()
    sums = {name: sum(int(row[name]) for row in found) for name in ("prompt", "cached", "completion")}
    return json.dumps({"calls": len(found), **sums, "usd": round(sum(float(row["usd"]) for row in found), 6)})
