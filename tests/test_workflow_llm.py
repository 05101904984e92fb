"""The workflow with a language model as its author, against the scripted local server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.author.two_clips import REPLIES, settings
from tests.llm_server import Script, Server
from tests.workflow import SNAKEMAKE, Project, demo_rows

pytestmark = pytest.mark.skipif(
    not SNAKEMAKE.exists(), reason="no host environment .venv here: run `make setup`"
)

KEY = "planted-key-4c1d77"
CLIPS = ("lift_box", "push_can_right")


def configure(project: Project, base_url: str, **values: Any) -> list[str]:
    """Write the author's settings; the arguments that use them."""
    author = settings(base_url, Path("replies"), candidates=3, timeout=10.0, **values)
    author["curriculum"] = values.get("curriculum", [["lift_box"], ["push_can_right"]])
    (project.folder / "llm.yaml").write_text(yaml.safe_dump({"author": author}))
    return ["--configfile", "configs/smoke.yaml", "llm.yaml"]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    copy = Project.copy(tmp_path / "project")
    copy.write_sheet(demo_rows()[:2])
    return copy


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"curriculum": [["lift_box"], ["lift_box"]]}, 'author.curriculum names the clip "lift_box" twice'),
        ({"curriculum": [["lift_bx"]]}, 'author.curriculum names the clip "lift_bx", which is not in'),
        ({"base_url": ""}, "author.base_url names no endpoint"),
        ({"model": ""}, "author.model names no model"),
        ({"base_url": "http://user:word@127.0.0.1/v1"}, "does not match"),
        ({"prices": {"input": 1.0}}, "'output' is a dependency of 'input'"),
        ({"api_key": "secret"}, 'there is no "api_key" in author'),
    ],
)
def test_settings_that_cannot_be_are_refused(values: dict[str, Any], reason: str, project: Project) -> None:
    arguments = configure(project, **{"base_url": "http://127.0.0.1:1/v1", **values})
    done = project.run("--dry-run", *arguments)
    assert done.returncode != 0 and reason in done.stdout + done.stderr


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, Server]]:
    """Two clips to the end, by the server's replies; the second stage waits for the first."""
    project = Project.copy(tmp_path_factory.mktemp("llm") / "project")
    project.write_sheet(demo_rows()[:2])
    with Server(Script.read(REPLIES), slow=15.0) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCRIPTED_KEY", KEY)
        done = project.run(*configure(project, server.base_url, send_frames=True), timeout=3600)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        assert KEY not in done.stdout + done.stderr
        yield project, server


@pytest.mark.slow
def test_both_clips_are_judged(finished: tuple[Project, Server]) -> None:
    project = finished[0]
    for clip in CLIPS:
        folder = project.folder / "results" / "videos" / clip / "v2p"
        assert json.loads((folder / "policy" / "eval.json").read_text())["episodes"] == 8
        for sample in range(3):
            reply = json.loads((folder / "task" / f"candidate_{sample}.reply.json").read_text())
            assert reply["source"] == (folder / "task" / f"candidate_{sample}.py").read_text()
        assert json.loads((folder / "task" / "pick.json").read_text())["reread"]["turns"]
        record = json.loads((folder / "task" / "candidate_0.provenance.json").read_text())
        assert len(record["params"]["author"]["prompts"]) == 12
        assert "base_url" not in record["params"]["author"]


@pytest.mark.slow
def test_the_key_is_nowhere(finished: tuple[Project, Server]) -> None:
    project, server = finished
    assert any(KEY in asked.headers["authorization"] for asked in server.asked)
    files = [path for path in project.folder.rglob("*") if path.is_file()]
    assert any(".snakemake" in path.parts for path in files) and any(path.suffix == ".log" for path in files)
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


@pytest.mark.slow
def test_where_replies_come_from_reruns_nothing(finished: tuple[Project, Server]) -> None:
    project, _ = finished
    other = {"send_frames": True, "budget_usd": 99.0, "retries": 1}
    assert project.plan(*configure(project, "http://127.0.0.1:1/v1", **other)) == {}
    assert project.plan(*configure(project, "", name="replay", **other)) == {}
    assert project.plan(*configure(project, "", name="replay", temperature=0.5, send_frames=True))
