"""What a training leaves, checked before anything reads it: the worker that wrote it ran generated code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from safetensors import SafetensorError, safe_open

from video2policy.guard.leavings import MAX_COMPONENTS, MAX_NAME, LeavingsError

STOPS = ("solved", "cap", "hopeless")
OUTCOMES = ("success", "failure")
FIGURES = ("mean", "min", "max", "series")
MAX_TENSORS = 100


def check_search(search: Mapping[str, Any], seed: int) -> None:
    """Raises LeavingsError unless this is the search.json of a training with that seed."""
    rate, steps = search.get("success_rate"), search.get("steps")
    problems = {
        "success_rate": not _is_number(rate) or not 0 <= rate <= 1,
        "steps": not isinstance(steps, int) or isinstance(steps, bool) or steps <= 0,
        "stopped": search.get("stopped") not in STOPS,
        "learning": not _is_number(search.get("learning")) or not 0 <= search["learning"] <= 1,
        "seed": search.get("seed") != seed,
        "return": not _has_outcomes(search.get("return"), _is_number),
        "components": not _are_components(search.get("components")),
    }
    wrong = [name for name, is_wrong in problems.items() if is_wrong]
    if wrong:
        raise LeavingsError(f"wrote a result whose {', '.join(wrong)} cannot be")


def check_weights(policy: Path) -> None:
    """Raises LeavingsError unless the file holds a moderate number of tensors of finite numbers."""
    try:
        with safe_open(policy, framework="numpy") as file:
            names = list(file.keys())
            if not 0 < len(names) <= MAX_TENSORS or not all(_are_finite(file.get_tensor(n)) for n in names):
                raise LeavingsError("wrote a policy whose weights are not finite numbers")
    except (SafetensorError, OSError, TypeError, ValueError, AttributeError) as error:
        raise LeavingsError(f"wrote a policy.safetensors that is none ({error})") from error


def _are_finite(weights: np.ndarray) -> bool:
    """Whether these are finite numbers, neither truth values nor complex ones."""
    return weights.dtype.kind in "fiu" and bool(np.isfinite(weights).all())


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _has_outcomes(value: Any, is_right: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and set(value) == set(OUTCOMES)
        and all(part is None or is_right(part) for part in value.values())
    )


def _are_figures(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and set(value) == set(FIGURES)
        and all(value[name] is None or _is_number(value[name]) for name in FIGURES[:3])
        and isinstance(value["series"], list)
        and all(point is None or _is_number(point) for point in value["series"])
    )


def _are_components(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and len(value) <= MAX_COMPONENTS
        and all(len(name) <= MAX_NAME for name in value)
        and all(_has_outcomes(part, _are_figures) for part in value.values())
    )
