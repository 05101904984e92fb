"""code_digest follows imports, worker names and data files, and nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from video2policy import reach


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    files = {
        "scripts/__init__.py": "",
        "scripts/cut.py": "from video2policy.knife import sharpen\n",
        "video2policy/__init__.py": "",
        "video2policy/knife.py": "from .steel import alloy\nWORKER = 'video2policy.forge.worker'\n",
        "video2policy/steel.py": "from pathlib import Path\nTABLE = Path(__file__).with_name('alloys.tsv')\n",
        "video2policy/alloys.tsv": "iron\t1\n",
        "video2policy/forge/__init__.py": "",
        "video2policy/forge/worker.py": "import math\n",
        "video2policy/spoon.py": "import math\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(reach, "ROOT", tmp_path)
    yield tmp_path
    forget()


def forget() -> None:
    cached = (reach.code_digest, reach._references, reach._content_hash, reach._memory, reach.modules)
    for function in cached:
        function.cache_clear()


def digest() -> str:
    """As a process of its own finds it."""
    forget()
    return reach.code_digest("scripts/cut.py")


@pytest.mark.parametrize(
    ("file", "reached"),
    [
        ("scripts/cut.py", True),
        ("video2policy/__init__.py", True),
        ("video2policy/knife.py", True),
        ("video2policy/steel.py", True),
        ("video2policy/alloys.tsv", True),
        ("video2policy/forge/worker.py", True),
        ("video2policy/spoon.py", False),
    ],
)
def test_an_edit_changes_the_digest_exactly_where_it_is_reached(
    project: Path, file: str, reached: bool
) -> None:
    before = digest()
    with (project / file).open("a") as stream:
        stream.write("# edited\n")
    assert (digest() != before) == reached


def test_what_was_found_is_kept_and_a_module_parsed_again_only_when_it_changed(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest()
    parsed: list[str] = []
    names = reach._names
    monkeypatch.setattr(reach, "_names", lambda path: (parsed.append(path.name), names(path))[1])
    assert digest() == before and parsed == []
    with (project / "video2policy/knife.py").open("a") as stream:
        stream.write("import video2policy.spoon\n")
    after = digest()
    assert after != before and parsed == ["knife.py", "spoon.py"]
    with (project / "video2policy/spoon.py").open("a") as stream:
        stream.write("# edited\n")
    assert digest() != after


def test_what_another_version_of_this_code_found_is_not_believed(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest()
    names = reach._names
    parsed: list[str] = []
    monkeypatch.setattr(reach, "_names", lambda path: (parsed.append(path.name), names(path))[1])
    monkeypatch.setattr(reach, "__file__", str(project / "video2policy/spoon.py"))
    assert digest() == before and "cut.py" in parsed


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"a.py": 3}', '{"a.py": [1, 2, 3]}'])
def test_what_was_kept_may_be_broken(content: str, project: Path) -> None:
    before = digest()
    (project / reach.MEMORY).write_text(content)
    assert digest() == before


def test_where_nothing_can_be_kept_it_works_as_well(project: Path) -> None:
    (project / ".snakemake").write_text("not a folder")
    assert digest() == digest()


def test_a_file_that_appears_later_is_noticed(project: Path) -> None:
    (project / "video2policy/alloys.tsv").unlink()
    before = digest()
    (project / "video2policy/alloys.tsv").write_text("iron\t1\n")
    assert digest() != before


def test_every_script_has_a_digest() -> None:
    for script in sorted((reach.ROOT / "scripts").glob("*.py")):
        assert len(reach.code_digest(f"scripts/{script.name}")) == 12
