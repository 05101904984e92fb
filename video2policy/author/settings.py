"""The config's `author` block as a language model's author reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from video2policy.author.cassette import NoReply
from video2policy.author.endpoint import Endpoint, is_address
from video2policy.author.ledger import Prices
from video2policy.author.seen import CAPTION, CLIP
from video2policy.author.wanting import wanting


@dataclass(frozen=True)
class Settings:
    """What decides a reply (model to examples), and how it is got (the rest)."""

    model: str
    temperature: float | None
    max_tokens: int
    options: Mapping[str, Any]
    seed: int
    attempts: int
    send_frames: bool
    examples: int
    endpoint: Endpoint | None
    prices: Prices
    budget: float | None
    image_tokens: int
    concurrency: int
    retries: int
    replies: Path
    sees: str
    success: bool

    @classmethod
    def read(cls, author: Mapping[str, Any], config: Mapping[str, Any] | None = None) -> Settings:
        """From what decides the replies, and the whole config where it is known.

        Raises NoReply for a block that lacks what an endpoint needs.
        """
        block = {**((config or {}).get("author") or {}), **author}
        block["name"] = ((config or {}).get("author") or author)["name"]
        if lacking := wanting(block):
            raise NoReply(lacking)
        url = str(block.get("base_url") or "")
        replay = block["name"] == "replay"
        if not replay and not is_address(url):
            raise NoReply(
                f"author.base_url is {url!r}, no address that can be asked: give http:// or https://,"
                " a host and the path, such as http://127.0.0.1:8000/v1"
            )
        endpoint = Endpoint(
            base_url=url,
            key_env=str(block.get("key_env", "OPENAI_API_KEY")),
            azure=dict(block.get("azure") or {}),
            timeout=float(block.get("timeout", 180)),
        )
        prices, budget = block.get("prices") or {}, block.get("budget_usd")
        temperature = block.get("temperature", 1.0)
        return cls(
            model=str(block["model"]),
            temperature=None if temperature is None else float(temperature),
            max_tokens=int(block.get("max_tokens", 8000)),
            options=dict(block.get("options") or {}),
            seed=int(block.get("seed", 0)),
            attempts=int(block.get("attempts", 3)),
            send_frames=bool(block.get("send_frames", False)) and block.get("sees", CLIP) != CAPTION,
            examples=int(block.get("examples", 6)),
            endpoint=None if replay else endpoint,
            prices=Prices.from_json(prices) if prices else Prices(0, 0, 0),
            budget=None if budget is None else float(budget),
            image_tokens=int(block.get("image_tokens", 2000)),
            concurrency=int(block.get("concurrency", 4)),
            retries=int(block.get("retries", 5)),
            replies=Path(block.get("replies", "replies")),
            sees=str(block.get("sees", CLIP)),
            success=bool(block.get("success", True)),
        )

    def body(self, messages: list[dict[str, Any]], sample: int, attempt: int) -> dict[str, Any]:
        """The request: each sample and attempt has its own seed; an option that is null is left out."""
        fields = {
            "model": self.model,
            "messages": messages,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "seed": self.seed + sample + 1000 * attempt,
            **self.options,
        }
        return {name: value for name, value in fields.items() if value is not None}
