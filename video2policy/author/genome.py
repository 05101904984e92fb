"""The grammar author's typed intermediate form: what can vary in a task's code and in a reward function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

SHAPES = ("tanh", "double", "exp", "inverse", "linear")
"""How a distance becomes a reward in [0, 1]; `library.shaped` writes them, "double" acts near and far."""


@dataclass(frozen=True)
class Component:
    """One term of a reward: `weight` * gate * shape(temperature * quantity).

    `name` is a term of the library. `temperature` (1/m for distances) is how steep it is; flags ignore it.
    `gate` names a condition under which the term counts, or None.
    """

    name: str
    weight: float
    temperature: float = 1.0
    shape: str = "tanh"
    gate: str | None = None


@dataclass(frozen=True)
class RewardGenome:
    """A reward function: its terms and a constant cost per step (figure 8 has .01)."""

    family: str
    components: tuple[Component, ...]
    step_penalty: float = 0.0

    def component(self, name: str) -> Component:
        """Raises KeyError for a term that this reward has not."""
        return {c.name: c for c in self.components}[name]

    def with_component(self, changed: Component) -> RewardGenome:
        """A copy in which the term of the same name is replaced."""
        return replace(
            self, components=tuple(changed if c.name == changed.name else c for c in self.components)
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"components": [asdict(c) for c in self.components]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RewardGenome:
        components = tuple(Component(**item) for item in data["components"])
        return cls(data["family"], components, float(data["step_penalty"]))


@dataclass(frozen=True)
class TaskGenome:
    """A task: family, role -> object, thresholds (metres or fractions) and what the candidates differ in.

    `conditions` are the success conditions that hold together and `observations` the added observation terms,
    both names in the library.
    """

    family: str
    roles: dict[str, str]
    thresholds: dict[str, float]
    conditions: tuple[str, ...]
    observations: tuple[str, ...]
    reward: RewardGenome = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        plain = asdict(self) | {"conditions": list(self.conditions), "observations": list(self.observations)}
        return plain | {"reward": self.reward.to_json()}
