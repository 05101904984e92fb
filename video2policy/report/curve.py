"""Training curves: one line per reward sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from video2policy.report.artifact import Round
from video2policy.report.svg import Drawing, Point, short, thin, ticks

WIDTH, HEIGHT = 420.0, 210.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 22.0, 12.0, 34.0


@dataclass(frozen=True)
class Series:
    """A line to draw: `x` and `y` of equal length, NaN leaves a gap; `style` is a CSS class."""

    x: Sequence[float]
    y: Sequence[float]
    style: str


def line_chart(series: Sequence[Series], label: str, y_range: tuple[float, float] | None = None) -> Markup:
    """Lines over environment steps. `y_range` defaults to what the data spans."""
    xs = [x for one in series for x in one.x if math.isfinite(x)]
    ys = [y for one in series for y in one.y if math.isfinite(y)]
    if not xs or not ys:
        return Markup("")
    x_high = max(xs) or 1.0
    y_low, y_high = y_range or (min(ys), max(ys))
    if y_high <= y_low:
        y_low, y_high = y_low - 0.5, y_low + 0.5

    def place(x: float, y: float) -> Point:
        across = LEFT + (WIDTH - LEFT - RIGHT) * x / x_high
        return across, TOP + (HEIGHT - TOP - BOTTOM) * (y_high - y) / (y_high - y_low)

    drawing = Drawing(WIDTH, HEIGHT, label)
    for value in ticks(y_low, y_high):
        x, y = place(0, value)
        drawing.line([(x, y), place(x_high, value)], "grid")
        drawing.add("text", "tick end", short(value), x=x - 6, y=y + 4)
    for value in ticks(0, x_high):
        x, y = place(value, y_low)
        drawing.add("text", "tick middle", short(value), x=x, y=y + 15)
    drawing.add("text", "tick middle", "environment steps", x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 4)
    for one in series:
        for part in _unbroken(thin(one.x), thin(one.y)):
            drawing.line([place(x, min(max(y, y_low), y_high)) for x, y in part], f"curve {one.style}")
            if len(part) == 1:
                x, y = place(*part[0])
                drawing.add("circle", f"dot {one.style}", cx=x, cy=y, r=2.5)
    return drawing.markup()


def round_charts(one: Round) -> tuple[Markup, Markup]:
    """The success rate and the episode return of every sample of a round, the best so far drawn thicker."""

    def series(column: str) -> list[Series]:
        return [
            Series(
                sample.log["steps"],
                sample.log[column],
                sample_style(sample.index, one.best_key == sample.key),
            )
            for sample in one.samples
            if "steps" in sample.log and column in sample.log
        ]

    name = f"round {one.iteration}, {len(one.samples)} samples"
    return (
        line_chart(series("success_rate"), f"Generated success rate over steps, {name}", (0.0, 1.0)),
        line_chart(series("return"), f"Episode return over steps, {name}"),
    )


def sample_style(index: int, best: bool = False) -> str:
    """The CSS classes of a sample's colour; eight colours, then they repeat."""
    return f"sample-{index % 8}" + (" best" if best else "")


def _unbroken(x: Sequence[float], y: Sequence[float]) -> list[list[Point]]:
    """Split at values that are not finite."""
    parts: list[list[Point]] = [[]]
    for point in zip(x, y, strict=False):
        if all(math.isfinite(value) for value in point):
            parts[-1].append(point)
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]
