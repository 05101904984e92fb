"""The share of clips and objects that each gate refuses (paper, table 4)."""

import json

from scripts.stage import Input, Output, stage
from video2policy.evaluate.perception import failures, gate_of, write_table
from video2policy.perceive.verdict import Verdict

NOTES = (
    "The paper counts failures over 20 clips of Something-Something V2 (average .42). Ours counts what the",
    "gates refuse of the clips and objects that reach them; a failure that no gate notices is not in it.",
)


def main(verdicts: list[Input], captions: list[Input], table: Output, markdown: Output) -> None:
    """Write table 4 as CSV and as Markdown."""
    paths = [*verdicts, *captions]
    gates = [(*gate_of(path), Verdict.from_json(json.loads(path.read_text()))) for path in paths]
    write_table(failures(gates), NOTES, table, markdown)


stage(main)
