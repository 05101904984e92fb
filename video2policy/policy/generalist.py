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

IMAGE_WORKER = "video2policy.policy.worker"
SEED = 9_000_000
"""Of the evaluation's resets; no demonstration was collected under it."""


def successes(clip: Rollouts, path: Path, episodes: int, **more: Any) -> int:
    """Judged successes of an image policy in a clip's scene, from the same resets for every policy.

    None where no demonstration showed the clip's family. `more` goes to `policy.worker`.
    """
    policy, family = bc.ImagePolicy.load(path), Scene.load(clip.scene).task.family
    if family not in policy.behaviours:
        return 0
    size = policy.config.image_size
    recording = clip.run(path, episodes, SEED, worker=IMAGE_WORKER, behaviour=family, image_size=size, **more)
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
    clips: Sequence[Rollouts], policy: Path, blind: Path, episodes: int, splits: Mapping[str, str]
) -> dict[str, Any]:
    """Success of both policies in every clip's scene, from the same resets; also by the sheet's split.

    `splits`: video -> split. Clips of a family that no demonstration showed count as failures of both.
    """
    seeing = bc.ImagePolicy.load(policy)
    rows = []
    counts: dict[str, list[tuple[int, int]]] = {"seeing": [], "blind": []}
    by_split: dict[str, list[tuple[int, int]]] = {}
    for clip in clips:
        scene = Scene.load(clip.scene)
        row: dict[str, Any] = {"video": scene.video, "task": scene.task.caption, "judge": scene.task.family}
        for name, path in (("seeing", policy), ("blind", blind)):
            counts[name].append((successes(clip, path, episodes), episodes))
            rate = success_rate([counts[name][-1]])
            row[name] = _rate(rate.successes, rate.episodes, rate.interval)
        row["split"] = splits[scene.video]
        by_split.setdefault(row["split"], []).append(counts["seeing"][-1])
        log.info("%s: %.2f, image-blind %.2f", scene.video, row["seeing"]["rate"], row["blind"]["rate"])
        rows.append(row)
    total = {name: _pooled(runs) for name, runs in counts.items()}
    return {
        "policy": "behaviour cloning of images",
        "behaviours": list(seeing.behaviours),
        "image_size": seeing.config.image_size,
        "cameras": list(seeing.config.cameras),
        "episodes_per_clip": episodes,
        "robot": clips[0].robot,
        "success_rate": total["seeing"]["rate"],
        "blind_success_rate": total["blind"]["rate"],
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
    """Bars with 95% intervals, clip by clip, the image policy beside its blind copy (PNG)."""
    from matplotlib.figure import Figure

    rows = [*result["per_clip"], {"video": "all", **{k: result[k] for k in ("seeing", "blind")}}]
    figure = Figure(figsize=(2.0 + 1.1 * len(rows), 3.6), layout="constrained")
    axes = figure.subplots()
    for offset, name, label, colour in (
        (-0.2, "seeing", "image policy", "#2f6fb3"),
        (0.2, "blind", "image-blind copy", "#b9bec5"),
    ):
        rates = np.array([row[name]["rate"] for row in rows])
        low, high = np.array([row[name]["ci95"] for row in rows]).T
        reach = np.clip([rates - low, high - rates], 0, None)
        axes.bar(np.arange(len(rows)) + offset, rates, 0.38, yerr=reach, capsize=3, label=label, color=colour)
    axes.set_xticks(np.arange(len(rows)), [row["video"] for row in rows], rotation=30, ha="right")
    axes.set_ylim(0, 1.05)
    axes.set_ylabel("judged success")
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=120)
