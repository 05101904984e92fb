"""Fit the weights by which masks are trusted: `python -m bench.fit_trust SUITE [SUITE ...]`.

SUITEs are folders that `bench.suite` wrote, seeds below 1000. Every mask that segmentation judges on the way,
from the clips' true boxes, is compared with the truth; what is printed goes into
`video2policy/perceive/trust.py`. How well the weights do is measured on clips they were not fitted on, a
fifth of the seeds at a time.
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from video2policy.clip import Source
from video2policy.demo import true_masks
from video2policy.mask import iou
from video2policy.perceive import propagate, trust
from video2policy.perceive.prompt import Prompt
from video2policy.perceive.segment import segment
from video2policy.rendered.suite import HELD_OUT, identifier

Array = NDArray[np.float64]
RIGHT = 0.75
HOLD = 0.001
"""How much the squared weights, in units of the signs' spread, count against the likelihood."""
FOLDS = 5


@dataclass
class Judged:
    """A mask's signs, its overlap with the true one, its clip's fold and its weight in the fit."""

    signs: dict[str, float]
    overlap: float
    fold: int
    weight: float


def judged(row: Path) -> list[Judged]:
    """Every mask that was judged while the objects of one clip were segmented."""
    entry = json.loads(row.read_text())
    root, video = row.parents[1], row.stem
    seed = int(video[-4:])
    if seed >= HELD_OUT:
        raise SystemExit(f"{video}: seeds from {HELD_OUT} on are held out; fit on others")
    cv2.setNumThreads(1)
    images = [frame.image for frame in Source.open(root / entry["clip"])]
    with np.load(root / "truth" / f"{video}.npz") as data:
        truth = dict(data)
    prompts = [
        Prompt(identifier(label), given["frame"], tuple(map(float, given["box"])))
        for label, given in entry["boxes"].items()
    ]
    result = []
    for prompt in prompts:
        whole = true_masks(truth, prompt.name)
        seen: list[tuple[dict[str, float], float]] = []

        def keep(
            scene: Any, frame: int, mask: Any, *rest: Any, whole: Any = whole, seen: Any = seen
        ) -> dict[str, float]:
            measured = trust.signs(scene, frame, mask, *rest)
            size = (mask.shape[1], mask.shape[0])
            true = cv2.resize(whole[frame].astype(np.uint8), size, interpolation=cv2.INTER_AREA) > 0
            seen.append((measured, iou(mask, true) if true.any() else 0.0))
            return measured

        with mock.patch.object(propagate, "signs", keep):
            segment(images, prompts, prompt.name)
        result += [Judged(signs, value, seed % FOLDS, 1 / len(seen)) for signs, value in seen]
    return result


def fitted(x: Array, right: Array, weight: Array) -> tuple[Array, float]:
    """Weights (k,) and intercept of the logistic regression of ``right`` (n,) on signs ``x`` (n, k)."""
    centre, spread = x.mean(axis=0), x.std(axis=0) + 1e-9
    z = np.column_stack([(x - centre) / spread, np.ones(len(x))])

    def loss(b: Array) -> tuple[float, Array]:
        logit = z @ b
        p = 1 / (1 + np.exp(-logit))
        value = (weight * (np.logaddexp(0, logit) - right * logit)).sum() / weight.sum()
        slope = z.T @ (weight * (p - right)) / weight.sum()
        held = np.append(b[:-1], 0.0)
        return float(value + HOLD * (held**2).sum()), slope + 2 * HOLD * held

    b = minimize(loss, np.zeros(z.shape[1]), jac=True, method="L-BFGS-B").x
    weights = b[:-1] / spread
    return weights, float(b[-1] - weights @ centre)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suites", nargs="+", type=Path)
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    rows = [row for suite in arguments.suites for row in sorted((suite / "rows").glob("*.json"))]
    with ProcessPoolExecutor(arguments.jobs) as pool:
        masks = [item for items in pool.map(judged, rows) for item in items]
    names = list(masks[0].signs)
    x = np.array([[m.signs[name] for name in names] for m in masks])
    right = np.array([m.overlap >= RIGHT for m in masks], float)
    weight = np.array([m.weight for m in masks])
    fold = np.array([m.fold for m in masks])
    unseen = np.zeros(len(masks))
    for f in np.unique(fold):
        w, b = fitted(x[fold != f], right[fold != f], weight[fold != f])
        unseen[fold == f] = 1 / (1 + np.exp(-(x[fold == f] @ w + b)))
    print(f"{len(masks)} masks of {len(rows)} clips, {right.mean():.2f} right")
    print("trust below | share of the wrong | share of the right, clips not fitted on")
    for limit in (0.1, 0.2, 0.3, 0.5, 0.7, 0.9):
        below = unseen < limit
        print(f"{limit} | {below[right == 0].mean():.3f} | {below[right == 1].mean():.3f}")
    w, b = fitted(x, right, weight)
    print("\nWEIGHTS = {")
    print("\n".join(f'    "{name}": {value:.2f},' for name, value in zip(names, w, strict=True)))
    print(f"}}\nINTERCEPT = {b:.2f}")


if __name__ == "__main__":
    main()
