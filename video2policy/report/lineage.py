"""The tree of rewards: which sample each round began from, and which became the best so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from video2policy.report.artifact import Round, Sample, sample_key
from video2policy.report.curve import sample_style
from video2policy.report.svg import Drawing, Point
from video2policy.report.text import diff

COLUMN, ROW, RADIUS = 130.0, 58.0, 15.0
Key = tuple[int, int]


def parents(rounds: Sequence[Round]) -> dict[Key, Key]:
    """The sample that every sample was written from, as its search.json says; else the best so far."""
    found: dict[Key, Key] = {}
    base: Key | None = None
    for one in rounds:
        if base is not None:
            found |= {s.key: sample_key(s.search.get("origin") or {}) or base for s in one.samples}
        base = one.best_key or base
    return found


def lineage(rounds: Sequence[Round]) -> list[Key]:
    """The samples that lead to the final best one, oldest first, as the last best.json records them."""
    last = next((one.best for one in reversed(rounds) if one.best), {})
    steps = [sample_key(step) for step in last.get("lineage") or [] if isinstance(step, dict)]
    path = [step for step in steps if step is not None]
    final = sample_key(last)
    return path if final is None or final in path else [*path, final]


@dataclass(frozen=True)
class Step:
    """What one sample on the way to the final reward changed in the one before it."""

    sample: Sample
    parent: Sample
    diff: Markup


def steps(rounds: Sequence[Round]) -> list[Step]:
    """The changes along the lineage, oldest first; samples without code are passed over."""
    samples = {sample.key: sample for one in rounds for sample in one.samples}
    path = [samples[key] for key in lineage(rounds) if key in samples and samples[key].code]
    return [Step(b, a, diff(a.code or "", b.code or "")) for a, b in pairwise(path)]


def lineage_graph(rounds: Sequence[Round]) -> Markup:
    """Rounds from left to right, a circle per sample with its success, links to the parent."""
    if not any(one.samples for one in rounds):
        return Markup("")
    rows = max(len(one.samples) for one in rounds)
    place: dict[Key, Point] = {}
    for column, one in enumerate(rounds):
        gap = (rows - len(one.samples)) / 2
        for row, sample in enumerate(one.samples):
            place[sample.key] = COLUMN / 2 + COLUMN * column, 52 + ROW * (row + gap)
    path = lineage(rounds)
    on_path = set(zip(path[1:], path, strict=False))
    label = "Reward lineage: " + ", then ".join(f"round {i} sample {s}" for i, s in path)
    drawing = Drawing(COLUMN * len(rounds), 52 + ROW * (rows - 1) + RADIUS + 24, label)
    links = [(child, parent) for child, parent in parents(rounds).items() if {child, parent} <= place.keys()]
    # The path is drawn last, over the other links; it may skip rounds that brought nothing better.
    links += [link for link in on_path if link not in links and set(link) <= place.keys()]
    for child, parent in sorted(links, key=lambda link: link in on_path):
        (x0, y0), (x1, y1) = place[parent], place[child]
        bend = (x1 - x0) / 2
        handles = f"C{x0 + bend:.1f},{y0:.1f} {x1 - bend:.1f},{y1:.1f} {x1 - RADIUS:.1f},{y1:.1f}"
        style = "link path" if (child, parent) in on_path else "link"
        drawing.add("path", style, d=f"M{x0 + RADIUS:.1f},{y0:.1f} {handles}")
    for column, one in enumerate(rounds):
        drawing.add("text", "tick middle", f"round {one.iteration}", x=COLUMN / 2 + COLUMN * column, y=18)
        for sample in one.samples:
            x, y = place[sample.key]
            best = sample.key == one.best_key
            drawing.add(
                "circle", f"node {sample_style(sample.index, sample.key in path)}", cx=x, cy=y, r=RADIUS
            )
            drawing.add("text", "node-name middle", str(sample.index), x=x, y=y + 4.5)
            rate = "not trained" if sample.success is None else f"{sample.success:.2f}"
            drawing.add("text", "node-rate middle", rate + (" ★" if best else ""), x=x, y=y + RADIUS + 14)
    return drawing.markup()
