"""Scenes of primitives for every family that the grammar writes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import scenes
from tests.scenes import OBJECTS as OBJECTS
from video2policy.scene import Scene

MakeScene = Callable[[str], Scene]


@pytest.fixture(scope="session")
def scene_path_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """family -> scene.json of a clip that does what the family says."""
    made: dict[str, Path] = {}

    def make(family: str) -> Path:
        if family not in made:
            folder = tmp_path_factory.mktemp(family)
            made[family] = scenes.primitive_scene(folder, family, objects=OBJECTS[family])
        return made[family]

    return make


@pytest.fixture(scope="session")
def scene_of(scene_path_of: Callable[[str], Path]) -> MakeScene:
    return lambda family: Scene.load(scene_path_of(family))
