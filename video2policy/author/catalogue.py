"""All that the grammar's programs are put together from, by name: what is shared and every family's own."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from video2policy.author import (
    families_placing,
    families_sliding,
    families_throwing,
    families_turning,
    library,
)
from video2policy.author.fragments import Condition, Family, Observation, Quantity, Term

_MODULES: tuple[ModuleType, ...] = (
    library,
    families_sliding,
    families_placing,
    families_turning,
    families_throwing,
)


def _joined(name: str) -> dict[str, Any]:
    """The modules' tables `name` as one; a name that two of them give is a mistake."""
    table: dict[str, Any] = {}
    for module in _MODULES:
        part = getattr(module, name, {})
        assert not table.keys() & part.keys(), (module.__name__, name, table.keys() & part.keys())
        table.update(part)
    return table


QUANTITIES: Mapping[str, Quantity] = _joined("QUANTITIES")
CONDITIONS: Mapping[str, Condition] = _joined("CONDITIONS")
TERMS: Mapping[str, Term] = _joined("TERMS")
OBSERVATIONS: Mapping[str, Observation] = _joined("OBSERVATIONS")
FAMILIES: Mapping[str, Family] = _joined("FAMILIES")
