"""The best reward so far (a worse round never replaces it) and the feedback for the next round."""

import json
import logging
import shutil
from pathlib import Path

from scripts.stage import Failed, Input, Output, stage
from video2policy.author.exchange import Reply
from video2policy.author.feedback import feedback_markdown
from video2policy.train.search import describe, select

PARTNERS = 3
"""Other good rewards that are kept for crossover."""


def main(
    searches: list[Input],
    rewards: list[Input],
    replies: list[Input],
    policies: list[Input],
    best: Output,
    feedback: Output,
    iteration: int,
    previous: Input | None = None,
) -> None:
    """`best` holds reward.py, policy.safetensors, reply.json, search.json, best.json and partners.json."""
    results = [json.loads(path.read_text()) for path in searches]
    before = json.loads((previous / "best.json").read_text()) if previous else None
    chosen = select(results, before)
    if chosen is None and previous is None:
        reasons = "; ".join(dict.fromkeys(result["reason"].splitlines()[-1].strip() for result in results))
        raise Failed(f"every reward of the first round failed: {reasons}")
    best.mkdir(exist_ok=True)
    if chosen is None:
        assert previous is not None
        shutil.copytree(previous, best, dirs_exist_ok=True)
    else:
        shutil.copyfile(rewards[chosen], best / "reward.py")
        shutil.copyfile(policies[chosen], best / "policy.safetensors")
        shutil.copyfile(replies[chosen], best / "reply.json")
        shutil.copyfile(searches[chosen], best / "search.json")
        record = describe(iteration, chosen, results[chosen], before)
        (best / "best.json").write_text(json.dumps(record, indent=1) + "\n")
    (best / "partners.json").write_text(json.dumps(partners(results, replies, chosen, previous)) + "\n")
    feedback.write_text("\n".join(feedback_sections(iteration, results, best)))
    now = json.loads((best / "best.json").read_text())
    logging.getLogger("video2policy").info(
        "best so far: round %d sample %d, generated success %.2f",
        now["iter"],
        now["sample"],
        now["success_rate"],
    )


def partners(
    results: list[dict], replies: list[Input], chosen: int | None, previous: Path | None
) -> list[dict]:
    """Genomes of this round's other rewards that succeeded at times, best first, then those kept before.

    A language model's rewards have none."""
    order = sorted(range(len(results)), key=lambda k: -results[k]["success_rate"])
    good = [k for k in order if k != chosen and results[k]["success_rate"] > 0]
    kept = json.loads((previous / "partners.json").read_text()) if previous else []
    genomes = [Reply.load(replies[k]).genome for k in good] + kept
    return [dict(genome) for genome in genomes if genome is not None][:PARTNERS]


def feedback_sections(iteration: int, results: list[dict], best: Path) -> list[str]:
    """The best reward's components first: the next round starts from it; then this round's samples."""
    record = json.loads((best / "best.json").read_text())
    title = f"Best so far: round {record['iter']}, sample {record['sample']}"
    sections = [feedback_markdown(json.loads((best / "search.json").read_text()), title)]
    for k, result in enumerate(results):
        if (record["iter"], record["sample"]) != (iteration, k):
            sections.append(feedback_markdown(result, f"Round {iteration}, sample {k}"))
    return sections


stage(main)
