"""Programs that act: what the author is asked, what it leaves, and whether it lifts and pushes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts import act_by_code
from scripts.stage import Input, Output
from tests.scenes import primitive_scene
from video2policy.author import grammar
from video2policy.author.programs import NoProgram
from video2policy.evaluate.improvise import Improviser
from video2policy.files import part_of
from video2policy.guard.leavings import LeavingsError
from video2policy.scene import Scene

STATES = {"eef_pos": [[0.0, 0.0, 0.3], [0.1, 0.0, 0.3]], "time_left": [[1.0], [0.5]]}


def asked(folder: Path, states: object = STATES) -> None:
    (folder / "asked_0.json").write_text(json.dumps({"step": 50, "states": states}))


def test_every_episode_gets_a_program_or_none(tmp_path: Path) -> None:
    def write(states, episode, step):
        if episode:
            raise NoProgram("too far away")
        return f"# {states['eef_pos']} at {step}\n"

    (tmp_path / "programs").mkdir()
    asked(tmp_path)
    improviser = Improviser(write, tmp_path / "programs")
    improviser.answer(tmp_path, '{"steps": 3}')
    improviser.answer(tmp_path, "asked 0")
    improviser.save()
    written = json.loads((tmp_path / "written_0.json").read_text())
    assert written == ["# [0.0, 0.0, 0.3] at 50\n", None]
    first, second = json.loads((tmp_path / "programs" / "index.json").read_text())
    assert (tmp_path / "programs" / f"{first['program']}.py").read_text() == written[0]
    assert second == {"run": 0, "episode": 1, "step": 50, "reason": "too far away"}


def test_what_programs_print_asks_nothing(tmp_path: Path) -> None:
    calls: list[int] = []

    def write(states, episode, step):
        calls.append(episode)
        return "x = 1\n"

    first, second = tmp_path / "first", tmp_path / "second"
    for workspace in (first, second):
        workspace.mkdir()
        asked(workspace)
    improviser = Improviser(write, tmp_path)
    for line in ("asked 7", "asked \u0660", "asked 0 ", "asked -1", "asked 0", "asked 0", "asked 1"):
        improviser.answer(first, line)
    assert calls == [0, 1] and not (first / "written_1.json").exists()
    improviser.answer(second, "asked 0")
    assert calls == [0, 1] * 2 and [row["run"] for row in improviser.log_rows] == [0, 0, 1, 1]


@pytest.mark.parametrize(
    "states", [[], {}, {"a": 1}, {"a": [[1.0]], "b": []}, {"a": [["x"]]}, {"a": [[float("nan")]]}, {"a": [1]}]
)
def test_what_is_no_question_is_refused(states: object, tmp_path: Path) -> None:
    asked(tmp_path, states)
    with pytest.raises(LeavingsError):
        Improviser(lambda *_: "", tmp_path).answer(tmp_path, "asked 0")


def test_an_answer_follows_no_link_that_a_worker_laid(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept")
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    asked(workspace)
    (workspace / "written_0.json").symlink_to(victim)
    Improviser(lambda *_: "x = 1\n", tmp_path).answer(workspace, "asked 0")
    assert victim.read_text() == "kept"
    part_of(workspace / "written_0.json").symlink_to(victim)
    Improviser(lambda *_: "x = 1\n", tmp_path).answer(workspace, "asked 0")
    assert victim.read_text() == "kept"
    assert not (workspace / "written_0.json").is_symlink()


@pytest.mark.slow
@pytest.mark.parametrize("family", ["lift", "push_left", "push_right"])
def test_the_grammar_s_programs_are_no_straw_man(family: str, tmp_path: Path) -> None:
    scene = Input(primitive_scene(tmp_path / "scene", family))
    loaded = Scene.load(scene)
    task = tmp_path / "task.py"
    task.write_text(grammar.write_task(grammar.draw_task(loaded, 0, 0), loaded))
    outputs = [Output(tmp_path / name) for name in ("programs", "eval.json", "rollout.mp4")]
    simulation = {"engine": "mujoco", "device": "cpu", "robot": "floating", "horizon": 120}
    act_by_code.main(
        scene,
        Input(task),
        *outputs,
        "clip",
        "code_as_policies",
        {"name": "grammar"},
        {"seeds": 1, "episodes": 20, "seed": 5},
        simulation | {"fit_gripper": True},
    )
    judged = json.loads(outputs[1].read_text())
    assert judged["success_rate"] >= 0.9
    assert judged["programs"]["asked"] == judged["programs"]["written"] == 20 * 3
    assert outputs[2].stat().st_size > 10_000
