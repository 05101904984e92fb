"""Figure 9's rules on search records: what each figure changes, and what it leaves alone."""

import random
from dataclasses import replace
from typing import Any

import pytest

from video2policy.author.catalogue import FAMILIES
from video2policy.author.genome import Component, RewardGenome
from video2policy.author.reflection import reflect

PARENT = RewardGenome("lift", (Component("reach", 1.0, 10.0), Component("lift", 2.0, 10.0)))


def figures(low: float, high: float, *series: float, mean: float | None = None) -> dict[str, Any]:
    middle = (low + high) / 2 if mean is None else mean
    return {"mean": middle, "min": low, "max": high, "series": list(series) or [low, high]}


def record(rate: float, reach: Any = None, lift: Any = None) -> dict[str, Any]:
    """A search record per step (horizon 1) of failed episodes."""
    parts = {"reach": reach or figures(0.1, 0.8), "lift": lift or figures(0.1, 1.0, 0.5, 0.5)}
    return {
        "success_rate": rate,
        "horizon": 1,
        "components": {name: {"success": None, "failure": part} for name, part in parts.items()},
    }


def follow(search: dict[str, Any], sample: int = 0, **more: Any) -> tuple[RewardGenome, str]:
    reward, notes = reflect(PARENT, search, random.Random(0), sample, **more)
    return reward, " ".join(notes)


def test_no_success_changes_the_gate() -> None:
    reward, notes = follow(record(0.0))
    assert reward.component("lift").gate != PARENT.component("lift").gate
    assert "gated by" in notes
    gates = {follow(record(0.0), sample)[0].component("lift").gate for sample in (0, 1)}
    assert len(gates) == 2 and gates <= set(FAMILIES["lift"].gates)


@pytest.mark.parametrize(
    ("value", "temperature"), [(0.9, 30.0), (0.01, 3.3333)], ids=["saturated", "blind from afar"]
)
def test_a_flat_component_gets_another_temperature(value: float, temperature: float) -> None:
    """Figure 9: nearly constant -> change the temperature (there: increase it)."""
    reward, notes = follow(record(0.6, reach=figures(value, value * 1.01)))
    assert reward.component("reach").temperature == pytest.approx(temperature)
    assert "reach was flat" in notes
    assert reward.component("lift") == PARENT.component("lift")


def test_a_component_that_is_always_zero_is_rewritten() -> None:
    """Figure 9, item 4: consistently zero -> rewriting is necessary."""
    zero = figures(0.0, 0.0)
    gated = PARENT.with_component(replace(PARENT.component("lift"), gate="held"))
    reward, notes = reflect(gated, record(0.6, lift=zero), random.Random(0))
    assert reward.component("lift").gate is None and "always zero" in notes[0]
    reward, notes = reflect(PARENT, record(0.6, reach=zero), random.Random(0))
    assert reward.component("reach").shape != PARENT.component("reach").shape


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("sample", [0, 1])
def test_any_component_of_a_family_may_be_always_zero(family: str, sample: int) -> None:
    """A flag such as grasp stays zero in a training that never gets there."""
    parent = RewardGenome(family, FAMILIES[family].components)
    for never in parent.components:
        parts = {c.name: figures(0.0, 0.0) if c is never else figures(0.1, 0.8) for c in parent.components}
        search = record(0.0) | {
            "components": {name: {"success": None, "failure": part} for name, part in parts.items()}
        }
        reward, _ = reflect(parent, search, random.Random(0), sample)
        assert {c.name for c in reward.components} == {c.name for c in parent.components}


def test_a_component_that_misleads_is_halved() -> None:
    search = record(0.6, reach=figures(0.5, 0.9))
    search["components"]["reach"]["success"] = figures(0.1, 0.3)
    reward, notes = follow(search)
    assert reward.component("reach").weight == 0.5 and "higher in failures" in notes


def test_a_component_that_drowns_the_others_is_halved() -> None:
    parent = replace(
        PARENT, components=(*PARENT.components, Component("grasp", 1.0), Component("straight", 9.0))
    )
    search = record(0.6)
    search["components"] |= {
        "grasp": {"success": None, "failure": figures(0.0, 1.0)},
        "straight": {"success": None, "failure": figures(-9.0, -0.1)},
    }
    reward, notes = reflect(parent, search, random.Random(0))
    assert reward.component("straight").weight == 4.5 and "drowned" in " ".join(notes)
    assert reward.component("grasp").weight == 1.0


def test_the_goal_counts_more_when_it_moves_but_seldom_suffices() -> None:
    moving = figures(0.0, 1.0, 0.1, 0.9)
    reward, notes = follow(record(0.3, lift=moving))
    assert reward.component("lift").weight == 3.0 and "weight now 3" in notes
    reward, _ = follow(record(0.8, lift=moving))
    assert reward.component("lift").weight == pytest.approx(2.0, rel=0.6) and reward != PARENT


def test_a_good_reward_is_varied_a_little() -> None:
    reward, notes = follow(record(0.97), sample=2)
    assert notes == "Varied weights and temperatures."
    for component in PARENT.components:
        assert 0.5 < reward.component(component.name).weight / component.weight < 2.0


def test_odd_samples_cross_with_a_partner() -> None:
    partner = replace(PARENT, components=tuple(replace(c, weight=c.weight * 100) for c in PARENT.components))
    seen = set()
    for seed in range(12):
        reward, notes = reflect(PARENT, record(0.9), random.Random(seed), 1, [partner])
        assert "Crossed" in notes[0]
        seen.add(tuple(c.weight > 20 for c in reward.components))
    assert len(seen) == 4
    _, notes = reflect(PARENT, record(0.9), random.Random(0), 2, [partner])
    assert not any("Crossed" in note for note in notes)


def test_figure_9_throw() -> None:
    """The paper's analysis, with its numbers: the distance is flat, the final position always zero."""
    parent = RewardGenome(
        "drop_into",
        (
            Component("reach", 0.15, 8.0),
            Component("carry", 0.25, 4.0, gate="clear"),
            Component("raise", 0.3, gate="held"),
            Component("release", 0.7, gate="arrived"),
        ),
    )
    search = {
        "success_rate": 0.0,
        "horizon": 1,
        "components": {
            "reach": {"success": None, "failure": figures(0.0018, 0.1320, 0.1, 0.1272)},
            "carry": {"success": None, "failure": figures(0.0000, 0.0029, 0.001, 0.0012)},
            "raise": {"success": None, "failure": figures(-0.1, 0.2, 0.1, 0.1746)},
            "release": {"success": None, "failure": figures(0.0, 0.0)},
        },
    }
    reward, notes = reflect(parent, search, random.Random(0))
    text = " ".join(notes)
    assert "No success" in text and "release was always zero" in text
    assert reward.component("release").gate is None
    assert reward.component("carry").gate != "clear"
    assert reward.component("reach") == parent.component("reach")


def test_the_same_draw_gives_the_same_reward() -> None:
    for rate in (0.0, 0.3, 0.97):
        assert follow(record(rate), 1) == follow(record(rate), 1)


def test_records_without_figures_are_survived() -> None:
    for search in (
        {},
        {"success_rate": 0.0, "components": {}},
        {"success_rate": 1.0, "components": {"x": {}}},
    ):
        reward, notes = reflect(PARENT, search, random.Random(0))
        assert reward != PARENT and notes
