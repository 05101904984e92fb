"""What happened in training, per episode: success, return, and every reward component's sum.

Components are reported separately for successful and failed episodes (paper, section 3.2).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

SERIES = 10
"""Points of a component's course over training."""


@dataclass(frozen=True)
class Finished:
    """One episode that ran its full length: success in its last step, accumulated reward and components."""

    steps: int
    """Environment steps taken in training when it ended."""
    success: bool
    total: float
    components: tuple[float, ...]


@dataclass
class Episodes:
    """Collects full episodes from a batch of environments that restart by themselves."""

    n_envs: int
    names: tuple[str, ...] = ()
    """Components, in the order of `Finished.components`."""
    finished: list[Finished] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """All environments begin anew; what has finished stays."""
        self._total = torch.zeros(self.n_envs)
        self._sums = torch.zeros(self.n_envs, len(self.names))
        # Timers are staggered when training starts: what is cut short then is no full episode.
        self._whole = torch.zeros(self.n_envs, dtype=torch.bool)

    def add(self, steps: int, done: torch.Tensor, info: Mapping[str, Any]) -> None:
        """Add one control step; `done` (n,) and `info` come from `Environment.step`."""
        components: dict[str, torch.Tensor] = info["components"]
        if not self.names:
            self.names = tuple(components)
            self._sums = torch.zeros(self.n_envs, len(self.names))
        self._total += info["reward"]
        if self.names:
            self._sums += torch.stack([components[name] for name in self.names], dim=1)
        if not done.any():
            return
        success, complete = info["success"], info["time_outs"] & self._whole
        for i in complete.nonzero()[:, 0].tolist():
            sums = tuple(self._sums[i].tolist())
            self.finished.append(Finished(steps, bool(success[i]), float(self._total[i]), sums))
        self._total[done] = 0
        self._sums[done] = 0
        self._whole |= done

    def success_rate(self, window: int) -> float:
        """Part of the last `window` full episodes that succeeded; 0 while there are fewer."""
        if len(self.finished) < window:
            return 0.0
        return sum(episode.success for episode in self.finished[-window:]) / window

    def mean_return(self, window: int) -> float:
        """Mean accumulated (generated) reward of the last `window` full episodes; 0 without any."""
        last = self.finished[-window:]
        return sum(episode.total for episode in last) / len(last) if last else 0.0

    def component_means(self, window: int) -> dict[str, dict[str, float | None]]:
        """Mean sum of every component over the last `window` episodes, by outcome."""
        last = self.finished[-window:]
        return {
            name: {
                outcome: _mean([e.components[i] for e in last if e.success == (outcome == "success")])
                for outcome in ("success", "failure")
            }
            for i, name in enumerate(self.names)
        }

    def summary(self) -> dict[str, Any]:
        """The `components` and `return` of search.json: figures over all full episodes, by outcome."""
        return {
            "components": {
                name: {outcome: self._figures(i, outcome == "success") for outcome in ("success", "failure")}
                for i, name in enumerate(self.names)
            },
            "return": {
                outcome: _mean([e.total for e in self.finished if e.success == (outcome == "success")])
                for outcome in ("success", "failure")
            },
        }

    def _figures(self, index: int, success: bool) -> dict[str, Any] | None:
        """None when no episode ended so."""
        chosen = [e for e in self.finished if e.success == success]
        if not chosen:
            return None
        values = [e.components[index] for e in chosen]
        last = max(self.finished[-1].steps, 1)
        bins: list[list[float]] = [[] for _ in range(SERIES)]
        for episode in chosen:
            bins[min(SERIES - 1, SERIES * episode.steps // last)].append(episode.components[index])
        return {
            "mean": _mean(values),
            "min": _round(min(values)),
            "max": _round(max(values)),
            "series": [_mean(part) for part in bins],
        }


def _round(value: float) -> float:
    """Six significant digits: enough for a reader, short in a file."""
    return float(f"{value:.6g}")


def _mean(values: list[float]) -> float | None:
    return _round(sum(values) / len(values)) if values else None
