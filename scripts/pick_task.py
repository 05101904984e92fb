"""Check every candidate in a process of its own and pick one, with a written reason."""

import json
import logging

from scripts.stage import Failed, Input, Output, stage
from video2policy.author import grammar
from video2policy.author.blocks import borrow_method
from video2policy.author.cassette import NoReply
from video2policy.author.picking import pick
from video2policy.author.seen import CLIP
from video2policy.guard.checks import check_files

log = logging.getLogger("video2policy")


def main(
    scene: Input,
    candidates: list[Input],
    task: Output,
    pick_json: Output,
    author: dict,
    sandbox: str = "best_effort",
    config: dict | None = None,
    frames: Input | None = None,
    reset: Input | None = None,
) -> None:
    """Copy the best of `candidates` to `task`; `pick_json` holds all checks and the reason.

    A language model reads those that run and picks; its dialogue is kept as `reread`. `reset` is another
    task, whose reset function replaces the picked one's."""
    clip = author.get("sees", CLIP) == CLIP
    reports, level = check_files(scene, [(path, None) for path in candidates], sandbox, clip)
    reread: dict = {}
    if author["name"] == grammar.NAME:
        chosen = pick(reports)
    else:
        from video2policy.author.llm import Author  # its client takes a second to import

        sources = [path.read_text(encoding="utf-8") for path in candidates]
        try:
            chosen, reread = Author.of(scene, author, config, frames).pick(sources, reports)
        except NoReply as error:
            raise Failed(str(error)) from None
    record = {**chosen.to_json(), "sandbox": level} | ({"reread": reread} if reread else {})
    pick_json.write_text(json.dumps(record, indent=1) + "\n")
    if chosen.index is None:
        raise Failed(f"no task: {chosen.reason}")
    log.info("task: %s", chosen.reason)
    source = candidates[chosen.index].read_text(encoding="utf-8")
    if reset is not None:
        source = borrow_method(source, reset.read_text(encoding="utf-8"), "reset_objects_states")
    task.write_text(source, encoding="utf-8")
    if reset is not None and not check_files(scene, [(task, None)], sandbox, clip)[0][0]["runs"]:
        raise Failed(f"the reset function of {reset} does not run within candidate {chosen.index}")


stage(main)
