"""What a policy that sees masks is shown of live cameras: SAM 2.1 follows what was clicked on.

The paper's way to a real robot (section 4.2): one click on each object of the task before the episode.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from video2policy.families import N_OBJECTS
from video2policy.policy.bc import Images, mask_pictures

if TYPE_CHECKING:  # every rollout of a clone imports this, and few have clicks
    from video2policy.perceive.sam2 import Segmenter

SURE = 0.5
"""Score from which an object is taken to be in the picture."""


class ClickError(ValueError):
    """Clicks or pictures from which no masks can be made; one sentence."""


def roles_of(behaviour: str) -> tuple[str, ...]:
    """The roles of the objects that have to be clicked on."""
    return tuple("ab"[: N_OBJECTS[behaviour]])


@dataclass
class _View:
    """One camera: the vendor's session, and the roles of its objects in their order."""

    size: tuple[int, int]
    session: Any
    roles: list[str]


class Clicked:
    """Follows the clicked objects from picture to picture, in each camera by itself.

    Memory does not grow: what the network no longer looks at is forgotten.
    """

    def __init__(self, segmenter: Segmenter, roles: Sequence[str]) -> None:
        self.segmenter, self.roles = segmenter, tuple(roles)
        self._views: dict[str, _View] = {}
        self._frame = 0

    def start(self, images: Mapping[str, Images], clicks: Any) -> None:
        """Begin anew on `images` (camera -> (1, h, w, 3)).

        `clicks`: camera -> role -> (x, y) in pixels of that picture. An object that a camera does not show
        needs no click there, and is not followed in it.

        Raises ClickError where an object is clicked on in no picture, or a click is none.
        """
        views: dict[str, _View] = {}
        for camera, pictures in images.items():
            size = (pictures.shape[1], pictures.shape[2])
            for role in self.roles:
                point = _click(clicks, camera, role, size)
                if point is None:
                    continue
                if camera in views:
                    self.segmenter.add(views[camera].session, 0, [point], [1])
                    views[camera].roles.append(role)
                else:
                    views[camera] = _View(size, self.segmenter.session(size, 0, [point], [1]), [role])
        missing = set(self.roles) - {role for view in views.values() for role in view.roles}
        if missing:
            raise ClickError(f"a reset needs clicks, camera -> role -> [x, y]: none is on {min(missing)}")
        self._views, self._frame = views, 0

    def look(self, images: Mapping[str, Images]) -> tuple[dict[str, Images], dict[str, float]]:
        """The next pictures as the policy sees them; how sure it is of each role, where it is seen best.

        Raises ClickError where a picture's size is not that of the first.
        """
        pictures, sure = {}, dict.fromkeys(self.roles, 0.0)
        for camera, given in images.items():
            labels = np.zeros(given.shape[:3], np.int64)
            view = self._views.get(camera)
            if view is not None:
                if given.shape[1:3] != view.size:
                    raise ClickError(f"the picture of {camera} is not as large as the one with the click")
                masks, scores = self.segmenter.step(view.session, given[0], self._frame, False)
                for role, mask, score in zip(view.roles, masks, scores, strict=True):
                    sure[role] = max(sure[role], float(score))
                    if score >= SURE:
                        labels[0][mask] = 1 + self.roles.index(role)
            pictures[camera] = mask_pictures(labels, self.roles, {role: role for role in self.roles})
        self._frame += 1
        return pictures, sure


def _click(clicks: Any, camera: str, role: str, size: tuple[int, int]) -> tuple[float, float] | None:
    """The click (x, y) on a role's object in a camera's picture (h, w), whatever the client sent; or None."""
    points = clicks.get(camera) if isinstance(clicks, Mapping) else None
    point = points.get(role) if isinstance(points, Mapping) else None
    if point is None:
        return None
    try:
        x, y = (float(value) for value in point)
    except (TypeError, ValueError):
        raise ClickError(f"the click on {role} in {camera} must be [x, y] in pixels") from None
    if not (0 <= x < size[1] and 0 <= y < size[0]):
        raise ClickError(f"the click on {role} is beside the picture of {camera}")
    return x, y
