"""How well camera, depth and metric size are found: `python -m bench.geometry`.

Over rendered clips with the truth beside them, from their true masks (or, with `--masks found`, those that
the default segmentation finds from true boxes), so that the figures are those of the geometry alone. The
camera "varied" draws pitch, yaw, distance and field of view from the seed; the others are the demo's.
"""

import argparse
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from video2policy import demo
from video2policy.clip import Source
from video2policy.mask import bounding_box
from video2policy.perceive.depth import View, depth_images, find_view
from video2policy.perceive.prompt import Prompt
from video2policy.perceive.reconstruct import reconstruct
from video2policy.perceive.scale import Lens, Measured, Size, find_sizes
from video2policy.perceive.segment import segment
from video2policy.perceive.verdict import Rejected

Masks = NDArray[np.bool_]
Truth = Mapping[str, NDArray[Any]]

CAMERAS = (*demo.ANGLES, "varied")
CLOSE = 0.1
"""Relative error of depth that d1 allows (paper, appendix; as a share of pixels that are right)."""

HEADER = (
    "| camera | clips | pitch error, deg | focal error | size, all given | other's size, one given "
    "| size, none given | within 2 sigma | d1 in boxes, given |\n" + "|---" * 9 + "|"
)


@dataclass(frozen=True)
class Clip:
    """A clip with its truth (video2policy.demo.render_demo) and the masks (n, H, W) to work from."""

    camera: str
    name: str
    images: list[NDArray[np.uint8]]
    truth: Truth
    masks: dict[str, Masks]

    @property
    def labels(self) -> dict[str, str]:
        return {name: name.replace("_", " ") for name in self.masks}


@dataclass(frozen=True)
class Errors:
    """Of one clip: degrees, relative errors (one per object where a tuple), and a share of pixels.

    `surprise` is the logarithmic error of an object's size without given ones over its stated uncertainty.
    """

    pitch: float
    focal: float
    given: tuple[float, ...]
    other: tuple[float, ...]
    free: tuple[float, ...]
    surprise: tuple[float, ...]
    d1: float


def varied(name: str, seed: int) -> tuple[demo.Angle, float]:
    """A camera within what people use: angle and vertical field of view in degrees."""
    rng = np.random.default_rng([seed, list(demo.DEMOS).index(name)])
    angle = demo.Angle(rng.uniform(18, 60), rng.uniform(-35, 35), rng.uniform(0.5, 0.85))
    return angle, float(rng.uniform(34, 58))


def render(folder: Path, name: str, camera: str, seed: int, found: bool) -> Clip:
    """The clip, rendered unless it lies in `folder` already."""
    clip, truth = folder / f"{name}-{camera}-{seed}.mp4", folder / f"{name}-{camera}-{seed}.npz"
    if not truth.exists():
        angle, fov = varied(name, seed) if camera == "varied" else (demo.ANGLES[camera], demo.FOV)
        # The demo's own cameras are few; the benchmark adds one, with another lens.
        with mock.patch.dict(demo.ANGLES, {camera: angle}), mock.patch.object(demo, "FOV", fov):
            demo.render_demo(name, clip, truth, camera, seed, width=480, height=360, fps=6)
    with np.load(truth) as data:
        content = dict(data)
    images = [frame.image for frame in Source.open(clip)]
    masks = {obj: demo.true_masks(content, obj) for obj in content["names"].tolist()}
    if found:
        boxes = {obj: bounding_box(item[0]) for obj, item in masks.items()}
        prompts = [Prompt(obj, 0, tuple(map(float, box))) for obj, box in boxes.items() if box]
        masks = {obj: segment(images, prompts, obj).masks for obj in masks}
    return Clip(camera, name, images, content, masks)


def shapes(clip: Clip, view: View) -> dict[str, Measured]:
    """What the meshes tell of every object's proportions."""
    found = {}
    family = "cover" if "cover" in clip.name else "lift"
    for k, (name, masks) in enumerate(clip.masks.items()):
        others = np.zeros_like(masks)
        for other, item in clip.masks.items():
            if other != name:
                others |= item
        sure = np.ones(len(masks), np.float32)
        seen = reconstruct(
            clip.images,
            masks,
            sure,
            others,
            view.camera,
            view.contacts[name],
            clip.labels[name],
            family,
            "ab"[k],
        )
        found[name] = Measured(
            clip.labels[name], np.array(seen.mesh.extents), seen.dimensions, seen.extent, seen.iou
        )
    return found


def size_error(size: Size, shape: Measured, true: NDArray[Any]) -> float:
    """Mean relative error of the three dimensions, each set in order of length."""
    return float(np.mean(np.abs(np.sort(shape.dimensions * size.scale) / np.sort(true) - 1)))


def depth_share(clip: Clip, view: View, depth_scale: float) -> float:
    """d1: the share of the pixels in the objects' boxes whose depth is within `CLOSE` of the truth."""
    right = total = 0
    for t, image in enumerate(depth_images(view, clip.masks, clip.images, clip.labels)):
        inside = np.zeros(image.shape, bool)
        for masks in clip.masks.values():
            box = bounding_box(masks[t])
            if box:
                inside[box[1] : box[3], box[0] : box[2]] = True
        found, true = image[inside].astype(float) * depth_scale, clip.truth["depth"][t][inside].astype(float)
        right += int((np.abs(found / true - 1) <= CLOSE).sum())
        total += int(inside.sum())
    return right / max(total, 1)


def measure(clip: Clip, lens_given: bool) -> Errors:
    """Camera, shapes and sizes of a clip against the truth, with and without given sizes."""
    camera = {"fov": float(clip.truth["fov"])} if lens_given else {}
    view = find_view(clip.images, clip.masks, clip.labels, camera)
    objects = shapes(clip, view)
    true = {p.name: np.sort(np.ptp(p.shape().vertices, axis=0)) for p in demo.DEMOS[clip.name].props}
    longest = {name: float(size.max()) for name, size in true.items()}
    first, *rest = objects
    given, one, none = (
        find_sizes(objects, sizes, lens=Lens(view.focal_uncertainty, view.pitch_uncertainty))
        for sizes in (longest, {first: longest[first]}, dict[str, float]())
    )

    def errors(sizes: Mapping[str, Size], names: Iterable[str]) -> tuple[float, ...]:
        return tuple(size_error(sizes[name], objects[name], true[name]) for name in names)

    surprise = tuple(
        float(np.log(none[n].scale * objects[n].dimensions[-1] / longest[n]) / none[n].uncertainty)
        for n in objects
    )
    return Errors(
        abs(view.camera.pitch - float(clip.truth["pitch"])),
        abs(float(view.camera.K[0, 0] / clip.truth["K"][0, 0]) - 1),
        errors(given, objects),
        errors(one, rest),
        errors(none, objects),
        surprise,
        depth_share(clip, view, given[first].depth_scale),
    )


def line(camera: str, results: list[Errors]) -> str:
    """One row of the table: medians over clips, or over all their objects."""

    def median(values: Iterable[float], form: str = ".1%") -> str:
        known = list(values)
        return format(float(np.median(known)), form) if known else "-"

    sure = [abs(v) <= 2 for r in results for v in r.surprise]
    cells = [
        camera,
        str(len(results)),
        median((r.pitch for r in results), ".1f"),
        median(r.focal for r in results),
        median(v for r in results for v in r.given),
        median(v for r in results for v in r.other),
        median(v for r in results for v in r.free),
        f"{np.mean(sure):.0%}",
        median((r.d1 for r in results), ".2f"),
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--demos", nargs="+", default=list(demo.DEMOS), choices=list(demo.DEMOS))
    parser.add_argument("--cameras", nargs="+", default=list(CAMERAS), choices=list(CAMERAS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1000])
    parser.add_argument("--masks", choices=["true", "found"], default="true")
    parser.add_argument("--lens", choices=["found", "given"], default="found", help="the field of view")
    parser.add_argument("--folder", type=Path, help="keeps the rendered clips for the next call")
    parser.add_argument("--each", action="store_true", help="print every clip's errors as well")
    arguments = parser.parse_args()
    table = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        everything = []
        for camera in arguments.cameras:
            results = []
            for seed in arguments.seeds:
                for name in arguments.demos:
                    clip = render(folder, name, camera, seed, arguments.masks == "found")
                    try:
                        errors = measure(clip, arguments.lens == "given")
                    except Rejected as rejected:
                        print(f"{name} {camera} {seed}: {rejected}", flush=True)
                        continue
                    results.append(errors)
                    if arguments.each:
                        print(f"{name} {camera} {seed}: {errors}", flush=True)
            everything += results
            table.append(line(camera, results))
        print("\n".join([HEADER, *table, line("all", everything)]))


if __name__ == "__main__":
    main()
