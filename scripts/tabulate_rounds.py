"""Judged success of the best reward after each round of reward search (paper, figure 4)."""

import json
from statistics import fmean
from typing import Any

from matplotlib import pyplot
from matplotlib.ticker import MaxNLocator

from scripts.stage import Failed, Input, Output, stage
from video2policy.evaluate.comparison import best_by_round, save, write_csv


def main(
    judged: list[Input],
    table: Output,
    markdown: Output,
    figure: Output,
    variants: list[str],
    budgets: dict[str, Any],
) -> None:
    """Mean over clips, by variant and round; the paper gives its own as a drawing only."""
    records = [json.loads(path.read_text()) for path in judged]
    if not records:
        raise Failed("no clip passed the gates, so that there is nothing to draw")
    lines, text = (
        [],
        ["# Judged success after each round of reward search", "", "The paper's appendix A.2, figure 4."],
    )
    text += ["", "| variant | steps at most | clips | by round |", "|---|---|---|---|"]
    drawing, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    for variant in variants:
        by_clip = best_by_round(records, variant)
        means = [fmean(rates) for rates in zip(*by_clip.values(), strict=True)]
        lines += [
            {"variant": variant, "video": video, "round": k, "success_rate": rate}
            for video, rates in by_clip.items()
            for k, rate in enumerate(rates)
        ]
        steps = budgets[variant]["search_steps"]
        shown = ", ".join(f"{mean:.2f}" for mean in means)
        text.append(f"| {variant} | {steps:,} | {len(by_clip)} | {shown} |")
        axes.plot(range(1, len(means) + 1), means, marker="o", label=variant)
    axes.set(xlabel="rounds", ylabel="judged success, mean of clips", ylim=(-0.02, 1.02))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)
    write_csv(table, lines)
    markdown.write_text("\n".join(text) + "\n")
    save(drawing, figure)


stage(main)
