"""What an artifact was made from: the hash of the code that a rule's script reaches.

Standard library only: the Snakefile imports it in the lean host environment.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("video2policy", "scripts")


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


@functools.cache
def _content_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


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
        if candidate.is_file():
            files.append(candidate)
        elif candidate.is_dir() and candidate.name in ("templates", "prompts"):
            files += [p for p in sorted(candidate.rglob("*")) if p.is_file()]
    return files
