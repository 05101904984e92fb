"""Policies in scenes with the sizes that were found, and with the true ones; the paper's beside ours."""

import json

from scripts.stage import Failed, Input, Output, stage
from video2policy.evaluate.comparison import write_csv
from video2policy.paper import TRUE_SIZE
from video2policy.policy import unseen

TITLE = "Policies at the sizes that were found, and at the true ones"
NOTES = (
    "The policies learnt at the sizes that perception found. Objects keep the shapes that it found and are",
    "stretched to the true sides (`results/videos/*/*/policy/true_size.json`). Where the sheet gives a size,",
    "only proportions differ. The paper: one policy, of its own clip of a remote and a mouse.",
)


def main(
    found: list[Input],
    true: list[Input],
    table: Output,
    markdown: Output,
    figure: Output,
    splits: dict[str, str],
) -> None:
    """`found` and `true`: eval.json and true_size.json of the clips that have a truth, in the same order."""
    if not true:
        raise Failed(
            "no clip that passed its gates has a truth beside it: rendered clips have (docs/suite.md)"
        )
    series = []
    for (name, paper), paths in zip(TRUE_SIZE.items(), (found, true), strict=True):
        evals = [json.loads(path.read_text()) for path in paths]
        series.append(unseen.Series.of_evals(name, evals, splits, paper))
    write_csv(table, unseen.lines(series))
    markdown.write_text(unseen.markdown(TITLE, series, [(series[0], series[1])], NOTES))
    unseen.draw_bars(series, figure)


stage(main)
