"""Write one candidate for the six-part task code of a clip."""

import logging

from scripts.stage import Failed, Input, Output, stage
from video2policy.author import grammar
from video2policy.scene import Scene

log = logging.getLogger("video2policy")


def main(scene: Input, candidate: Output, sample: int, author: dict) -> None:
    """`author` is the config's block {name, seed}; `sample` numbers the candidate."""
    loaded = Scene.load(scene)
    if author["name"] != grammar.NAME:
        raise Failed(f'there is no author "{author["name"]}"; this version has "{grammar.NAME}"')
    try:
        genome = grammar.draw_task(loaded, int(author.get("seed", 0)), sample)
    except grammar.AuthorError as error:
        raise Failed(str(error)) from error
    candidate.write_text(grammar.write_task(genome, loaded))


stage(main)
