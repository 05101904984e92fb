"""Which of the project's files a script reaches, and their hash: on which a job depends.

Standard library only: the Snakefile imports it in the lean host environment; on a cluster, so does every job.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
from contextlib import suppress
from pathlib import Path

from video2policy.files import written
from video2policy.provenance import sha256

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("video2policy", "scripts")
MEMORY = Path(".snakemake", "video2policy", "names.json")
"""Below the root: what each module names, by its path, its hash and this file's; parsing takes seconds."""


@functools.cache
def code_digest(*scripts: str) -> str:
    """Hash over scripts, every module of the project that they import, and the data files these name.

    Snakemake notices an edited script but not an edited module; a rule carries this as a parameter instead.
    Worker modules, which are started by their dotted name, count as imported where the name is written.

    Args:
        scripts: paths below the project's root, such as "scripts/frames.py".
    """
    files = set().union(*(reached(ROOT / script) for script in scripts))
    _keep()
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(ROOT)}\0{_content_hash(path)}\n".encode())
    return digest.hexdigest()[:12]


def reached(start: Path) -> set[Path]:
    """A file of the project and all others of it that it leads to, by what modules import and name."""
    seen: set[Path] = set()
    todo = [start]
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            if path.suffix == ".py":
                todo += _references(path)
    return seen


_content_hash = functools.cache(sha256)


@functools.cache
def _references(path: Path) -> list[Path]:
    """Project files that a module imports or names in a string."""
    key, content = str(path.relative_to(ROOT)), _content_hash(path) + _content_hash(Path(__file__))
    kept = _memory().get(key)
    if not kept or kept[0] != content:
        kept = _memory()[key] = [content, *_names(path)]
        _unsaved.add(key)
    _, imported, named = kept
    return [file for name in imported for file in modules(name)] + [
        file for text in named for file in _named(text, path)
    ]


_unsaved: set[str] = set()


@functools.cache
def _memory() -> dict[str, list]:
    """What earlier processes found: [hashes, imports, strings] of each module."""
    with suppress(OSError, ValueError):
        memory = json.loads((ROOT / MEMORY).read_text())
        if isinstance(memory, dict) and all(_is_kept(entry) for entry in memory.values()):
            return memory
    return {}


def _is_kept(entry: object) -> bool:
    return isinstance(entry, list) and [type(part) for part in entry] == [str, list, list]


def _keep() -> None:
    """Write down what was found. Where that cannot be, the next process parses again."""
    if _unsaved:
        with suppress(OSError):
            (ROOT / MEMORY).parent.mkdir(parents=True, exist_ok=True)
            with written(ROOT / MEMORY, shared=True) as part:
                part.write_text(json.dumps(_memory()))
        _unsaved.clear()


def _names(path: Path) -> tuple[list[str], list[str]]:
    """The dotted names that a module imports, and its strings that may name a file of the project."""
    imported: list[str] = []
    named: list[str] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom):
            base = _absolute(node, path)
            imported += [base, *(f"{base}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _may_name(node.value):
            named.append(node.value)
    return imported, named


def _may_name(text: str) -> bool:
    if not 3 <= len(text) < 100 or text.startswith(("/", ".")) or not text.isprintable():
        return False
    return "." in text or "/" in text or text == "templates"


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    if not node.level:
        return node.module or ""
    package = path.relative_to(ROOT).parent.parts
    package = package[: len(package) - node.level + 1]
    return ".".join([*package, *([node.module] if node.module else [])])


@functools.cache
def modules(name: str) -> list[Path]:
    """The module's file and the `__init__` of each package above it, when they belong to the project."""
    parts = name.split(".")
    if parts[0] not in PACKAGES or not all(part.isidentifier() for part in parts):
        return []
    candidates = [ROOT.joinpath(*parts[:k], "__init__.py") for k in range(1, len(parts) + 1)]
    candidates.append(ROOT.joinpath(*parts).with_suffix(".py"))
    return [c for c in candidates if c.is_file()]


def _named(text: str, path: Path) -> list[Path]:
    """The project's files that a module at `path` names by this string."""
    if text.split(".")[0] in PACKAGES and "." in text:
        return modules(text)
    named = [path.parent / text, ROOT / text] if "/" in text else [path.parent / text]
    files: list[Path] = []
    for candidate in named:
        if candidate.is_relative_to(ROOT / "prompts"):
            continue  # a parameter of the jobs that ask a language model (workflow.author_params)
        if candidate.is_file():
            files.append(candidate)
        elif candidate.is_dir() and candidate.name == "templates":
            files += [p for p in sorted(candidate.rglob("*")) if p.is_file()]
    return files
