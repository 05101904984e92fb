"""The author's scripts: candidates, the pick with its reason, rewards over rounds, refusals."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from scripts import pick_task, write_reward, write_task
from scripts.stage import Failed, Input, Output
from tests.scenes import primitive_scene
from video2policy.author.exchange import Reply
from video2policy.author.genome import RewardGenome
from video2policy.guard.checks import check_files
from video2policy.guard.syntax import check_syntax
from video2policy.scene import Scene

AUTHOR = {"name": "grammar", "candidates": 3, "seed": 0}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Input:
    return Input(primitive_scene(tmp_path_factory.mktemp("lift")))


def write(scene: Input, folder: Path, sample: int = 0) -> Input:
    path = folder / f"candidate_{sample}.py"
    request, reply = folder / "task_request.json", folder / "task_reply.json"
    write_task.main(scene, Output(path), Output(request), Output(reply), sample, AUTHOR)
    assert Reply.load(reply).source == path.read_text()
    assert json.loads(request.read_text())["key"] == Reply.load(reply).request
    return Input(path)


def reward(scene: Input, folder: Path, iteration: int, sample: int, previous: Path | None = None) -> Reply:
    folder.mkdir(exist_ok=True)
    write_reward.main(
        scene,
        write(scene, folder),
        Output(folder / "request.json"),
        Output(folder / "reply.json"),
        Output(folder / "reward.py"),
        iteration,
        sample,
        AUTHOR,
        Input(previous) if previous else None,
    )
    reply = Reply.load(folder / "reply.json")
    assert (folder / "reward.py").read_text() == reply.source
    assert json.loads((folder / "request.json").read_text())["key"] == reply.request
    assert check_syntax(reply.source) == []
    return reply


def search(folder: Path, reply: Reply, rate: float) -> Path:
    """What select_reward leaves in best/."""
    folder.mkdir()
    part = {"mean": 50.0, "min": 49.9, "max": 50.1, "series": [50.0, 50.0]}
    record = {"success_rate": rate, "components": {"reach": {"success": None, "failure": part}}}
    (folder / "search.json").write_text(json.dumps(record))
    reply.save(folder / "reply.json")
    return folder


def test_candidates_are_checked_and_one_is_picked(scene: Input, tmp_path: Path) -> None:
    candidates = [write(scene, tmp_path, sample) for sample in range(3)]
    assert len({path.read_text() for path in candidates}) == 3
    candidates[0].write_text("import os\n")
    pick_task.main(scene, candidates, Output(tmp_path / "task.py"), Output(tmp_path / "pick.json"), AUTHOR)
    chosen = json.loads((tmp_path / "pick.json").read_text())
    assert chosen["picked"] in (1, 2)
    assert (tmp_path / "task.py").read_text() == candidates[chosen["picked"]].read_text()
    assert not chosen["candidates"][0]["passed"]
    assert "import os is not allowed" in chosen["candidates"][0]["reason"]


def test_no_candidate_that_runs_ends_with_the_reason(scene: Input, tmp_path: Path) -> None:
    path = tmp_path / "candidate_0.py"
    path.write_text("x = open('y')\n")
    with pytest.raises(Failed, match="the name open is not allowed"):
        outputs = Output(tmp_path / "task.py"), Output(tmp_path / "pick.json")
        pick_task.main(scene, [Input(path)], *outputs, AUTHOR)
    assert json.loads((tmp_path / "pick.json").read_text())["picked"] is None
    assert not (tmp_path / "task.py").exists()


def test_the_first_reward_of_the_first_round_is_the_default(scene: Input, tmp_path: Path) -> None:
    first, second = (reward(scene, tmp_path / str(k), 0, k) for k in range(2))
    again = reward(scene, tmp_path / "again", 0, 1)
    assert first.source != second.source and again == second
    task = (tmp_path / "0" / "candidate_0.py").read_text()
    assert first.source.partition("@torch")[2] == task.partition("@torch")[2]


def test_later_rounds_reflect_on_the_best(scene: Input, tmp_path: Path) -> None:
    first = reward(scene, tmp_path / "first", 0, 0)
    best = search(tmp_path / "best", first, 0.6)
    second = reward(scene, tmp_path / "second", 1, 0, best)
    assert first.genome is not None and second.genome is not None
    before = RewardGenome.from_json(first.genome).component("reach").temperature
    after = RewardGenome.from_json(second.genome).component("reach").temperature
    assert after in (pytest.approx(3 * before), pytest.approx(before / 3, abs=1e-3))
    assert "reach was flat" in second.notes[0]
    samples = {reward(scene, tmp_path / f"s{k}", 1, k, best).source for k in range(4)}
    assert len(samples) == 4


def test_unknown_authors_and_families_are_refused(scene: Input, tmp_path: Path) -> None:
    outputs = [Output(tmp_path / name) for name in ("c.py", "request.json", "reply.json")]
    with pytest.raises(Failed, match='no author "oracle"'):
        write_task.main(scene, *outputs, 0, {"name": "oracle", "seed": 0})
    loaded = Scene.load(scene)
    other = tmp_path / "scene.json"
    replace(loaded, task=replace(loaded.task, family="juggle")).save(other)
    with pytest.raises(Failed, match="none that this author writes"):
        write_task.main(Input(other), *outputs, 0, AUTHOR)


def test_an_author_that_sees_less_writes_from_less(tmp_path: Path) -> None:
    ends = {"cube": [(0.0, 0.1, 0.03), (0.0, -0.14, 0.03)]}
    scene = Input(primitive_scene(tmp_path / "scene", "push_right", ends=ends))
    moved = {}
    for sees in ("clip", "sizes", "caption"):
        outputs = [Output(tmp_path / f"{sees}.{name}") for name in ("py", "request.json", "reply.json")]
        write_task.main(scene, *outputs, 0, AUTHOR | {"sees": sees})
        reply = Reply.load(outputs[2])
        assert reply.genome is not None
        moved[sees] = reply.genome["thresholds"]["moved"]
    assert moved["clip"] > moved["sizes"] and moved["clip"] > moved["caption"]
    asked = json.loads((tmp_path / "caption.request.json").read_text())["scene"]["objects"][0]
    assert asked["size"] == [0.08] * 3 and asked["difference"]["distance"] == 0


def test_a_task_without_success_runs_and_never_says_that_it_is_done(scene: Input, tmp_path: Path) -> None:
    outputs = [Output(tmp_path / name) for name in ("c.py", "request.json", "reply.json")]
    write_task.main(scene, *outputs, 0, AUTHOR | {"success": False})
    (report,), _ = check_files(scene, [(outputs[0], None)])
    assert report["runs"]
    assert {c["name"] for c in report["checks"] if not c["passed"]} == {"true_at_end"}


def test_the_reset_of_another_task_can_be_borrowed(tmp_path: Path) -> None:
    objects = {"cup": "cup", "ball": "ball"}
    scene = Input(primitive_scene(tmp_path / "scene", "uncover", objects=objects))
    own, other = write(scene, tmp_path), tmp_path / "other.py"
    other.write_text(own.read_text().replace("self.place_over(poses", "self.place_on(poses"))
    outputs = Output(tmp_path / "task.py"), Output(tmp_path / "pick.json")
    pick_task.main(scene, [own], *outputs, AUTHOR, reset=Input(other))
    assert "self.place_on(poses" in outputs[0].read_text()
    assert outputs[0].read_text().replace("self.place_on(poses", "self.place_over(poses") == own.read_text()


def member(folder: Path, reply: Reply, index: int, rate: float) -> None:
    search(folder, reply, rate)
    record = {"iter": 0, "sample": index, "success_rate": rate, "lineage": []}
    (folder / "member.json").write_text(json.dumps(record))


def test_in_a_search_by_halving_some_go_on_and_the_others_come_from_a_member(
    scene: Input, tmp_path: Path
) -> None:
    first = [reward(scene, tmp_path / f"first{k}", 0, k) for k in range(2)]
    best = search(tmp_path / "best", first[1], 0.6)
    (best / "members").mkdir()
    for rank, index in enumerate((1, 0)):
        member(best / "members" / str(rank), first[index], index, 0.6 - 0.1 * rank)

    def second(sample: int) -> Reply:
        folder = tmp_path / f"second{sample}"
        folder.mkdir()
        outputs = [Output(folder / name) for name in ("request.json", "reply.json", "reward.py")]
        task = write(scene, folder)
        write_reward.main(scene, task, *outputs, 1, sample, AUTHOR, Input(best), going_on=2)
        return Reply.load(outputs[1])

    replies = [second(k) for k in range(4)]
    assert [replies[0].source, replies[1].source] == [first[1].source, first[0].source]
    assert replies[0].notes == ["Goes on with the reward of round 0, sample 1."]
    assert len({reply.source for reply in replies}) == 4
