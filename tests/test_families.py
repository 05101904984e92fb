"""Templates, roles and captions: the table is SSv2's, and captions find the family a person would name."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from video2policy.families import (
    _RULES,
    N_OBJECTS,
    REASONS,
    SUPPORTED,
    TEMPLATES,
    assign_roles,
    find_objects,
    find_template,
    match_caption,
    understood,
)

SPEC = Path(__file__).parents[2] / "shared" / "spec" / "ssv2_templates.tsv"


def test_all_174_templates_are_there() -> None:
    assert [t.id for t in TEMPLATES] == list(range(174))
    count = {status: sum(t.status == status for t in TEMPLATES) for status in "ABC"}
    assert count == {"A": 69, "B": 39, "C": 66}
    assert len(N_OBJECTS) == 58


@pytest.mark.skipif(not SPEC.exists(), reason="the specification's table does not lie beside the repository")
def test_table_equals_the_specification() -> None:
    with SPEC.open(newline="") as file:
        for row, template in zip(csv.DictReader(file, delimiter="\t"), TEMPLATES, strict=True):
            told = (template.id, template.text, template.family, template.status)
            assert told == (int(row["id"]), row["template"], row["family"], row["status"])


@pytest.mark.parametrize(
    "text",
    [
        "Putting [something] next to [something]",
        "putting something next to something",
        "  PUTTING  [Something]   next to something. ",
        107,
        "107",
    ],
)
def test_lookup_is_tolerant(text: str | int) -> None:
    template = find_template(text)
    assert template is not None and template.id == 107


@pytest.mark.parametrize("text", ["", "Putting something", "174", 999, -1, "nonsense"])
def test_unknown_templates_are_not_found(text: str | int) -> None:
    assert find_template(text) is None


def test_every_refused_template_says_why() -> None:
    for template in TEMPLATES:
        if template.status == "A":
            assert template.refusal is None and template.family in SUPPORTED
        else:
            assert template.refusal is not None and REASONS[template.family] in template.refusal


@pytest.mark.parametrize(
    ("family", "a", "b"),
    [
        ("cover", "second", "first"),
        ("uncover", "second", "first"),
        ("push_with", "second", "first"),
        ("put_next", "first", "second"),
        ("put_into", "first", "second"),
    ],
)
def test_roles(family: str, a: str, b: str) -> None:
    assert assign_roles(family, ["first", "second"]) == {"a": a, "b": b}


def test_one_object_has_the_role_a() -> None:
    assert assign_roles("lift", ["cube"]) == {"a": "cube"}


CAPTIONS = [
    ("sliding remote to mouse", ["remote", "mouse"], "move_closer", "ab"),
    ("slide the remote towards the mouse", ["remote", "mouse"], "move_closer", "ab"),
    ("inserting fork into container", ["fork", "container"], "put_into", "ab"),
    ("insert the fork in the storage box", ["fork", "storage box"], "put_into", "ab"),
    ("throw garlic into bowl", ["garlic", "bowl"], "throw_into", "ab"),
    ("drop the ball in a cup", ["ball", "cup"], "drop_into", "ab"),
    ("lifting cube up", ["cube"], "lift", "a"),
    ("the person picks up the cup", ["cup"], "lift", "a"),
    ("moving cube up", ["cube"], "lift", "a"),
    ("pushing the red cup to the left", ["red cup"], "push_left", "a"),
    ("push cup left", ["cup"], "push_left", "a"),
    ("moving cube from left to right", ["cube"], "push_right", "a"),
    ("push box next to mug", ["box", "mug"], "put_next", "ab"),
    ("placing cup beside box", ["cup", "box"], "put_next", "ab"),
    ("throwing ball next to box", ["ball", "box"], "drop_next", "ab"),
    ("moving the red block in front of the mug", ["red block", "mug"], "put_front", "ab"),
    ("dropping block in front of mug", ["block", "mug"], "drop_front", "ab"),
    ("covering yellow ball with red cup", ["yellow ball", "red cup"], "cover", "ba"),
    ("putting red cup over yellow ball", ["red cup", "yellow ball"], "cover", "ab"),
    ("uncovering ball", ["ball", "cup"], "uncover", "ba"),
    ("uncover ball from under cup", ["ball", "cup"], "uncover", "ba"),
    ("taking the cup off the ball", ["cup", "ball"], "uncover", "ab"),
    ("pick the cup up", ["cup"], "lift", "a"),
    ("the red cup is picked up by a hand", ["red cup"], "lift", "a"),
    ("cups were pushed to the left", ["cup"], "push_left", "a"),
    ("the bottle is being knocked over", ["bottle"], "tip_over", "a"),
    ("someone knocked the bottle down", ["bottle"], "tip_over", "a"),
    ("slide the box across the table", ["box"], "push_left", "a"),
    ("place the apple on top of the book", ["apple", "book"], "put_onto", "ab"),
    ("the apple was placed onto the book", ["apple", "book"], "put_onto", "ab"),
    ("take the spoon out of the mug", ["spoon", "mug"], "take_out", "ab"),
    ("the spoon is taken from the mug", ["spoon", "mug"], "take_out", "ab"),
    ("turn the glass upside down", ["glass"], "upside_down", "a"),
    ("flipping the box over", ["box"], "upside_down", "a"),
    ("stand the bottle up", ["bottle"], "upright", "a"),
    ("put the bottle upright", ["bottle"], "upright", "a"),
    ("laid the bottle on its side", ["bottle"], "lay_side", "a"),
    ("drag the box to the right", ["box"], "pull_right", "a"),
    ("pulling the towel onto the tray", ["towel", "tray"], "pull_onto", "ab"),
    ("knock the cup off the table", ["cup"], "push_off_edge", "a"),
    ("push the cup off the box", ["cup", "box"], "push_off", "ab"),
    ("slide the plate away from the camera", ["plate"], "move_away_cam", "a"),
    ("bring the plate towards me", ["plate"], "move_to_cam", "a"),
    ("moving the can away from the jar", ["can", "jar"], "move_away", "ab"),
    ("keep the pen above the cup", ["pen", "cup"], "hold_over", "ab"),
    ("lift one end of the book", ["book"], "lift_end", "a"),
    ("raising one end of the book and letting it fall", ["book"], "lift_end_drop", "a"),
    ("lift the tray with the apple on it", ["tray", "apple"], "lift_with", "ab"),
    ("the ball rolls on the table", ["ball"], "roll", "a"),
    ("rotate the phone", ["phone"], "spin", "a"),
    ("tap the can", ["can"], "touch", "a"),
    ("nudging the can a bit", ["can"], "poke_move", "a"),
    ("put the can down on the table", ["can"], "put_surface", "a"),
    ("lower the can", ["can"], "move_down", "a"),
    ("the can is dropped", ["can"], "drop", "a"),
    ("toss the ball into the air", ["ball"], "throw_up", "a"),
    ("throw the ball at the box", ["ball", "box"], "throw_against", "ab"),
    ("pull the pen from behind the cup", ["pen", "cup"], "pull_from_behind", "ab"),
    ("left the cup next to the box", ["cup", "box"], "put_next", "ab"),
]


@pytest.mark.parametrize(("caption", "labels", "family", "order"), CAPTIONS)
def test_captions_without_a_template(caption: str, labels: list[str], family: str, order: str) -> None:
    match = match_caption(caption, labels)
    assert match is not None
    assert (match.family, match.order[: len(labels)], match.refusal) == (family, order, None)


@pytest.mark.parametrize(
    ("caption", "label", "word"),
    [
        ("pretending to pick cup up", "cup", "pretends"),
        ("tearing paper", "paper", "deformable"),
        ("pouring water out of jug", "jug", "liquids"),
        ("closing box", "box", "jointed"),
        ("moving the camera around cup", "cup", "camera"),
        ("trying to lift cup", "cup", "fails"),
    ],
)
def test_captions_that_are_refused_say_why(caption: str, label: str, word: str) -> None:
    match = match_caption(caption, [label])
    assert match is not None and match.refusal is not None and word in match.refusal


@pytest.mark.parametrize("caption", ["dancing with cup", "cup", "a nice cup on the table"])
def test_captions_that_fit_nothing(caption: str) -> None:
    assert match_caption(caption, ["cup"]) is None


def test_families_that_a_caption_may_mean_have_as_many_objects() -> None:
    for _, families, order in _RULES:
        counts = {N_OBJECTS[family] for family in families.split("|")}
        assert len(counts) == 1 and counts <= {len(order), len(order) - (families == "uncover")}, families


def test_what_was_understood_is_told() -> None:
    assert understood("dancing with cup", ["cup"]) == "no verb that it knows and one object"
    assert understood("flicked the cup", ["cup"]) == 'the verb "flick" and one object'


def test_every_supported_template_is_found_by_its_own_caption() -> None:
    for template in TEMPLATES:
        if template.refusal is None:
            labels = ["red cup", "cup holder"]
            names = iter(labels)

            def filled(place: re.Match[str], names: Iterator[str] = names) -> str:
                return place[1] if place[1].lower() in ("part", "somewhere") else next(names)

            caption = re.sub(r"\[([^\]]*)\]", filled, template.text)
            match = match_caption(caption, labels[: len(template.object_placeholders)])
            assert match is not None and match.family == template.family


def test_objects_are_found_by_whole_words_and_longest_first() -> None:
    assert find_objects("put cup holder by cup", ["cup", "cup holder"]) == [(18, 21), (4, 14)]
    assert find_objects("push cupboard", ["cup"]) == [None]
    assert find_objects("put cup by cup", ["cup", "cup"]) == [(4, 7), (11, 14)]
