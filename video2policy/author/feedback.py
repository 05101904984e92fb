"""What a training run says about its reward: the text given to the next round (paper, section 3.2, figure 9).

A search record (`search.json`) holds, per component, figures over the episodes that succeeded and over those
that did not: {"success": {"mean", "min", "max", "series"} or null, "failure": ...}.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FLAT = 0.05
"""A component whose range is below this part of its largest value teaches nothing."""
ZERO = 1e-4
NEVER = 0.02
"""Below this success rate a run counts as one without success (figure 9: redesign)."""
HALF = 0.5


@dataclass(frozen=True)
class Figures:
    """One component over all episodes of a run: the outer range, and the last value of each series."""

    low: float
    high: float
    mean: float
    first: float
    last: float
    success_mean: float | None
    failure_mean: float | None

    @property
    def zero(self) -> bool:
        return max(abs(self.low), abs(self.high)) < ZERO

    @property
    def flat(self) -> bool:
        """Nearly constant; figure 9 asks for another temperature or scale."""
        return not self.zero and self.high - self.low < FLAT * max(abs(self.high), abs(self.low))

    @property
    def moving(self) -> bool:
        """The run has raised it noticeably."""
        return self.last - self.first > 0.1 * max(abs(self.high), ZERO)

    @property
    def misleads(self) -> bool:
        """Higher in failed than in successful episodes; the paper prefers the opposite."""
        if self.success_mean is None or self.failure_mean is None:
            return False
        return self.failure_mean > self.success_mean + ZERO


def read_figures(search: Mapping[str, Any]) -> dict[str, Figures]:
    """Figures of every component of a search record."""
    found = {}
    for name, record in search.get("components", {}).items():
        parts = {key: record.get(key) for key in ("success", "failure")}
        known = [part for part in parts.values() if part and part.get("mean") is not None]
        if not known:
            continue
        series = [
            value for value in _series(parts["failure"]) or _series(parts["success"]) if value is not None
        ]
        means = {
            key: float(part["mean"]) for key, part in parts.items() if part and part.get("mean") is not None
        }
        found[name] = Figures(
            low=min(float(part["min"]) for part in known),
            high=max(float(part["max"]) for part in known),
            mean=sum(means.values()) / len(means),
            first=float(series[0]) if series else 0.0,
            last=float(series[-1]) if series else 0.0,
            success_mean=means.get("success"),
            failure_mean=means.get("failure"),
        )
    return found


def merged(search: Mapping[str, Any]) -> dict[str, Any]:
    """A search record that does not tell successes from failures, as Eureka's feedback: all count as one."""
    return {**search, "components": {k: _together(v) for k, v in search.get("components", {}).items()}}


def _together(record: Mapping[str, Any]) -> dict[str, Any]:
    """Without counts the two outcomes weigh the same."""
    parts = [part for part in (record.get("success"), record.get("failure")) if part]
    if len(parts) < 2:
        return {"success": None, "failure": parts[0] if parts else None}
    one, two = parts
    series = [
        y if x is None else x if y is None else (x + y) / 2
        for x, y in zip(one["series"], two["series"], strict=False)
    ]
    both = {
        "mean": (one["mean"] + two["mean"]) / 2,
        "min": min(one["min"], two["min"]),
        "max": max(one["max"], two["max"]),
        "series": series,
    }
    return {"success": None, "failure": both}


def _series(part: Mapping[str, Any] | None) -> list[Any]:
    return list(part.get("series") or []) if part else []


def analyse(search: Mapping[str, Any]) -> list[str]:
    """One sentence per thing to change, as in figure 9; used by a person, a model and the grammar alike."""
    rate = float(search.get("success_rate", 0.0))
    lines = []
    for name, figures in read_figures(search).items():
        if figures.zero:
            lines.append(f"{name} is always zero: rewrite it or its gate.")
        elif figures.flat:
            lines.append(f"{name} is nearly constant: change its temperature or scale.")
        elif figures.misleads:
            lines.append(f"{name} is higher in failed episodes than in successful ones: scale it down.")
    if rate < NEVER:
        lines.append("Hardly any episode succeeds: redesign the reward.")
    elif rate < HALF:
        lines.append("Fewer than half of the episodes succeed: weigh the goal more.")
    return lines


def feedback_markdown(search: Mapping[str, Any], title: str = "Feedback") -> str:
    """feedback.md: success rate, every component in successful and failed episodes, and what follows."""
    rate = float(search.get("success_rate", 0.0))
    lines = [
        f"# {title}",
        "",
        f"Success rate (generated predicate): {rate:.3f} after {search.get('steps', '?')} steps"
        f" (stopped: {search.get('stopped', '?')}).",
    ]
    returns = search.get("return") or {}
    if returns:
        texts = [f"{_number(returns.get(key))} in {key}" for key in ("success", "failure")]
        lines.append(f"Mean accumulated reward: {', '.join(texts)} episodes.")
    lines += [
        "",
        "| component | episodes | mean | min | max | over training |",
        "|---|---|---|---|---|---|",
    ]
    for name, record in search.get("components", {}).items():
        for key in ("success", "failure"):
            part = record.get(key)
            if not part or part.get("mean") is None:
                lines.append(f"| {_cell(name)} | {key} | none | | | |")
                continue
            numbers = " | ".join(_number(part.get(what)) for what in ("mean", "min", "max"))
            series = " ".join(_number(value) for value in _thinned(_series(part)))
            lines.append(f"| {_cell(name)} | {key} | {numbers} | {series} |")
    lines += ["", "## Analysis", ""]
    lines += [f"- {_cell(line)}" for line in analyse(search)] or ["- Nothing stands out."]
    return "\n".join(lines) + "\n"


def _thinned(series: list[Any], count: int = 8) -> list[Any]:
    if len(series) <= count:
        return series
    return [series[round(i * (len(series) - 1) / (count - 1))] for i in range(count)]


def _number(value: Any) -> str:
    return "none" if value is None else f"{float(value):.4g}"


def _cell(text: str) -> str:
    """Names come from generated code: nothing that Markdown reads as markup passes."""
    return "".join(c for c in text if c.isalnum() or c in " _-.,:;()")[:160]
