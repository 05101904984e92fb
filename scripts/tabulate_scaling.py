"""Success on unseen clips over the number of training clips, the paper's beside ours."""

import json

from scripts.stage import Input, Output, stage
from video2policy.evaluate.perception import write_table
from video2policy.policy import scaling

NOTES = (
    "Judged episodes of the image policy, by the sheet's split, with 95% intervals clustered by clip.",
    "A split without a clip that passed its gates has no rate. The paper pools its ten unseen clips.",
)


def main(evals: list[Input], table: Output, markdown: Output, figure: Output, counts: list[int]) -> None:
    """`counts` are the numbers of training clips of `evals`, in order."""
    evaluations = [json.loads(path.read_text()) for path in evals]
    write_table(scaling.lines(counts, evaluations), NOTES, table, markdown)
    scaling.draw(counts, evaluations, figure)


stage(main)
