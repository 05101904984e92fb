"""Names and what they say: classes, colours, places."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from video2policy.perceive.coco import CLASSES
from video2policy.perceive.nouns import (
    GROUPS,
    HUES,
    SYNONYMS,
    colour_mask,
    colour_word,
    parse_noun,
    singular,
)


@pytest.mark.parametrize(
    ("label", "best"),
    [
        ("red cup", "cup"),
        ("vicks vaporub bottle", "bottle"),
        ("bottle of water", "bottle"),
        ("a mug with flowers", "cup"),
        ("cell phones", "cell phone"),
        ("wine glass", "wine glass"),
        ("remote control", "remote"),
        ("orange", "orange"),
        ("orange cup", "cup"),
        ("knives", "knife"),
        ("teddy bear", "teddy bear"),
        ("Potato", "apple"),
    ],
)
def test_the_head_noun_decides_the_class(label: str, best: str) -> None:
    assert CLASSES[int(parse_noun(label).weights().argmax())] == best


def test_like_classes_count_less_than_the_own() -> None:
    weights = parse_noun("green bottle").classes
    assert weights["bottle"] == 1.0 and 0 < weights["vase"] < 1 and "book" not in weights


def test_an_unknown_name_says_nothing_to_the_detector() -> None:
    noun = parse_noun("blue gizmotron")
    assert noun.colour == "blue" and not noun.classes and not noun.weights().any()


@pytest.mark.parametrize(
    ("label", "places"),
    [
        ("left cup", (("x", -1.0),)),
        ("the small cup on the right", (("size", -1.0), ("x", 1.0))),
        ("cup", ()),
    ],
)
def test_words_of_place_and_size(label: str, places: tuple) -> None:
    noun = parse_noun(label)
    assert noun.places == places and noun.head == "cup"


@pytest.mark.parametrize(
    ("plural", "one"), [("cups", "cup"), ("boxes", "box"), ("batteries", "battery"), ("glass", "glass")]
)
def test_plurals(plural: str, one: str) -> None:
    assert singular(plural) == one


def test_the_map_names_only_classes_that_there_are() -> None:
    assert len(CLASSES) == len(set(CLASSES)) == 80
    for classes in SYNONYMS.values():
        assert set(classes) <= set(CLASSES) and all(0 < w <= 1 for w in classes.values())
    assert all(set(group) <= set(CLASSES) for group in GROUPS)


@given(st.text(max_size=40))
def test_any_text_is_a_name(label: str) -> None:
    weights = parse_noun(label).weights()
    assert weights.shape == (80,) and weights.min() >= 0 and weights.max() <= 1


@pytest.mark.parametrize(
    ("label", "colour"),
    [
        ("red cup", "red"),
        ("Dark-Grey box", "grey"),
        ("turquoise mug", "cyan"),
        ("reddish", None),
        ("cup", None),
    ],
)
def test_colour_word(label: str, colour: str | None) -> None:
    assert colour_word(label) == colour


@pytest.mark.parametrize(
    ("rgb", "colour"),
    [
        ((200, 20, 30), "red"),
        ((240, 130, 20), "orange"),
        ((240, 220, 40), "yellow"),
        ((30, 140, 60), "green"),
        ((30, 70, 200), "blue"),
        ((120, 40, 160), "purple"),
        ((15, 15, 15), "black"),
        ((245, 245, 240), "white"),
    ],
)
def test_colours_are_told_apart(rgb: tuple[int, int, int], colour: str) -> None:
    image = np.full((20, 20, 3), rgb, np.uint8)
    assert colour_mask(image, colour).all()
    others = {"red", "yellow", "green", "blue", "black", "white"} - {colour}
    assert not any(colour_mask(image, other).any() for other in others)
    assert colour in HUES
