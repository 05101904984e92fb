"""What the pages in docs/ say is what the code does."""

import re
from pathlib import Path

import pytest

from video2policy.families import SUPPORTED
from video2policy.sheet import COLUMNS, SheetError, read_sheet

DOCS = Path(__file__).parents[1] / "docs"
OWN_CLIPS = (DOCS / "own-clips.md").read_text(encoding="utf-8")
BAD_ROWS = {
    "does not exist": ("x\tnone.mp4\tlifting cube up\tcube", ""),
    "the id must": ("a.b\tc.mp4\tlifting cube up\tcube", ""),
    "duplicate": ("x\tc.mp4\tlifting cube up\tcube\nx\tc.mp4\tlifting cube up\tcube", ""),
    "3 cells": ("x\tc.mp4\tlifting cube up", ""),
    "stand in the caption": ("x\tc.mp4\tlifting cube up\tball", ""),
    "no task family": ("x\tc.mp4\tdancing around cube\tcube", ""),
    "cannot be done": ("x\tc.mp4\topening cube\tcube\tOpening [something]", "\ttemplate"),
    "unknown object": ('x\tc.mp4\tlifting cube up\tcube\t{"ball": [0, 0, 1, 1]}', "\tboxes"),
    "no area": ('x\tc.mp4\tlifting cube up\tcube\t{"cube": [5, 0, 5, 9]}', "\tboxes"),
    "in metres": ('x\tc.mp4\tlifting cube up\tcube\t{"cube": 85}', "\tsizes"),
}


def block(page: str, language: str) -> str:
    """The first fenced block of a language."""
    found = re.search(rf"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


def test_the_example_sheets_are_read(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    for name in ("clips/cup.mp4", "clips/next.webm", "78687.webm"):
        (tmp_path / name).write_bytes(b"clip")
    (tmp_path / "videos.tsv").write_text(block(OWN_CLIPS, "tsv"))
    (tmp_path / "labels.json").write_text(block(OWN_CLIPS, "json"))
    lift, next_to = read_sheet(tmp_path / "videos.tsv")
    assert (lift.family, lift.sizes) == ("lift", {"red_cup": 0.095})
    assert (next_to.family, next_to.boxes["box"]["frame"]) == ("put_next", 12)
    (potato,) = read_sheet(tmp_path / "labels.json")
    assert (potato.family, potato.sizes) == ("put_next", {"potato": 0.09})


def test_every_column_and_family_is_described() -> None:
    assert set(re.findall(r"^\| `(\w+)` \| (?:required)? ?\|", OWN_CLIPS, re.MULTILINE)) == set(COLUMNS)
    families = OWN_CLIPS.split("## Which actions")[1].split("##")[0]
    assert set(re.findall(r"`(\w+)`", families)) == set(SUPPORTED)


@pytest.mark.parametrize("words", BAD_ROWS)
def test_messages_are_quoted_as_they_come(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, columns = BAD_ROWS[words]
    monkeypatch.chdir(tmp_path)
    Path("c.mp4").write_bytes(b"clip")
    Path("videos.tsv").write_text(f"video\tclip\tcaption\tobjects{columns}\n{rows}\n")
    with pytest.raises(SheetError, match=words) as caught:
        read_sheet("videos.tsv")
    assert f"| `{caught.value}` |" in OWN_CLIPS


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def rule_outputs() -> set[tuple[str, str]]:
    """(rule, last part of the path) of every output of every rule, except what all rules have."""
    found = set()
    for path in (DOCS.parent / "rules").glob("*.smk"):
        for name, body in re.findall(
            r"^(?:rule|checkpoint) (\w+):\n(.*?)(?=^\S|\Z)", path.read_text(), re.S | re.M
        ):
            outputs = re.search(r"^    output:\n((?:        .*\n)+)", body, re.M)
            for target in re.findall(r'"([^"]+)"', outputs[1] if outputs else ""):
                last = target.rsplit("/", 1)[-1]
                if not last.endswith((".provenance.json", ".verdict.json")):
                    found.add((name, last))
    return found


def test_every_output_of_every_rule_is_described() -> None:
    rows = [
        line
        for line in (DOCS / "results.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
    ]
    outputs = rule_outputs()
    assert len(outputs) > 30
    missing = [(rule, last) for rule, last in outputs if not any(last in row for row in rows)]
    assert not missing
    unnamed = {rule for rule, _ in outputs} - set(re.findall(r"\[(\w+)\] \|$", "\n".join(rows), re.M))
    assert not unnamed
