"""Requests to an author and its replies: the files in the DAG that make every draw repeatable.

A request is everything that decides the reply; its key is the sha256 of its canonical JSON. A reply holds the
source, who wrote it, and the genome and notes where the author has them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from video2policy.scene import Scene


def canonical(data: Any) -> str:
    """JSON with sorted keys, no spaces and shortest numbers: equal data gives equal text."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(data: Any) -> str:
    """sha256 of the canonical JSON."""
    return hashlib.sha256(canonical(data).encode()).hexdigest()


@dataclass(frozen=True)
class Request:
    """What an author is asked for: `part` is "task" or "reward", `sample` the index within its round.

    `scene` is `scene_summary`, `parent` the best reward so far with its search record (None in round 0).
    """

    author: str
    seed: int
    part: str
    iteration: int
    sample: int
    scene: Mapping[str, Any]
    parent: Mapping[str, Any] | None = None

    @property
    def key(self) -> str:
        return digest(asdict(self))

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({"key": self.key, **asdict(self)}, indent=1) + "\n")


@dataclass(frozen=True)
class Reply:
    """What an author gave: code, and for the grammar the genome it was written from."""

    request: str
    author: str
    source: str
    genome: Mapping[str, Any] | None = None
    notes: Sequence[str] = field(default_factory=tuple)

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> Reply:
        """Raises ValueError when the file holds no reply."""
        data = json.loads(path.read_text())
        if not isinstance(data, dict) or not {"request", "author", "source"} <= set(data):
            raise ValueError(f"{path} holds no reply of an author")
        names = ("request", "author", "source", "genome", "notes")
        return cls(**{name: data[name] for name in names if name in data})


def scene_summary(scene: Scene) -> dict[str, Any]:
    """What an author sees of a scene: caption, family, roles, sizes, first and last poses and relations."""
    return {
        "video": scene.video,
        "caption": scene.task.caption,
        "family": scene.task.family,
        "roles": scene.task.roles,
        "objects": [
            {
                "name": item.name,
                "label": item.label,
                "size": item.size,
                "first": asdict(item.first),
                "last": asdict(item.last),
                "difference": asdict(item.difference),
            }
            for item in scene.objects
        ],
        "relations": [asdict(item) for item in scene.relations],
    }
