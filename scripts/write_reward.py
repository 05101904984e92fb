"""Write one reward function; from the second round on, a reflection on the best one so far."""

import json
import random
from pathlib import Path

from scripts.stage import Failed, Input, Output, stage
from video2policy.author import grammar
from video2policy.author.cassette import NoReply
from video2policy.author.exchange import Reply, Request, scene_summary
from video2policy.author.feedback import NEVER
from video2policy.author.genome import RewardGenome
from video2policy.author.reflection import reflect
from video2policy.scene import Scene


def main(
    scene: Input,
    task: Input,
    request: Output,
    reply: Output,
    reward: Output,
    iteration: int,
    sample: int,
    author: dict,
    previous: Input | None = None,
    feedback: Input | None = None,
    config: dict | None = None,
) -> None:
    """`previous` is the last round's best/ with reply.json and search.json; `feedback` is its text.

    Round 0 draws from the family: sample 0 is its default reward, the others vary it.
    """
    try:
        if author["name"] == grammar.NAME:
            asked, answered = by_grammar(scene, task, iteration, sample, author, previous)
        else:
            asked, answered = by_model(scene, task, iteration, sample, author, config, previous, feedback)
    except (grammar.AuthorError, NoReply) as error:
        raise Failed(str(error)) from None
    asked.save(request)
    answered.save(reply)
    reward.write_text(answered.source, encoding="utf-8")


def by_grammar(
    scene: Path, task: Path, iteration: int, sample: int, author: dict, previous: Path | None
) -> tuple[Request, Reply]:
    loaded = Scene.load(scene)
    seed = int(author.get("seed", 0))
    parent = None
    if previous is not None:
        best = Reply.load(previous / "reply.json")
        search = json.loads((previous / "search.json").read_text())
        parent = {"genome": best.genome, "search": search, "partners": _partners(previous)}
    asked = Request(grammar.NAME, seed, "reward", iteration, sample, scene_summary(loaded), parent)
    rng = random.Random(f"{seed}/{asked.key}")
    notes: list[str] = []
    if parent is None:
        genome = grammar.default_reward(loaded) if sample == 0 else grammar.sample_reward(loaded, rng)
    else:
        partners = [RewardGenome.from_json(item) for item in parent["partners"]]
        genome, notes = reflect(
            RewardGenome.from_json(parent["genome"]), parent["search"], rng, sample, partners
        )
    stated = grammar.read_thresholds(task.read_text(encoding="utf-8")) or {}
    thresholds = grammar.choose_thresholds(loaded) | stated
    source = grammar.write_reward_file(genome, loaded.task.roles, thresholds)
    return asked, Reply(asked.key, grammar.NAME, source, genome.to_json(), notes)


def by_model(
    scene: Path,
    task: Path,
    iteration: int,
    sample: int,
    author: dict,
    config: dict | None,
    previous: Path | None,
    feedback: Path | None,
) -> tuple[Request, Reply]:
    from video2policy.author.llm import Author  # its client takes a second to import

    parent, redesign = None, False
    if previous is not None:
        rate = json.loads((previous / "best.json").read_text())["success_rate"]
        parent = {"source": (previous / "reward.py").read_text(encoding="utf-8"), "success_rate": rate}
        redesign = rate < NEVER
    said = feedback.read_text(encoding="utf-8") if feedback is not None else ""
    writer = Author.of(scene, author, config)
    return writer.write_reward(task.read_text(encoding="utf-8"), iteration, sample, parent, said, redesign)


def _partners(previous: Path) -> list[dict]:
    """Genomes of other good rewards, where the last selection kept some in partners.json."""
    path = previous / "partners.json"
    return json.loads(path.read_text()) if path.exists() else []


stage(main)
