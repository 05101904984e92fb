"""What the pages in docs/ say is what the code does."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.workflow import REPO, SNAKEMAKE, Project
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


# -------------------------------------------------------------------- commands

PAGES = [REPO / "README.md", *sorted(DOCS.glob("*.md"))]
MARK = r"(?:<!-- (run|not run: [^\n]+) -->\n\s*)?"
FENCE = re.compile(MARK + r"^( *)```bash\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
PLACEHOLDER = re.compile(r"<[A-Za-z ]+>")


@dataclass(frozen=True)
class Command:
    """One line of a fenced block: `mark` is "run", "" or why it is not run."""

    page: str
    line: str
    mark: str

    @property
    def words(self) -> list[str]:
        return shlex.split(PLACEHOLDER.sub("something", self.line), comments=True)


def commands(page: Path) -> Iterator[Command]:
    for mark, _, block in FENCE.findall(page.read_text(encoding="utf-8")):
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            if shlex.split(line, comments=True):
                yield Command(page.name, line.strip(), mark)


ALL = [command for page in PAGES for command in commands(page)]


def is_assignment(word: str) -> bool:
    return re.fullmatch(r"[A-Z0-9_]+=.*", word) is not None


def program(command: Command) -> list[str]:
    """The command's words from the program on, without assignments before it."""
    words = command.words
    while words and is_assignment(words[0]):
        words = words[1:]
    return words


KNOWN = ("snakemake", "make", "python", ".venv-test/bin/python", "source", "export")


def test_every_command_can_be_tested_or_says_why_not() -> None:
    assert len(ALL) > 20
    unknown = [c for c in ALL if not c.mark and program(c)[0] not in KNOWN]
    assert not unknown, "put <!-- run --> or <!-- not run: why --> before its block"


@pytest.mark.parametrize(
    "command", [c for c in ALL if not c.mark and program(c)[0] == "make"], ids=lambda c: f"{c.page}: {c.line}"
)
def test_make_knows_its_targets(command: Command) -> None:
    done = subprocess.run(["make", "-n", *program(command)[1:]], cwd=REPO, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_run_of_the_workflow_says_on_how_many_cores() -> None:
    for command in ALL:
        if program(command)[0] == "snakemake":
            enough = ("--cores", "--unlock", "--workflow-profile")
            assert any(option in command.words for option in enough), command


MODULES = sorted({c.line: c for c in ALL if not c.mark and "python" in program(c)[0]}.items())


@pytest.mark.slow
@pytest.mark.parametrize(("line", "command"), MODULES, ids=[line for line, _ in MODULES])
def test_modules_take_these_options(line: str, command: Command) -> None:
    words = program(command)
    assert words[1] == "-m", line
    module, *options = words[2:]
    ask = ["--collect-only", "-q", *options] if module == "pytest" else ["--help"]
    python = str(REPO / ".venv-test" / "bin" / "python")
    done = subprocess.run([python, "-m", module, *ask], cwd=REPO, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if module != "pytest":
        missing = [one for one in options if one.startswith("--") and one not in done.stdout]
        assert not missing, f"{module} knows no {missing}"


SUITE_ROWS = [
    row.format(number)
    for number in ("0000", "0061", "0062")
    for row in (
        "lift_{}\tcup.mp4\tlifting cup up\tcup",
        "uncover_{}\tcup.mp4\tuncovering bowl\tbowl;box",
        "throw_into_{}\tcup.mp4\tthrowing ball into box\tball;box",
    )
]
"""Some of the clips that `bench.suite` renders, named as it names them; docs/tables.md speaks of them."""


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project as a reader of the pages has it: with the sheets and clips that they speak of."""
    project = Project.copy(tmp_path_factory.mktemp("docs") / "project")
    clip = "video\tclip\tcaption\tobjects\nlift_cup\tcup.mp4\tlifting cup up\tcup\n"
    for folder in ("my", "ssv2", "out"):
        (project.folder / folder).mkdir()
        (project.folder / folder / "cup.mp4").write_bytes(b"clip")
        (project.folder / folder / "videos.tsv").write_text(clip)
    suite = [clip.splitlines()[0], *SUITE_ROWS]
    (project.folder / "out" / "videos.tsv").write_text("\n".join(suite) + "\n")
    (project.folder / "my" / "clips.tsv").write_text(clip)
    four = "".join(f"lift_{number}\tcup.mp4\tlifting cup up\tcup\n" for number in range(4))
    (project.folder / "my" / "videos.tsv").write_text(
        clip.partition("\n")[0] + "\n" + four
    )  # for four batches
    push = {
        "label": "pushing cup from left to right",
        "template": "Pushing [something] from left to right",
        "placeholders": ["cup"],
    }
    labels = [{"id": str(number), **push} for number in (78687, 42326, 74225, 116154)]
    for name in ("ssv2/train.json", "my/labels.json"):
        (project.folder / name).write_text(json.dumps(labels))
        for one in labels:
            (project.folder / name).with_name(f"{one['id']}.webm").write_bytes(b"clip")
    (project.folder / "my" / "objects.tsv").write_text(block((DOCS / "own-objects.md").read_text(), "tsv"))
    (project.folder / "my" / "clips").mkdir()
    for name in ("clips/mug.mp4", "clips/tool.mp4", "drill.stl"):
        (project.folder / "my" / name).write_bytes(b"clip")
    (project.folder / "my.yaml").write_text(block((DOCS / "swap-a-model.md").read_text(), "yaml"))
    (project.folder / "videos.tsv").write_text((REPO / "videos.tsv").read_text())
    return project


PLANS = sorted({c.line for c in ALL if not c.mark and program(c)[0] == "snakemake"})


@pytest.mark.slow
@pytest.mark.skipif(not SNAKEMAKE.exists(), reason="no host environment .venv here: run `make setup`")
@pytest.mark.parametrize("line", PLANS)
def test_the_workflow_plans_these_commands(line: str, reader: Project) -> None:
    words = shlex.split(line, comments=True)
    options = ["--dry-run", "--quiet=rules"]
    done = subprocess.run(
        [str(SNAKEMAKE), *options, *words[1:]],
        cwd=reader.folder,
        env=reader.environ(),
        capture_output=True,
        text=True,
    )
    text = done.stdout + done.stderr
    assert done.returncode == 0, text[-3000:]


@pytest.mark.slow
@pytest.mark.skipif(not SNAKEMAKE.exists(), reason="no host environment .venv here: run `make setup`")
@pytest.mark.parametrize(
    "page", [p for p in PAGES if any(c.mark == "run" for c in commands(p))], ids=lambda p: p.name
)
def test_blocks_marked_so_are_run(page: Path, reader: Project, tmp_path: Path) -> None:
    for mark, _, script in FENCE.findall(page.read_text(encoding="utf-8")):
        if mark == "run":
            work = reader.clone(tmp_path / "project")
            (work.folder / ".venv").symlink_to(REPO / ".venv")
            (work.folder / ".venv-test").symlink_to(REPO / ".venv-test")
            done = subprocess.run(
                ["bash", "-euc", script],
                cwd=work.folder,
                env=work.environ(),
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
