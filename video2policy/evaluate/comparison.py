"""Variants side by side, the paper's figures beside ours: lines, tables in Markdown, drawings."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import matplotlib

matplotlib.use("agg")
from matplotlib import pyplot
from matplotlib.figure import Figure

from video2policy.evaluate.statistics import Paired, paired, success_rate
from video2policy.paper import TASKS, V2P, Comparison

NONE = ""


@dataclass(frozen=True)
class Clip:
    """One clip of the sheet: its family, and the gate's reason where it stopped."""

    video: str
    family: str
    reason: str | None


@dataclass(frozen=True)
class Results:
    """What was measured for one comparison: its clips, and eval.json by (video, variant)."""

    comparison: Comparison
    clips: Sequence[Clip]
    evals: Mapping[tuple[str, str], Mapping[str, Any]]

    @property
    def passed(self) -> list[Clip]:
        return [clip for clip in self.clips if clip.reason is None]

    def families(self) -> list[str]:
        """Of the clips, in the paper's order; others last."""
        order = list(TASKS)
        found = {clip.family for clip in self.clips}
        return sorted(found, key=lambda name: (order.index(name) if name in order else len(order), name))

    def rate(self, clip: Clip, variant: str) -> float:
        return float(self.evals[clip.video, variant]["success_rate"])

    def task_rate(self, family: str, variant: str) -> float | None:
        """Mean over the family's clips that passed."""
        rates = [self.rate(clip, variant) for clip in self.passed if clip.family == family]
        return fmean(rates) if rates else None

    def average(self, variant: str) -> float | None:
        """Mean over the tasks of which a clip passed."""
        rates = [self.task_rate(family, variant) for family in self.families()]
        known = [rate for rate in rates if rate is not None]
        return fmean(known) if known else None

    def average_over_all(self, variant: str) -> float:
        """Mean over all clips of the sheet; one that stopped at a gate counts 0."""
        return sum(self.rate(clip, variant) for clip in self.passed) / len(self.clips)

    def against(self, variant: str) -> Paired | None:
        """The variant minus `v2p`, paired by clip."""
        pairs = [(self.rate(clip, V2P), self.rate(clip, variant)) for clip in self.passed]
        return paired(*zip(*pairs, strict=True)) if pairs else None

    # ------------------------------------------------------------ output

    def lines(self) -> list[dict[str, Any]]:
        """One for each clip and variant."""
        lines = []
        for clip in self.clips:
            for variant in self.comparison.variants:
                line: dict[str, Any] = {"task": clip.family, "video": clip.video, "variant": variant}
                judged = self.evals.get((clip.video, variant), {})
                line |= {
                    name: judged.get(name, NONE)
                    for name in ("successes", "episodes", "success_rate", "generated_success_rate")
                }
                low, high = judged.get("ci95", (NONE, NONE))
                value = self.comparison.value(clip.family, variant)
                line |= {"ci95_low": low, "ci95_high": high, "paper": NONE if value is None else value}
                lines.append(line | {"stopped": clip.reason or NONE})
        return lines

    def markdown(self, name: str, budgets: Mapping[str, Mapping[str, int]]) -> str:
        """The table in words."""
        it = self.comparison
        text = [
            f"# {it.title}",
            "",
            f"`{name}`: the paper's {it.section}. Ours first, the paper's in brackets.",
            "",
        ]
        text += ["| task | clips | " + " | ".join(it.variants) + " |", "|---" * (len(it.variants) + 2) + "|"]
        for family in self.families():
            own = [clip for clip in self.clips if clip.family == family]
            passed = [clip for clip in own if clip.reason is None]
            cells = [self._cell(family, variant) for variant in it.variants]
            text.append(
                f"| {TASKS.get(family, family)} | {len(passed)} of {len(own)} | {' | '.join(cells)} |"
            )
        averages = [
            f"{_text(self.average(v))} ({_text(it.average(v))}{self._stated(v)})" for v in it.variants
        ]
        text.append(f"| **mean of tasks** | | {' | '.join(averages)} |")
        over_all = [_text(self.average_over_all(v)) for v in it.variants]
        text += [f"| mean of all clips, stopped ones 0 | | {' | '.join(over_all)} |", ""]
        text += [f"- {clip.video} stopped: {clip.reason}" for clip in self.clips if clip.reason]
        text += ["", f"Against `{V2P}`, paired by clip (interval by Student's t, p by flipping signs):", ""]
        text += ["| variant | clips | difference | 95% interval | p |", "|---|---|---|---|---|"]
        for variant in it.variants:
            if variant != V2P:
                text.append(f"| {variant} | {_paired_cells(self.against(variant))} |")
        text += ["", *_budget_lines(budgets)]
        return "\n".join(text) + "\n"

    def _stated(self, variant: str) -> str:
        value = (
            self.comparison.stated[self.comparison.variants.index(variant)]
            if self.comparison.stated
            else None
        )
        return f"; stated {_text(value)}" if value is not None else ""

    def _cell(self, family: str, variant: str) -> str:
        """Pooled over clips and seeds, with the interval."""
        runs = [
            (seed["successes"], seed["episodes"])
            for clip in self.passed
            if clip.family == family
            for seed in self.evals[clip.video, variant]["per_seed"]
        ]
        value = self.comparison.value(family, variant)
        paper = f" ({_text(value)})" if value is not None else ""
        if not runs:
            return f"-{paper}"
        rate = success_rate(runs)
        return f"{_text(rate.rate)} [{_text(rate.interval[0])}, {_text(rate.interval[1])}]{paper}"

    def draw(self) -> Figure:
        """Bars by task, the paper's as lines across them."""
        variants, groups = self.comparison.variants, [*self.families(), "mean"]
        figure, axes = pyplot.subplots(figsize=(max(6.0, 1.2 + 0.9 * len(groups)), 4.2), layout="constrained")
        width = 0.8 / len(variants)
        for k, variant in enumerate(variants):
            at = [x - 0.4 + width * (k + 0.5) for x in range(len(groups))]
            ours = [self.task_rate(f, variant) for f in self.families()] + [self.average(variant)]
            theirs = [self.comparison.value(f, variant) for f in self.families()] + [
                self._paper_mean(variant)
            ]
            axes.bar(at, [value or 0.0 for value in ours], width * 0.92, label=variant)
            for x, value in zip(at, theirs, strict=True):
                if value is not None:
                    axes.hlines(value, x - width / 2, x + width / 2, colors="black", linewidth=2)
        axes.hlines([], 0, 0, colors="black", linewidth=2, label="the paper's")
        labels = [f.replace("_", " ") for f in groups]
        axes.set_xticks(range(len(groups)), labels, rotation=30, ha="right")
        axes.set(ylim=(0, 1.05), ylabel="judged success rate", title=self.comparison.title)
        figure.legend(loc="outside lower center", ncols=4, frameon=False)
        return figure

    def _paper_mean(self, variant: str) -> float | None:
        it = self.comparison
        stated = it.stated[it.variants.index(variant)] if it.stated else None
        return it.average(variant) if it.average(variant) is not None else stated


def _paired_cells(found: Paired | None) -> str:
    if found is None:
        return "0 | - | - | -"
    if found.interval is None:
        return f"{found.pairs} | {found.mean:+.2f} | - | -"
    low, high = found.interval
    return f"{found.pairs} | {found.mean:+.2f} | [{low:+.2f}, {high:+.2f}] | {found.p:.3f}"


def _budget_lines(budgets: Mapping[str, Mapping[str, int]]) -> list[str]:
    """What each variant could spend."""
    lines = ["| variant | steps of reward search, at most | judged | horizon |", "|---|---|---|---|"]
    for variant, it in budgets.items():
        judged = f"{it['seeds']} x {it['episodes']} episodes"
        lines.append(f"| {variant} | {it['search_steps']:,} | {judged} | {it['horizon']} |")
    return lines


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


# ---------------------------------------------------------------- rounds of reward search


Judged = Sequence[Mapping[str, Any]]
"""judged.json of rounds, as `scripts.judge_round` writes them."""


def best_by_round(judged: Judged, variant: str) -> dict[str, list[float]]:
    """For each clip, the judged success of the best reward after each round."""
    known: dict[str, dict[tuple[int, int], float]] = {}
    found: dict[str, list[float]] = {}
    for one in sorted((j for j in judged if j["variant"] == variant), key=lambda j: (j["video"], j["iter"])):
        rates = known.setdefault(one["video"], {})
        rates |= {(p["iter"], p["sample"]): p["success_rate"] for p in one["policies"]}
        found.setdefault(one["video"], []).append(rates[one["best"]["iter"], one["best"]["sample"]])
    return found


def policies(judged: Judged, variant: str) -> list[tuple[float, float]]:
    """(generated, judged) success of every policy."""
    return [
        (p["generated_success_rate"], p["success_rate"])
        for one in judged
        if one["variant"] == variant
        for p in one["policies"]
    ]


def write_csv(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """One row a line, the first line's names as columns."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]) if lines else [])
        writer.writeheader()
        writer.writerows(lines)


def save(figure: Figure, path: Path) -> None:
    """As PNG, whatever the path is called while it is being written."""
    figure.savefig(path, format="png", dpi=110)
    pyplot.close(figure)
