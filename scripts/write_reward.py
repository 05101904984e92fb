"""Write one reward function; from the second round on, a reflection on the best one so far."""

import json
import random
from dataclasses import replace
from pathlib import Path

from scripts.stage import Failed, Input, Output, stage
from video2policy.author import grammar
from video2policy.author.cassette import NoReply
from video2policy.author.exchange import Reply, Request, scene_summary
from video2policy.author.feedback import NEVER, merged
from video2policy.author.genome import RewardGenome
from video2policy.author.reflection import reflect
from video2policy.author.seen import CLIP, seen
from video2policy.scene import Scene
from video2policy.train.search import Ancestor, ancestor


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
    going_on: int = 0,
) -> None:
    """`previous` is the last round's best/ with reply.json and search.json; `feedback` is its text.

    Round 0 draws from the family: sample 0 is its default reward, the others vary it. In a search by halving
    the first `going_on` samples keep the reward of a member of the round before, the others come from one.
    """
    came = Ancestor(0, False)
    folder: Path | None = previous
    if previous is not None and going_on:
        came = ancestor(sample, going_on, len(list(previous.glob("members/*"))))
        member = previous / "members" / str(came.rank)
        folder = member if member.exists() else previous
    try:
        if came.goes_on and folder is not None:
            asked, answered = as_before(scene, iteration, sample, author, folder)
        elif author["name"] == grammar.NAME:
            asked, answered = by_grammar(scene, task, iteration, sample, author, folder, previous)
        else:
            asked, answered = by_model(scene, task, iteration, sample, author, config, folder, feedback)
    except (grammar.AuthorError, NoReply) as error:
        raise Failed(str(error)) from None
    asked.save(request)
    answered.save(reply)
    reward.write_text(answered.source, encoding="utf-8")


def as_before(scene: Path, iteration: int, sample: int, author: dict, folder: Path) -> tuple[Request, Reply]:
    """A member's own reward, which goes on."""
    record, kept = json.loads((folder / "member.json").read_text()), Reply.load(folder / "reply.json")
    parent = {name: record[name] for name in ("iter", "sample")}
    summary = scene_summary(seen(Scene.load(scene), author.get("sees", CLIP)))
    asked = Request(kept.author, int(author.get("seed", 0)), "reward", iteration, sample, summary, parent)
    notes = [f"Goes on with the reward of round {record['iter']}, sample {record['sample']}."]
    return asked, replace(kept, request=asked.key, notes=notes)


def by_grammar(
    scene: Path,
    task: Path,
    iteration: int,
    sample: int,
    author: dict,
    folder: Path | None,
    previous: Path | None,
) -> tuple[Request, Reply]:
    """`folder` holds the reward that this one comes from, `previous` the partners for crossover."""
    loaded = seen(Scene.load(scene), author.get("sees", CLIP))
    seed = int(author.get("seed", 0))
    parent = None
    if folder is not None and previous is not None:
        best = Reply.load(folder / "reply.json")
        search = json.loads((folder / "search.json").read_text())
        if author.get("feedback") == "merged":
            search = merged(search)
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
    folder: Path | None,
    feedback: Path | None,
) -> tuple[Request, Reply]:
    """`folder` holds the reward that this one comes from."""
    from video2policy.author.llm import Author  # its client takes a second to import

    parent, redesign = None, False
    if folder is not None:
        rate = json.loads((folder / "search.json").read_text())["success_rate"]
        parent = {"source": (folder / "reward.py").read_text(encoding="utf-8"), "success_rate": rate}
        redesign = rate < NEVER
    said = feedback.read_text(encoding="utf-8") if feedback is not None else ""
    writer = Author.of(scene, author, config)
    return writer.write_reward(task.read_text(encoding="utf-8"), iteration, sample, parent, said, redesign)


def _partners(previous: Path) -> list[dict]:
    """Genomes of other good rewards, where the last selection kept some in partners.json."""
    path = previous / "partners.json"
    return json.loads(path.read_text()) if path.exists() else []


stage(main)
