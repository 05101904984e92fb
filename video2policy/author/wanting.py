"""What an `author` block of the config lacks for a language model. Runs in the lean host environment too."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

NAMES = ("llm", "replay")
"""`llm` asks an endpoint for what is not recorded; `replay` takes recorded replies only."""


def wanting(block: Mapping[str, Any]) -> str | None:
    """What must be set before any call, in one sentence; None where nothing is wanting."""
    if block["name"] not in NAMES:
        return f'there is no author "{block["name"]}"; there are grammar, {", ".join(NAMES)}'
    if not block.get("model"):
        return "author.model names no model"
    budget = block.get("budget_usd")
    if budget is not None and not 0 <= float(budget) < math.inf:
        return f"author.budget_usd is {budget}: give USD, zero or more, or null for no limit"
    return None if block["name"] == "replay" else _of_an_endpoint(block)


def _of_an_endpoint(block: Mapping[str, Any]) -> str | None:
    """What an endpoint needs, and what makes the budget a bound."""
    if not block.get("base_url"):
        return "author.base_url names no endpoint: give its address, or set author.name to replay or grammar"
    if block.get("budget_usd") is not None and not block.get("prices"):
        return (
            "author.prices is empty, so author.budget_usd cannot be kept: give USD per million tokens as"
            " {input: .., cached: .., output: ..} (zeros for a server of your own)"
        )
    options = block.get("options") or {}
    if options.get("n") not in (None, 1):
        return "author.options.n asks for several replies, but a call takes and counts one: leave it out"
    limits = {"max_tokens": block.get("max_tokens", 8000), **options}
    if block.get("budget_usd") is not None and not any(
        limits.get(name) for name in ("max_tokens", "max_completion_tokens")
    ):
        return (
            "author.options take max_tokens away and give no max_completion_tokens, so author.budget_usd"
            " cannot be kept: a reply needs a limit"
        )
    return None
