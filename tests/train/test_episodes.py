"""Episode statistics: full episodes only, components apart by outcome."""

import torch

from video2policy.train.episodes import Episodes


def step(reach: list[float], success: list[bool] | None = None) -> dict:
    values = torch.tensor(reach)
    outcome = torch.tensor(success or [False, False])
    return {
        "components": {"reach": values},
        "reward": values,
        "success": outcome,
        "time_outs": outcome | True,
    }


def play(episodes: Episodes, length: int, reach: list[float], success: list[bool], at: int) -> None:
    """Whole episodes in both environments; the last step decides the outcome."""
    for index in range(length):
        last = index == length - 1
        info = step(reach, success if last else [True, True])
        done = torch.tensor([last, last])
        info["time_outs"] = done
        episodes.add(at, done, info)


def test_first_episodes_are_cut_short_and_do_not_count() -> None:
    episodes = Episodes(2)
    play(episodes, 2, [1, 1], [True, True], 10)
    assert episodes.finished == []
    play(episodes, 4, [1.0, 2.0], [True, False], 20)
    assert [(e.success, e.total, e.components) for e in episodes.finished] == [
        (True, 4.0, (4.0,)),
        (False, 8.0, (8.0,)),
    ]


def test_summary_splits_by_outcome() -> None:
    episodes = Episodes(2)
    play(episodes, 1, [0, 0], [False, False], 0)
    play(episodes, 2, [1.0, 3.0], [True, False], 50)
    play(episodes, 2, [2.0, 4.0], [True, False], 100)
    summary = episodes.summary()
    reach = summary["components"]["reach"]
    assert reach["success"]["mean"] == 3.0 and reach["failure"]["mean"] == 7.0
    assert (reach["success"]["min"], reach["success"]["max"]) == (2.0, 4.0)
    assert reach["success"]["series"][5] == 2.0 and reach["success"]["series"][9] == 4.0
    assert reach["success"]["series"][0] is None
    assert summary["return"] == {"success": 3.0, "failure": 7.0}
    assert episodes.success_rate(4) == 0.5 and episodes.success_rate(5) == 0.0
    assert episodes.component_means(2) == {"reach": {"success": 4.0, "failure": 8.0}}


def test_no_success_is_said_as_none() -> None:
    episodes = Episodes(2)
    play(episodes, 1, [0, 0], [False, False], 0)
    play(episodes, 1, [1, 1], [False, False], 10)
    assert episodes.summary()["components"]["reach"]["success"] is None


def test_a_diverged_episode_is_not_full() -> None:
    episodes = Episodes(2)
    done = torch.tensor([True, True])
    episodes.add(0, done, step([0, 0]))
    info = step([1, 1]) | {"time_outs": torch.tensor([False, True])}
    episodes.add(2, done, info)
    assert len(episodes.finished) == 1
