"""Verification names what changed, and what rests on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from video2policy.provenance import TIMESTAMP, altered, sha256
from video2policy.verification import verify


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two jobs: `cut` makes a folder and a text from a clip, `glue` a text from the folder."""
    monkeypatch.chdir(tmp_path)
    Path("clip.mp4").write_text("clip")
    for name, text in (
        ("pieces/0.txt", "0"),
        ("pieces/1.txt", "1"),
        ("list.txt", "0 1"),
        ("deep/all.txt", "01"),
    ):
        path = Path("results", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    record("results/cut", "cut", ["clip.mp4"], ["results/pieces", "results/list.txt"])
    record("results/deep/glue", "glue", ["results/pieces"], ["results/deep/all.txt"])
    Path("results/pieces", TIMESTAMP).touch()
    return tmp_path


def record(name: str, rule: str, inputs: list[str], outputs: list[str]) -> None:
    hashes = {"inputs": inputs, "outputs": outputs}
    content = {key: {path: sha256(Path(path)) for path in paths} for key, paths in hashes.items()}
    Path(name + ".provenance.json").write_text(json.dumps({"rule": rule, **content}))


def test_all_is_as_it_was_made(results: Path) -> None:
    done = verify(Path("results"))
    assert (done.jobs, done.artifacts, done.problems) == (2, 3, ())
    assert done.size == 4 + 2 + 3 + 2


@pytest.mark.parametrize(
    ("path", "text", "says", "rebuild"),
    [
        ("results/list.txt", "0", "results/list.txt changed since cut made it", ["results/list.txt"]),
        ("results/list.txt", None, "results/list.txt is gone, which cut made", ["results/list.txt"]),
        ("results/pieces/1.txt", "", "results/pieces changed since cut made it", ["results/pieces"]),
        ("results/pieces/2.txt", "2", "results/pieces changed since cut made it", ["results/pieces"]),
        ("results/pieces/1.txt", None, "results/pieces changed since cut made it", ["results/pieces"]),
        (
            "clip.mp4", "another", "results/pieces was made by cut from clip.mp4, which changed since",
            ["results/pieces", "results/list.txt"],
        ),
        ("clip.mp4", None, "clip.mp4 is gone, which cut read", []),
    ],
)  # fmt: skip
def test_a_change_is_named(results: Path, path: str, text: str | None, says: str, rebuild: list[str]) -> None:
    if text is None:
        Path(path).unlink()
    else:
        Path(path).write_text(text)
    done = verify(Path("results"))
    assert [f"{problem.path} {problem.what}" for problem in done.problems] == [says]
    assert done.rebuild() == rebuild


def test_a_job_that_read_an_earlier_version_is_named(results: Path) -> None:
    Path("results/pieces/1.txt").write_text("one")
    record("results/cut", "cut", ["clip.mp4"], ["results/pieces", "results/list.txt"])
    (problem,) = verify(Path("results")).problems
    assert (problem.path, problem.rebuild) == ("results/deep/all.txt", ("results/deep/all.txt",))
    assert "from another results/pieces" in problem.what


@pytest.mark.parametrize("text", ["", "{", "[]", '{"rule": "cut", "inputs": {}}'])
def test_a_broken_record_is_named(results: Path, text: str) -> None:
    Path("results/deep/glue.provenance.json").write_text(text)
    (problem,) = verify(Path("results")).problems
    assert problem.path == "results/deep/glue.provenance.json"


def test_what_a_job_reads_can_be_checked_alone(results: Path) -> None:
    paths = [Path(name) for name in ("clip.mp4", "results/pieces", "results/list.txt")]
    assert altered(paths) == []
    Path("results/list.txt").write_text("0")
    Path("clip.mp4").write_text("nobody's output")
    assert altered(paths) == ["results/list.txt"]
