"""Something-Something V2's 174 templates, their task families, and captions that have no template.

A family fixes what success means; its roles say which object is which: `a` is the object that the robot
handles, `b` the one it is related to (for `cover` and `push_with` not the order in which the template names
them). Standard library only: the workflow reads sample sheets in an environment without numpy or torch.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROLE_ORDER = {"cover": "ba", "uncover": "ba", "push_with": "ba"}
"""Roles in the order in which a template names the objects, where it is not `ab`.

"Covering [b] with [a]", "Uncovering [b]" (the cover `a` is not named), "Pushing [b] with [a]".
"""

_NOT_HELD = """
push_left push_right push_any push_with push_off push_onto push_off_edge push_near_edge poke_move move_away
move_to_cam move_away_cam tip_over lay_side touch roll
"""
NOT_HELD = frozenset(_NOT_HELD.split())
"""Families whose objects need not be held between the fingers; in others `a` is."""

EDGE_FAMILIES = ("push_off_edge", "push_near_edge")
"""Families about an edge of the table, which must be within the arm's reach."""

REASONS = {
    # status C: not for this system
    "camera": "the camera moves instead of an object, and there is nothing for a robot to do",
    "attach": "sticking things together cannot be simulated with rigid bodies",
    "deform": "bending, folding, tearing and stretching need deformable bodies",
    "granular": "digging, burying and sprinkling need sand, powder or many small pieces",
    "pour": "pouring and spilling need liquids or many small pieces",
    "pretend": "the person only pretends, so that nothing in the scene shows whether it succeeded",
    "fail": "the person fails or changes nothing on purpose, so that the clip shows no goal",
    "scoop": "scooping needs powder, liquid or many small pieces",
    "show": "showing something to the camera changes nothing in the scene",
    "fall_soft": "falling like a feather needs air drag on a soft sheet",
    "squeeze": "squeezing needs deformable bodies",
    # status B: would need an element that scenes do not have yet
    "close": "closing needs a jointed object with a lid or a door",
    "open": "opening needs a jointed object with a lid or a door",
    "articulate": "moving a part of an object needs a jointed object",
    "twist": "twisting needs a jointed object such as a screw cap",
    "hit_with": "hitting needs a tool in the hand at the start and an impact to be judged",
    "roll_ramp": "it needs a slanted surface in the scene",
    "put_ramp": "it needs a slanted surface in the scene",
    "tilt_support": "it needs a surface that can be lifted and tilted",
    "tilt_keep": "it needs a support that is tilted with an object on it",
    "tilt_fall": "it needs a support that is tilted with an object on it",
    "tip_empty": "it needs an object inside a container at the start",
    "separate": "two objects move at once, which needs a second arm",
    "approach_both": "two objects move at once, which needs a second arm",
    "collide": "two objects move at once, which needs a second arm",
    "pass": "two objects move at once, which needs a second arm",
    "deflect": "it needs an object that already moves when the episode starts",
    "stack_n": "it needs a number of like objects",
    "put_n_onto": "it needs a number of like objects",
    "put_similar": "it needs like objects on the table already",
    "put_two_table": "it needs two objects to be put down one after the other",
    "put_three_table": "it needs three objects to be put down one after the other",
    "take_one": "it needs a number of like objects",
    "collapse": "it needs a stack of objects",
    "poke_stack": "it needs a stack of objects",
    "insert": "plugging needs a socket that fits the plug to a millimetre",
    "insert_out": "plugging needs a socket that fits the plug to a millimetre",
    "put_edge_fall": "it needs a support from whose edge an object falls",
    "put_under": "it needs a support with free space below it",
    "put_into": "stuffing presses something soft into its container",
    "throw_catch": "catching needs a second hand or a much faster arm",
    "wipe": "wiping needs something that sticks to a surface",
}
"""Why a template of status B or C is refused, by family."""


@dataclass(frozen=True)
class Template:
    """One of SSv2's templates: `status` A for this system, B needs an extra scene element, C refused."""

    id: int
    text: str
    train_count: int
    family: str
    n_objects: int
    status: str

    @cached_property
    def refusal(self) -> str | None:
        """Why no task can be made of clips with this template; None when one can."""
        if self.status == "A":
            return None
        kind = (
            "needs a scene element that is not there yet" if self.status == "B" else "is not for this system"
        )
        return f"it {kind}: {REASONS[self.family]}"

    @cached_property
    def object_placeholders(self) -> tuple[int, ...]:
        """Indices of the placeholders that are objects; "[part] of [something]" and "[somewhere]" are not."""
        names = re.findall(r"\[([^\]]*)\]", self.text)
        return tuple(
            i for i, name in enumerate(names) if name.lower() not in ("part", "somewhere", "number of")
        )


def normalise(text: str) -> str:
    """Lower case, without brackets and punctuation, single spaces: `Closing [it]!` becomes `closing it`."""
    return " ".join(re.sub(r"[^\w\s]|_", " ", text.casefold()).split())


def _read_templates() -> tuple[Template, ...]:
    with (Path(__file__).parent / "ssv2_templates.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return tuple(
        Template(
            int(row["id"]),
            row["template"],
            int(row["train_count"]),
            row["family"],
            int(row["n_objects"] or 0),
            row["status"],
        )
        for row in rows
    )


TEMPLATES = _read_templates()
_BY_TEXT = {normalise(template.text): template for template in TEMPLATES}
N_OBJECTS = {t.family: t.n_objects for t in reversed(TEMPLATES) if t.status == "A"} | {"throw_into": 2}
"""Number of objects of every family of status A, and of the paper's "throw into", which is no template."""

SUPPORTED = tuple(N_OBJECTS)
"""Families for which the grammar author writes tasks and the judges have a predicate."""


def find_template(text: str | int) -> Template | None:
    """The template with this text (brackets, case, punctuation, spacing do not matter) or id, or None."""
    if isinstance(text, int) or text.strip().isdecimal():
        number = int(text)
        return TEMPLATES[number] if 0 <= number < len(TEMPLATES) else None
    return _BY_TEXT.get(normalise(text))


def held_roles(family: str) -> str:
    """Roles of the objects that the task must hold between the fingers."""
    return "" if family in NOT_HELD else "a"


def assign_roles(family: str, objects: Sequence[str], order: str | None = None) -> dict[str, str]:
    """Role -> object, for objects in the order in which the template (or caption) names them."""
    letters = order or ROLE_ORDER.get(family, "ab")
    return dict(sorted(zip(letters, objects)))  # noqa: B905 - Python 3.8, for sim.isaacgym


@dataclass(frozen=True)
class Match:
    """What a caption asks for: the family, and roles in the order in which it names the objects."""

    family: str
    order: str
    template: Template | None = None
    refusal: str | None = None


_VERBS = """
put place set lay position insert stick return stow drop throw toss let release lift pick raise hoist
grab grasp take remove get move slide push pull drag bring shove nudge shift lower hold cover hide
conceal uncover reveal tip knock topple turn flip roll spin touch poke stack try fail pretend pour spill
tear rip fold unfold bend stretch break cut sprinkle dig bury scatter scoop squeeze show attach glue tape
open close shut twist plug wipe
"""


def _forms(verb: str) -> set[str]:
    stem = verb[:-1] if verb.endswith("e") else verb  # Python 3.8
    return {verb, verb + "s", verb + "es", verb + "ing", stem + "ing", verb + verb[-1] + "ing"}


_BASE_FORM = {form: verb for verb in _VERBS.split() for form in _forms(verb)}
_BASE_FORM.update({"tries": "try", "lying": "lay"})

_PUT = "(put|place|set|lay|position|insert|stick|return|stow)"
_DROP = "(drop|throw|toss|release|let)"
_THROW = "(throw|toss)"
_SLIDE = "(move|slide|push|pull|drag|bring|shove|nudge|shift|take)"
_PUSH = "(push|slide|move|shove|nudge|shift)"
_LIFT = "(lift|pick|raise|hoist|grab|grasp)"
_IN = "(into|inside|inside of|in|within)"
_NEXT = "(next to|beside|alongside|adjacent to|near|by|close to)"
_FRONT = "(in front of|before)"
_RIGHT = "(left to right|to the right|to its right|right|rightwards?)$"
_LEFT = "(right to left|to the left|to its left|left|leftwards?)$"

_RULES: tuple[tuple[str, str, str], ...] = (
    # (pattern over the caption in base forms, its objects replaced by X and Y; family; role order)
    ("hold X .*over Y", "hold_over", "ab"),
    (f"hold X .*{_NEXT} Y", "hold_next", "ab"),
    (f"hold X .*{_FRONT} Y", "hold_front", "ab"),
    ("hold X .*behind Y", "hold_behind", "ab"),
    ("uncover X( from (under |underneath |beneath |below )?Y)?", "uncover", "ba"),
    (
        "(take|remove|lift|pull|pick) X (up )?(off|off of|from over|from on top of|from above) Y",
        "uncover",
        "ab",
    ),
    ("(remove|lift|take) X .*reveal Y", "remove_reveal", "ab"),
    ("(cover|hide|conceal) X (with|under|underneath|beneath|by) Y", "cover", "ba"),
    (f"({_PUT}|{_SLIDE}|lower) X (down )?(upside down )?over Y", "cover", "ab"),
    (f"{_THROW} X {_IN} Y", "throw_into", "ab"),
    (f"{_DROP} X (fall |drop )?{_IN} Y", "drop_into", "ab"),
    (f"({_PUT}|{_SLIDE}|lower) X (down )?{_IN} Y", "put_into", "ab"),
    ("(take|pull|remove|get) X out (of|from) Y", "take_out", "ab"),
    (f"{_DROP} X (fall |drop )?{_FRONT} Y", "drop_front", "ab"),
    (f"({_PUT}|{_SLIDE}) X (down )?{_FRONT} Y", "put_front", "ab"),
    ("(pull|take) X from behind (of )?Y", "pull_from_behind", "ab"),
    (f"{_DROP} X .*behind Y", "drop_behind", "ab"),
    (f"({_PUT}|{_SLIDE}) X .*behind Y", "put_behind", "ab"),
    (f"{_DROP} X (fall |drop )?{_NEXT} Y", "drop_next", "ab"),
    (f"({_PUT}|{_SLIDE}) X (down )?(right |close )?{_NEXT} Y", "put_next", "ab"),
    (f"{_SLIDE} X away from Y", "move_away", "ab"),
    (f"{_DROP} X (down )?(onto|on top of|on) Y", "drop_onto", "ab"),
    (f"({_PUT}|stack) X (down )?(onto|on top of|on|upon) Y", "put_onto", "ab"),
    (f"{_SLIDE} X .*(closer to|nearer to|towards?|up to|to) Y", "move_closer", "ab"),
    ("push X with Y", "push_with", "ba"),
    ("(tip|knock|topple) (over X|X over)", "tip_over", "a"),
    ("(turn|flip) (X upside down|upside down X|X over|over X)", "upside_down", "a"),
    (f"{_LIFT} .*(drop|let)", "lift_drop", "a"),
    (f"{_LIFT} (up )?X", "lift", "a"),
    ("(move|take) X (straight )?(up|upwards?)", "lift", "a"),
    ("take X (up )?from", "lift", "a"),
    (f"(pull|drag) X .*{_RIGHT}", "pull_right", "a"),
    (f"(pull|drag) X .*{_LEFT}", "pull_left", "a"),
    (f"{_PUSH} X .*{_RIGHT}", "push_right", "a"),
    (f"{_PUSH} X .*{_LEFT}", "push_left", "a"),
    (f"{_PUSH} X off (of )?the table", "push_off_edge", "a"),
    ("roll X", "roll", "a"),
    ("spin X", "spin", "a"),
    ("(throw|toss) X", "throw", "a"),
    ("(touch|poke) X", "touch", "a"),
    ("drop X", "drop", "a"),
    (f"{_PUT} X (down )?(on|onto) (the|a) (table|surface|desk)", "put_surface", "a"),
    (f"{_PUSH} X( across| along|$)", "push_any", "a"),
    ("hold X", "hold", "a"),
)

_REFUSALS = (
    ("pretend", "pretend"),
    ("(fail|try)", "fail"),
    ("camera", "camera"),
    ("(pour|spill)", "pour"),
    ("(tear|rip|fold|unfold|bend|stretch|break|cut)", "deform"),
    ("(sprinkle|dig|bury|scatter)", "granular"),
    ("scoop", "scoop"),
    ("squeeze", "squeeze"),
    ("show", "show"),
    ("(attach|glue|tape) X to", "attach"),
    ("open", "open"),
    ("(close|shut) X", "close"),
    ("twist", "twist"),
    ("plug", "insert"),
    ("wipe", "wipe"),
)

_BY_BASE_FORM = {
    " ".join(_BASE_FORM.get(word, word) for word in text.split()): template
    for text, template in _BY_TEXT.items()
}


def find_objects(caption: str, labels: Sequence[str]) -> list[tuple[int, int] | None]:
    """Where each label stands in the normalised caption, as (start, end); None where it is absent.

    Longer labels are placed first, so that "cup" is not found inside "cup holder"; like labels take
    successive places.
    """
    text = normalise(caption)
    taken: list[tuple[int, int]] = []
    spans: list[tuple[int, int] | None] = [None] * len(labels)
    for index in sorted(range(len(labels)), key=lambda i: -len(labels[i])):
        for hit in re.finditer(rf"(?<!\w){re.escape(normalise(labels[index]))}(?!\w)", text):
            if all(hit.end() <= start or hit.start() >= end for start, end in taken):
                spans[index] = hit.span()
                taken.append(hit.span())
                break
    return spans


def _pattern_text(caption: str, labels: Sequence[str]) -> str:
    """The caption in base forms, its objects replaced by X, Y, Z in order and their articles gone."""
    text = normalise(caption)
    spans = sorted(span for span in find_objects(caption, labels) if span)
    for index, (start, end) in reversed(list(enumerate(spans))):
        text = f"{text[:start]}{'XYZ'[min(index, 2)]}{text[end:]}"
    text = re.sub(r"\b(the|a|an|some|his|her|their|my|your) (?=[XYZ]\b)", "", text)
    return " ".join(_BASE_FORM.get(word, word) for word in text.split())


def match_caption(caption: str, labels: Sequence[str]) -> Match | None:
    """The family that a caption without a template asks for; None when it fits none.

    First the caption itself is tried as a template (its objects replaced by "something"), then rules over
    verbs and prepositions: those that refuse, those for as many objects as there are labels, then the others
    (the caller reports the wrong number).
    """
    text = _pattern_text(caption, labels)
    template = _BY_BASE_FORM.get(re.sub(r"\b[XYZ]\b", "something", text))
    if template is not None:
        return Match(template.family, ROLE_ORDER.get(template.family, "ab"), template, template.refusal)
    for pattern, family in _REFUSALS:
        if re.search(rf"\b{pattern}\b", text):
            return Match(family, "ab", None, REASONS[family])
    hits = [rule for rule in _RULES if re.search(rf"\b{rule[0]}\b", text)]
    hits.sort(key=lambda rule: N_OBJECTS[rule[1]] != len(labels))
    if not hits:
        return None
    _, family, order = hits[0]
    return Match(family, order)
