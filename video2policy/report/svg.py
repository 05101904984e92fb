"""Small hand-drawn SVG: inline, coloured by the page's style sheet (so light and dark both work), escaped.

Every drawing is a `<figure>`'s content: `role="img"` with a label that says in words what it shows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

from markupsafe import Markup, escape

Point = tuple[float, float]


class Drawing:
    """An SVG of `width` x `height` units that scales to the width it is given."""

    def __init__(self, width: float, height: float, label: str) -> None:
        self.root = ElementTree.Element("svg", viewBox=f"0 0 {width:g} {height:g}", role="img")
        self.root.set("aria-label", label)
        self.root.set("style", f"max-width:{width:g}px")

    def add(self, tag: str, style: str = "", text: str | None = None, **attributes: float | str) -> None:
        """Append one element of CSS class `style`; `stroke_width=2` becomes stroke-width="2"."""
        element = ElementTree.SubElement(self.root, tag)
        if style:
            element.set("class", style)
        for name, value in attributes.items():
            shown = value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
            element.set(name.replace("_", "-"), shown)
        if text is not None:
            element.text = text

    def line(self, points: Iterable[Point], style: str) -> None:
        """A polyline through `points`."""
        self.add("polyline", style, points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points))

    def markup(self) -> Markup:
        """The drawing as safe HTML: ElementTree has escaped every text and attribute."""
        return Markup(ElementTree.tostring(self.root, encoding="unicode"))


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """About `count` round numbers within [low, high]."""
    if not high > low:
        return [low]
    rough = (high - low) / count
    power = 10 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def short(value: float) -> str:
    """A number in few characters: 300000 is 300k."""
    for limit, suffix in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:g}{suffix}"
    return f"{value:.3g}"


def thin(values: Sequence[float], most: int = 150) -> list[float]:
    """At most about `most` of `values`, evenly spaced, the last one always among them."""
    if len(values) <= most:
        return list(values)
    step = (len(values) - 1) / (most - 1)
    return [values[round(i * step)] for i in range(most)]


def join(parts: Iterable[Markup | str]) -> Markup:
    """Concatenate, escaping what is not markup yet."""
    return Markup("").join(escape(part) for part in parts)
