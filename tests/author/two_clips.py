"""Two clips written by the scripted server, through the scripts that the rules run; and its transcript.

The training between the rounds is made up: one clip succeeds at times, the other never.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from scripts import pick_task, select_reward, write_reward, write_task
from scripts.stage import Input, Output
from tests.llm_server import Asked, Server
from tests.scenes import primitive_scene
from video2policy.guard.check_worker import check_apart
from video2policy.scene import Scene

REPLIES = Path(__file__).parent / "replies"
CLIPS = {
    "lift_box": ("lift", {"red_box": "box"}, False),
    "push_can_right": ("push_right", {"blue_can": "cylinder"}, True),
}
"""Family, objects, and whether its frames are sent."""
CANDIDATES, SAMPLES = 3, 2
RATES = {"lift_box": [0.6, 0.1], "push_can_right": [0.0, 0.0]}


def settings(base_url: str, replies: Path, **values: Any) -> dict[str, Any]:
    """An `author` block for the local server; its prices are round numbers."""
    block = {
        "name": "llm",
        "seed": 0,
        "base_url": base_url,
        "model": "scripted",
        "key_env": "SCRIPTED_KEY",
        "temperature": 1.0,
        "max_tokens": 2000,
        "options": {},
        "attempts": 3,
        "timeout": 3.0,
        "retries": 3,
        "concurrency": 2,
        "send_frames": False,
        "examples": 6,
        "budget_usd": 10.0,
        "prices": {"input": 1.0, "cached": 0.5, "output": 4.0},
        "image_tokens": 1000,
        "replies": str(replies),
    }
    return block | values


def check_all(
    scene: Path, candidates: Sequence[tuple[Path, Path | None]], clip: bool = True
) -> list[dict[str, Any]]:
    """`guard.checks.check_files` without the process around it."""
    torch.set_num_threads(1)
    loaded = Scene.load(scene)
    pairs = [{"task": str(task), "reward": reward and str(reward)} for task, reward in candidates]
    return [check_apart(loaded, pair, 30.0, clip=clip) for pair in pairs]


def make_scene(folder: Path, clip: str) -> tuple[Input, Input]:
    """scene.json and frames/ of a clip."""
    family, objects, _ = CLIPS[clip]
    scene = primitive_scene(folder / clip, family, objects=objects)
    frames = folder / clip / "frames"
    frames.mkdir()
    for number, shade in enumerate((40, 120, 200)):
        cv2.imwrite(str(frames / f"{number:06d}.jpg"), np.full((48, 64, 3), shade, np.uint8))
    return Input(scene), Input(frames)


def play(folder: Path, clip: str, block: dict[str, Any]) -> Path:
    """Everything that an author writes for a clip, two rounds of rewards included; the folder with it."""
    scene, frames = make_scene(folder, clip)
    out = folder / clip / "v2p"
    out.mkdir()
    block = block | {"send_frames": CLIPS[clip][2]}
    sent = frames if CLIPS[clip][2] else None
    candidates = []
    for sample in range(CANDIDATES):
        candidates.append(Input(out / f"candidate_{sample}.py"))
        records = [Output(out / f"candidate_{sample}.{kind}.json") for kind in ("request", "reply")]
        write_task.main(scene, Output(candidates[-1]), *records, sample, block, frames=sent)
    task, picked = Output(out / "task.py"), Output(out / "pick.json")
    pick_task.main(scene, candidates, task, picked, block, frames=sent)
    previous: Path | None = None
    for iteration in range(2):
        folders = [out / str(iteration) / str(sample) for sample in range(SAMPLES)]
        for sample, one in enumerate(folders):
            one.mkdir(parents=True)
            names = ("request.json", "reply.json", "reward.py")
            write_reward.main(
                scene,
                Input(task),
                *(Output(one / name) for name in names),
                iteration,
                sample,
                block,
                Input(previous) if previous else None,
                Input(previous.parent / "feedback.md") if previous else None,
            )
            (one / "search.json").write_text(json.dumps(made_up_search(RATES[clip][sample])))
            (one / "policy.safetensors").write_text("none")
        best = out / str(iteration) / "best"
        select_reward.main(
            scene,
            Input(task),
            *([Input(one / name) for one in folders] for name in ("search.json", "reward.py", "reply.json")),
            [Input(one / "policy.safetensors") for one in folders],
            Output(best),
            Output(best.parent / "feedback.md"),
            iteration,
            simulation={},
            training={},
            previous=Input(previous) if previous else None,
        )
        previous = best
    return out


def made_up_search(rate: float) -> dict[str, Any]:
    """search.json of a training that reaches its object and seldom moves it."""

    def figures(mean: float, least: float, most: float) -> dict[str, Any]:
        return {"mean": mean, "min": least, "max": most, "series": [least, mean, most]}

    split = rate > 0
    components = {
        "reach": {
            "success": figures(24.0, 23.8, 24.2) if split else None,
            "failure": figures(23.5, 23.4, 24.1),
        },
        "lift": {"success": figures(40.0, 12.0, 66.0) if split else None, "failure": figures(0.0, 0.0, 0.0)},
    }
    return {
        "success_rate": rate,
        "steps": 2048,
        "stopped": "cap",
        "seed": 0,
        "components": components,
        "return": {"success": 64.0 if split else None, "failure": 23.5},
    }


# ---------------------------------------------------------------- the transcript


def transcript(server: Server) -> str:
    """What was asked and said, for a person to read; what an earlier request begins with is left out."""
    earlier: list[str] = []
    parts = [
        "# What the model was asked\n\nMade by tests/author/test_two_clips.py; the replies are in replies/."
    ]
    for number, asked in enumerate(server.asked, 1):
        parts.append(f"## {number}. {last_line(asked)}")
        fields = {k: v for k, v in asked.body.items() if k != "messages"}
        parts.append(f"`{json.dumps(fields)}` and {pictures(asked)} pictures")
        texts = [f"**{m['role']}**\n\n{words(m['content'])}" for m in asked.body["messages"]]
        parts.append(shown("\n\n".join(texts), earlier))
        parts.append(f"*The server says: {asked.said}*")
    return "\n\n".join(parts) + "\n"


def shown(text: str, earlier: list[str]) -> str:
    """`text` without the lines that it begins with in common with an earlier one, which is named."""
    common, number = 0, 0
    for k, other in enumerate(earlier, 1):
        same = 0
        for a, b in zip(text.split("\n"), other.split("\n"), strict=False):
            if a != b:
                break
            same += 1
        if same > common:
            common, number = same, k
    earlier.append(text)
    lines = text.split("\n")
    if common == len(lines):
        return f"(the same as {number})"
    rest = "\n".join("    " + line if line else "" for line in lines[common:])
    return rest if common == 0 else f"(the first {common} lines are those of {number})\n\n{rest}"


def words(content: str | list[dict[str, Any]]) -> str:
    if isinstance(content, str):
        return content
    return "\n\n".join(part.get("text", "[picture]") for part in content)


def pictures(asked: Asked) -> int:
    contents = [m["content"] for m in asked.body["messages"] if not isinstance(m["content"], str)]
    return sum(part["type"] == "image_url" for content in contents for part in content)


def last_line(asked: Asked) -> str:
    lines = [line for line in asked.text.splitlines() if line.startswith("Clip ")]
    return lines[-1].split(". ")[0]
