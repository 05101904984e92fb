"""Two clips end to end against the scripted server, one bad reply of every kind among its replies."""

import json
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts import pick_task
from scripts.stage import Failed
from tests.author.two_clips import CLIPS, REPLIES, check_all, play, settings, transcript
from tests.llm_server import FAULTS, Script, Server
from video2policy.author import endpoint, ledger
from video2policy.guard import checks
from video2policy.guard.syntax import check_syntax

GOLDEN = Path(__file__).parent / "golden" / "two_clips.md"
KEY = "planted-key-7f3a9c"
HOME = "/home/planted-home-51d2"


@pytest.fixture(scope="module", autouse=True)
def one_worker_checks_all() -> Iterator[None]:
    """The real checks, in one process for all programs: to start one takes seconds."""
    with (
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool,
        pytest.MonkeyPatch.context() as patch,
    ):

        def check_files(
            scene: Path, candidates: Sequence[tuple[Path, Path | None]], sandbox: str = "", clip: bool = True
        ) -> tuple[list[dict], None]:
            return pool.submit(check_all, scene, candidates, clip).result(), None

        patch.setattr(checks, "check_files", check_files)
        patch.setattr(pick_task, "check_files", check_files)
        yield


@dataclass
class Played:
    folder: Path
    server: Server
    out: dict[str, Path]

    def json(self, clip: str, name: str) -> dict:
        return json.loads((self.out[clip] / name).read_text())


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, one_worker_checks_all: None) -> Played:
    folder = tmp_path_factory.mktemp("played")
    with pytest.MonkeyPatch.context() as patch, Server(Script.read(REPLIES), slow=4.0) as server:
        patch.setenv("SCRIPTED_KEY", KEY)
        patch.setenv("HOME", HOME)
        patch.setenv("OPENAI_LOG", "debug")
        patch.setattr(endpoint, "FIRST_WAIT", 0.01)
        block = settings(server.base_url, folder / "replies")
        return Played(folder, server, {clip: play(folder, clip, block) for clip in CLIPS})


def test_the_transcript_is_the_golden_one(played: Played) -> None:
    text = transcript(played.server)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text(), "prompts changed: read them, then run again with UPDATE_GOLDEN=1"


def test_every_reply_of_the_script_was_given(played: Played) -> None:
    script = played.server.script
    assert {rule["when"]: len(rule["say"]) for rule in script.rules} == script.counts
    said = {part for asked in played.server.asked for part in asked.said.split(" ")}
    assert said & set(FAULTS) >= {
        "!429",
        "!500",
        "!refuse",
        "!empty",
        "!length",
        "!html",
        "!slow",
        "!drop",
        "!null",
    }
    assert set(script.replies) <= said


KINDS = {
    ("lift_box", "candidate_0.reply.json"): ["accepted"],
    ("lift_box", "candidate_1.reply.json"): ["refused", "fails", "accepted"],
    ("lift_box", "candidate_2.reply.json"): ["empty", "no code", "no code"],
    ("lift_box", "0/0/reply.json"): [],
    ("lift_box", "0/1/reply.json"): ["truncated", "accepted"],
    ("lift_box", "1/0/reply.json"): ["accepted"],
    ("lift_box", "1/1/reply.json"): ["no code", "fails", "fails"],
    ("push_can_right", "candidate_0.reply.json"): ["accepted"],
    ("push_can_right", "candidate_1.reply.json"): ["refused", "no code", "accepted"],
    ("push_can_right", "candidate_2.reply.json"): ["empty", "fails", "accepted"],
    ("push_can_right", "0/1/reply.json"): ["accepted"],
    ("push_can_right", "1/0/reply.json"): ["accepted"],
    ("push_can_right", "1/1/reply.json"): ["accepted"],
}


@pytest.mark.parametrize(("clip", "name"), KINDS)
def test_each_sample_keeps_its_own_dialogue(played: Played, clip: str, name: str) -> None:
    reply = played.json(clip, name)
    assert [turn["kind"] for turn in reply["turns"]] == KINDS[clip, name]
    request = played.json(clip, name.replace("reply", "request"))
    assert reply["request"] == request["key"]
    assert request["prompts"]["system.md"] and request["model"] == "scripted"
    code = name.replace(".reply.json", ".py").replace("reply.json", "reward.py")
    assert (played.out[clip] / code).read_text() == reply["source"]
    for turn in reply["turns"][:-1]:
        assert turn["reason"] in turn["sent_back"] or "\n" in turn["reason"]
    for turn in reply["turns"]:
        assert (
            json.loads((played.folder / "replies" / f"{turn['key']}.json").read_text())["answer"]
            == turn["answer"]
        )


def test_a_sample_without_any_code_says_why_and_is_not_picked(played: Played) -> None:
    source = (played.out["lift_box"] / "candidate_2.py").read_text()
    assert source.startswith("# No code came back in 3 replies. The last: The code is written in cpp, not in")
    picked = played.json("lift_box", "pick.json")
    assert picked["picked"] == 0 and not picked["candidates"][2]["passed"]
    assert [turn["kind"] for turn in picked["reread"]["turns"]] == ["no code", "accepted"]
    assert "pick is 2, but the programs are 0, 1" in picked["reread"]["turns"][0]["reason"]
    assert "has a step for the grasp" in picked["reason"]
    assert (played.out["lift_box"] / "task.py").read_text() == (
        played.out["lift_box"] / "candidate_0.py"
    ).read_text()


def test_what_the_checks_say_goes_back_to_the_model(played: Played) -> None:
    reasons = [turn["reason"] for turn in played.json("lift_box", "candidate_1.reply.json")["turns"]]
    assert "success holds on the clip's first poses already" in reasons[1]
    reasons = [turn["reason"] for turn in played.json("lift_box", "1/1/reply.json")["turns"]]
    assert "does not parse" in reasons[0]
    assert "import os is not allowed" in reasons[1] and "import numpy is not allowed" in reasons[1]
    assert "has shape ()" in reasons[2]
    reasons = [turn["reason"] for turn in played.json("push_can_right", "candidate_2.reply.json")["turns"]]
    assert "depends on the other environments" in reasons[1]


def test_code_is_found_whatever_stands_around_it(played: Played) -> None:
    source = played.json("lift_box", "0/1/reply.json")["source"]
    assert check_syntax(source) == []
    for part in (
        "def slope(distance):",
        "# metres to a number",
        "WEIGHT = 0.4",
        "def gap(states):",
        "import math",
    ):
        assert part in source
    assert "torch.zeros(3)" not in source and "print(" not in source
    source = (played.out["push_can_right"] / "candidate_1.py").read_text()
    assert "self.least = 0.06" in source and "def stands(self, states):" in source
    assert "made up" not in source and "__main__" not in source


def test_frames_are_sent_only_where_they_were_asked_for(played: Played) -> None:
    for asked in played.server.asked:
        pictures = json.dumps(asked.body).count("data:image/jpeg;base64,")
        wanted = "Clip push_can_right, task" in asked.text or "Clip push_can_right: pick" in asked.text
        assert pictures == (2 if wanted else 0)
    request = (played.out["push_can_right"] / "candidate_0.request.json").read_text()
    assert "base64" not in request and str(played.folder) not in request and '"sha256"' in request


def test_nothing_secret_is_written(played: Played) -> None:
    headers = [asked.headers["authorization"] for asked in played.server.asked]
    assert set(headers) == {f"Bearer {KEY}"}
    told = played.json("push_can_right", "1/1/reply.json")["turns"][0]["answer"]["text"]
    assert "You sent" in told and "[hidden]" in told
    files = [path for path in played.folder.rglob("*") if path.is_file()]
    assert len(files) > 60
    for path in files:
        data = path.read_bytes()
        assert KEY.encode() not in data and HOME.encode() not in data, path


def test_the_ledger_counts_every_try(played: Played) -> None:
    found = ledger.rows(played.folder / "replies" / "ledger.tsv")
    last = {row["call"]: row for row in found}
    assert len(last) == len(played.server.asked)
    answered = [row for row in last.values() if row["state"] == "answered" and int(row["completion"])]
    for row in answered:
        prompt, cached, completion = (int(row[name]) for name in ("prompt", "cached", "completion"))
        assert float(row["usd"]) == pytest.approx(
            (prompt - cached + 0.5 * cached + 4 * completion) / 1e6, abs=1e-6
        )
    lost = [row for row in last.values() if row["state"] == "asked"]
    assert len(lost) == sum(
        a.said in ("!drop", "!cut", "!html", "!json", "!bare", "!slow") for a in played.server.asked
    )
    assert all(float(row["usd"]) > 0.008 for row in lost)


def test_it_plays_again_without_network_or_key(
    played: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SCRIPTED_KEY", raising=False)
    block = settings("", played.folder / "replies", name="replay", prices={})
    before = (played.folder / "replies" / "ledger.tsv").read_bytes()
    for clip in CLIPS:
        again = play(tmp_path, clip, block)
        files = sorted(p.relative_to(again) for p in again.rglob("*") if p.is_file())
        assert files == sorted(
            p.relative_to(played.out[clip]) for p in played.out[clip].rglob("*") if p.is_file()
        )
        for name in files:
            assert (again / name).read_bytes() == (played.out[clip] / name).read_bytes(), name
    assert (played.folder / "replies" / "ledger.tsv").read_bytes() == before


def test_replay_without_the_recording_ends_in_one_sentence(tmp_path: Path) -> None:
    block = settings("", tmp_path / "replies", name="replay")
    with pytest.raises(Failed, match="no reply to lift_box/task/0/0 is recorded"):
        play(tmp_path, "lift_box", block)
