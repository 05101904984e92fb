"""Success of image policies in scenes that they did not learn from, side by side (paper, sections 4.2, 4.3).

Everything is counted by clip: a clip's episodes of all training seeds make its rate, intervals are clustered
by clip, and two policies are compared clip by clip, since all are judged from the same resets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from video2policy.evaluate.statistics import Paired, SuccessRate, paired, success_rate

ALL = "all"


@dataclass(frozen=True)
class Series:
    """One policy, or way to act, in one world.

    Attributes:
        name: what it is called in tables.
        counts: video -> (successes, episodes) over all its training seeds.
        splits: video -> split.
        paper: what the paper has in its place, None for nothing.
        labels: more columns of its lines in the table, by name.
    """

    name: str
    counts: Mapping[str, tuple[int, int]]
    splits: Mapping[str, str]
    paper: float | None = None
    labels: Mapping[str, Any] | None = None

    @classmethod
    def of_clones(
        cls, name: str, judged: Mapping[str, Any], paper: float | None = None, **labels: Any
    ) -> Series:
        """From what `generalist.judge_clones` gives."""
        episodes = judged["episodes"] * judged["seeds"]
        counts = {row["video"]: (sum(row["successes"]), episodes) for row in judged["clips"]}
        return cls(name, counts, {row["video"]: row["split"] for row in judged["clips"]}, paper, labels)

    @classmethod
    def of_evals(
        cls,
        name: str,
        evals: Iterable[Mapping[str, Any]],
        splits: Mapping[str, str],
        paper: float | None = None,
    ) -> Series:
        """From eval.json of each clip."""
        counts = {one["video"]: (one["successes"], one["episodes"]) for one in evals}
        return cls(name, counts, {video: splits[video] for video in counts}, paper)

    def videos(self, split: str) -> list[str]:
        return [video for video, its in self.splits.items() if split in (ALL, its)]

    def rate(self, split: str = ALL) -> SuccessRate | None:
        """Pooled over the split's clips; None without any."""
        runs = [self.counts[video] for video in self.videos(split)]
        return success_rate(runs) if runs else None

    def against(self, other: Series, split: str = ALL) -> Paired | None:
        """The other minus this one, paired by clip; None without any."""
        videos = [video for video in self.videos(split) if video in other.counts]
        rates = [[s / n for s, n in (one.counts[v] for v in videos)] for one in (self, other)]
        return paired(*rates) if videos else None


def splits_of(series: Sequence[Series]) -> list[str]:
    """The splits that occur, and all of them together where there are several."""
    found = list(dict.fromkeys(split for one in series for split in one.splits.values()))
    return [*found, ALL] if len(found) > 1 else found


def lines(series: Sequence[Series]) -> list[dict[str, Any]]:
    """One line for each series and clip."""
    return [
        {
            "policy": one.name,
            **(one.labels or {}),
            "video": video,
            "split": one.splits[video],
            "successes": successes,
            "episodes": episodes,
            "success_rate": round(successes / episodes, 4),
            "paper": "" if one.paper is None else one.paper,
        }
        for one in series
        for video, (successes, episodes) in one.counts.items()
    ]


def markdown(
    title: str, series: Sequence[Series], pairs: Sequence[tuple[Series, Series]], notes: Sequence[str]
) -> str:
    """The pooled rates by split, then the `pairs` (first, second), second minus first."""
    splits = splits_of(series)
    text = [f"# {title}", "", f"| policy | clips | {' | '.join(splits)} | the paper's |"]
    text.append("|---" * (len(splits) + 3) + "|")
    for one in series:
        rates = [_rate(one.rate(split)) for split in splits]
        paper = "" if one.paper is None else f"{one.paper:.2f}"
        text.append(f"| {one.name} | {len(one.counts)} | {' | '.join(rates)} | {paper} |")
    text += ["", "Paired by clip (interval by Student's t, p by flipping signs):", ""]
    text += ["| difference | split | clips | mean | 95% interval | p |", "|---|---|---|---|---|---|"]
    for first, second in pairs:
        for split in splits:
            cells = _paired(first.against(second, split))
            text.append(f"| {second.name} - {first.name} | {split} | {cells} |")
    return "\n".join([*text, "", *notes]) + "\n"


def _rate(rate: SuccessRate | None) -> str:
    return "-" if rate is None else f"{rate.rate:.2f} [{rate.interval[0]:.2f}, {rate.interval[1]:.2f}]"


def _paired(found: Paired | None) -> str:
    if found is None:
        return "0 | - | - | -"
    if found.interval is None or found.p is None:
        return f"{found.pairs} | {found.mean:+.2f} | - | -"
    low, high = found.interval
    return f"{found.pairs} | {found.mean:+.2f} | [{low:+.2f}, {high:+.2f}] | {found.p:.3f}"


def _bounds(rates: Sequence[SuccessRate | None]) -> tuple[list[float], Any]:
    """Rates, and how far their intervals reach below and above; 0 for none."""
    values = [rate.rate if rate else 0.0 for rate in rates]
    ends = np.array([rate.interval if rate else (0.0, 0.0) for rate in rates])
    return values, np.clip([values - ends[:, 0], ends[:, 1] - values], 0, None)


def _figure(width: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.set(ylim=(0, 1.05), ylabel="judged success")
    return figure, axes


def draw_bars(series: Sequence[Series], path: Path) -> None:
    """A group of bars for each series, one for each split, the paper's as lines across them (PNG)."""
    splits = splits_of(series)
    figure, axes = _figure(2.0 + 0.5 * len(series) * len(splits))
    width = 0.8 / len(splits)
    for k, split in enumerate(splits):
        at = np.arange(len(series)) - 0.4 + width * (k + 0.5)
        values, reach = _bounds([one.rate(split) for one in series])
        axes.bar(at, values, 0.92 * width, yerr=reach, capsize=3, label=split.replace("_", " "))
    for x, one in enumerate(series):
        if one.paper is not None:
            axes.hlines(one.paper, x - 0.4, x + 0.4, colors="black", linewidth=2)
    axes.hlines([], 0, 0, colors="black", linewidth=2, label="the paper's")
    axes.set_xticks(range(len(series)), [one.name for one in series], rotation=20, ha="right")
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    figure.savefig(path, format="png", dpi=120)


def draw_curves(counts: Sequence[int], series: Sequence[Series], paper: float, path: Path) -> None:
    """Success over the number of training clips `counts`, a line for each split (PNG)."""
    figure, axes = _figure(5.0)
    for split in splits_of(series):
        values, reach = _bounds([one.rate(split) for one in series])
        axes.errorbar(counts, values, reach, capsize=3, marker="o", label=split.replace("_", " "))
    axes.axhline(paper, color="grey", ls=":", label="paper, 100 clips")
    axes.set_xticks(list(counts))
    axes.set_xlabel("training clips")
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, format="png", dpi=120)
