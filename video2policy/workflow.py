"""What the Snakefile asks of the config. Standard library only: it runs in the lean host environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def as_list(value: object) -> list[str]:
    """A config value given as a list, or on the command line as one string with commas."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, (list, tuple)):
        return [str(part) for part in value]
    return [str(value)]


def merged_config(config: Mapping[str, Any], variant: str) -> dict[str, Any]:
    """The config with the variant's own values in place, block by block."""
    merged = dict(config)
    for block, values in (config["variants"].get(variant) or {}).items():
        merged[block] = {**config[block], **values} if isinstance(values, Mapping) else values
    return merged


DECIDES = ("seed", "model", "temperature", "max_tokens", "options", "attempts", "send_frames", "examples")
"""What of the config's `author` block decides what a language model is asked."""


def author_params(author: Mapping[str, Any], prompts: str) -> dict[str, Any]:
    """What of the `author` block a job's result depends on.

    A reply does not depend on where it came from or what it cost: another budget, endpoint or `replay` reruns
    nothing. `prompts` is the hash of the prompt files.
    """
    if author["name"] == "grammar":
        return {name: author[name] for name in ("name", "seed")}
    return {"name": "llm", **{name: author[name] for name in DECIDES}, "prompts": prompts}


def curriculum_stages(author: Mapping[str, Any]) -> dict[str, int]:
    """The stage of every clip that the curriculum names, from 0. Raises ValueError for one named twice."""
    stages: dict[str, int] = {}
    for number, videos in enumerate(author.get("curriculum") or []):
        for video in videos:
            if video in stages:
                raise ValueError(f'author.curriculum names the clip "{video}" twice')
            stages[video] = number
    return stages
