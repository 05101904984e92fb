"""What the Snakefile asks of the config. Standard library only: it runs in the lean host environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


def as_list(value: Any) -> list[Any]:
    """A config value given as a list, or on the command line as one string with commas."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return list(value) if isinstance(value, (list, tuple)) else [value]


def merged_config(config: Mapping[str, Any], variant: str) -> dict[str, Any]:
    """The config with the variant's own values in place, block by block.

    A variant of `variants` hides one of the same name in `comparisons`.
    """
    merged = dict(config)
    blocks = {**(config.get("comparisons") or {}), **config["variants"]}.get(variant)
    for block, values in (blocks or {}).items():
        merged[block] = {**config[block], **values} if isinstance(values, Mapping) else values
    return merged


MOST_HALVINGS = 2
"""The first round's trainings are at least a quarter as long as the last one's."""


@dataclass(frozen=True)
class Round:
    """One round of reward search: trainings in it, environment steps of each at most, and how many of them go
    on with a reward of the round before (the others try new rewards)."""

    samples: int
    steps: int
    going_on: int


def schedule(reward: Mapping[str, Any], max_steps: int) -> list[Round]:
    """The rounds of a search, all of the same number of environment steps at most.

    "rounds": as many trainings of full length in each (paper, section 3.2). "halving": each round has half as
    many as the one before, twice as long, and half of them go on with what did best.
    """
    count, samples = int(reward["iterations"]), int(reward["samples"])
    if reward["search"] == "rounds":
        return [Round(samples, max_steps, 0)] * count
    rounds = []
    for k in range(count):
        factor = 2 ** min(count - 1 - k, MOST_HALVINGS)
        going_on = 0 if k == 0 else max(samples * factor // 2, 1)
        rounds.append(Round(samples * factor, max(max_steps // factor, 1), going_on))
    return rounds


def search_budget(config: Mapping[str, Any]) -> dict[str, int]:
    """Environment steps that a variant's reward search may take at most, and its judged episodes."""
    evaluation = config["evaluation"]
    rounds = schedule(config["reward"], int(config["training"]["max_steps"]))
    by_code = config["author"]["writes"] == "policy"
    return {
        "search_steps": 0 if by_code else sum(part.samples * part.steps for part in rounds),
        "seeds": evaluation["seeds"],
        "episodes": evaluation["episodes"],
        "horizon": config["simulation"]["horizon"],
    }


DECIDES = ("seed", "model", "temperature", "max_tokens", "options", "attempts", "send_frames", "examples")
"""What of the config's `author` block decides what a language model is asked."""

TOLD = ("sees", "success", "feedback")
"""What of it decides what any author is told and asked for."""


def author_params(author: Mapping[str, Any], prompts: str) -> dict[str, Any]:
    """What of the `author` block a job's result depends on.

    A reply does not depend on where it came from or what it cost: another budget, endpoint or `replay` reruns
    nothing. `prompts` is the hash of the prompt files.
    """
    told = {name: author[name] for name in TOLD if name in author}
    if author["name"] == "grammar":
        return {**{name: author[name] for name in ("name", "seed")}, **told}
    return {"name": "llm", **{name: author[name] for name in DECIDES}, **told, "prompts": prompts}


def curriculum_stages(author: Mapping[str, Any], known: Callable[[], set[str]]) -> dict[str, int]:
    """The stage of every clip that the curriculum names, from 0.

    `known` gives the ids of all clips in the sheet, also of those that the config's filters leave out. Raises
    ValueError for a clip that is named twice or not known.
    """
    stages: dict[str, int] = {}
    for number, videos in enumerate(author.get("curriculum") or []):
        for video in videos:
            if video in stages:
                raise ValueError(f'author.curriculum names the clip "{video}" twice')
            if video not in known():
                raise ValueError(f'author.curriculum names the clip "{video}", which is not in the sheet')
            stages[video] = number
    return stages
