"""Where the user, or the stage before, says that an object is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Prompt:
    """Where an object is: on frame ``frame``, in ``box`` [x0, y0, x1, y1] or at ``points`` [x, y], pixels."""

    name: str
    frame: int
    box: tuple[float, float, float, float]
    points: tuple[tuple[float, float], ...] = ()

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> list[Prompt]:
        """From an entry of objects.json: the object's prompt, then those on further frames, if any."""
        points = tuple((float(x), float(y)) for x, y in data.get("points", ()))
        prompts = []
        for place in (data, *data.get("also", ())):
            x0, y0, x1, y1 = (float(v) for v in place["box"])
            prompts.append(cls(data["name"], int(place["frame"]), (x0, y0, x1, y1), points))
            points = ()
        return prompts

    def scaled(self, scale: float) -> Prompt:
        x0, y0, x1, y1 = (v * scale for v in self.box)
        return Prompt(
            self.name, self.frame, (x0, y0, x1, y1), tuple((x * scale, y * scale) for x, y in self.points)
        )
