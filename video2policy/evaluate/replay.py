"""What a stranger's bundle says about one clip, checked; and whether a replay agrees with it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from video2policy.evaluate.evaluation import policies_of
from video2policy.scene import Scene

MAX_EPISODES = 10_000
MAX_POLICIES = 100
FIELDS = {"robot": str, "engine": str, "device": str, "horizon": int, "fit_gripper": bool}


class ReplayError(ValueError):
    """Why a bundle cannot be judged again, in one sentence."""


@dataclass(frozen=True)
class BundledClip:
    """One clip of an unpacked bundle: what is judged, how, and what came of it before."""

    video: str
    variant: str
    scene: Path
    task: Path
    policies: list[Path]
    simulation: dict[str, Any]
    evaluation: dict[str, int]
    recorded: dict[str, Any]


def find_clip(folder: Path) -> BundledClip:
    """The one judged clip of an unpacked bundle.

    Raises:
        ReplayError: something is absent, is not what it should be, or leads out of the folder.
    """
    judged = list(folder.glob("results/videos/*/*/policy/eval.json"))
    if len(judged) != 1:
        raise ReplayError(f"it holds {len(judged)} judged policies, and must hold one")
    policy = judged[0].parent
    variant, clip = policy.parent.name, policy.parent.parent
    if not all(re.fullmatch(r"[a-z0-9_]+", name) for name in (variant, clip.name)):
        raise ReplayError("its clip's name is none")
    record, recorded = _object(policy / "evaluate.provenance.json"), _object(judged[0])
    policies = policies_of(policy / "seeds")
    if not 1 <= len(policies) <= MAX_POLICIES:
        raise ReplayError(f"it holds {len(policies)} policies of training seeds")
    simulation, evaluation = _settings(record)
    _check_recorded(recorded)
    scene = clip / "scene.json"
    _check_scene(scene)
    task = policy.parent / "task" / "task.py"
    if not task.is_file():
        raise ReplayError("it holds no task.py")
    return BundledClip(clip.name, variant, scene, task, policies, simulation, evaluation, recorded)


def compare(recorded: Mapping[str, Any], measured: Mapping[str, Any]) -> dict[str, Any]:
    """Whether a replay agrees: `agreement` is identical, within (the recorded interval), or different."""
    low, high = recorded["ci95"]
    counts = [(row["successes"], row["episodes"]) for row in measured["per_seed"]]
    before = [(row["successes"], row["episodes"]) for row in recorded["per_seed"]]
    rate = measured["success_rate"]
    agreement = "identical" if counts == before else "within" if low <= rate <= high else "different"
    words = {
        "identical": "every policy succeeds as often as recorded",
        "within": f"the rate lies within the recorded interval [{low:g}, {high:g}]",
        "different": f"the rate lies outside the recorded interval [{low:g}, {high:g}]",
    }
    sentence = f"{measured['successes']} of {measured['episodes']} episodes succeed; {words[agreement]}"
    return {"agreement": agreement, "sentence": sentence, "recorded_success_rate": recorded["success_rate"]}


def _object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ReplayError(f"its {path.name} cannot be read") from error
    if not isinstance(value, dict):
        raise ReplayError(f"its {path.name} is no JSON object")
    return value


def _settings(record: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, int]]:
    params = record.get("params")
    simulation, evaluation = (
        params.get(name) if isinstance(params, dict) else None for name in ("simulation", "evaluation")
    )
    if not isinstance(simulation, dict) or not isinstance(evaluation, dict):
        raise ReplayError("the record of its judgement names no settings")
    for name, kind in FIELDS.items():
        if type(simulation.get(name)) is not kind:
            raise ReplayError(f"its setting simulation.{name} is {simulation.get(name)!r:.40}")
    if not isinstance(simulation.get("randomise", "none"), str):
        raise ReplayError("it was judged with randomisation of its own, which is not replayed")
    if simulation["engine"] != "mujoco":
        raise ReplayError(f"it was judged with {simulation['engine']:.20}; only MuJoCo is replayed")
    episodes, seed = evaluation.get("episodes"), evaluation.get("seed")
    if type(episodes) is not int or type(seed) is not int or not 1 <= episodes <= MAX_EPISODES:
        raise ReplayError(f"its settings ask for {episodes!r:.20} episodes of the seed {seed!r:.20}")
    if not 1 <= simulation["horizon"] <= MAX_EPISODES or not 0 <= seed < 2**31:
        raise ReplayError("its settings ask for a horizon or a seed that is out of range")
    return simulation, {"episodes": episodes, "seed": seed}


def _check_recorded(recorded: Mapping[str, Any]) -> None:
    try:
        low, high = (float(bound) for bound in recorded["ci95"])
        rows = [(int(row["successes"]), int(row["episodes"])) for row in recorded["per_seed"]]
        sound = 0 <= low <= float(recorded["success_rate"]) <= high <= 1 and rows
    except (KeyError, TypeError, ValueError) as error:
        raise ReplayError("its eval.json is no judgement") from error
    if not sound:
        raise ReplayError("its eval.json is no judgement")


def _check_scene(path: Path) -> None:
    try:
        scene = Scene.load(path)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ReplayError(f"its scene.json is no scene ({str(error)[:200]})") from error
    if not scene.passed:
        raise ReplayError("its scene did not pass the gates")
    folder = path.parent.resolve()
    for item in scene.objects:
        for name in (item.mesh, item.urdf, item.hull, *item.collision):
            file = (folder / name).resolve()
            if not file.is_relative_to(folder / "objects") or not file.is_file():
                raise ReplayError(f"its scene names the file {name[:80]!r}, which is not in the bundle")
