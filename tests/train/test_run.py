"""One training in its worker: what is kept of it while it runs, and how it goes on after a kill."""

import struct
from pathlib import Path
from typing import Any

import pytest
from tensorboardX.proto.event_pb2 import Event

from bench.reference import TASKS
from tests.scenes import primitive_scene
from video2policy.train import run
from video2policy.train.run import Job, run_training

ENVIRONMENTS, HORIZON = 8, 20
UPDATE = 32 * ENVIRONMENTS


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    folder = tmp_path_factory.mktemp("scene")
    scene = primitive_scene(folder, "push_right", objects={"thing": "box"})
    simulation = {
        "engine": "mujoco",
        "device": "cpu",
        "robot": "floating",
        "horizon": HORIZON,
        "fit_gripper": True,
        "environments": ENVIRONMENTS,
        "randomise": "paper",
    }
    training = {
        "max_steps": 6 * UPDATE,
        "minibatch": 256,
        "units": [16, 16],
        "window": 8,
        "check_episodes": ENVIRONMENTS,
        "checkpoint_episodes": 3,
        "threads": 1,
        "success_weight": 100.0,
        "timeout": 600,
    }
    task = TASKS["push_right"]
    return Job(scene, task, task, simulation, training, sandbox="best_effort")


def events(folder: Path) -> dict[str, list[int]]:
    """The steps of every scalar in the folder's TensorBoard logs."""
    found: dict[str, list[int]] = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            event = Event.FromString(data[at + 12 : at + 12 + length])
            at += 16 + length
            for value in event.summary.value:
                found.setdefault(value.tag, []).append(event.step)
    return found


@pytest.mark.slow
def test_a_killed_training_goes_on_and_ends_in_the_same_policy(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = run_training(job, 5, tmp_path / "undisturbed", tmp_path / "log.csv", tmp_path / "other")
    course = tmp_path / "training"

    class Killed(BaseException):
        pass

    def killing(*args: Any) -> dict[str, Any]:
        tell = args[4]

        def kill(line: str) -> None:
            tell(line)
            if list(course.glob("checkpoint_*")):
                raise Killed

        return real(*args[:4], kill, *args[5:])

    real = run.run_worker
    with monkeypatch.context() as patch:
        patch.setattr(run, "run_worker", killing)
        with pytest.raises(Killed):
            run_training(job, 5, tmp_path / "policy", None, course)
    assert not (tmp_path / "policy").exists()

    result = run_training(job, 5, tmp_path / "policy", tmp_path / "again.csv", course)
    assert (tmp_path / "policy").read_bytes() == (tmp_path / "undisturbed").read_bytes()
    assert result == undisturbed
    assert not list(course.glob("*checkpoint_*"))
    shown = events(course)
    assert {UPDATE * k for k in range(1, 7)} <= set(shown["success_rate"])
    parts = [name for name in shown if name.endswith("/failure")]
    assert parts and {"return", "steps_per_second", "seconds_left"} <= shown.keys()
    # what was trained before the kill was not trained again
    assert max(shown["steps"].count(step) for step in shown["steps"]) <= 2
    assert shown["steps"].count(UPDATE) == 1
    rows = (tmp_path / "again.csv").read_text().splitlines()
    assert len(rows) == 7 and set(parts) <= set(rows[0].split(","))


@pytest.mark.parametrize("steps", ["Infinity", "NaN", "1" + "0" * 400, "1" + "0" * 5000, "[]", "1e30"])
def test_odd_progress_is_passed_over(job: Job, steps: str) -> None:
    with run._Course(job, 5, None) as kept:
        kept.tell(f'{{"steps": {steps}}}')


def test_another_training_does_not_go_on_from_it(job: Job, tmp_path: Path) -> None:
    assert job.identity(5) != job.identity(6)
    course, worker = tmp_path / "training", tmp_path / "worker"
    course.mkdir()
    worker.mkdir()
    (course / f"checkpoint_{job.identity(6)}.safetensors").write_bytes(b"of another seed")
    with run._Course(job, 5, course) as kept:
        kept.hand_out(worker)
    assert not list(worker.iterdir()) and not list(course.glob("checkpoint_*"))
