"""Where the objects stood in the clip's first and last frame, seen from above and from the camera's side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.transform import Rotation

from video2policy.report.svg import Drawing

WIDTH, HEIGHT, MARGIN = 420.0, 300.0, 30.0
# World frame: x away from the camera, y to the image's left, z up. Both views have image-right to the right.
VIEWS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "from above": lambda points: np.stack([-points[..., 1], points[..., 0]], -1),
    "from the camera's side": lambda points: np.stack([-points[..., 1], points[..., 2]], -1),
}


@dataclass(frozen=True)
class Track:
    """One object's way: box corners (8, 3) at both ends, centres (n, 3); metres, world frame."""

    label: str
    first: np.ndarray
    last: np.ndarray
    path: np.ndarray


def tracks(scene: dict[str, Any]) -> list[Track]:
    """The tracks of those objects of a scene.json whose first and last poses are known."""
    found = []
    for one in scene.get("objects") or []:
        try:
            rest, size = one.get("rest_quat", [1, 0, 0, 0]), one["size"]
            first, last = (
                _corners(end["pos"], end["quat"], rest, size) for end in (one["first"], one["last"])
            )
            poses = [np.asarray(pose, float)[:3, 3] for pose in one.get("world_from_object") or [] if pose]
        except (KeyError, TypeError, ValueError, IndexError):
            continue
        path = np.array(poses) if poses else np.stack([first.mean(0), last.mean(0)])
        found.append(Track(str(one.get("label") or one.get("name")), first, last, path))
    return found


def layout_drawings(scene: dict[str, Any]) -> dict[str, Markup]:
    """A drawing per view, {} when no pose is known. Both have one scale, so they can be compared."""
    ways = tracks(scene)
    if not ways:
        return {}
    flat = {
        name: [view(np.concatenate([t.first, t.last, t.path])) for t in ways] for name, view in VIEWS.items()
    }
    spans = {name: (np.concatenate(all_).min(0), np.concatenate(all_).max(0)) for name, all_ in flat.items()}
    spans["from the camera's side"][0][1] = min(0.0, spans["from the camera's side"][0][1])  # the table shows
    room = np.array([WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN])
    scale = min(float((room / np.maximum(high - low, 0.05)).min()) for low, high in spans.values())
    return {name: _view(name, ways, spans[name], scale) for name in VIEWS}


def _view(name: str, ways: list[Track], span: tuple[np.ndarray, np.ndarray], scale: float) -> Markup:
    view, middle = VIEWS[name], (span[0] + span[1]) / 2
    drawing = Drawing(WIDTH, HEIGHT, f"First and last poses {name}: " + ", ".join(way.label for way in ways))

    def place(points: np.ndarray) -> np.ndarray:
        offset = (view(points) - middle) * scale * [1, -1]
        return np.array([WIDTH / 2, HEIGHT / 2]) + offset

    if name == "from above":
        drawing.add("text", "tick middle", "away from the camera ↑", x=WIDTH / 2, y=14)
    else:
        table = float(place(np.zeros(3))[1])
        drawing.line([(0, table), (WIDTH, table)], "table-top")
        drawing.add("text", "tick", "table", x=4, y=table - 4)
    for index, way in enumerate(ways):
        style = f"sample-{index % 8}"
        drawing.add("polygon", f"box first {style}", points=_outline(place(way.first)))
        drawing.line(place(way.path).tolist(), f"way {style}")
        drawing.add("polygon", f"box last {style}", points=_outline(place(way.last)))
        x, y = place(way.last.mean(0)).tolist()
        drawing.add("text", "node-rate middle", way.label[:24], x=x, y=y + 4)
    _ruler(drawing, scale)
    return drawing.markup()


def _ruler(drawing: Drawing, scale: float) -> None:
    length = 0.1 if 0.1 * scale < WIDTH / 2 else 0.01
    x, y = WIDTH - 10 - length * scale, HEIGHT - 8
    drawing.line([(x, y - 4), (x, y), (x + length * scale, y), (x + length * scale, y - 4)], "ruler")
    drawing.add("text", "tick end", f"{length * 100:g} cm", x=x - 5, y=y)


def _corners(pos: list[float], quat: list[float], rest_quat: list[float], size: list[float]) -> np.ndarray:
    """The corners (8, 3) of an object's box at a world pose; `size` is its extents as it rests; wxyz."""
    signs = np.array(np.meshgrid(*[[-0.5, 0.5]] * 3)).reshape(3, -1).T
    pose, rest = (Rotation.from_quat(np.asarray(one, float), scalar_first=True) for one in (quat, rest_quat))
    return np.asarray(pos, float) + (pose * rest.inv()).apply(signs * np.asarray(size, float))


def _outline(points: np.ndarray) -> str:
    """The convex outline of points (n, 2), as a polygon's attribute."""
    try:
        points = points[ConvexHull(points).vertices]
    except QhullError:  # flat: the object is a line in this view
        points = points[[np.lexsort(points.T)[0], np.lexsort(points.T)[-1]]]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
