"""code_digest follows imports, worker names and data files, and nothing else."""

from pathlib import Path

import pytest

from video2policy import provenance


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
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
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    return tmp_path


def digest() -> str:
    provenance.code_digest.cache_clear()
    provenance._references.cache_clear()
    provenance._content_hash.cache_clear()
    return provenance.code_digest("scripts/cut.py")


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


def test_every_script_has_a_digest() -> None:
    for script in sorted((provenance.ROOT / "scripts").glob("*.py")):
        assert len(provenance.code_digest(f"scripts/{script.name}")) == 12
