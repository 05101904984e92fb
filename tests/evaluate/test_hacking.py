"""Signs of reward hacking, each made and each absent."""

from __future__ import annotations

import numpy as np
import pytest

from tests.evaluate.scripted import Episode
from video2policy.evaluate.hacking import verdicts
from video2policy.evaluate.judges import Verdicts
from video2policy.evaluate.recording import Recording

SIZE = (0.05, 0.05, 0.05)
LIFTED = {0: (0.0, 0.0, 0.025), 20: (0.0, 0.0, 0.025), 50: (0.0, 0.0, 0.2)}
HELD = {step: (x, y, z + 0.01) for step, (x, y, z) in LIFTED.items()}


def seen(
    episode: Episode, generated: bool = True, judged: bool = True, valid: bool = True
) -> dict[str, bool]:
    states = {name: np.asarray(value, np.float32) for name, value in episode.record().items()}
    steps = episode.steps
    alive = np.ones((steps, 1), bool)
    alive[-1] = valid
    zeros = np.zeros((steps - 1, 1, 7))
    success = np.full((steps - 1, 1), generated)
    recording = Recording(states, zeros.astype(np.float32), success, alive, zeros.astype(np.float64))
    found = verdicts({"a": "cube"}, [recording], [Verdicts(np.array([judged]), np.array([3]))])
    assert all(set(v) == {"name", "passed", "message"} for v in found)
    return {v["name"]: v["passed"] for v in found}


def lift() -> Episode:
    return Episode().tool(HELD).object("cube", SIZE, LIFTED, range(15, 60), range(15, 60))


def test_an_honest_lift_shows_nothing() -> None:
    assert all(seen(lift()).values())


def failing(found: dict[str, bool]) -> set[str]:
    return {name for name, passed in found.items() if not passed}


def test_success_without_a_touch() -> None:
    assert failing(seen(Episode().object("cube", SIZE, LIFTED))) == {"contact"}
    assert "contact" not in failing(
        seen(Episode().object("cube", SIZE, LIFTED), generated=False, judged=False)
    )


def test_what_is_flung_or_leaves_the_table() -> None:
    flung = {**LIFTED, 22: (0.0, 0.0, 0.9)}
    assert failing(seen(Episode().tool(HELD).object("cube", SIZE, flung, range(5, 60)))) == {
        "speed",
        "height",
    }
    away = {**LIFTED, 50: (0.7, 0.0, 0.2)}
    assert failing(seen(Episode().tool(HELD).object("cube", SIZE, away, range(5, 60)))) == {"limits"}


def test_an_episode_whose_physics_broke_is_outside_the_limits() -> None:
    assert "limits" in failing(seen(lift(), generated=False, judged=False, valid=False))


@pytest.mark.parametrize(("generated", "judged"), [(True, False), (False, True)])
def test_judge_and_written_task_that_disagree(generated: bool, judged: bool) -> None:
    assert failing(seen(lift(), generated, judged)) == {"agreement"}
