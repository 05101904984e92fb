"""The config against its schema, with one sentence about what is wrong. Runs in the lean host environment."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match


def complaint(config: Mapping[str, Any], schema: Path) -> str | None:
    """What is wrong with the config, where, and what to write instead; None when the schema accepts it."""
    validator = Draft202012Validator(yaml.safe_load(schema.read_text()))
    error = best_match(validator.iter_errors(config))
    return None if error is None else _sentence(error)


def _sentence(error: ValidationError) -> str:
    place = ".".join(map(str, error.absolute_path))
    value: Any = error.instance
    shown, wanted = json.dumps(value, default=str), error.validator_value
    match error.validator:
        case "additionalProperties":
            assert isinstance(error.schema, Mapping)
            return f"config: {_unknown(value, error.schema['properties'], place)}"
        case "enum" if isinstance(wanted, list):
            return f"config: {place} is {shown}; choose one of {', '.join(map(str, wanted))}"
        case "type":
            kinds = " or ".join(wanted) if isinstance(wanted, list) else wanted
            return f"config: {place} is {shown} but must be of type {kinds}{_text_hint(value)}"
    return f"config: {place or 'at the top'}: {error.message}"


def _unknown(values: Mapping[str, Any], known: Mapping[str, Any], place: str) -> str:
    name = next(key for key in values if key not in known)
    close = difflib.get_close_matches(str(name), known, n=1)
    meant = f'did you mean "{close[0]}"' if close else f"known are {', '.join(known)}"
    return f'there is no "{name}"{f" in {place}" if place else ""}; {meant}'


def _text_hint(value: object) -> str:
    """Why a number arrives as text: within braces on the command line, or written as 1e5 in YAML."""
    try:
        float(value if isinstance(value, str) else "")
    except ValueError:
        return ""
    if "e" in str(value).lower():
        return f" (YAML takes such a number for text: write {Decimal(str(value)):f})"
    return " (`--config` hands values within braces on as text: write them into a file for --configfile)"
