"""Written programs: every family's passes the allow-list and acts; its numbers follow from the states."""

from __future__ import annotations

import pytest
import torch

from video2policy.author.programs import PLANS, NoProgram, write_program
from video2policy.guard.load import run_module
from video2policy.guard.stand_in import random_states
from video2policy.guard.syntax import check_syntax

SIZES = {"thing": [0.06, 0.05, 0.09], "other": [0.12, 0.1, 0.1]}
ROLES = {"a": "thing", "b": "other"}


def numbers(states: dict[str, torch.Tensor], episode: int = 0) -> dict[str, list[float]]:
    return {name: value[episode].reshape(-1).tolist() for name, value in states.items()}


@pytest.mark.parametrize("family", PLANS)
def test_a_program_passes_the_checks_and_acts(family: str) -> None:
    states = random_states(SIZES, 16, 0)
    source = write_program(family, ROLES, numbers(states), 50, 'say "it"\\ {a}')
    assert check_syntax(source) == [] and "{" not in source.replace('{a}"', "")
    before = {name: value.clone() for name, value in states.items()}
    actions = run_module(source, "program")["policy"](states)
    assert actions.shape == (16, 7) and torch.isfinite(actions).all()
    assert all(torch.equal(states[name], value) for name, value in before.items())


def test_where_something_goes_is_read_from_the_states() -> None:
    states = random_states(SIZES, 16, 0)
    first, second = (write_program("put_into", ROLES, numbers(states, k), 0) for k in range(2))
    assert first != second
    x, y, _ = states["other_pos"][0].tolist()
    assert f"place = torch.tensor([{x:.4g}, {y:.4g}])" in first


def test_a_family_without_a_plan_is_refused() -> None:
    with pytest.raises(NoProgram, match='"roll"; there is one for lift'):
        write_program("roll", ROLES, {}, 0)
