"""Where each named object is on one frame: from the sheet's boxes or points, else from proposals.

An object that the sheet does not locate is sought by its name: candidates (perceive/candidates.py) come from
the detector where it is there, from colours that a name has, from what changes or is carried, and from what
stands out; perceive/naming.py says which of them is which object, and how likely that is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.clip import spread
from video2policy.mask import COLOURS, area, bounding_box
from video2policy.perceive.candidates import (
    Candidate,
    box_region,
    detections,
    measure,
    regrow,
    view_candidates,
    windows,
)
from video2policy.perceive.coco import Detector
from video2policy.perceive.contact import MIN_AREA
from video2policy.perceive.evidence import Evidence, coarse_colours
from video2policy.perceive.morphology import grow
from video2policy.perceive.naming import assign
from video2policy.perceive.nouns import parse_noun
from video2policy.perceive.traits import Pool, Wanted
from video2policy.perceive.verdict import Rejected, Verdict

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Field = NDArray[np.float32]
Box = tuple[float, float, float, float]
Proposer = Callable[
    [Sequence[Image], Mapping[str, str], str, Mapping[str, Box]], dict[str, tuple[int, Box, float, str]]
]
"""From frames, the labels of objects, the handled one's name and boxes already taken: per object an image, a
box on it, a score and the method."""

WORK_SIDE = 480
"""Long side in pixels at which proposals are made."""
LEAST_SCORE = 0.5
"""What is likelier wrong than right is not used."""
LEAST_ODDS = {True: 6.0, False: 3.0}
"""With and without the detector, what must speak for a candidate by itself (perceive/naming.py): over every
second clip of the suite's seeds 0 to 2 right ones had 8.6 and 3.1 or more; an arm over an empty table has 1.
"""
NO_DETECTOR = (
    "its name was looked for by colour, motion and contact only, since the detector's weights are not here "
    "(`make setup` fetches them where npm is installed)"
)
BETTER = "an open-vocabulary detector needs weights from a model hub"


@dataclass(frozen=True)
class Grounding:
    """An object on frame ``frame``: box and points in frame pixels, how sure, and how it was found.

    ``also``: further frames and boxes, where the sheet gives them.
    """

    name: str
    label: str
    frame: int
    box: Box
    points: tuple[tuple[float, float], ...]
    score: float
    method: str
    also: tuple[tuple[int, Box], ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "label": self.label,
            "frame": self.frame,
            "box": [round(v, 2) for v in self.box],
            "points": [[round(v, 2) for v in point] for point in self.points],
            "score": round(self.score, 3),
            "method": self.method,
            "also": [{"frame": frame, "box": [round(v, 2) for v in box]} for frame, box in self.also],
        }


# ---------------------------------------------------------------------------------- given by the sheet


def frame_of(source_frame: int, source_index: Sequence[int], name: str) -> int:
    """The extracted frame nearest to a frame of the source clip.

    Raises:
        Rejected: if the source has no such frame.
    """
    if source_frame < 0 or source_frame > source_index[-1] + max(
        1, len(source_index) > 1 and source_index[1]
    ):
        raise Rejected(
            f"{name}: the sheet places it on frame {source_frame}, the clip's last is {source_index[-1]}; "
            "correct the frame in the sheet"
        )
    return int(np.argmin(np.abs(np.asarray(source_index) - source_frame)))


def given_box(box: Sequence[float], clip: Mapping[str, Any], name: str) -> Box:
    """The sheet's box (pixels of the source) in frame pixels.

    Raises:
        Rejected: if it is empty or leaves the frame.
    """
    x0, y0, x1, y1 = (float(v) for v in box)
    width, height = clip["source_width"], clip["source_height"]
    if x1 - x0 < 2 or y1 - y0 < 2:
        raise Rejected(
            f"{name}: its box {list(box)} is empty; give [x0, y0, x1, y1] with x0 < x1 and y0 < y1"
        )
    if x0 < -1 or y0 < -1 or x1 > width + 1 or y1 > height + 1:
        raise Rejected(
            f"{name}: its box {list(box)} leaves the {width}x{height} picture; give pixels of the original "
            "clip"
        )
    s = clip["scale"]
    return max(x0, 0) * s, max(y0, 0) * s, min(x1, width) * s, min(y1, height) * s


def given_points(
    points: Sequence[Sequence[float]], clip: Mapping[str, Any], name: str
) -> tuple[tuple[float, float], ...]:
    """The sheet's points in frame pixels. Raises Rejected if one is outside the frame."""
    width, height = clip["source_width"], clip["source_height"]
    for x, y in points:
        if not (0 <= x < width and 0 <= y < height):
            raise Rejected(
                f"{name}: its point {[x, y]} is outside the {width}x{height} picture; give pixels of the "
                "original clip"
            )
    return tuple((float(x) * clip["scale"], float(y) * clip["scale"]) for x, y in points)


def box_around_points(image: Image, points: Sequence[tuple[float, float]]) -> Box:
    """The box of what has the colours at the points and is connected to them."""
    height, width = image.shape[:2]
    short = min(height, width)
    seeds = np.zeros((height, width), np.uint8)
    for x, y in points:
        cv2.circle(seeds, (round(x), round(y)), max(2, round(0.012 * short)), 1, -1)
    near, far = grow(seeds > 0, 0.10 * short), grow(seeds > 0, 0.32 * short)
    mask = regrow(image, seeds > 0, near, far)
    box = bounding_box(mask)
    if box is None or area(mask) > 0.35 * height * width:
        box = bounding_box(near)
    assert box is not None, "a disc around a point of the frame is never empty"
    return padded(box, (height, width))


def padded(box: Sequence[float], shape: tuple[int, int], pixels: float = 2.0) -> Box:
    """The box with a margin, cut at the frame (rows, columns)."""
    x0, y0, x1, y1 = box
    return (
        max(0.0, x0 - pixels), max(0.0, y0 - pixels),
        min(float(shape[1]), x1 + pixels), min(float(shape[0]), y1 + pixels),
    )  # fmt: skip


# --------------------------------------------------------------------------------------------- by name


def propose(
    images: Sequence[Image],
    labels: Mapping[str, str],
    handled: str,
    taken: Mapping[str, Box],
    family: str = "",
    detector: Detector | None = None,
) -> dict[str, tuple[int, Box, float, str]]:
    """Where objects are, by their names: image, box (its pixels), score and method of each.

    Args:
        images: RGB frames of the clip, in order, a few dozen.
        labels: name -> label of the objects to find.
        handled: name of the object that the hand moves.
        taken: boxes on the first frame that belong to other objects.
        family: task family, for the direction of a push and what is hidden at first.

    Raises:
        Rejected: if no region fits an object.
    """
    evidence, pool, scale = gather(images, labels.values(), taken, detector)
    wanted = wanted_names(labels, handled, family)
    given = {name: len(pool) - len(taken) + place for place, name in enumerate(taken)}
    chosen = assign(pool, wanted, handled, given, family, detector is not None)
    found: dict[str, tuple[int, Box, float, str]] = {}
    for w in wanted:
        choice = chosen.get(w.name)
        if choice is None or choice.score < LEAST_SCORE or choice.odds < LEAST_ODDS[detector is not None]:
            raise Rejected(
                f"{labels[w.name]}: nothing in the clip fits this name well enough; give a box or points in "
                "the sheet"
            )
        frame = evidence.seen_on(choice.candidate.view, choice.candidate.mask)
        x0, y0, x1, y1 = (v / scale for v in choice.candidate.box)
        found[w.name] = (frame, (x0, y0, x1, y1), choice.score, choice.method)
    return found


def sampled(count: int) -> list[int]:
    """Which of a clip's frames are looked at: 40 at most, from the first to the last."""
    return [int(i) for i in spread(count, 40)]


def wanted_names(labels: Mapping[str, str], handled: str, family: str) -> list[Wanted]:
    """What the labels (by name) say, and the objects' roles."""
    role = "hidden" if family == "uncover" else "other"
    return [
        Wanted(name, parse_noun(label), "handled" if name == handled else role)
        for name, label in labels.items()
    ]


def gather(
    images: Sequence[Image], labels: Iterable[str], taken: Mapping[str, Box], detector: Detector | None
) -> tuple[Evidence, Pool, float]:
    """What moves and rests in a clip, and all candidates, those of the taken boxes last; the pictures' scale.

    The arguments are those of `propose`. Boxes of the candidates are in pixels of the scaled pictures.
    """
    scale = min(1.0, WORK_SIDE / max(images[0].shape[:2]))
    small = [
        np.asarray(cv2.resize(i, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        for i in images
    ]
    evidence = Evidence(small)
    colours = sorted({colour for label in labels if (colour := parse_noun(label).colour)})
    pool = []
    for view in evidence.views:
        seen = detections(detector, view.image, windows(evidence, view)) if detector else []
        pool += view_candidates(evidence, view, colours, seen)
    # Of specks no later stage could say where they are.
    pool = [candidate for candidate in pool if area(candidate.mask) >= MIN_AREA * scale**2]
    for box in taken.values():
        x0, y0, x1, y1 = (v * scale for v in box)
        given = Candidate(
            evidence.views[0], box_region((x0, y0, x1, y1), evidence.shape), (x0, y0, x1, y1), "box"
        )
        measure(evidence, given, [], coarse_colours(given.view.image))
        pool.append(given)
    return evidence, Pool(pool), scale


# -------------------------------------------------------------------------------------------- the gate


def ground(
    images: Sequence[Image],
    clip: Mapping[str, Any],
    row: Mapping[str, Any],
    proposer: Proposer | None = None,
    detector: Detector | None = None,
) -> tuple[list[Grounding], Verdict]:
    """Every object of the sheet's row on one frame.

    Args:
        images: RGB frames (H, W, 3), the clip's or any sequence that reads them one by one.
        clip: the clip's record (clip.json).
        row: ``objects`` (names), ``labels``, ``boxes`` and ``points`` of the sheet; ``roles`` if known.
        proposer: what finds the objects that the sheet does not locate; the embedded method if None.
        detector: what the embedded method may ask; None where set-up could not fetch its weights.

    Raises:
        Rejected: for a box or point outside the picture, or an object that cannot be found.
    """
    names, labels = list(row["objects"]), dict(zip(row["objects"], row["labels"], strict=True))
    found: dict[str, Grounding] = {}
    for name in names:
        entry = row["boxes"].get(name)
        pointed = row["points"].get(name)
        if entry is None and pointed is None:
            continue
        given: Mapping[str, Any] = entry if entry is not None else pointed or {}
        frame = frame_of(int(given.get("frame", 0)), clip["source_index"], labels[name])
        also = tuple(
            (
                frame_of(int(one["frame"]), clip["source_index"], labels[name]),
                given_box(one["box"], clip, labels[name]),
            )
            for one in given.get("also", ())
        )
        points = given_points(pointed["points"], clip, labels[name]) if pointed else ()
        if entry is not None:
            box, value, method = given_box(entry["box"], clip, labels[name]), 1.0, "box"
            same_frame = pointed is None or int(pointed.get("frame", 0)) == int(entry.get("frame", 0))
            points = points if same_frame else ()
        else:
            box, value, method = box_around_points(images[frame], points), 0.8, "points"
        found[name] = Grounding(name, labels[name], frame, box, points, value, method, also)
    missing = {name: labels[name] for name in names if name not in found}
    if missing:
        sample = sampled(len(images))
        handled = row.get("roles", {}).get("a", names[0])
        taken = {name: g.box for name, g in found.items() if g.frame == 0}
        few = [images[i] for i in sample]
        if proposer is not None:
            proposed = proposer(few, missing, handled, taken)
        else:
            proposed = propose(few, missing, handled, taken, row.get("family", ""), detector)
        for name, (index, box, value, method) in proposed.items():
            found[name] = Grounding(name, labels[name], sample[index], box, (), value, method)
    groundings = [found[name] for name in names]
    weakest = min(groundings, key=lambda g: g.score)
    methods = ", ".join(dict.fromkeys(g.method for g in groundings))
    better = None
    if missing and proposer is None:
        lacking = BETTER if detector else f"{NO_DETECTOR}; {BETTER}"
        better = f"the sheet gives no box for {', '.join(missing.values())}; {lacking}"
    return groundings, Verdict("ground", True, methods, round(weakest.score, 3), better=better)


def draw_groundings(images: Sequence[Image], groundings: Sequence[Grounding]) -> Image:
    """Boxes and points on their frames, frames side by side: RGB."""
    places = [
        (frame, box, index, g)
        for index, g in enumerate(groundings)
        for frame, box in ((g.frame, g.box), *g.also)
    ]
    panels = []
    for frame in sorted({place[0] for place in places}):
        canvas = images[frame].copy()
        thick = max(1, round(max(canvas.shape[:2]) / 320))
        for there, box, index, g in places:
            if there != frame:
                continue
            colour = COLOURS[index % len(COLOURS)]
            x0, y0, x1, y1 = (round(v) for v in box)
            cv2.rectangle(canvas, (x0, y0), (x1, y1), colour, thick, cv2.LINE_AA)
            for x, y in g.points if frame == g.frame else ():
                cv2.circle(canvas, (round(x), round(y)), 3 * thick, colour, -1, cv2.LINE_AA)
            _label(canvas, f"{g.name} ({g.method} {g.score:.2f})", (x0, y0, y1), colour, thick)
        panels.append(canvas)
    return np.asarray(np.hstack(panels), np.uint8)


def _label(
    canvas: Image, text: str, beside: tuple[int, int, int], colour: tuple[int, int, int], thick: int
) -> None:
    """Black on the colour, above a box (left, top, bottom) or below it, and within the picture."""
    left, top, bottom = beside
    font, size, margin = cv2.FONT_HERSHEY_SIMPLEX, 0.4 * thick, 3 * thick
    (width, height), _ = cv2.getTextSize(text, font, size, thick)
    if width + 2 * margin > canvas.shape[1]:
        size *= (canvas.shape[1] - 2 * margin) / width
        (width, height), _ = cv2.getTextSize(text, font, size, thick)
    x = max(min(left, canvas.shape[1] - width - 2 * margin), 0)
    y = top if top > height + 2 * margin else min(bottom + height + 2 * margin, canvas.shape[0])
    cv2.rectangle(canvas, (x, y - height - 2 * margin), (x + width + 2 * margin, y), colour, -1)
    at = (x + margin, y - margin)
    cv2.putText(canvas, text, at, font, size, (0, 0, 0), thick, cv2.LINE_AA)
