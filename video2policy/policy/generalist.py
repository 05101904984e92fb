"""One image policy over all clips: its demonstrations, and its success against an image-blind copy."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from video2policy.evaluate.evaluation import Rollouts
from video2policy.evaluate.statistics import success_rate
from video2policy.policy import bc
from video2policy.scene import Scene

log = logging.getLogger("video2policy")

IMAGE_WORKER, LEROBOT_WORKER = "video2policy.policy.worker", "video2policy.policy.lerobot"
LABELS = {"seeing": "image policy", "blind": "image-blind copy"}
SEED = 9_000_000
"""Of the evaluation's resets; no demonstration was collected under it."""


def successes(clip: Rollouts, path: Path, episodes: int, **more: Any) -> int:
    """Judged successes of an image policy in a clip's scene, from the same resets for every policy.

    None where no demonstration showed the clip's family. `path` is a cloned policy or, as a folder, one of
    LeRobot's. `more` goes to the worker.
    """
    family = Scene.load(clip.scene).task.family
    worker = LEROBOT_WORKER if path.is_dir() else IMAGE_WORKER
    if worker == IMAGE_WORKER and family not in bc.ImagePolicy.load(path).behaviours:
        return 0
    recording = clip.run(path, episodes, SEED, worker=worker, behaviour=family, **more)
    return int(clip.judge(recording).success.sum())


def judge_clones(
    clips: Sequence[Rollouts],
    policies: Sequence[Path],
    episodes: int,
    splits: Mapping[str, str],
    served: bool,
) -> dict[str, Any]:
    """Success of each training seed's policy in every clip's scene (section 4.2: 3 seeds x 10 episodes).

    `splits`: video -> split. `served`: through the policy server's checks and limits.
    """
    rows = []
    for clip in clips:
        scene = Scene.load(clip.scene)
        counts = [successes(clip, path, episodes, served=served) for path in policies]
        rate = sum(counts) / (episodes * len(counts))
        log.info("%s: %.2f", scene.video, rate)
        rows.append(
            {
                "video": scene.video,
                "split": splits[scene.video],
                "judge": scene.task.family,
                "successes": counts,
                "success_rate": round(rate, 4),
            }
        )
    return {
        "seeds": len(policies),
        "episodes": episodes,
        "robot": clips[0].robot,
        "horizon": clips[0].horizon,
        "randomise": clips[0].randomise,
        "served": served,
        "clips": rows,
    }


def evaluate(
    clips: Sequence[Rollouts], policies: Mapping[str, Path], episodes: int, splits: Mapping[str, str]
) -> dict[str, Any]:
    """Success of policies in every clip's scene, from the same resets.

    `policies`: "seeing", whose success also stands by the sheet's split, and "blind" for an image-blind copy.
    `splits`: video -> split. Clips of a family that no demonstration showed count as failures.
    """
    rows = []
    counts: dict[str, list[tuple[int, int]]] = {name: [] for name in policies}
    by_split: dict[str, list[tuple[int, int]]] = {}
    for clip in clips:
        scene = Scene.load(clip.scene)
        row: dict[str, Any] = {"video": scene.video, "task": scene.task.caption, "judge": scene.task.family}
        for name, path in policies.items():
            counts[name].append((successes(clip, path, episodes), episodes))
            rate = success_rate([counts[name][-1]])
            row[name] = _rate(rate.successes, rate.episodes, rate.interval)
        row["split"] = splits[scene.video]
        by_split.setdefault(row["split"], []).append(counts["seeing"][-1])
        found = ", ".join(f"{LABELS[name]} {row[name]['rate']:.2f}" for name in policies)
        log.info("%s: %s", scene.video, found)
        rows.append(row)
    total = {name: _pooled(runs) for name, runs in counts.items()}
    return {
        "episodes_per_clip": episodes,
        "robot": clips[0].robot,
        "success_rate": total["seeing"]["rate"],
        **total,
        "by_split": {split: _pooled(runs) for split, runs in by_split.items()},
        "per_clip": rows,
    }


def _pooled(runs: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Clips are the clusters here: the interval is about other clips, not other episodes of these."""
    rate = success_rate(runs)
    return _rate(rate.successes, rate.episodes, rate.interval) | {"clips": len(runs)}


def _rate(successes: int, episodes: int, interval: tuple[float, float]) -> dict[str, Any]:
    return {
        "successes": successes,
        "episodes": episodes,
        "rate": round(successes / episodes, 4),
        "ci95": [round(bound, 4) for bound in interval],
    }


def draw(result: dict[str, Any], path: Path) -> None:
    """Bars with 95% intervals, clip by clip, the image policy beside its blind copy, if it has one (PNG)."""
    from matplotlib.figure import Figure

    names = [name for name in LABELS if name in result]
    rows = [*result["per_clip"], {"video": "all", **{name: result[name] for name in names}}]
    figure = Figure(figsize=(2.0 + 1.1 * len(rows), 3.6), layout="constrained")
    axes = figure.subplots()
    width = 0.76 / len(names)
    for k, (name, colour) in enumerate(zip(names, ("#2f6fb3", "#b9bec5"), strict=False)):
        rates = np.array([row[name]["rate"] for row in rows])
        low, high = np.array([row[name]["ci95"] for row in rows]).T
        reach = np.clip([rates - low, high - rates], 0, None)
        places = np.arange(len(rows)) + (k - (len(names) - 1) / 2) * (width + 0.02)
        axes.bar(places, rates, width, yerr=reach, capsize=3, label=LABELS[name], color=colour)
    axes.set_xticks(np.arange(len(rows)), [row["video"] for row in rows], rotation=30, ha="right")
    axes.set_ylim(0, 1.05)
    axes.set_ylabel("judged success")
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=120)
