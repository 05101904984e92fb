"""The wrapper around every rule's script."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.stage import Failed, Input, Output, sha256, stage
from video2policy.perceive.verdict import Rejected, Verdict


class Named(dict):
    """What a script sees of snakemake's input, output, params and wildcards."""

    def __iter__(self) -> Any:
        return iter(self.values())


def rule(tmp_path: Path, outputs: dict[str, Any], **inputs: Any) -> SimpleNamespace:
    return SimpleNamespace(
        rule="carve",
        wildcards=Named(video="clip"),
        input=Named(inputs),
        output=Named(outputs),
        params=Named(depth=3, code="abc"),
        log=[],
        threads=1,
    )


def run(main: Any, job: SimpleNamespace, **options: Any) -> None:
    main.__globals__["snakemake"] = job
    try:
        stage(main, **options)
    finally:
        del main.__globals__["snakemake"]


def passing() -> Verdict:
    return Verdict(stage="carve", passed=True, method="knife", confidence=0.9)


def outputs(tmp_path: Path) -> dict[str, str]:
    names = {
        "bowl": "bowl.txt",
        "chips": "chips",
        "verdict": "carve.verdict.json",
        "provenance": "carve.provenance.json",
    }
    return {key: str(tmp_path / "out" / name) for key, name in names.items()}


def test_a_script_that_asks_for_it_gets_the_config_of_its_variant(tmp_path: Path) -> None:
    def main(bowl: Output, depth: int, config: dict) -> None:
        bowl.write_text(f"{config['author']['budget_usd']} {depth}")

    job = rule(tmp_path, {"bowl": str(tmp_path / "bowl.txt"), "provenance": str(tmp_path / "p.json")})
    job.wildcards = Named(video="clip", variant="rich")
    author = {"name": "llm", "budget_usd": 1}
    job.config = {"author": author, "variants": {"rich": {"author": {"budget_usd": 9}}}}
    run(main, job)
    assert (tmp_path / "bowl.txt").read_text() == "9 3"
    assert json.loads((tmp_path / "p.json").read_text())["params"] == {"depth": 3}


def test_outputs_appear_together_under_their_names(tmp_path: Path) -> None:
    wood = tmp_path / "wood.txt"
    wood.write_text("oak")

    def main(wood: Input, bowl: Output, chips: Output, depth: int) -> Verdict:
        assert not (tmp_path / "out" / "bowl.txt").exists()
        bowl.write_text(wood.read_text() * depth)
        (chips / "one").write_text("1")
        return passing()

    run(main, rule(tmp_path, outputs(tmp_path), wood=str(wood)))
    out = tmp_path / "out"
    assert (out / "bowl.txt").read_text() == "oakoakoak"
    assert (out / "chips" / "one").read_text() == "1"
    assert json.loads((out / "carve.verdict.json").read_text())["passed"]
    record = json.loads((out / "carve.provenance.json").read_text())
    assert record["inputs"] == {str(wood): sha256(wood)}
    assert record["code"] == "abc" and record["params"] == {"depth": 3}
    assert sorted(p.name for p in out.iterdir()) == [
        "bowl.txt",
        "carve.provenance.json",
        "carve.verdict.json",
        "chips",
    ]


def test_a_failing_stage_leaves_nothing_and_says_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def main(bowl: Output, chips: Output, depth: int) -> Verdict:
        bowl.write_text("half")
        raise Failed("the wood is wet: dry it")

    with pytest.raises(SystemExit) as end:
        run(main, rule(tmp_path, outputs(tmp_path)))
    assert end.value.code == 1
    assert list((tmp_path / "out").iterdir()) == []
    assert capsys.readouterr().err.splitlines()[-1] == "carve clip: the wood is wet: dry it"


def test_a_missing_output_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def main(bowl: Output, chips: Output, depth: int) -> Verdict:
        return passing()

    with pytest.raises(SystemExit):
        run(main, rule(tmp_path, outputs(tmp_path)))
    assert "bowl.txt" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


def test_a_rejection_keeps_its_evidence_and_stops_what_follows(tmp_path: Path) -> None:
    def main(bowl: Output, chips: Output, depth: int) -> Verdict:
        (chips / "overlay").write_text("seen")
        raise Rejected("the bowl has a hole")

    run(main, rule(tmp_path, outputs(tmp_path)))
    out = tmp_path / "out"
    verdict = json.loads((out / "carve.verdict.json").read_text())
    assert verdict["passed"] is False and verdict["reason"] == "the bowl has a hole"
    assert (out / "chips" / "overlay").read_text() == "seen"
    assert (out / "bowl.txt").read_text() == "rejected: the bowl has a hole\n"

    called = []

    def after(dish: Output, depth: int) -> Verdict:
        called.append(1)
        dish.write_text("soup")
        return passing()

    following = {"dish": str(out / "dish.txt"), "verdict": str(out / "cook.verdict.json")}
    run(after, rule(tmp_path, following, gates=str(out / "carve.verdict.json")))
    assert not called
    assert json.loads((out / "cook.verdict.json").read_text())["reason"] == "the bowl has a hole"
    run(after, rule(tmp_path, following, gates=str(out / "carve.verdict.json")), gate=False)
    assert called and (out / "dish.txt").read_text() == "soup"


def test_a_script_is_also_a_command(tmp_path: Path) -> None:
    script = tmp_path / "carve.py"
    script.write_text(
        textwrap.dedent(
            '''
            from scripts.stage import Input, Output, stage

            def main(
                wood: Input, extras: list[Input], bowl: Output, row: dict, lid: Input | None = None,
                lined: dict | None = None, depth: int = 2,
            ) -> None:
                """Carve a bowl."""
                cover = row["lid"] + lid.read_text() + lined["with"]
                bowl.write_text(wood.read_text() * depth + cover + str(len(extras)))

            stage(main)
            '''
        )
    )
    (tmp_path / "wood").write_text("oak")
    root = Path(__file__).resolve().parents[2]
    command = [
        sys.executable,
        str(script),
        "--wood",
        "wood",
        "--extras",
        "wood",
        "wood",
        "--bowl",
        "b",
        "--row",
        '{"lid": "L"}',
        "--lid",
        "wood",
        "--lined",
        '{"with": "wax"}',
    ]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(root)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "b").read_text() == "oakoakLoakwax2"
    usage = subprocess.run(
        [*command[:2], "--help"], env={"PYTHONPATH": str(root)}, capture_output=True, text=True
    )
    assert "Carve a bowl." in usage.stdout


@pytest.mark.parametrize("whole", [True, False])
def test_the_sheet_lets_a_gate_pass_that_has_written_everything(tmp_path: Path, whole: bool) -> None:
    def main(bowl: Output, chips: Output, depth: int) -> Verdict:
        if whole:
            bowl.write_text("with a hole")
        raise Rejected("the bowl has a hole")

    job = rule(tmp_path, outputs(tmp_path))
    job.params["accept"] = ["carve"]
    run(main, job)
    verdict = json.loads((tmp_path / "out" / "carve.verdict.json").read_text())
    assert verdict["passed"] is whole and verdict["confidence"] == 0
    assert "the bowl has a hole" in verdict["better" if whole else "reason"]
