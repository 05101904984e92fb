"""The object's size in metres (paper, section 3.1; given sizes win)."""

import json
import logging
from typing import Any

import numpy as np

from scripts.stage import Input, Output, stage
from video2policy.mask import load_masks
from video2policy.mesh import load
from video2policy.perceive import hand
from video2policy.perceive.depth import METHOD, View, object_depth
from video2policy.perceive.scale import (
    UNLIKE,
    UNSURE,
    Lens,
    Measured,
    complaint,
    disagreement,
    find_sizes,
    rho,
)
from video2policy.perceive.verdict import Rejected, Verdict

log = logging.getLogger("video2policy")


def main(
    masks: list[Input],
    meshes: list[Input],
    mesh_jsons: list[Input],
    camera_json: Input,
    depth: Input,
    size_json: Output,
    obj: str,
    row: dict[str, Any],
    hands_json: Input | None = None,
    most_uncertain: float = UNSURE,
) -> Verdict:
    view = View.from_json(json.loads(camera_json.read_text()))
    objects, by_depth = {}, {}
    for name, label, mesh, info, mask in zip(
        row["objects"], row["labels"], meshes, mesh_jsons, masks, strict=True
    ):
        record, shape = json.loads(info.read_text()), load(mesh)
        objects[name] = Measured(
            label, np.array(shape.extents), np.array(record["dimensions"]), record["extent"], record["iou"]
        )
        if not view.method.startswith(METHOD):  # only a depth network's images are metric by themselves
            frame = record["frame"]
            image = np.load(depth / f"{frame:06d}.npz")["depth"]
            by_depth[name] = rho(image, load_masks(mask)[0][frame], view.camera.K, shape)
    ruler = None
    if hands_json:
        ruler = hand.ruler(
            hand.from_json(json.loads(hands_json.read_text())),
            view.camera.K,
            {name: load_masks(path)[0] for name, path in zip(objects, masks, strict=True)},
            {name: object_depth(view.camera, contact) for name, contact in view.contacts.items()},
            {name: contact.on_table() for name, contact in view.contacts.items()},
        )
    given = row["sizes"] or {}
    size = find_sizes(
        objects,
        given,
        by_depth,
        (ruler.depth_scale, ruler.uncertainty) if ruler else None,
        Lens(view.focal_uncertainty, view.pitch_uncertainty),
    )[obj]
    size_json.write_text(json.dumps(size.to_json(), indent=1) + "\n")
    item = objects[obj]
    unlike = disagreement(given[obj], item.dimensions * size.scale) if obj in given else 1.0
    if unlike > UNLIKE:
        sides, seen = (
            " x ".join(f"{100 * v:.3g}" for v in sorted(lengths))
            for lengths in (given[obj], item.dimensions * size.scale)
        )
        raise Rejected(
            f"{item.label} is {sides} cm in the sheet, but what is seen would be {seen} cm; correct the "
            "three sides (metres), give the longest alone, or a better box"
        )
    reason = complaint(item.label, float(item.dimensions[-1]) * size.scale, size.uncertainty, most_uncertain)
    if reason:
        raise Rejected(reason)
    words = " x ".join(f"{100 * v:.1f}" for v in size.size)
    log.info("%s: %s cm, from %s", item.label, words, size.source)
    if size.doubt:
        log.warning("%s", size.doubt)
    confidence = float(np.clip(1 - 1.5 * size.uncertainty, 0.05, 1)) * (0.3 if size.doubt else 1.0) / unlike
    return Verdict(
        "scale",
        True,
        f"{size.method}: {size.source}",
        round(confidence, 3),
        better=size.doubt
        or (None if size.method == "given" else "the sample sheet gives no size for this object"),
    )


stage(main)
