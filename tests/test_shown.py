"""A scene that does what its caption says passes; any other is refused, with what its poses say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.scenes import CAPTIONS, OBJECTS, PLANK, primitive_scene
from video2policy.families import SUPPORTED
from video2policy.scene import Scene
from video2policy.shown import SHOWN, choose, shown

PAIR = {"cube": "box", "mug": "mug"}
COVERED = {"cup": "cup", "ball": "ball"}


def scene(folder: Path, family: str, ends: dict | None = None) -> Scene:
    """The family's own objects; with `ends` those that the ends name."""
    objects = OBJECTS[family]
    if ends:
        objects = {name: {**PAIR, **COVERED, "plank": PLANK}[name] for name in ends}
    turns = {} if ends else None
    return Scene.load(primitive_scene(folder, family, objects=objects, ends=ends, turns=turns))


def test_every_family_with_a_task_has_a_condition() -> None:
    assert set(SHOWN) == set(SUPPORTED) == set(CAPTIONS)


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
        ("pull_left", {"cube": (HERE, (0, -0.1, 0.05))}, "to the right"),
        ("push_any", {"cube": (HERE, HERE)}, "moves by 0.0 cm"),
        ("touch", {"cube": (HERE, FAR)}, "moves by 30.4 cm"),
        ("poke_move", {"cube": (HERE, (0, 0.002, 0.05))}, "moves by 0.2 cm"),
        ("spin", {"cube": (HERE, FAR)}, "moves by 30.4 cm"),
        ("push_off", {"cube": (FAR, HERE), "mug": (HERE, HERE)}, "begins 30.4 cm from mug"),
        ("push_onto", {"cube": (HERE, FAR), "mug": (HERE, HERE)}, "ends 30.4 cm from mug"),
        ("move_away", {"cube": (FAR, HERE), "mug": (HERE, HERE)}, "at first"),
        ("move_to_cam", {"cube": (HERE, (0.2, 0, 0.05))}, "20.0 cm away from the camera"),
        ("move_away_cam", {"cube": (HERE, (0.03, 0.2, 0.05))}, "20.0 cm sideways"),
        ("pull_from_behind", {"cube": ((-0.1, 0, 0.05), FAR), "mug": (HERE, HERE)}, "begins 10.0 cm before"),
        ("put_behind", {"cube": (FAR, (-0.1, 0, 0.05)), "mug": (HERE, HERE)}, "before mug"),
        ("hold", {"cube": (HERE, (0.0, 0.1, 0.03))}, "over the table"),
        ("hold_next", {"cube": (FAR, FAR), "mug": (HERE, HERE)}, "ends 30.4 cm from mug"),
        ("hold_over", {"cube": (FAR, FAR), "mug": (HERE, HERE)}, "ends 30.4 cm from mug"),
        ("take_out", {"cube": (FAR, HERE), "mug": (HERE, HERE)}, "begins 30.4 cm from mug"),
        ("lift_end", {"plank": (HERE, HERE)}, "never tilted by more than 0 degrees"),
        ("upright", {"plank": (HERE, HERE)}, "begins 0 and ends 0 degrees"),
        ("upside_down", {"plank": (HERE, HERE)}, "turned over by 0 degrees"),
        ("put_surface", {"cube": (HERE, (0, 0, 0.3))}, "27.5 cm over the table"),
        ("move_down", {"cube": (HERE, (0, 0, 0.3))}, "below its highest place"),
        ("drop", {"cube": (HERE, HERE)}, "below its highest place"),
        ("throw", {"cube": (HERE, HERE)}, "hardly rises"),
        ("throw_against", {"cube": (HERE, FAR), "mug": (HERE, HERE)}, "from mug"),
    ],
)
def test_what_it_does_not_say_is_told(family: str, ends: dict, words: str, tmp_path: Path) -> None:
    found = scene(tmp_path, family, ends)
    verdict = shown(found)
    assert not verdict.passed and verdict.reason is not None
    assert words in verdict.reason and found.task.caption in verdict.reason
    assert "\n" not in verdict.reason and "give boxes or points" in verdict.reason


def test_the_clip_decides_between_what_a_caption_may_mean(tmp_path: Path) -> None:
    others = ("push_right", "move_away_cam", "move_to_cam", "push_any")
    for way, family in (((0, 0.2), "push_left"), ((0, -0.2), "push_right"), ((0.2, 0), "move_away_cam")):
        ends = {"cube": (HERE, (*way, 0.05))}
        clip = scene(tmp_path / family, "push_left", ends)
        assert choose(clip, others).task.family == family
    still = scene(tmp_path / "still", "push_left", {"cube": (HERE, HERE)})
    assert choose(still, others).task.family == "push_left"
    poked = ("push_any", "touch")
    for way, family in ((0.03, "poke_move"), (0.2, "push_any"), (0.0, "touch")):
        ends = {"cube": (HERE, (way, 0, 0.05))}
        assert choose(scene(tmp_path / family, "poke_move", ends), poked).task.family == family
    fallen = Scene.load(primitive_scene(tmp_path / "fallen", "tip_over", objects={"tin": "cylinder"}))
    fallen = replace(fallen, task=replace(fallen.task, family="upside_down"))
    assert choose(fallen, ("tip_over", "lay_side")).task.family == "tip_over"


def test_what_stays_upright_was_not_tipped_over(tmp_path: Path) -> None:
    path = primitive_scene(tmp_path, "tip_over", objects={"tin": "cylinder"}, turns={})
    verdict = shown(Scene.load(path))
    assert not verdict.passed and "ends 0 degrees from how it stood" in str(verdict.reason)
