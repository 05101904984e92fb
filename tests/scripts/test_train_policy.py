"""The rule that trains the best reward to its end and with further seeds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts import train_policy
from video2policy.guard.process import WorkerError
from video2policy.train.run import Job

TRAINING = {"max_steps": 1000, "seed": 4, "warm_start": True, "legs": 1}


@pytest.fixture
def best(tmp_path) -> Path:
    folder = tmp_path / "best"
    folder.mkdir()
    (folder / "reward.py").write_text("reward")
    (folder / "best.json").write_text(json.dumps({"iter": 1}))
    (folder / "policy.safetensors").write_bytes(b"of the search")
    finished(folder, "solved")
    return folder


def finished(best: Path, stopped: str) -> None:
    """How the search's training ended."""
    (best / "search.json").write_text(json.dumps({"success_rate": 0.8, "stopped": stopped}))


def run(tmp_path: Path, best: Path, n_seeds: int, training: dict = TRAINING) -> Path:
    (tmp_path / "seeds").mkdir()
    train_policy.main(
        tmp_path / "scene.json",
        tmp_path / "task.py",
        best,
        tmp_path / "policy.safetensors",
        tmp_path / "seeds",
        n_seeds,
        {},
        training,
    )
    return tmp_path / "seeds"


def trainer(monkeypatch, *rates: float, solved: float = 2.0) -> list[tuple[Job, int]]:
    """Trainings leave their seed in place of a policy and end with `rates`, the last one again and again,
    solved from `solved` on; the list fills with what was asked for."""
    asked = []

    def fake(job: Job, seed: int, policy: Path, log_csv: Path, course: Path) -> dict:
        asked.append((job, seed))
        policy.write_bytes(b"trained with %d" % seed)
        log_csv.write_text("steps\n")
        rate = rates[min(len(asked), len(rates)) - 1] if rates else 0.9
        return {"seed": seed, "success_rate": rate, "stopped": "solved" if rate >= solved else "cap"}

    monkeypatch.setattr(train_policy, "run_training", fake)
    return asked


def test_a_solved_winner_is_the_first_policy_and_the_others_have_seeds_of_their_own(
    tmp_path, best, monkeypatch
):
    asked = trainer(monkeypatch)
    seeds = run(tmp_path, best, 3)
    assert all(job.reward == best / "reward.py" and job.parent is None for job, _ in asked)
    assert {job.training["max_steps"] for job, _ in asked} == {2000}  # the winner had two rounds of 1000
    trained = [seed for _, seed in asked]
    assert len(set(trained)) == 2 and TRAINING["seed"] not in trained
    assert (tmp_path / "policy.safetensors").read_bytes() == b"of the search"
    written = [(seeds / f"seed_{k}.safetensors").read_bytes() for k in range(3)]
    assert written == [b"of the search"] + [b"trained with %d" % seed for seed in trained]
    assert [row["seed"] for row in json.loads((seeds / "searches.json").read_text())] == trained


@pytest.mark.parametrize("rate, kept", [(0.9, b"trained with 4"), (0.7, b"of the search")])
def test_a_winner_that_is_not_solved_goes_on_and_the_better_is_kept(tmp_path, best, monkeypatch, rate, kept):
    finished(best, "cap")
    asked = trainer(monkeypatch, rate)
    seeds = run(tmp_path, best, 2)
    (onward, _), (scratch, _) = asked
    assert onward.parent == seeds / "seed_0.safetensors" and onward.training["max_steps"] == 1000
    assert scratch.parent is None and scratch.training["max_steps"] == 3000
    assert (seeds / "seed_0.safetensors").read_bytes() == kept
    assert (tmp_path / "policy.safetensors").read_bytes() == kept


def test_it_goes_on_from_the_best_so_far_until_it_is_solved(tmp_path, best, monkeypatch):
    finished(best, "cap")
    asked = trainer(monkeypatch, 0.85, 0.7, 0.96, solved=0.95)
    seeds = run(tmp_path, best, 1, {**TRAINING, "legs": 5})
    assert [seed for _, seed in asked] == [4, 5, 6]
    assert (tmp_path / "policy.safetensors").read_bytes() == b"trained with 6"
    assert sorted(path.name for path in seeds.glob("*.safetensors")) == ["seed_0.safetensors"]
    assert len(list(seeds.glob("seed_0_*.csv"))) == 3


def test_without_warm_start_the_winner_stays_as_it_is(tmp_path, best, monkeypatch):
    finished(best, "cap")
    asked = trainer(monkeypatch)
    run(tmp_path, best, 2, {**TRAINING, "warm_start": False})
    assert [job.training["max_steps"] for job, _ in asked] == [1000]
    assert (tmp_path / "policy.safetensors").read_bytes() == b"of the search"


def test_a_training_that_fails_is_an_error_of_the_rule(tmp_path, best, monkeypatch):
    def fake(*_: object) -> dict:
        raise WorkerError("the worker did not end within 10 s")

    monkeypatch.setattr(train_policy, "run_training", fake)
    with pytest.raises(WorkerError, match="within 10 s"):
        run(tmp_path, best, 2)
