"""The rules of figure 9, made executable: a better reward from the best one's figures.

A run without success changes the gate; a flat component gets another temperature, one that is always zero
loses its gate or is rewritten; one that dominates the others or misleads is scaled down; with fewer than half
successes the goal counts more; a reward that works is varied a little or crossed with another good one.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from video2policy.author.catalogue import FAMILIES, TERMS
from video2policy.author.feedback import HALF, NEVER, Figures, read_figures
from video2policy.author.genome import RewardGenome
from video2policy.author.grammar import vary

DOMINANT = 5.0
"""A component this many times above the median of the others drowns them."""
HORIZON = 100
"""Steps over which a search record's figures are summed, where it does not say."""
GOAL_FACTOR = 1.5
TEMPERATURE_FACTOR = 3.0
GOALS = (
    *("lift", "push", "approach", "carry", "bring", "clear_away", "release"),
    *("go", "nudge", "touch", "outwards", "to_edge", "off", "part", "sidestep", "set_down", "load"),
    *(
        "erect",
        "invert",
        "lean",
        "put_flat",
        "roll",
        "spin",
        "let_down",
        "sink",
        "open",
        "flight",
        "rise",
        "strike",
    ),
)
"""Terms that measure the goal itself rather than the way to it."""


def reflect(
    parent: RewardGenome,
    search: Mapping[str, Any],
    rng: random.Random,
    sample: int = 0,
    partners: Sequence[RewardGenome] = (),
) -> tuple[RewardGenome, list[str]]:
    """The next reward, and one sentence for each change.

    `search` is the parent's search record. Sample 0 follows the rules alone; the others choose differently
    where a rule leaves a choice, and vary what comes out. Odd samples cross it with one of `partners` (other
    good rewards of the family) where there is one.
    """
    figures = read_figures(search)
    rate = float(search.get("success_rate", 0.0))
    reward, notes = parent, []
    if rate < NEVER:
        reward, note = _change_gate(reward, rng, sample)
        notes.append(note)
    reward, more = _mend_components(reward, figures, rng, sample, int(search.get("horizon", HORIZON)))
    notes += more
    if rate < HALF:
        reward, more = _raise_goal(reward, figures)
        notes += more
    if sample % 2 and partners:
        reward = _cross(reward, rng.choice(list(partners)), rng)
        notes.append("Crossed with another good reward.")
    if sample or not notes:
        reward = vary(reward, rng, 0.3 if rate >= HALF else 0.6)
        notes.append("Varied weights and temperatures.")
    return reward, notes


def _change_gate(reward: RewardGenome, rng: random.Random, sample: int) -> tuple[RewardGenome, str]:
    """Another gate for the family's gated terms; the sample decides which, so that a round tries them all."""
    family = FAMILIES[reward.family]
    now = next((c.gate for c in reward.components if c.name in family.gated), None)
    others = [gate for gate in family.gates if gate != now]
    if not others:
        return vary(reward, rng), "No success and no other gate: redrawn."
    gate = others[sample % len(others)]
    changed = tuple(replace(c, gate=gate) if c.name in family.gated else c for c in reward.components)
    return replace(reward, components=changed), f"No success: {', '.join(family.gated)} now gated by {gate}."


def _mend_components(
    reward: RewardGenome, figures: Mapping[str, Figures], rng: random.Random, sample: int, horizon: int
) -> tuple[RewardGenome, list[str]]:
    notes = []
    sizes = {name: max(abs(f.low), abs(f.high)) for name, f in figures.items() if not f.zero}
    for component in reward.components:
        seen = figures.get(component.name)
        if seen is None:
            continue
        kind = TERMS[component.name].kind
        others = [size for name, size in sizes.items() if name != component.name]
        if seen.zero and component.gate is not None:
            component = replace(component, gate=None)
            notes.append(f"{component.name} was always zero: its gate is gone.")
        elif seen.zero and kind != "flag":
            component = replace(
                component,
                shape=rng.choice(("inverse", "exp")),
                temperature=_other(component.temperature, True),
            )
            notes.append(f"{component.name} was always zero: rewritten as {component.shape}.")
        elif seen.flat and kind != "flag":
            # Near its largest value it is saturated and wants a steeper slope; near zero it is blind.
            saturated = seen.mean > 0.5 * component.weight * horizon
            steeper = saturated if sample % 2 == 0 else not saturated
            component = replace(component, temperature=_other(component.temperature, steeper=steeper))
            notes.append(f"{component.name} was flat: temperature now {component.temperature:g}.")
        elif seen.misleads and kind != "penalty" and component.name not in GOALS:
            component = replace(component, weight=round(component.weight / 2, 4))
            notes.append(f"{component.name} was higher in failures: halved.")
        elif (
            len(others) > 1
            and sizes.get(component.name, 0.0) > DOMINANT * median(others) > 0
            and component.name not in GOALS
        ):
            component = replace(component, weight=round(component.weight / 2, 4))
            notes.append(f"{component.name} drowned the others: halved.")
        else:
            continue
        reward = reward.with_component(component)
    return reward, notes


def _other(temperature: float, steeper: bool) -> float:
    return round(temperature * TEMPERATURE_FACTOR if steeper else temperature / TEMPERATURE_FACTOR, 4)


def _raise_goal(reward: RewardGenome, figures: Mapping[str, Figures]) -> tuple[RewardGenome, list[str]]:
    notes = []
    for component in reward.components:
        seen = figures.get(component.name)
        if component.name in GOALS and seen is not None and seen.moving:
            weight = round(component.weight * GOAL_FACTOR, 4)
            reward = reward.with_component(replace(component, weight=weight))
            notes.append(f"{component.name} moves but seldom suffices: weight now {weight:g}.")
    return reward, notes


def _cross(one: RewardGenome, other: RewardGenome, rng: random.Random) -> RewardGenome:
    """Each term from either parent."""
    theirs = {component.name: component for component in other.components}
    components = tuple(
        theirs[c.name] if c.name in theirs and rng.random() < 0.5 else c for c in one.components
    )
    return replace(one, components=components)
