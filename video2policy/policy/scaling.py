"""Success on unseen clips over the number of training clips, the paper's beside ours (section 4.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

UNSEEN = ("unseen_instance", "unseen_category")

PAPER = {
    "BC on 100 clips' policies": 0.75,
    "Code-as-Policies on the state": 0.32,
    "BC on Code-as-Policies": 0.26,
}
"""Success on ten unseen lifting clips, five new instances and five new categories."""


def lines(counts: Sequence[int], evaluations: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One line for each number of training clips and split; then the paper's, whose splits are pooled."""
    table = []
    for count, evaluation in zip(counts, evaluations, strict=True):
        for split in (*UNSEEN, *(s for s in evaluation["by_split"] if s not in UNSEEN)):
            rate = evaluation["by_split"].get(split)
            table.append(
                {
                    "source": "ours",
                    "training_clips": count,
                    "split": split,
                    "clips": rate["clips"] if rate else 0,
                    "success_rate": rate["rate"] if rate else None,
                    "ci95": "{} to {}".format(*rate["ci95"]) if rate else "",
                }
            )
    for name, value in PAPER.items():
        clips = 100 if name.startswith("BC on 100") else None
        table.append(
            {
                "source": f"paper: {name}",
                "training_clips": clips,
                "split": "unseen",
                "clips": 10,
                "success_rate": value,
                "ci95": "",
            }
        )
    return table


def draw(counts: Sequence[int], evaluations: Sequence[Mapping[str, Any]], path: Path) -> None:
    """The curves with their 95% intervals (PNG)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.4), layout="constrained")
    axes = figure.subplots()
    for split in dict.fromkeys(s for e in evaluations for s in e["by_split"]):
        known = [
            (c, e["by_split"][split])
            for c, e in zip(counts, evaluations, strict=True)
            if split in e["by_split"]
        ]
        numbers, rates = [c for c, _ in known], np.array([r["rate"] for _, r in known])
        low, high = np.array([r["ci95"] for _, r in known]).T
        axes.errorbar(
            numbers, rates, np.clip([rates - low, high - rates], 0, None), capsize=3, marker="o", label=split
        )
    axes.axhline(PAPER["BC on 100 clips' policies"], color="grey", ls=":", label="paper, 100 clips, unseen")
    axes.set_xticks(list(counts))
    axes.set_ylim(0, 1.05)
    axes.set_xlabel("training clips")
    axes.set_ylabel("judged success")
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=120)
