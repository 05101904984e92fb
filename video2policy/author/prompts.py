"""What a language model is asked: the texts in prompts/, filled with what is known about a clip.

What every sample shares comes first and what is its own last, so that endpoints can cache the beginning. What
comes from outside (captions, names, generated code, reasons) stands in fenced blocks that it cannot leave.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from video2policy.author.seen import CLIP, hide
from video2policy.scene import ObjectPose, Relation, Scene, SceneObject

PROMPTS = Path(__file__).parents[2] / "prompts/"
LONGEST = 500
"""Characters of a caption or name that reach a prompt."""

Message = dict[str, Any]
"""One message of Chat Completions; an image part is {"type": "image", "path", "sha256"} until it is sent."""


@dataclass(frozen=True)
class Picture:
    """A frame of the clip that goes with a prompt."""

    name: str
    path: Path
    sha256: str

    @classmethod
    def read(cls, name: str, path: Path) -> Picture:
        return cls(name, path, hashlib.sha256(path.read_bytes()).hexdigest())


def prompt_hashes() -> dict[str, str]:
    """The first 12 digits of each prompt file's sha256, by its path below prompts/."""
    return {
        path.relative_to(PROMPTS).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        for path in sorted(PROMPTS.rglob("*"))
        if path.is_file()
    }


def fill(name: str, **values: object) -> str:
    """The prompt file with its placeholders filled; raises KeyError for one without a value."""
    text = (PROMPTS / name).read_text(encoding="utf-8")
    return Template(text).substitute({key: str(value) for key, value in values.items()}).strip()


def fenced(text: str, language: str = "") -> str:
    """A Markdown block that nothing in `text` can end."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.strip()}\n{fence}"


def plain(text: str, longest: int = LONGEST) -> str:
    """One line without control, format or private characters."""
    kept = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    return " ".join(kept.split())[:longest]


def printable(text: str, longest: int = 2000) -> str:
    """Several lines without control characters, cut to a length."""
    return "".join(c for c in text if c == "\n" or unicodedata.category(c)[0] != "C")[:longest]


# ---------------------------------------------------------------- a clip in words


def describe_clip(scene: Scene, sees: str = CLIP) -> str:
    """Caption, objects, sizes, first and last poses and their difference, as a fenced JSON block.

    Who `sees` less than the clip is told less (`author.seen`).
    """
    described = {
        "caption": plain(scene.task.caption),
        "what_is_handled": scene.task.roles.get("a"),
        "in_relation_to": scene.task.roles.get("b"),
        "units": "metres, degrees, quaternions wxyz from the resting orientation; positions of centres",
        "objects": [hide(_object(item), sees) for item in scene.objects],
        "relations": [_relation(item) for item in scene.relations],
    }
    return fenced(_json(hide(described, sees)), "json")


def _object(item: SceneObject) -> dict[str, Any]:
    moved = item.difference
    return {
        "name": item.name,
        "label": plain(item.label),
        "size": _numbers(item.size),
        "first_pose": _pose(item, item.first),
        "last_pose": _pose(item, item.last),
        "difference": {
            "position": _numbers(moved.translation),
            "distance": _number(moved.distance),
            "rotation_degrees": round(moved.rotation_degrees),
        },
    }


def _pose(item: SceneObject, seen: ObjectPose) -> dict[str, Any]:
    """The quaternion as states give it: relative to the resting orientation, w not negative."""
    quat = item.from_rest(seen.quat)
    return {"position": _numbers(seen.pos), "quaternion": _numbers(quat if quat[0] >= 0 else -quat, 2)}


def _relation(item: Relation) -> dict[str, Any]:
    return {
        "of": item.a,
        "seen_from": item.b,
        "first": _numbers(item.first),
        "last": _numbers(item.last),
        "change_of_distance": _number(item.change_distance),
    }


def _number(value: float, digits: int = 3) -> float:
    """Millimetres are finer than any measurement here; 0.0 has no sign."""
    return round(float(value), digits) + 0.0


def _numbers(values: Iterable[float], digits: int = 3) -> list[float]:
    return [_number(value, digits) for value in values]


def _json(data: Any, indent: str = "") -> str:
    """JSON whose innermost lists and dicts stand on one line each."""
    if isinstance(data, dict) and any(isinstance(value, dict | list) for value in data.values()):
        rows = [f'{indent}  "{key}": {_json(value, indent + "  ")}' for key, value in data.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if isinstance(data, list) and any(isinstance(value, dict | list) for value in data):
        rows = [f"{indent}  {_json(value, indent + '  ')}" for value in data]
        return "[\n" + ",\n".join(rows) + f"\n{indent}]"
    return json.dumps(data, ensure_ascii=False)


# ---------------------------------------------------------------- messages


def task_messages(
    scene: Scene, sample: int, examples: Sequence[str], pictures: Sequence[Picture] = (), sees: str = CLIP
) -> list[Message]:
    """One query for all the parts of a task that a model writes; `examples` are whole modules."""
    shown = "\n\n".join(fenced(example, "python") for example in examples)
    shared = fill("task.md", examples=shown, clip=describe_clip(scene, sees))
    return _messages(shared, fill("task_sample.md", video=scene.video, sample=sample), pictures)


def pick_messages(
    scene: Scene,
    programs: Mapping[int, str],
    checks: Mapping[int, str],
    pictures: Sequence[Picture] = (),
    sees: str = CLIP,
) -> list[Message]:
    """The programs that run, by their numbers, with what the checks said about each."""
    shown = "\n\n".join(
        f"## Program {number}\n\n{fenced(source, 'python')}\n\nThe checks said:\n\n"
        f"{fenced(printable(checks[number]))}"
        for number, source in programs.items()
    )
    numbers = ", ".join(str(number) for number in programs)
    own = fill("pick_sample.md", programs=shown, video=scene.video, numbers=numbers)
    return _messages(fill("pick.md", clip=describe_clip(scene, sees)), own, pictures)


def reward_messages(
    scene: Scene,
    task: str,
    iteration: int,
    sample: int,
    best: str | None = None,
    feedback: str = "",
    redesign: bool = False,
    sees: str = CLIP,
) -> list[Message]:
    """A first reward for the task module, or, with the `best` one and its `feedback`, a better one."""
    shared = fill("reward.md", clip=describe_clip(scene, sees), task=fenced(task, "python"))
    which = {"video": scene.video, "sample": sample}
    if best is None:
        return _messages(shared, fill("first.md", **which))
    own = fill(
        "redesign.md" if redesign else "reflect.md",
        reward=fenced(best, "python"),
        feedback=fenced(feedback, "markdown"),
        iteration=iteration,
        **which,
    )
    return _messages(shared, own)


def program_messages(
    scene: Scene, states: Mapping[str, Sequence[float]], step: int, sees: str = CLIP
) -> list[Message]:
    """A robot program for one episode, from all of its states as they are at control step `step`."""
    now = "\n".join(f"{name}: {_numbers(values)}" for name, values in states.items())
    own = fill("program_sample.md", step=step, states=fenced(now))
    return _messages(fill("program.md", clip=describe_clip(scene, sees)), own)


def repair_messages(name: str, reply: str, reason: str, hint: str = "") -> list[Message]:
    """The model's own reply and why it cannot be used.

    Without a usable one a line stands in for it: many models' templates want roles to alternate.
    """
    return [
        {"role": "assistant", "content": reply.strip() or "(no usable reply)"},
        {"role": "user", "content": fill(name, reason=fenced(printable(reason)), hint=hint)},
    ]


def _messages(shared: str, own: str, pictures: Sequence[Picture] = ()) -> list[Message]:
    """Plain text where there are no pictures: some local servers take nothing else."""
    system = {"role": "system", "content": fill("system.md")}
    if not pictures:
        return [system, {"role": "user", "content": f"{shared}\n\n{own}"}]
    parts: list[dict[str, Any]] = [{"type": "text", "text": shared}]
    for picture in pictures:
        parts.append({"type": "text", "text": f"The {picture.name} frame of the clip:"})
        parts.append({"type": "image", "path": str(picture.path), "sha256": picture.sha256})
    return [system, {"role": "user", "content": [*parts, {"type": "text", "text": own}]}]
