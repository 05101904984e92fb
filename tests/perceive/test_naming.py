"""Names are given out jointly: by colour, place, class, and by what moves where."""

from unittest import mock

import numpy as np
import pytest

from video2policy.mask import box_iou
from video2policy.perceive import naming
from video2policy.perceive.candidates import Candidate, box_region
from video2policy.perceive.coco import CLASSES
from video2policy.perceive.evidence import COARSE, View
from video2policy.perceive.naming import WEIGHTS, assign
from video2policy.perceive.nouns import parse_noun
from video2policy.perceive.traits import Pool, Wanted, moved, pair_traits

SHAPE = (240, 320)


def view(kind: str = "first", image: np.ndarray | None = None) -> View:
    picture = np.full((*SHAPE, 3), 128, np.uint8) if image is None else image
    none = np.zeros(SHAPE, bool)
    return View(kind, None if kind == "most" else 0, picture, picture, none, none)


def candidate(box: tuple[float, float, float, float], seen: View | None = None, **evidence) -> Candidate:
    """A well-shaped candidate that rests, unless told otherwise."""
    classes = np.zeros(80, np.float32)
    for name, value in evidence.pop("sees", {}).items():
        classes[CLASSES.index(name)] = value
    given = {
        "thing": 1.0,
        "salience": 0.9,
        "contrast": 0.8,
        "classes": classes,
        "travel": np.zeros(2),
        "look": np.full(COARSE, 1 / COARSE),
    } | evidence
    return Candidate(seen or view(), box_region(box, SHAPE), box, "detector", **given)


def names(
    pool: list[Candidate], labels: dict[str, str], family: str = "put_next", handled: str = "a"
) -> dict:
    wanted = [
        Wanted(n, parse_noun(label), "handled" if n == handled else "other") for n, label in labels.items()
    ]
    return {
        name: choice.candidate for name, choice in assign(Pool(pool), wanted, handled, {}, family).items()
    }


def distinct(a: Candidate, b: Candidate) -> bool:
    first, second = Pool([a, b]).distinct[[0, 1], [1, 0]]
    assert first == second
    return bool(first)


LEFT, MIDDLE, RIGHT = (20, 100, 60, 150), (140, 100, 180, 150), (260, 100, 300, 150)


def test_the_class_decides_between_things_that_rest() -> None:
    cup = candidate(LEFT, sees={"cup": 0.5})
    bottle = candidate(MIDDLE, sees={"bottle": 0.5})
    ball = candidate(RIGHT, sees={"sports ball": 0.5}, travel=np.array([-180.0, 0]), motion=1.0)
    found = names([cup, bottle, ball], {"a": "ball", "b": "bottle"})
    assert found["a"] is ball and found["b"] is bottle
    assert names([cup, bottle, ball], {"a": "ball", "b": "mug"})["b"] is cup


def test_two_of_a_class_are_told_apart_by_colour() -> None:
    image = np.full((*SHAPE, 3), 128, np.uint8)
    image[box_region(LEFT, SHAPE)] = (200, 20, 20)
    image[box_region(RIGHT, SHAPE)] = (20, 60, 200)
    seen = view(image=image)
    red, blue = (candidate(box, seen, sees={"cup": 0.5}) for box in (LEFT, RIGHT))
    found = names([blue, red], {"a": "red cup", "b": "blue cup"})
    assert found["a"] is red and found["b"] is blue
    found = names([blue, red], {"a": "blue cup", "b": "red cup"})
    assert found["a"] is blue and found["b"] is red


@pytest.mark.parametrize(
    ("label", "index"), [("left cup", 0), ("cup in the middle", 1), ("rightmost cup", 2)]
)
def test_likes_are_told_apart_by_place(label: str, index: int) -> None:
    cups = [candidate(box, sees={"cup": 0.5}) for box in (LEFT, MIDDLE, RIGHT)]
    for pool in (cups, cups[::-1]):
        assert names(pool, {"b": label}, handled="")["b"] is cups[index]


def test_likes_are_told_apart_by_size() -> None:
    large, small = candidate((20, 60, 100, 160), sees={"cup": 0.5}), candidate(RIGHT, sees={"cup": 0.5})
    assert names([large, small], {"b": "small cup"}, handled="")["b"] is small
    assert names([large, small], {"b": "big cup"}, handled="")["b"] is large


def test_the_one_that_moves_is_the_handled_one() -> None:
    rests = candidate(LEFT, sees={"cup": 0.5})
    goes = candidate(RIGHT, sees={"cup": 0.4}, travel=np.array([-150.0, 0]), motion=1.0)
    for pool in ([rests, goes], [goes, rests]):
        found = names(pool, {"a": "cup", "b": "cup"})
        assert found["a"] is goes and found["b"] is rests


@pytest.mark.parametrize(("family", "index"), [("push_right", 0), ("push_left", 1)])
def test_of_two_that_move_the_push_names_one(family: str, index: int) -> None:
    pool = [
        candidate(MIDDLE, sees={"cup": 0.4}, travel=np.array([70.0, 0]), motion=1.0),
        candidate(LEFT, sees={"cup": 0.4}, travel=np.array([-70.0, 0]), motion=1.0),
    ]
    assert names(pool, {"a": "cup"}, family)["a"] is pool[index]


def test_where_the_handled_object_goes_tells_of_the_other() -> None:
    goes = candidate(LEFT, sees={"sports ball": 0.5}, travel=np.array([200.0, 0]), motion=1.0)
    near, far = candidate(RIGHT, sees={"cup": 0.4}), candidate((20, 10, 60, 60), sees={"cup": 0.42})
    assert names([goes, near, far], {"a": "ball", "b": "cup"})["b"] is near


def test_what_the_hand_hides_does_not_count_as_moving() -> None:
    hidden = candidate(LEFT, motion=1.0, travel=np.zeros(2))
    carried = candidate(RIGHT, motion=0.4, travel=np.array([50.0, 0]))
    unknown = candidate(MIDDLE, motion=1.0, travel=None)
    assert moved(hidden) < moved(unknown) < moved(carried)


def test_one_thing_has_one_name() -> None:
    cup = candidate(LEFT, sees={"cup": 0.9}, travel=np.array([30.0, 0]), motion=1.0)
    same = candidate((22, 101, 62, 151), sees={"cup": 0.8}, travel=np.array([30.0, 0]), motion=1.0)
    assert not distinct(cup, same)
    assert names([cup, same], {"a": "cup", "b": "cup"}) == {}


def test_at_the_clips_two_ends_a_place_may_hold_two_things() -> None:
    ball = candidate(LEFT)
    cover = candidate(LEFT, view("last"), travel=np.array([-100.0, 0]))
    assert distinct(ball, cover)
    itself = candidate((120, 100, 160, 150), travel=np.array([-100.0, 0]))
    assert not distinct(itself, cover)


def test_a_part_is_not_preferred_to_the_whole() -> None:
    go = {"travel": np.array([80.0, 0]), "motion": 1.0, "sees": {"cup": 0.4}}
    whole, part = candidate((100, 80, 180, 180), **go), candidate((110, 90, 150, 130), **go, coverage=0.9)
    assert names([part, whole], {"a": "cup"}, "lift")["a"] is whole


def test_hands_are_no_objects() -> None:
    go = {"travel": np.array([80.0, 0]), "motion": 1.0}
    hand = candidate(LEFT, **go, skin=0.9)
    person = candidate(MIDDLE, **go, sees={"person": 0.6})
    cube = candidate(RIGHT, **go)
    assert names([hand, person, cube], {"a": "cube"}, "lift")["a"] is cube


def test_overlap_of_boxes() -> None:
    assert box_iou((0, 0, 10, 10), (0, 0, 10, 10)) == 1
    assert box_iou((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert box_iou((0, 0, 10, 10), (20, 20, 30, 30)) == 0


def test_where_they_meet_is_the_start_of_what_is_uncovered() -> None:
    cover = candidate(LEFT, travel=np.array([240.0, 0]), motion=1.0)
    ball, decoy = candidate((30, 120, 50, 150), view("last")), candidate((270, 120, 290, 150), view("last"))
    pool = Pool([cover, ball, decoy])
    assert pair_traits(pool, "uncover")["onto: overlap"][0].argmax() == 1
    assert pair_traits(pool, "cover")["onto: overlap"][0].argmax() == 2


def test_a_place_is_taken_by_what_the_sheet_says() -> None:
    cup, same, other = (candidate(box, sees={"cup": 0.5}) for box in (LEFT, LEFT, RIGHT))
    pool = Pool([cup, other, same])
    wanted = [Wanted("b", parse_noun("cup"), "other")]
    for handled in ("a", ""):
        found = assign(pool, wanted, handled, {"a": 2}, "put_next")
        assert found["b"].candidate is other
        assert "a" not in found


def test_the_score_falls_when_another_fits_as_well() -> None:
    cup, bottle = candidate(LEFT, sees={"cup": 0.5}), candidate(RIGHT, sees={"bottle": 0.5})
    wanted = [Wanted("b", parse_noun("cup"), "other")]
    alone = assign(Pool([cup, bottle]), wanted, "", {})["b"].score
    among = assign(Pool([cup, bottle, candidate(MIDDLE, sees={"cup": 0.5})]), wanted, "", {})["b"].score
    assert among < alone <= 1


def test_all_have_the_same_chance_where_nothing_tells_them_apart() -> None:
    """The probability is that of exactly one of three: without weights for it, a third."""
    pool = Pool([candidate(box) for box in (LEFT, MIDDLE, RIGHT)])
    wanted = [Wanted("b", parse_noun("cup"), "other")]
    with mock.patch.dict(WEIGHTS, {"other": {"class": 1.0}}), mock.patch.object(naming, "CERTAINTY", (0, 1)):
        assert assign(pool, wanted, "", {})["b"].score == pytest.approx(1 / 3)
