"""Fit the network that corrects masks' outlines: `python -m bench.fit_outline EXAMPLES SUITE [SUITE ...]`.

SUITEs are folders that `bench.suite` wrote, seeds below 1000. The network learns to correct true masks
that were made worse, as passes over a clip leave them, and, of the seeds that `--passes` names, those
that the passes make from true boxes, which takes longer. These examples are kept in EXAMPLES, so that a
stopped run goes on where it stopped. Clips of the seeds that `--unseen` names are not fitted on; how much
better the masks that the passes made become there is printed (or, without any, the others). The weights
are written to `video2policy/perceive/outline.npz`, which the workflow reads.
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from video2policy.clip import Source
from video2policy.demo import true_masks
from video2policy.perceive import outline, segment
from video2policy.perceive.footage import Footage
from video2policy.perceive.morphology import signed_distance
from video2policy.perceive.palette import Palette, bins
from video2policy.perceive.prompt import Prompt
from video2policy.perceive.scenery import Scenery
from video2policy.rendered.suite import HELD_OUT, identifier

Mask = NDArray[np.bool_]

HIDDEN = 64, 32
"""Units of the network's layers."""
EVERY = 3
"""Of so many frames one is an example: neighbours are alike."""
DRAWN, NEAR = 400, 6.0
"""Pixels that are drawn from an example, and the distance from the mask's edge at which they become fewer."""
BATCH, RATE, DECAY = 2048, 3e-3, 1e-3
FORGOTTEN = 0.2
"""Share of the pixels for which a neighbouring frame is taken as not known."""
MASK, DISTANCE = 5, 6
"""Channels that hold the mask and the distance from its edge."""
VISIBLE = 40
"""Pixels of an object below which a frame is not counted."""


def worse(mask: Mask, hand: Mask, noise: NDArray[np.float32], rng: np.random.Generator) -> Mask:
    """A true mask (H, W) as a pass may have left it: parts more or less, as the clip's ``noise`` has it, an
    edge that is off, the hand in part."""
    side = float(np.sqrt(mask.sum()))
    off = noise * rng.uniform(0, 0.15) * side + rng.normal(0, 0.02) * side + rng.normal(0, 0.5)
    shift = np.array([[1, 0, rng.normal(0, 0.02) * side], [0, 1, rng.normal(0, 0.02) * side]])
    distance = cv2.warpAffine(signed_distance(mask), shift, mask.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    result = distance + off > 0
    if rng.random() < 0.4:
        result |= hand & (distance > -rng.uniform(0, 0.3) * side) & (noise > rng.normal())
    return np.asarray(result, bool)


def field(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Smooth noise (H, W) of unit variance, its grains of random size."""
    noise = rng.normal(size=shape).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), float(np.exp(rng.uniform(np.log(2), np.log(12)))))
    return np.asarray(noise / noise.std(), np.float32)


def seed(row: Path) -> int:
    return int(row.stem[-4:])


def examples(row: Path, passes: bool, out: Path) -> Path:
    """Keep what the network would see of every object of a clip, and what is true there, in a file of OUT.

    ``passes``: of the masks that segmentation makes, not of true ones made worse.
    """
    entry = json.loads(row.read_text())
    root, video = row.parents[1], row.stem
    if seed(row) >= HELD_OUT:
        raise SystemExit(f"{video}: seeds from {HELD_OUT} on are held out; fit on others")
    path = out / f"{video}{'.passes' if passes else ''}.npz"
    if path.exists():
        return path
    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed(row))
    images = [frame.image for frame in Source.open(root / entry["clip"])]
    with np.load(root / "truth" / f"{video}.npz") as data:
        truth = dict(data)
    footage = Footage(images)
    prompts = [
        Prompt(identifier(label), given["frame"], tuple(map(float, given["box"])))
        for label, given in entry["boxes"].items()
    ]
    true = {prompt.name: true_masks(truth, prompt.name) for prompt in prompts}
    hand = np.unpackbits(truth["hand"], count=true[next(iter(true))].size).reshape(-1, *footage.shape) > 0
    kept: dict[str, NDArray[np.generic]] = {}
    for name, start in ((prompt.name, prompt.frame) for prompt in prompts):
        if passes:
            with mock.patch.object(segment, "sharpen", lambda scene, found: found):
                found = segment.segment(images, prompts, name)
            masks, score = dict(enumerate(found.masks)), dict(enumerate(found.score))
        else:
            noise = field(footage.shape, rng)
            masks = {t: worse(true[name][t], hand[t], noise, rng) for t in range(len(images))}
            score = dict.fromkeys(masks, 0.9)
        rivals = []
        for other in prompts:
            if other.name != name:
                palette = Palette()
                palette.learn(bins(footage.lab(other.frame))[true[other.name][other.frame]])
                rivals.append(palette)
        if not masks[start].any():
            continue
        scene = Scenery(footage, masks[start], start, rivals)
        scene.refine(masks, score)
        for frame in range(int(rng.integers(EVERY)), len(images), EVERY):
            mask, seen = masks[frame], true[name][frame]
            if not mask.any() or seen.sum() < VISIBLE:
                continue
            roi = outline.around(mask, footage.unit)
            near = [outline.Neighbour(t, masks[t]) if t in masks else None for t in (frame - 1, frame + 1)]
            number = f"{len(kept) // 3:05d}"
            kept[f"x{number}"] = outline.channels(scene, frame, mask, roi, near).astype(np.float16)
            kept[f"y{number}"] = seen[roi]
            kept[f"z{number}"] = np.array(seen.sum() - seen[roi].sum())
    partial_path = out / f".{path.name}"
    np.savez(partial_path, **kept)
    partial_path.replace(path)
    return path


Example = tuple[NDArray[np.float16], Mask, int]


def load(paths: list[Path]) -> list[Example]:
    """Channels (h, w, c), truth (h, w), and the number of true pixels that are not in view."""
    result: list[Example] = []
    for path in paths:
        with np.load(path) as data:
            result += [
                (data[f"x{name[1:]}"], data[f"y{name[1:]}"], int(data[f"z{name[1:]}"]))
                for name in data
                if name[0] == "x"
            ]
    return result


def pixels(chosen: list[Example], rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels drawn mostly near the masks' edges: inputs (n, k), truth (n,), weights (n,) as if drawn evenly,
    over the object's area, so that small objects count as large ones do."""
    inputs, truth, weights = [], [], []
    for planes, true, _ in chosen:
        seen = outline.averaged(planes.astype(np.float32), np.ones(planes.shape[:2], bool))
        distance = 8 * np.abs(planes[..., DISTANCE].astype(float))
        likely = (np.exp(-distance / NEAR) + 0.03).ravel()
        likely /= likely.sum()
        count = min(DRAWN, likely.size)
        index = rng.choice(likely.size, count, p=likely)
        inputs.append(seen[index].astype(np.float16))
        truth.append(true.ravel()[index])
        weights.append(1 / (likely[index] * count) / (true.sum() + VISIBLE))
    weight = np.concatenate(weights)
    weight = np.minimum(weight, np.quantile(weight, 0.99))
    return (
        torch.from_numpy(np.concatenate(inputs)),
        torch.from_numpy(np.concatenate(truth).astype(np.float32)),
        torch.from_numpy((weight / weight.mean()).astype(np.float32)),
    )


def overlaps(layers: list[outline.Layer], unseen: list[Example]) -> NDArray[np.float64]:
    """Overlap with the truth of the worse masks, and of the network's: (n, 2)."""
    result = []
    for planes, true, outside in unseen:
        masks = planes[..., MASK] > 0.5, outline.log_odds(layers, planes.astype(np.float32)) > 0
        result.append([(m & true).sum() / max(1, (m | true).sum() + outside) for m in masks])
    return np.array(result)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("examples", type=Path)
    parser.add_argument("suites", nargs="+", type=Path)
    parser.add_argument("--passes", nargs="+", type=int, default=[], help="seeds that are also segmented")
    parser.add_argument("--unseen", nargs="+", type=int, default=[], help="seeds that are not fitted on")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--to", type=Path, default=outline.WEIGHTS, help="file of the weights")
    arguments = parser.parse_args()
    arguments.examples.mkdir(parents=True, exist_ok=True)
    rows = [row for suite in arguments.suites for row in sorted((suite / "rows").glob("*.json"))]
    work = [(row, False) for row in rows] + [(row, True) for row in rows if seed(row) in arguments.passes]
    paths = []
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for path in pool.map(partial(examples, out=arguments.examples), *zip(*work, strict=True)):
            paths.append(path)
            print(f"\r{len(paths)} of {len(work)} clips read", end="", flush=True)
    print()
    torch.set_num_threads(arguments.jobs)
    examined = list(zip(work, paths, strict=True))
    fitted = load([path for (row, _), path in examined if seed(row) not in arguments.unseen])
    unseen = load(
        [
            path
            for (row, made), path in examined
            if seed(row) in arguments.unseen and (made or seed(row) not in arguments.passes)
        ]
    )
    fit(fitted, unseen, arguments.epochs, arguments.to)


def fit(fitted: list[Example], unseen: list[Example], epochs: int, path: Path) -> None:
    """Fit a network and save it."""
    torch.manual_seed(0)
    inputs, truth, weight = pixels(fitted, np.random.default_rng(0))
    print(f"{len(fitted)} examples with {len(inputs)} pixels to fit on; {len(unseen)} examples unseen")
    centre, spread = inputs.float().mean(dim=0), inputs.float().std(dim=0) + 1e-3
    network = nn.Sequential(
        nn.Linear(len(centre), HIDDEN[0]),
        nn.ReLU(),
        nn.Linear(HIDDEN[0], HIDDEN[1]),
        nn.ReLU(),
        nn.Linear(HIDDEN[1], 1),
    )
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    rounds = len(inputs) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, epochs * rounds)
    columns = torch.arange(len(centre)) % outline.CHANNELS  # of averages, too
    zero = -centre / spread
    for epoch in range(epochs):
        total = 0.0
        for chosen in torch.randperm(len(inputs))[: rounds * BATCH].reshape(-1, BATCH):
            x = (inputs[chosen].float() - centre) / spread
            for first in (outline.CHANNELS - 2 * outline.NEIGHBOUR, outline.CHANNELS - outline.NEIGHBOUR):
                unknown = (torch.rand(BATCH) < FORGOTTEN)[:, None]
                x = torch.where(unknown & (columns >= first) & (columns < first + outline.NEIGHBOUR), zero, x)
            entropy = nn.functional.binary_cross_entropy_with_logits(
                network(x)[:, 0], truth[chosen], weight=weight[chosen]
            )
            optimizer.zero_grad()
            entropy.backward()
            optimizer.step()
            schedule.step()
            total += float(entropy.detach())
        print(f"epoch {epoch + 1}: loss {total / rounds:.4f}", flush=True)
    layers = as_layers(network, centre, spread)
    if unseen:
        before, after = overlaps(layers, unseen).mean(axis=0)
        print(f"overlap with the truth, clips not fitted on: {before:.4f} -> {after:.4f}")
    save(layers, path)


def as_layers(network: nn.Sequential, centre: Tensor, spread: Tensor) -> list[outline.Layer]:
    """The network's layers, the inputs' scaling in the first of them."""
    linear = [module for module in network if isinstance(module, nn.Linear)]
    weights = [module.weight.detach().clone() for module in linear]
    biases = [module.bias.detach().clone() for module in linear]
    biases[0] -= weights[0] @ (centre / spread)
    weights[0] /= spread
    return [outline.Layer(w.T.numpy(), b.numpy()) for w, b in zip(weights, biases, strict=True)]


def save(layers: list[outline.Layer], path: Path) -> None:
    arrays = {}
    for number, (weight, bias) in enumerate(layers):
        arrays |= {f"w{number}": weight.astype(np.float32), f"b{number}": bias.astype(np.float32)}
    partial_path = path.with_name(f".{path.name}")
    np.savez(partial_path, **arrays)
    partial_path.replace(path)
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
