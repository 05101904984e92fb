"""The rule that trains the best reward with further seeds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts import train_policy
from video2policy.guard.process import WorkerError
from video2policy.train.run import Job

TRAINING = {"max_steps": 1000, "seed": 4, "warm_start": True}


@pytest.fixture
def best(tmp_path) -> Path:
    folder = tmp_path / "best"
    folder.mkdir()
    (folder / "reward.py").write_text("reward")
    (folder / "best.json").write_text(json.dumps({"iter": 1}))
    (folder / "policy.safetensors").write_bytes(b"of the search")
    return folder


def run(tmp_path: Path, best: Path, n_seeds: int) -> Path:
    (tmp_path / "seeds").mkdir()
    train_policy.main(
        tmp_path / "scene.json",
        tmp_path / "task.py",
        best,
        tmp_path / "policy.safetensors",
        tmp_path / "seeds",
        n_seeds,
        {},
        TRAINING,
    )
    return tmp_path / "seeds"


def test_the_first_is_the_search_s_own_and_the_others_have_seeds_of_their_own(tmp_path, best, monkeypatch):
    trained = []

    def fake(job: Job, seed: int, policy: Path, log_csv: Path) -> dict:
        assert job.reward == best / "reward.py" and job.parent is None
        assert job.training["max_steps"] == 2000  # the winner had two rounds of 1000
        trained.append(seed)
        policy.write_bytes(b"trained with %d" % seed)
        log_csv.write_text("steps\n")
        return {"seed": seed, "success_rate": 0.9}

    monkeypatch.setattr(train_policy, "run_training", fake)
    seeds = run(tmp_path, best, 3)
    assert len(set(trained)) == 2 and TRAINING["seed"] not in trained
    assert (tmp_path / "policy.safetensors").read_bytes() == b"of the search"
    written = [(seeds / f"seed_{k}.safetensors").read_bytes() for k in range(3)]
    assert written == [b"of the search"] + [b"trained with %d" % seed for seed in trained]
    assert [row["seed"] for row in json.loads((seeds / "searches.json").read_text())] == trained


def test_a_training_that_fails_is_an_error_of_the_rule(tmp_path, best, monkeypatch):
    def fake(*_: object) -> dict:
        raise WorkerError("the worker did not end within 10 s")

    monkeypatch.setattr(train_policy, "run_training", fake)
    with pytest.raises(WorkerError, match="within 10 s"):
        run(tmp_path, best, 2)
