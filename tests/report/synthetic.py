"""A results folder as the workflow leaves it, drawn instead of computed: for tests of the report alone."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import av
import numpy as np
import trimesh
from PIL import Image, ImageDraw

from video2policy.mesh import save
from video2policy.report import build_index, build_page

STAGES = ("frames", "ground", "segment", "depth", "reconstruct", "scale", "track", "collide")
WIDTH, HEIGHT, FRAMES = 320, 240, 24

TASK_CODE = '''import torch

from video2policy.task import Task

scene_info = {"task": "lift"}


class Lift(Task):
    """Lift the object."""

    def compute_success(self, states):
        return states["cube_pos"][:, 2] > 0.1  # clearly off the table
'''
REWARD_CODE = """import torch


def reward_function(actions, states):
    # {note}
    reach = torch.exp(-8.0 * torch.norm(states["eef_pos"] - states["cube_pos"], dim=-1))
    return reach, {{"reach": reach}}
"""
FEEDBACK = """# Round {iteration}

The best sample so far is {best}; **reach** is higher on successes.

| component | on successes | on failures |
|---|---|---|
| reach | 0.81 | 0.22 |
| <b>lift</b> | 0.40 | 0.01 |
"""


def row(video: str, caption: str, objects: list[str], labels: list[str] | None = None) -> dict[str, Any]:
    """A row of the sample sheet, as the report's rule gives it."""
    return {"video": video, "caption": caption, "objects": objects, "labels": labels or objects}


def write_json(path: Path, data: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))


def write_mesh(path: Path, subdivisions: int = 2) -> None:
    """A ball of diameter 1, each vertex in a colour of its own."""
    ball = trimesh.creation.icosphere(subdivisions, 0.5)
    colours = np.random.default_rng(0).integers(0, 255, (len(ball.vertices), 3))
    ball.visual = trimesh.visual.ColorVisuals(ball, vertex_colors=colours)
    save(ball, path)


def write_provenance(path: Path, rule: str, seconds: float = 2.5, memory: int = 300) -> None:
    """What a job leaves beside its outputs, as far as the report reads it."""
    write_json(path, {"rule": rule, "seconds": seconds, "peak_memory_mb": memory})


def write_clip(
    results: Path, row: dict[str, Any], stop: str | None = None, reason: str = "", better: str | None = None
) -> Path:
    """One clip's perception artifacts and scene; `stop` names the gate that rejects it."""
    folder = results / "videos" / row["video"]
    reached = STAGES[: STAGES.index(stop) + 1] if stop else STAGES
    for stage in STAGES:
        rejected = stop is not None and STAGES.index(stage) >= STAGES.index(stop)
        verdict = {
            "stage": stop if rejected else stage,
            "passed": not rejected,
            "method": "" if rejected else f"{stage} method",
            "confidence": 0.0 if rejected else 0.9,
            "reason": reason if rejected else None,
            "better": None if rejected else better,
        }
        for path in _verdict_paths(folder, stage, row["objects"]):
            write_json(path, verdict)
            write_provenance(path.with_name(path.name.replace("verdict", "provenance")), stage)
    _frames(folder / "frames", row["caption"])
    write_json(
        folder / "clip.json",
        {
            "video": row["video"],
            "fps": 12.0,
            "n_frames": FRAMES,
            "width": WIDTH,
            "height": HEIGHT,
            "caption": row["caption"],
            "quality": {"camera_motion_px": 0.4, "blur": 0.1, "cuts": [], "limits": {"min_frames": 8}},
        },
    )
    if "ground" in reached:
        _overlay(folder / "objects.png", "objects")
        found = [
            {
                "name": name,
                "label": label,
                "frame": 3,
                "box": [1, 2, 30, 40],
                "score": 0.8,
                "method": "motion",
            }
            for name, label in zip(row["objects"], row["labels"], strict=True)
        ]
        write_json(folder / "objects.json", {"objects": found})
    for name in row["objects"]:
        if "segment" in reached:
            _overlay(folder / "masks" / f"{name}.png", f"mask {name}")
        if "reconstruct" in reached:
            _overlay(folder / "objects" / name / "mesh.png", f"mesh {name}")
            mesh = {"shape": "box", "frame": 4, "iou": 0.94, "standing": True}
            write_json(folder / "objects" / name / "mesh.json", mesh)
            write_mesh(folder / "objects" / name / "mesh.obj")
        if "scale" in reached:
            size = {
                "scale": 0.08,
                "size": [0.08, 0.08, 0.08],
                "method": "class",
                "source": "cube",
                "uncertainty": 0.3,
            }
            write_json(folder / "objects" / name / "size.json", size)
        if "track" in reached:
            _overlay(folder / "objects" / name / "track.png", f"track {name}")
    if "depth" in reached:
        camera = {"method": "table plane", "fov": 42.0, "pitch": 35.0, "confidence": 0.6}
        write_json(folder / "camera.json", camera)
    if stop:
        write_json(
            folder / "scene.json", {"video": row["video"], "passed": False, "reason": reason, "objects": []}
        )
    else:
        write_json(folder / "scene.json", _scene(row))
    return folder


def _verdict_paths(folder: Path, stage: str, objects: list[str]) -> list[Path]:
    if stage in ("frames", "ground", "depth"):
        return [folder / f"{stage}.verdict.json"]
    if stage == "segment":
        return [folder / "masks" / f"{name}.verdict.json" for name in objects]
    return [folder / "objects" / name / f"{stage}.verdict.json" for name in objects]


def _scene(row: dict[str, Any]) -> dict[str, Any]:
    objects = []
    for place, (name, label) in enumerate(zip(row["objects"], row["labels"], strict=True)):
        turn = 0.5 * place
        ways = [
            [0.04 * place + 0.08 * t, -0.12 + 0.2 * place + 0.05 * t, 0.04 + (0 if place else 0.1 * t)]
            for t in np.linspace(0, 1, FRAMES)
        ]
        poses: list[Any] = [
            [
                [math.cos(turn), -math.sin(turn), 0, x],
                [math.sin(turn), math.cos(turn), 0, y],
                [0, 0, 1, z],
                [0, 0, 0, 1],
            ]
            for x, y, z in ways
        ]
        poses[5] = None
        quat = [math.cos(turn / 2), 0, 0, math.sin(turn / 2)]
        objects.append(
            {
                "name": name,
                "label": label,
                "size": [0.08, 0.06, 0.08],
                "mass": 0.12,
                "mesh": f"objects/{name}/mesh.obj",
                "mesh_scale": 0.08,
                "world_from_object": poses,
                "first": {"pos": ways[0], "quat": quat},
                "last": {"pos": ways[-1], "quat": quat},
                "difference": {"translation": [0.08, 0.05, 0.1], "rotation_degrees": 12.0, "distance": 0.14},
            }
        )
    names = row["objects"]
    relations = [
        {"a": names[0], "b": other, "first": [0.1, 0, 0], "last": [0.05, 0, 0], "change_distance": -0.05}
        for other in names[1:]
    ]
    task = {"title": "lift", "caption": row["caption"], "family": "lift", "family_source": "caption"}
    return {
        "schema_version": 1,
        "video": row["video"],
        "passed": True,
        "reason": None,
        "task": task | {"roles": {"a": names[0]}},
        "objects": objects,
        "relations": relations,
    }


def write_task(folder: Path, candidates: int = 3, code: str = TASK_CODE) -> None:
    """Candidates, the pick and the chosen program."""
    task = folder / "task"
    task.mkdir(parents=True, exist_ok=True)
    for index in range(candidates):
        (task / f"candidate_{index}.py").write_text(code)
    rows = [
        {
            "index": index,
            "rank": candidates - index,
            "passed": index != 0,
            "reason": "its success is true from 70% of the way on"
            if index
            else "shapes: (4, 1) instead of (4,)",
            "facts": {"onset": 0.7, "extra_observations": 2},
            "checks": [{"name": "shapes", "passed": index != 0, "reason": "" if index else "(4, 1)"}],
        }
        for index in range(candidates)
    ]
    pick = {"picked": 1, "reason": "its success flips on the clip", "candidates": rows}
    write_json(task / "pick.json", pick)
    (task / "task.py").write_text(code)


def write_rounds(folder: Path, success: list[list[float]]) -> None:
    """Reward rounds with these generated success rates per round and sample; a later best must be better."""
    best: dict[str, Any] = {}
    for iteration, rates in enumerate(success):
        parent = None if not best else [best["iter"], best["sample"]]
        for sample, rate in enumerate(rates):
            one = folder / "reward" / str(iteration) / str(sample)
            one.mkdir(parents=True)
            (one / "reward.py").write_text(REWARD_CODE.format(note=f"round {iteration} sample {sample}"))
            write_json(one / "reply.json", {"author": "grammar", "notes": ["goal weighed more"]})
            _log(one / "log.csv", rate, seed=10 * iteration + sample)
            write_json(
                one / "search.json",
                {
                    "success_rate": rate,
                    "steps": 300000,
                    "stopped": "solved" if rate > 0.9 else "hopeless" if rate < 0.05 else "cap",
                    "seed": 0,
                    "components": {},
                    "return": {"success": 812.0 if rate else None, "failure": 90.5},
                },
            )
            if not best or rate > best["success_rate"]:
                step = {"iter": iteration, "sample": sample, "success_rate": rate}
                kept = [s for s in best.get("lineage", []) if s["iter"] < iteration]
                best = step | {"parent": parent, "lineage": [*kept, step]}
        last = folder / "reward" / str(iteration)
        write_json(last / "best" / "best.json", best)
        (last / "best" / "reward.py").write_text(REWARD_CODE.format(note="the best"))
        (last / "feedback.md").write_text(FEEDBACK.format(iteration=iteration, best=best["sample"]))


def write_policy(folder: Path, success_rate: float = 0.93) -> None:
    """The judged evaluation of the final policy and its rollout."""
    evaluation = {
        "video": folder.parent.name,
        "variant": folder.name,
        "task": "lift",
        "judge": "lift",
        "simulator": "mujoco",
        "robot": "panda",
        "horizon": 100,
        "sim_scale": 0.9,
        "training_seeds": 3,
        "episodes": 300,
        "successes": round(300 * success_rate),
        "success_rate": success_rate,
        "ci95": [success_rate - 0.03, success_rate + 0.03],
        "ci_method": "wilson, clustered by training run",
        "generated_success_rate": success_rate,
        "verdicts": [
            {"name": "better_than_doing_nothing", "passed": True, "message": "0.93 against 0.00"},
            {"name": "seeds_agree", "passed": False, "message": "0.99 and 0.71"},
        ],
        "per_seed": [
            {
                "training_seed": seed,
                "episodes": 100,
                "successes": round(100 * success_rate),
                "success_rate": success_rate,
                "generated_success_rate": 0.97,
                "agreement": 0.96,
                "median_first_step": 41.0,
            }
            for seed in range(3)
        ],
    }
    write_json(folder / "policy" / "eval.json", evaluation)
    write_provenance(folder / "policy" / "evaluate.provenance.json", "evaluate", 61.0, 900)
    with av.open(str(folder / "policy" / "rollout.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=20)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for place in range(20):
            image = Image.new("RGB", (160, 120), (60, 70, 90))
            ImageDraw.Draw(image).ellipse([place * 5, 40, place * 5 + 30, 70], fill="orange")
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode())


def write_generalist(results: Path, video: str, success_rate: float = 0.61) -> None:
    """The evaluation of an image policy over all clips."""
    rate = {"successes": 61, "episodes": 100, "rate": success_rate, "ci95": [0.5, 0.7]}
    row = {"video": video, "task": "lifting", "judge": "lift", "seeing": rate, "blind": rate | {"rate": 0.1}}
    evaluation = {
        "policy": "behaviour cloning of images",
        "behaviours": ["lift"],
        "success_rate": success_rate,
        "seeing": rate,
        "blind": rate | {"rate": 0.1},
        "per_clip": [row],
    }
    write_json(results / "generalist" / "bc" / "eval.json", evaluation)


def write_ledger(path: Path, job: str = "lift_cube") -> None:
    """Two calls, one of them answered."""
    rows = [
        ("asked", "a", 1000, 0, 8000, 0.02),
        ("answered", "a", 900, 500, 700, 0.004),
        ("asked", "b", 1000, 0, 8000, 0.02),
    ]
    lines = ["time call state job endpoint model prompt cached completion usd key".replace(" ", "\t")]
    for state, call, *numbers in rows:
        cells = ["2026-01-01T00:00:00Z", call, state, f"{job}/task/0/0", "localhost", "some-model", *numbers]
        lines.append("\t".join(map(str, [*cells, "k"])))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def write_report(results: Path, rows: list[dict[str, Any]], clip_pixels: bool = True) -> Path:
    """The whole report of these rows, as the workflow's rules write it: its overview."""
    for one in rows:
        folder = results / "report" / one["video"]
        folder.mkdir(parents=True, exist_ok=True)
        build_page(results, one, "v2p", folder, clip_pixels)
    build_index(results, rows, "v2p", results / "report.html", results / "ledger.tsv")
    return results / "report.html"


def write_failed(folder: Path, iteration: int, sample: int) -> None:
    """A reward whose training failed in its worker."""
    search = {
        "success_rate": 0.0,
        "steps": 0,
        "stopped": "failed",
        "reason": "the worker failed:\n  File reward.py, line 7\nKeyError: 'cup_pos'",
        "seed": 0,
        "components": {},
        "return": {"success": None, "failure": None},
    }
    one = folder / "reward" / str(iteration) / str(sample)
    write_json(one / "search.json", search)
    (one / "reward.py").write_text(REWARD_CODE.format(note="fails"))
    (one / "log.csv").write_text("failed: see search.json\n")


def write_trained(results: Path, row: dict[str, Any], success_rate: float = 0.93) -> Path:
    """A clip that went all the way."""
    folder = write_clip(results, row, better="the learned model needs a GPU")
    write_task(folder / "v2p")
    write_rounds(folder / "v2p", [[0.0, 0.42, 0.3], [0.35, 0.95, 0.6], [0.2, 0.9, 0.97]])
    write_policy(folder / "v2p", success_rate)
    return folder


def _frames(folder: Path, caption: str) -> None:
    folder.mkdir(parents=True)
    for place in range(FRAMES):
        image = Image.new("RGB", (WIDTH, HEIGHT), (196, 170, 140))
        draw = ImageDraw.Draw(image)
        draw.rectangle([60 + 6 * place, 110, 110 + 6 * place, 160], fill=(170, 40, 40))
        draw.text((8, 8), caption[:40], fill="black")
        image.save(folder / f"{place:06d}.jpg")


def _overlay(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (480, 270), (90, 110, 90))
    ImageDraw.Draw(image).text((20, 20), text, fill="white")
    image.save(path)


def _log(path: Path, final: float, seed: int) -> None:
    noise = np.random.default_rng(seed)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                "steps",
                "episodes",
                "success_rate",
                "return",
                "reach/success",
                "reach/failure",
                "steps_per_second",
            ]
        )
        for place in range(1, 31):
            rate = final / (1 + math.exp(-(place - 15) / 3)) + 0.02 * noise.standard_normal()
            shown = "nan" if place == 1 else f"{min(1.0, max(0.0, rate)):.4f}"
            writer.writerow([place * 10000, place * 100, shown, f"{900 * rate:.1f}", 0.8, 0.2, 5000])
