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
