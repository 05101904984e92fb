"""How unsure a size may be: `python -m bench.fit_size_gate TRUTH`.

TRUTH holds `{video}.npz` of clips that `bench.suite` rendered, seeds below 1000. Each clip's kinds, distance
and focal length are kept and its objects drawn anew, in all sizes that the kinds have; no picture is looked
at. What names and the usual distance tell of such objects is weighed as the stage `scale` does, and printed
is how often a size, or one of a clip's sizes, is more than a quarter off, by the uncertainty stated for it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.perception import RIGHT_SIZE
from video2policy.camera import intrinsics
from video2policy.perceive.depth import FIRST_DISTANCE
from video2policy.perceive.scale import Lens, Measured, find_sizes
from video2policy.rendered.shapes import KINDS
from video2policy.rendered.suite import HELD_OUT

FIT, OVERLAP = 0.03, 0.95
"""Error of proportions, and overlap with the silhouette, as reconstruction leaves them (docs/geometry.md)."""
EDGES = (0.0, 0.12, 0.15, 0.18, 0.2, 0.22, 0.24, 0.26, 0.3, 1.0)


class Judged(NamedTuple):
    """A size's stated uncertainty and its relative error."""

    uncertainty: float
    error: float


def drawn(path: Path, rng: np.random.Generator, times: int) -> Iterator[list[Judged]]:
    """The sizes of one clip's objects, drawn anew several times."""
    with np.load(path) as truth:
        names = [str(name) for name in truth["names"]]
        kinds = [KINDS[str(truth[f"class_{name}"])] for name in names]
        distance = float(np.linalg.norm(truth[f"camera_from_object_{names[0]}"][0, :3, 3]))
        height, width = (int(v) for v in truth["masks_shape"][1:])
        K, _, focal_uncertainty = intrinsics(width, height)
        # A thing seems as large as the focal length is taken for; so do all of a clip.
        unit = FIRST_DISTANCE / distance * float(truth["K"][0, 0] / K[0, 0])
    for _ in range(times):
        objects, longest = {}, {}
        for name, kind in zip(names, kinds, strict=True):
            sides = np.sort(kind.mesh(rng).size)
            longest[name] = float(sides[-1])
            sides = sides * np.exp(rng.normal(0, FIT))
            shape = sides / sides[-1]
            objects[name] = Measured(kind.name, shape, shape, float(sides[-1]) * unit, OVERLAP)
        sizes = find_sizes(objects, {}, lens=Lens(focal_uncertainty))
        yield [
            Judged(size.uncertainty, abs(size.scale * objects[name].dimensions[-1] / longest[name] - 1))
            for name, size in sizes.items()
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("truth", type=Path, help="folder with {video}.npz")
    parser.add_argument("--times", type=int, default=20, help="how often each clip's objects are drawn")
    options = parser.parse_args()
    paths = [p for p in sorted(options.truth.glob("*.npz")) if int(p.stem[-4:]) < HELD_OUT]
    if not paths:
        parser.error(f"{options.truth} holds no .npz of a clip of the suite with a seed below {HELD_OUT}")
    rng = np.random.default_rng(0)
    clips = [sizes for path in paths for sizes in drawn(path, rng, options.times)]
    objects = np.array([size for sizes in clips for size in sizes])
    print(f"{len(paths)} clips, {len(objects)} sizes drawn\n")
    print("| uncertainty | sizes | more than a quarter off |\n|---|---|---|")
    for low, high in pairwise(EDGES):
        here = objects[(objects[:, 0] >= low) & (objects[:, 0] < high)]
        if len(here):
            print(f"| {low:.2f} to {high:.2f} | {len(here)} | {(here[:, 1] > RIGHT_SIZE).mean():.2f} |")
    worst = np.array([np.max(sizes, axis=0) for sizes in clips])
    wrong = worst[:, 1] > RIGHT_SIZE
    print("\n| refused above | clips, wrong and passed | right and refused |\n|---|---|---|")
    for limit in EDGES[1:]:
        passed = worst[:, 0] <= limit
        print(f"| {limit:.2f} | {(wrong & passed).mean():.3f} | {(~wrong & ~passed).mean():.3f} |")


if __name__ == "__main__":
    main()
