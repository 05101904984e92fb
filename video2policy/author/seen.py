"""What of a clip its author is shown: all of it, no poses, or the caption alone (paper, section 4.4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from video2policy.scene import Difference, ObjectPose, Relation, Scene, SceneObject

CLIP, SIZES, CAPTION = "clip", "sizes", "caption"
GUESS = 0.08
"""Metres: every side of an object that the author knows by name only."""
STILL = Difference([0.0, 0.0, 0.0], 0.0, 0.0)


def seen(scene: Scene, sees: str = CLIP) -> Scene:
    """The scene as an author knows it who `sees` the "clip", its objects' "sizes" or its "caption".

    Without poses, objects stand where they are said to stand and did not move; with the caption alone, their
    sizes are guessed too.
    """
    if sees == CLIP:
        return scene
    objects = [_object(item, sees) for item in scene.objects]
    relations = [Relation(item.a, item.b, [0.0, 0.0, 0.0], [0.0, 0.0, 0.0], 0.0) for item in scene.relations]
    return replace(scene, objects=objects, relations=relations)


def _object(item: SceneObject, sees: str) -> SceneObject:
    size = [GUESS] * 3 if sees == CAPTION else item.size
    pose = ObjectPose([0.0, 0.0, round(size[2] / 2, 4)], item.rest_quat)
    return replace(item, size=size, first=pose, last=pose, difference=STILL)


_POSES = (
    "first_pose",
    "last_pose",
    "first_position",
    "last_position",
    "difference",
    "rotation_degrees",
    "relations",
)
_HIDDEN = {CLIP: (), SIZES: _POSES, CAPTION: (*_POSES, "size")}


def hide(facts: dict[str, Any], sees: str) -> dict[str, Any]:
    """What is said of a scene or an object, without what an author who `sees` only so much is not told."""
    return {name: value for name, value in facts.items() if name not in _HIDDEN[sees]}
