"""Figure 6: success on unseen clips over the number of training clips, the paper's end of it beside ours."""

import json

from scripts.stage import Input, Output, stage
from video2policy.evaluate.comparison import write_csv
from video2policy.paper import BC_V2P, GENERALIST
from video2policy.policy import unseen

TITLE = "Success over the number of training clips"
NOTES = ("Judged episodes with 95% intervals clustered by clip. The paper states .75 after 100 clips.",)


def main(evals: list[Input], table: Output, markdown: Output, figure: Output, counts: list[int]) -> None:
    """`counts` are the numbers of training clips of `evals`, in order."""
    series = [
        unseen.Series.of_clones(f"{count} clips", json.loads(path.read_text()), training_clips=count)
        for count, path in zip(counts, evals, strict=True)
    ]
    write_csv(table, unseen.lines(series))
    pairs = [(series[0], one) for one in series[1:]]
    markdown.write_text(unseen.markdown(TITLE, series, pairs, NOTES))
    unseen.draw_curves(counts, series, GENERALIST[BC_V2P], figure)


stage(main)
