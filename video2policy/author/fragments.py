"""Readable fragments that tasks and rewards are put together from: their types.

A quantity is a few lines that compute one named tensor of shape (n_envs,) or (n_envs, k) from `states`; it
says which other quantities it needs. Conditions and reward terms are expressions over quantities. `{a}` and
`{b}` stand for the objects in those roles, other braces for thresholds in metres.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from video2policy.author.genome import Component


@dataclass(frozen=True)
class Quantity:
    """Lines of code that define the variable of the same name, after those of `needs`."""

    comment: str
    code: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Condition:
    """A boolean expression (n_envs,) of a success function or a gate."""

    comment: str
    code: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Term:
    """What a reward component measures.

    `kind`: "distance" (m, shaped so that 0 gives 1, and less may give more), "progress" (grows with success;
    times temperature, clipped to [-1, 1]), "flag" (0 or 1) or "penalty" (m or a fraction, 0 gives 0 and more
    is worse).
    """

    comment: str
    kind: str
    code: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Observation:
    """A state that the task adds to what the policy sees, `width` numbers per environment."""

    comment: str
    key: str
    code: str
    width: int


def shaped(kind: str, shape: str, temperature: float, code: str) -> str:
    """The expression of a term; every distance shape is 1 at 0 and falls to 0 as the distance grows.

    >>> shaped("distance", "tanh", 10.0, "grasp_distance")
    '1.0 - torch.tanh(10.0 * grasp_distance)'
    """
    t, half, twice = (number(temperature * factor) for factor in (1.0, 0.5, 2.0))
    if kind == "flag":
        return code
    if kind == "progress":
        return f"torch.clamp({t} * {code}, -1.0, 1.0)"
    falling = {
        "tanh": f"1.0 - torch.tanh({t} * {code})",
        "double": f"1.0 - 0.5 * torch.tanh({half} * {code}) - 0.5 * torch.tanh({twice} * {code})",
        "exp": f"torch.exp(-{t} * {code})",
        "inverse": f"1.0 / (1.0 + ({t} * {code}) ** 2)",
        "linear": f"torch.clamp(1.0 - {t} * {code}, min=0.0)",
    }[shape]
    return falling if kind == "distance" else f"{falling} - 1.0"


def number(value: float) -> str:
    """A float literal with four digits, always with a decimal point."""
    text = f"{value:.4g}"
    return text if "." in text or "e" in text or "n" in text else text + ".0"


@dataclass(frozen=True)
class Family:
    """How tasks of one family are written.

    `conditions` must hold together for success; of `stricter` a candidate may add some. `components` are the
    default reward, and `gates` what its gated terms (`gated`) can be gated by; the first one is the default.
    `again` is a boolean expression over reset poses `pos_a`, `pos_b` (k, 3) that calls for another draw,
    `place` a line that arranges the objects in `poses`.
    """

    conditions: tuple[str, ...]
    components: tuple[Component, ...]
    observations: tuple[str, ...]
    stricter: tuple[str, ...] = ()
    gated: tuple[str, ...] = ()
    gates: tuple[str | None, ...] = (None,)
    quantities: Mapping[str, Quantity] = field(default_factory=dict)
    again: str | None = None
    place: str | None = None

    def some(self, *names: str) -> tuple[Component, ...]:
        """Components of the default reward by name. Raises KeyError for one that it has not."""
        known = {component.name: component for component in self.components}
        return tuple(known[name] for name in names)


def ordered(names: Iterable[str], quantities: Mapping[str, Quantity]) -> list[str]:
    """`names` and all that they need, each after what it needs. Raises KeyError for an unknown quantity."""
    found: list[str] = []

    def visit(name: str) -> None:
        if name not in found:
            for need in quantities[name].needs:
                visit(need)
            found.append(name)

    for name in names:
        visit(name)
    return found
