"""What perception makes of the rendered clips, with their true masks and camera, once for all tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conftest import RenderedClip
from video2policy.perceive.depth import View, find_view
from video2policy.perceive.reconstruct import Reconstruction, reconstruct


@dataclass(frozen=True)
class Perceived:
    """A rendered clip with its images, true masks, view and reconstructions."""

    clip: RenderedClip
    images: list[NDArray[np.uint8]]
    masks: dict[str, NDArray[np.bool_]]
    view: View
    shapes: dict[str, Reconstruction]

    @property
    def labels(self) -> dict[str, str]:
        return {obj: obj.replace("_", " ") for obj in self.masks}

    @property
    def depth_scale(self) -> float:
        """Metres per unit of the view's depth, from the true camera."""
        return float(self.clip.truth["world_from_camera"][2, 3]) / self.view.camera.altitude

    def others(self, obj: str) -> NDArray[np.bool_]:
        result = np.zeros_like(self.masks[obj])
        for name, item in self.masks.items():
            if name != obj:
                result |= item
        return result


def perceive(clip: RenderedClip) -> Perceived:
    images = clip.images()
    masks = {obj: clip.masks(obj) for obj in clip.objects}
    labels = {obj: obj.replace("_", " ") for obj in clip.objects}
    given = {"fov": float(clip.truth["fov"]), "pitch": float(clip.truth["pitch"])}
    view = find_view(images, masks, labels, given)
    sure = np.ones(len(images), np.float32)
    result = Perceived(clip, images, masks, view, {})
    family = "cover" if len(masks) > 1 else "lift"
    for obj in masks:
        role = "a" if obj == clip.objects[0] else "b"
        result.shapes[obj] = reconstruct(
            images,
            masks[obj],
            sure,
            result.others(obj),
            view.camera,
            view.contacts[obj],
            labels[obj],
            family,
            role,
        )
    return result


@pytest.fixture(scope="session")
def lifted(rendered_clip: RenderedClip) -> Perceived:
    """A red box that a hand lifts."""
    return perceive(rendered_clip)


@pytest.fixture(scope="session")
def covered(rendered_pair: RenderedClip) -> Perceived:
    """An orange cup that a hand puts over a yellow ball."""
    return perceive(rendered_pair)
