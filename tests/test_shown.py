"""A scene that does what its caption says passes; any other is refused, with what its poses say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenes import CAPTIONS, primitive_scene
from video2policy.families import SUPPORTED
from video2policy.scene import Scene
from video2policy.shown import SHOWN, shown

PAIR = {"cube": "box", "mug": "mug"}
COVERED = {"cup": "cup", "ball": "ball"}


def scene(folder: Path, family: str, ends: dict | None = None) -> Scene:
    objects = (
        COVERED if family in ("cover", "uncover") else PAIR if "{b}" in CAPTIONS[family] else {"cube": "box"}
    )
    return Scene.load(primitive_scene(folder, family, objects=objects, ends=ends))


def test_every_family_with_a_task_has_a_condition() -> None:
    assert set(SHOWN) == set(SUPPORTED)


@pytest.mark.parametrize("family", CAPTIONS)
def test_what_the_caption_says_passes(family: str, tmp_path: Path) -> None:
    verdict = shown(scene(tmp_path, family))
    assert verdict.passed and verdict.stage == "caption"


HERE, FAR = (0.0, 0.0, 0.05), (0.05, 0.3, 0.05)


@pytest.mark.parametrize(
    ("family", "ends", "words"),
    [
        ("lift", {"cube": (HERE, (0.1, 0, 0.05))}, "rises by 0.0 cm"),
        ("push_right", {"cube": (HERE, (0, 0.1, 0.05))}, "went 10.0 cm to the left"),
        ("push_left", {"cube": (HERE, (0.2, 0.03, 0.05))}, "along the line of sight"),
        ("put_next", {"cube": (HERE, (0.0, 0.1, 0.05)), "mug": (FAR, FAR)}, "cm from mug, centre to centre"),
        ("put_next", {"cube": (FAR, FAR), "mug": (FAR, FAR)}, "moves by 0.0 cm"),
        ("put_front", {"cube": (HERE, (0.2, 0.3, 0.05)), "mug": (FAR, FAR)}, "behind mug"),
        ("move_closer", {"cube": (HERE, (0.0, -0.1, 0.05)), "mug": (FAR, FAR)}, "at first"),
        ("cover", {"cup": (HERE, (0.0, 0.1, 0.05)), "ball": (FAR, FAR)}, "from ball"),
        ("uncover", {"cup": (HERE, HERE), "ball": (HERE, HERE)}, "moves by 0.0 cm"),
        ("put_into", {"cube": (HERE, (0.0, 0.2, 0.05)), "mug": (FAR, FAR)}, "from mug"),
        ("push_with", {"cube": (FAR, HERE), "mug": (HERE, HERE)}, "is said to push mug"),
    ],
)
def test_what_it_does_not_say_is_told(family: str, ends: dict, words: str, tmp_path: Path) -> None:
    found = scene(tmp_path, family, ends)
    verdict = shown(found)
    assert not verdict.passed and verdict.reason is not None
    assert words in verdict.reason and found.task.caption in verdict.reason
    assert "\n" not in verdict.reason and "give boxes or points" in verdict.reason


def test_what_stays_upright_was_not_tipped_over(tmp_path: Path) -> None:
    path = primitive_scene(tmp_path, "tip_over", objects={"tin": "cylinder"}, turns={})
    verdict = shown(Scene.load(path))
    assert not verdict.passed and "ends 0 degrees from how it stood" in str(verdict.reason)
