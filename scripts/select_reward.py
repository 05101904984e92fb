"""The best reward so far (a worse round never replaces it) and the feedback for the next round."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

from scripts.stage import Failed, Input, Output, stage
from video2policy.author.exchange import Reply
from video2policy.author.feedback import feedback_markdown, merged
from video2policy.train.run import Job, measure_again, with_patience
from video2policy.train.search import describe, order, select

PARTNERS = 3
"""Other good rewards that are kept for crossover."""
CONFIRMED = 2
"""Rewards of a round whose policies are measured again, on fresh episodes."""
FRESH = 500_000
"""From the seed of training to that of the episodes on which winners are measured again."""
FILES = ("reward.py", "policy.safetensors", "reply.json", "search.json")


def main(
    scene: Input,
    task: Input,
    searches: list[Input],
    rewards: list[Input],
    replies: list[Input],
    policies: list[Input],
    best: Output,
    feedback: Output,
    iteration: int,
    simulation: dict[str, Any],
    training: dict[str, Any],
    previous: Input | None = None,
    fresh: bool = False,
    members: int = 0,
    split: bool = True,
    sandbox: str = "best_effort",
    config: dict[str, Any] | None = None,
) -> None:
    """`best` holds reward.py, policy.safetensors, reply.json, search.json, best.json and partners.json.

    With `fresh`, the winner is the one that does best on fresh seeds. Where the next round goes on with
    `members` of this one, they lie in best/members/, best first. `split` tells the author of successes and
    failures apart.
    """
    results = [json.loads(path.read_text()) for path in searches]
    before = json.loads((previous / "best.json").read_text()) if previous else None
    tried = [k for k in order(results)[:CONFIRMED] if fresh and results[k]["success_rate"] > 0]
    for k in tried:
        job = Job(scene, task, rewards[k], simulation, with_patience(training, config), sandbox=sandbox)
        results[k]["confirmed"] = measure_again(job, policies[k], int(training["seed"]) + FRESH)
    eligible = tried or range(len(results))
    chosen = select(
        [r if k in eligible else {**r, "stopped": "spared"} for k, r in enumerate(results)], before
    )
    if chosen is None and previous is None:
        reasons = "; ".join(dict.fromkeys(result["reason"].splitlines()[-1].strip() for result in results))
        raise Failed(f"every reward of the first round failed: {reasons}")
    best.mkdir(exist_ok=True)
    sources = [
        dict(zip(FILES, files, strict=True))
        for files in zip(rewards, policies, replies, searches, strict=True)
    ]
    records = [
        describe(iteration, k, result, parent(result, before, previous)) for k, result in enumerate(results)
    ]
    if chosen is None:
        assert previous is not None
        for name in (*FILES, "best.json"):
            shutil.copyfile(previous / name, best / name)
    else:
        keep(best, sources[chosen], records[chosen], "best.json")
    for rank, k in enumerate(order(results)[:members]):
        keep(best / "members" / str(rank), sources[k], records[k], "member.json")
    (best / "partners.json").write_text(json.dumps(partners(results, replies, chosen, previous)) + "\n")
    feedback.write_text("\n".join(feedback_sections(iteration, results, best, split)))
    now = json.loads((best / "best.json").read_text())
    logging.getLogger("video2policy").info(
        "best so far: round %d sample %d, generated success %.2f",
        now["iter"],
        now["sample"],
        now.get("confirmed", now["success_rate"]),
    )


def keep(folder: Path, files: dict[str, Input], record: dict[str, Any], name: str) -> None:
    """Copy a sample's files to `folder`, with where it comes from."""
    folder.mkdir(parents=True, exist_ok=True)
    for target, source in files.items():
        shutil.copyfile(source, folder / target)
    (folder / name).write_text(json.dumps(record, indent=1) + "\n")


def parent(result: dict, before: dict | None, previous: Path | None) -> dict | None:
    """The record of the reward that a sample was written from: a member of the round before, or the best."""
    origin = result.get("origin")
    if previous is not None and origin is not None:
        for path in sorted(previous.glob("members/*/member.json")):
            member = json.loads(path.read_text())
            if all(member[name] == origin[name] for name in ("iter", "sample")):
                return dict(member)
    return before


def partners(
    results: list[dict], replies: list[Input], chosen: int | None, previous: Path | None
) -> list[dict]:
    """Genomes of this round's other rewards that succeeded at times, best first, then those kept before.

    A language model's rewards have none."""
    good = [k for k in order(results) if k != chosen and results[k]["success_rate"] > 0]
    kept = json.loads((previous / "partners.json").read_text()) if previous else []
    genomes = [Reply.load(replies[k]).genome for k in good] + kept
    return [dict(genome) for genome in genomes if genome is not None][:PARTNERS]


def feedback_sections(iteration: int, results: list[dict], best: Path, split: bool) -> list[str]:
    """The best reward's components first: the next round starts from it; then this round's samples."""
    record = json.loads((best / "best.json").read_text())
    told = [result if split else merged(result) for result in results]
    first = json.loads((best / "search.json").read_text())
    title = f"Best so far: round {record['iter']}, sample {record['sample']}"
    sections = [feedback_markdown(first if split else merged(first), title)]
    for k, result in enumerate(told):
        if (record["iter"], record["sample"]) != (iteration, k):
            sections.append(feedback_markdown(result, f"Round {iteration}, sample {k}"))
    return sections


stage(main)
