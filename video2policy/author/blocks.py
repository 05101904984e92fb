"""Python out of a model's reply: every function that it gives, whatever stands around it.

Functions and constants are found by name in all fenced blocks, helpers are kept, a later definition replaces
an earlier one, and the order does not matter. What is missing or no Python is named, so that it can be sent
back.
"""

from __future__ import annotations

import ast
import json
import pprint
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from markdown_it import MarkdownIt

from video2policy.author.seen import CLIP, hide
from video2policy.author.source import repair_quotes
from video2policy.scene import Scene

REWARD = "reward_function"
PROGRAM = "policy"
METHODS = ("reset_objects_states", "compute_observation_key", "get_observation_space", "compute_success")
"""The methods that a reply may give; only success has no default."""
PYTHON = ("python", "py", "python3", "pytorch", "ipython", "ipython3")
UNTAGGED = ("", "text", "txt", "code", "plaintext")
MARKDOWN = ("markdown", "md")
LONGEST = 50_000
"""Characters of a reply, after its thoughts, that are read: hostile ones take longer than in proportion."""
TRIES = 20
"""Ends that are tried for code without fences."""
STANDARD = ("import torch", "import math", "from factory.tasks.task import Task")


class NoCode(Exception):
    """Why a reply gives no code, in one or two sentences for the model."""


@dataclass
class Pieces:
    """What a reply holds: its plan, imports, module-level definitions and methods, the latter by name."""

    plan: dict[str, Any] | None = None
    imports: list[str] = field(default_factory=list)
    definitions: dict[str, str] = field(default_factory=dict)
    methods: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    languages: list[str] = field(default_factory=list)


def read_reply(text: str) -> Pieces:
    """Everything usable in a reply. Raises NoCode where there is no Python at all."""
    pieces = Pieces(plan=read_json(text))
    text = _answer(text)
    fences = _fences(text)
    for language, code in fences:
        if language in PYTHON or language in UNTAGGED:
            _add(pieces, code, quiet=language in UNTAGGED)
        elif language not in ("json", "jsonc", *MARKDOWN):
            pieces.languages.append(language)
    if not (pieces.definitions or pieces.methods or pieces.problems):
        bare = _bare(text) if not fences else None
        if bare is not None:
            _add(pieces, bare, quiet=True)
    if not (pieces.definitions or pieces.methods):
        raise NoCode(_why_none(pieces))
    return pieces


def read_module(source: str) -> Pieces:
    """The pieces of a Python module."""
    pieces = Pieces()
    _add(pieces, source, quiet=False)
    return pieces


def read_json(text: str) -> dict[str, Any] | None:
    """The last JSON object in a reply: in a fenced block, or as the whole text; None without one."""
    text = _answer(text)
    blocks = [content for _, content in _fences(text)]
    start, end = text.find("{"), text.rfind("}")
    whole = [text[start : end + 1]] if 0 <= start < end and not blocks else []
    for block in [*reversed(blocks), *whole]:
        try:
            data = json.loads(block)
        except (ValueError, RecursionError):
            continue
        if isinstance(data, dict):
            return data
    return None


def _answer(text: str) -> str:
    """What a reply says after its thoughts (`<think>`), in which drafts stand; of lines without marks that
    cannot be seen, which would hide a fence."""
    *_, rest = re.split(r"(?i)</think(?:ing)?>", text)
    if re.match(r"(?i)\s*<think(?:ing)?>", rest):
        return ""
    return re.sub(r"(?m)^[\ufeff\u200b-\u200d\u2060]+", "", rest[:LONGEST])


def _fences(text: str, within: bool = False) -> list[tuple[str, str]]:
    """Language and content of every fenced block; a block of Markdown gives those in it."""
    # Only blocks are read; tags are prose, so that a fence right below one is found.
    parser = MarkdownIt().disable(["inline", "reference", "html_block", "code"])
    found: list[tuple[str, str]] = []
    for token in parser.parse(text):
        if token.type == "fence":
            language = _language(token.info)
            inner = _fences(token.content, True) if language in MARKDOWN and not within else []
            found += inner or [(language, token.content)]
    return found


def _language(info: str) -> str:
    """What stands behind a fence: a language, or the name of a file in Python."""
    if re.match(r"[^\s.]+\.py\b", info.strip()):
        return "python"
    words = re.findall(r"[a-z0-9+#_-]+", info.lower())
    return words[0] if words else ""


def _why_none(pieces: Pieces) -> str:
    if pieces.problems:
        return " ".join(pieces.problems)
    if pieces.languages:
        return f"The code is written in {', '.join(dict.fromkeys(pieces.languages))}, not in Python."
    return "The reply holds no Python code."


def _bare(text: str) -> str | None:
    """The longest run of lines that parses, in a reply that forgot its fences."""
    lines = text.split("\n")
    starts = (k for k, line in enumerate(lines) if re.match(r"(import|from|def|class|@)\b|@", line))
    start, end = next(starts, len(lines)), len(lines)
    for _ in range(TRIES):
        block = "\n".join(lines[start:end])
        if end <= start or _parse(block) is not None:
            return block or None
        end = min(end, start + _faulty_line(block)) - 1
    return None


def _faulty_line(source: str) -> int:
    """The line, from 1, at which a source stops being Python."""
    fault = _fault(repair_quotes(textwrap.dedent(source)))
    return (isinstance(fault, SyntaxError) and fault.lineno) or 1


def _fault(text: str) -> Exception | None:
    """Why a text does not parse."""
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return error
    return None


def _parse(source: str) -> tuple[str, ast.Module] | None:
    """The source as it parses, with its tree."""
    for text in (source, textwrap.dedent(source), repair_quotes(textwrap.dedent(source))):
        try:
            tree = ast.parse(text)
            ast.unparse(tree)  # as its pieces will be; what is too deep for that is no code
            return text, tree
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return None


def _add(pieces: Pieces, source: str, quiet: bool) -> None:
    parsed = _parse(source)
    if parsed is None:
        if not quiet:
            pieces.problems.append(_syntax_problem(source))
        return
    text, tree = parsed
    lines = text.split("\n")
    for statement, code in _statements(tree.body, lines):
        if isinstance(statement, ast.Import | ast.ImportFrom):
            line = ast.unparse(statement)
            if line not in STANDARD and line not in pieces.imports:
                pieces.imports.append(line)
        elif isinstance(statement, ast.ClassDef):
            members = _statements(statement.body, lines) if statement.name != "Task" else ()
            for member, inner in members:
                for name in _names(member):
                    _put(pieces.methods, name, inner)
        elif isinstance(statement, ast.FunctionDef) and _has_self(statement):
            _put(pieces.methods, statement.name, code)
        else:
            for name in _names(statement):
                if name != "scene_info":
                    _put(pieces.definitions, name, code)


def _syntax_problem(source: str) -> str:
    text = repair_quotes(textwrap.dedent(source))
    found = re.search(r"\b(?:def|class)\s+(\w+)", text)
    where = f"The block with {found[1]}" if found else "A Python block"
    fault = _fault(text)
    if isinstance(fault, SyntaxError):
        return f"{where} does not parse: {fault.msg} (line {fault.lineno} of the block)."
    return f"{where} does not parse: {type(fault).__name__}." if fault else f"{where} does not parse."


def _put(found: dict[str, str], name: str, code: str) -> None:
    found.pop(name, None)
    found[name] = code


def _names(statement: ast.stmt) -> list[str]:
    """What a statement defines; nothing for one that only does something, which is left out."""
    if isinstance(statement, ast.FunctionDef):
        return [statement.name]
    if isinstance(statement, ast.Assign):
        return ["_".join(ast.unparse(target) for target in statement.targets)]
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        return [ast.unparse(statement.target)]
    return []


def _has_self(function: ast.FunctionDef) -> bool:
    arguments = [*function.args.posonlyargs, *function.args.args]
    return bool(arguments) and arguments[0].arg == "self"


def _statements(body: Iterable[ast.stmt], lines: list[str]) -> Iterable[tuple[ast.stmt, str]]:
    """Each statement with its text: decorators and the comments right above it included."""
    after = 0
    for statement in body:
        decorators = [d.lineno for d in getattr(statement, "decorator_list", [])]
        start, end = min([statement.lineno, *decorators]) - 1, statement.end_lineno or statement.lineno
        if statement.lineno <= after or (";" in lines[start] and end == start + 1):
            yield statement, ast.unparse(statement)  # several on one line
        else:
            while start > after and lines[start - 1].strip().startswith("#"):
                start -= 1
            code = textwrap.dedent("\n".join(lines[start:end]))
            yield statement, ast.unparse(statement) if code.startswith((" ", "\t")) else code
        after = end


# ---------------------------------------------------------------- modules

HEADINGS = {
    "reset_objects_states": "RESET FUNCTION",
    "compute_observation_key": "OBSERVATION FUNCTION",
    "get_observation_space": "OBSERVATION SPACE",
    "compute_success": "SUCCESS FUNCTION",
}
DEFAULTS = {
    "__init__": "def __init__(self, envs, urdf_assets_root) -> None:\n"
    "    super().__init__(envs, urdf_assets_root, scene_info)",
    "reset_objects_states": "def reset_objects_states(self, env_ids):\n"
    "    return super().reset_objects_states(env_ids)",
    "compute_observation_key": "def compute_observation_key(self, states):\n"
    "    return super().compute_observation_key(states)",
    "get_observation_space": "def get_observation_space(self):\n    return super().get_observation_space()",
    "compute_reward": f"def compute_reward(self, actions, states):\n    return {REWARD}(actions, states)",
}


def task_module(pieces: Pieces, scene: Scene, sees: str = CLIP) -> str:
    """task.py in six parts (paper, section 3.2): the scene's part is ours, the others are the reply's.

    Raises NoCode that names what is missing.
    """
    missing = [name for name in ("compute_success",) if name not in pieces.methods]
    missing += [REWARD] if REWARD not in pieces.definitions else []
    if "compute_observation_key" in pieces.methods and "get_observation_space" not in pieces.methods:
        missing.append("get_observation_space")
    if missing:
        problems = [f"The reply does not give {', '.join(missing)}.", *pieces.problems]
        raise NoCode(" ".join(problems))
    methods = DEFAULTS | pieces.methods
    first = ("__init__", *METHODS)
    order = [*first, *(name for name in methods if name not in (*first, "compute_reward")), "compute_reward"]
    body = [_headed(name, methods[name]) for name in order]
    helpers = [code for name, code in pieces.definitions.items() if name != REWARD]
    head = [*STANDARD[:2], *pieces.imports, STANDARD[2]]
    parts = [
        "\n".join(head),
        f"# SCENE INFORMATION\nscene_info = {scene_literal(scene, sees)}",
        *helpers,
        f'class {class_name(scene)}(Task):\n    """{_docstring(scene.task.caption)}"""\n\n'
        + textwrap.indent("\n\n".join(body), "    "),
        f"# REWARD FUNCTION\n{pieces.definitions[REWARD]}",
    ]
    return "\n\n\n".join(part.strip("\n") for part in parts) + "\n"


def reward_module(pieces: Pieces) -> str:
    """reward.py: the reward function with its helpers. Raises NoCode without one."""
    if REWARD not in pieces.definitions:
        raise NoCode(" ".join([f"The reply does not give {REWARD}.", *pieces.problems]))
    helpers = [code for name, code in pieces.definitions.items() if name != REWARD]
    parts = ["\n".join([*STANDARD[:2], *pieces.imports]), *helpers, pieces.definitions[REWARD]]
    return "\n\n\n".join(part.strip("\n") for part in parts) + "\n"


def program_module(pieces: Pieces) -> str:
    """A robot program: `policy(states)` with its helpers. Raises NoCode without one."""
    if PROGRAM not in pieces.definitions:
        raise NoCode(" ".join([f"The reply does not give {PROGRAM}.", *pieces.problems]))
    parts = ["\n".join([*STANDARD[:2], *pieces.imports]), *pieces.definitions.values()]
    return "\n\n\n".join(part.strip("\n") for part in parts) + "\n"


def _headed(name: str, code: str) -> str:
    heading = HEADINGS.get(name)
    return f"# {heading}\n{code}" if heading and heading not in code else code


def class_name(scene: Scene) -> str:
    """The caption in one word."""
    words = re.findall(r"[a-zA-Z0-9]+", scene.task.caption)
    name = "".join(word.capitalize() for word in words)[:60]
    return name if name[:1].isalpha() and name != "Task" else f"Task{name}"


def _docstring(text: str) -> str:
    return " ".join(text.replace("\\", " ").replace('"', "'").split())


def scene_literal(scene: Scene, sees: str = CLIP) -> str:
    """The scene's information as a Python literal: what the clip shows, the difference of poses stated."""
    info: Mapping[str, Any] = {
        "task_class_name": class_name(scene),
        "task_description": scene.task.caption,
        "family": scene.task.family,
        "roles": dict(scene.task.roles),
        "objects": [
            hide(
                {
                    "name": item.name,
                    "size": list(item.size),
                    "urdf": item.urdf,
                    "first_position": list(item.first.pos),
                    "last_position": list(item.last.pos),
                    "difference": list(item.difference.translation),
                    "rotation_degrees": item.difference.rotation_degrees,
                },
                sees,
            )
            for item in scene.objects
        ],
    }
    return pprint.pformat(info, width=100, sort_dicts=False)


def borrow_method(source: str, other: str, name: str) -> str:
    """The task module `source` with the method `name` as the module `other` has it, if it has one."""
    taken = read_module(other).methods.get(name)
    if taken is None:
        return source
    code = re.sub(r"\A(#.*\n)+", "", taken)  # the comments above it stay where they are
    lines = source.split("\n")
    (task,) = (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    own = next((m for m in task.body if isinstance(m, ast.FunctionDef) and m.name == name), None)
    start, end = (own.lineno - 1, own.end_lineno) if own else (task.body[-1].end_lineno,) * 2
    return "\n".join([*lines[:start], textwrap.indent(code, "    "), *lines[end:]])
