"""The wrapper around every script where disks and files fail: a sentence, nothing left; what it records."""

import errno
import json
from pathlib import Path

import pytest

from scripts.stage import Failed, Input, Output
from tests.scripts.test_stage import outputs, passing, rule, run
from video2policy import provenance
from video2policy.perceive.verdict import Verdict
from video2policy.provenance import sha256


def sentence(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.splitlines()[-1]


def test_the_record_holds_what_was_made_and_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "notes", {})

    def main(bowl: Output, chips: Output, depth: int) -> Verdict:
        bowl.write_text("oak")
        (chips / "one").write_text("1")
        provenance.notes["sandbox"] = {"level": "full"}
        return passing()

    run(main, rule(tmp_path, outputs(tmp_path)))
    out = tmp_path / "out"
    record = json.loads((out / "carve.provenance.json").read_text())
    made = [out / "bowl.txt", out / "chips", out / "carve.verdict.json"]
    assert record["outputs"] == {str(path): sha256(path) for path in made}
    assert set(record["machine"]) == {"node", "platform", "processors"}
    assert record["peak_memory_mb"] > 0 and record["packages"]["numpy"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full: free space"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EACCES, "permission is missing"),
    ],
)
def test_a_disk_that_refuses_is_one_sentence(
    number: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def main(bowl: Output, chips: Output, depth: int) -> Verdict:
        bowl.write_text("half")
        raise OSError(number, "the system's own words", "out/bowl.txt")

    with pytest.raises(SystemExit):
        run(main, rule(tmp_path, outputs(tmp_path)))
    said = sentence(capsys)
    assert said.startswith(f"carve clip: {words}") and "(out/bowl.txt)" in said
    assert list((tmp_path / "out").iterdir()) == []


def test_an_input_that_was_damaged_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wood = tmp_path / "wood.txt"
    wood.write_text("oak")
    record = {"rule": "fell", "inputs": {}, "outputs": {str(wood): sha256(wood)}}
    (tmp_path / "fell.provenance.json").write_text(json.dumps(record))

    def main(wood: Input, bowl: Output, chips: Output, depth: int) -> Verdict:
        if wood.read_text() != "oak":
            raise ValueError("what is this?")
        raise Failed("the wood is wet")

    job = rule(tmp_path, outputs(tmp_path), wood=str(wood))
    with pytest.raises(SystemExit):
        run(main, job)
    assert sentence(capsys) == "carve clip: the wood is wet"
    wood.write_text("o")
    with pytest.raises(SystemExit):
        run(main, job)
    said = f"{wood} changed since the workflow made it; rebuild: snakemake --cores all --force {wood}"
    assert sentence(capsys) == f"carve clip: {said}"
