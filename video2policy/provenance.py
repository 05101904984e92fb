"""What an artifact was made from: hashes of files and of the code that a script reaches; jobs' records.

Standard library only: the Snakefile imports it in the lean host environment.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("video2policy", "scripts")
SUFFIX = ".provenance.json"
"""How the names of jobs' records end."""

TIMESTAMP = ".snakemake_timestamp"
"""What snakemake puts into every directory that a job wrote, after the job."""

notes: dict[str, Any] = {}
"""What this process found out about how it works, such as the sandbox that its workers reached."""


def sha256(path: Path) -> str:
    """Hash of a file, or of a directory's file names and contents. Raises OSError where there is none."""
    digest = hashlib.sha256()
    if path.is_dir():
        for file in sorted(p for p in path.rglob("*") if p.is_file() and p.name != TIMESTAMP):
            digest.update(f"{file.relative_to(path)}\0{sha256(file)}\n".encode())
        return digest.hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def producer(path: Path) -> dict[str, Any] | None:
    """The record of the job that made an artifact; None for a file that no job made."""
    for folder in path.parents:
        for record in sorted(folder.glob(f"*{SUFFIX}")):
            content = read_record(record)
            if content and str(path) in content["outputs"]:
                return content
    return None


def read_record(path: Path) -> dict[str, Any] | None:
    """A job's record; None for one that cannot be read or holds no hashes."""
    try:
        content = json.loads(path.read_text())
        return (
            content if isinstance(content["outputs"], dict) and isinstance(content["inputs"], dict) else None
        )
    except (ValueError, KeyError, TypeError):
        return None


def altered(paths: Iterable[Path]) -> list[str]:
    """Those of these artifacts that are not what their jobs wrote: truncated, edited or gone since."""
    found = []
    for path in paths:
        made = producer(path)
        if made and not (path.exists() and sha256(path) == made["outputs"][str(path)]):
            found.append(str(path))
    return found


@functools.cache
def code_digest(*scripts: str) -> str:
    """Hash over scripts, every module of the project that they import, and the data files these name.

    Snakemake notices an edited script but not an edited module; a rule carries this as a parameter instead.
    Worker modules, which are started by their dotted name, count as imported where the name is written.

    Args:
        scripts: paths below the project's root, such as "scripts/frames.py".
    """
    reached = set().union(*(_reached(ROOT / script) for script in scripts))
    digest = hashlib.sha256()
    for path in sorted(reached):
        digest.update(f"{path.relative_to(ROOT)}\0{_content_hash(path)}\n".encode())
    return digest.hexdigest()[:12]


def _reached(start: Path) -> set[Path]:
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
def _references(path: Path) -> tuple[Path, ...]:
    """Project files that a module imports or names in a string."""
    found: list[Path] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom):
            base = _absolute(node, path)
            found += _modules(base)
            for alias in node.names:
                found += _modules(f"{base}.{alias.name}")
        elif isinstance(node, ast.Import):
            for alias in node.names:
                found += _modules(alias.name)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and 3 <= len(node.value) < 100:
            found += _named(node.value, path)
    return tuple(found)


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    if not node.level:
        return node.module or ""
    package = path.relative_to(ROOT).parent.parts
    package = package[: len(package) - node.level + 1]
    return ".".join([*package, *([node.module] if node.module else [])])


def _modules(name: str) -> list[Path]:
    """The module's file and the `__init__` of each package above it, when they belong to the project."""
    parts = name.split(".")
    if parts[0] not in PACKAGES or not all(p.isidentifier() for p in parts):
        return []
    candidates = [ROOT.joinpath(*parts[:k], "__init__.py") for k in range(1, len(parts) + 1)]
    candidates.append(ROOT.joinpath(*parts).with_suffix(".py"))
    return [c for c in candidates if c.is_file()]


def _named(text: str, path: Path) -> list[Path]:
    if text.split(".")[0] in PACKAGES and "." in text:
        return _modules(text)
    if "\0" in text or "\n" in text or text.startswith(("/", ".")):
        return []
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
