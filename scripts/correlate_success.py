"""Generated success against the judges', a point for every policy of every round (paper, figure 10)."""

import json

from matplotlib import pyplot

from scripts.stage import Failed, Input, Output, stage
from video2policy.evaluate.comparison import policies, save, write_csv
from video2policy.evaluate.statistics import correlation
from video2policy.paper import CORRELATION, V2P


def main(judged: list[Input], table: Output, markdown: Output, figure: Output, variants: list[str]) -> None:
    """Pearson's r over policies, by variant; the paper's for the one that saw the video stands beside it."""
    records = [json.loads(path.read_text()) for path in judged]
    if not records:
        raise Failed("no clip passed the gates, so that there is nothing to compare")
    text = ["# Generated success against the judges'", "", "The paper's appendix A.3, figure 10.", ""]
    text += [
        "| variant | policies | correlation | paper | generated above judged | below |",
        "|---|---|---|---|---|---|",
    ]
    drawing, axes = pyplot.subplots(figsize=(5, 5), layout="constrained")
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    for variant in variants:
        points = policies(records, variant)
        found = correlation(*zip(*points, strict=True)) if points else None
        r = "-" if found is None else f"{found[0]:.2f} [{found[1]:.2f}, {found[2]:.2f}]"
        above, below = sum(g > j for g, j in points), sum(g < j for g, j in points)
        theirs = f"{CORRELATION:.2f}" if variant == V2P else ""
        text.append(f"| {variant} | {len(points)} | {r} | {theirs} | {above} | {below} |")
        if points:
            generated, truth = zip(*points, strict=True)
            axes.scatter(generated, truth, s=18, alpha=0.6, label=f"{variant} ({len(points)})")
    axes.set(xlabel="generated success rate", ylabel="judged success rate")
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
    axes.legend(frameon=False, loc="upper left")
    names = ("iter", "sample", "episodes", "generated_success_rate", "success_rate")
    lines = [
        {"variant": one["variant"], "video": one["video"], **{name: p[name] for name in names}}
        for one in records
        for p in one["policies"]
    ]
    write_csv(table, lines)
    markdown.write_text("\n".join(text) + "\n")
    save(drawing, figure)


stage(main)
