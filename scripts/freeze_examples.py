"""The solved tasks of the curriculum's earlier stages, as examples for one stage."""

import logging

from scripts.stage import NO_INPUTS, Input, Output, stage
from video2policy.author import pool


def main(
    examples: Output,
    scenes: list[Input] = NO_INPUTS,
    tasks: list[Input] = NO_INPUTS,
    bests: list[Input] = NO_INPUTS,
) -> None:
    """`examples` is a folder of task modules; `bests` hold the last best reward and what it reached."""
    examples.mkdir(exist_ok=True)
    kept = pool.freeze(scenes, tasks, bests, examples)
    logging.getLogger("video2policy").info("examples: %s", ", ".join(kept) or "none was solved")


stage(main)
