"""Something-Something V2's 174 templates, their task families, and captions that have no template.

A family fixes what success means; its roles say which object is which: `a` is the object that the robot
handles, `b` the one it is related to (for `cover` and `push_with` not the order in which the template names
them). Standard library only: the workflow reads sample sheets in an environment without numpy or torch.
"""

from __future__ import annotations

import csv
import re
import unicodedata
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
    """Lower case, without brackets and punctuation, single spaces: `Closing [it]!` becomes `closing it`.

    Letters hold their accents (NFC), for one that stands by itself would count as punctuation.
    """
    composed = unicodedata.normalize("NFC", text.casefold())
    return " ".join(re.sub(r"[^\w\s]|_", " ", composed).split())


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


def is_taught(family: str) -> bool:
    """Whether trainings of the family start from a skill: something is held, or pushed with care."""
    return family == "push_with" or held_roles(family) != ""


def assign_roles(family: str, objects: Sequence[str], order: str | None = None) -> dict[str, str]:
    """Role -> object, for objects in the order in which the template (or caption) names them."""
    letters = order or ROLE_ORDER.get(family, "ab")
    return dict(sorted(zip(letters, objects)))  # noqa: B905 - Python 3.8, for sim.isaacgym


@dataclass(frozen=True)
class Match:
    """What a caption asks for: the family, and roles in the order in which it names the objects.

    `alternatives` are further families that it may mean; what the clip shows decides (`shown.choose`).
    """

    family: str
    order: str
    template: Template | None = None
    refusal: str | None = None
    alternatives: tuple[str, ...] = ()


_VERBS = """
put place set lay position insert stick return stow rest leave stand erect drop throw toss fling hurl chuck
let release lift pick raise hoist elevate grab grasp take remove get extract withdraw fetch move slide slip
push pull drag tug haul draw bring carry transfer shove nudge shift lower hold keep cover hide conceal
uncover unveil expose reveal tip tilt knock topple turn flip invert upend overturn rotate twirl roll spin
touch poke tap prod flick stack fall fail try pretend pour spill tear rip fold unfold bend stretch break cut
sprinkle dig bury scatter scoop squeeze show attach glue tape open close shut twist plug wipe
"""

_IRREGULAR = {
    "tries": "try",
    "tried": "try",
    "lying": "lay",
    "laid": "lay",
    "taken": "take",
    "thrown": "throw",
    "flung": "fling",
    "held": "hold",
    "kept": "keep",
    "left": "leave",
    "stood": "stand",
    "hidden": "hide",
    "brought": "bring",
    "drawn": "draw",
    "spun": "spin",
    "fallen": "fall",
    "stuck": "stick",
    "withdrawn": "withdraw",
    "got": "get",
    "torn": "tear",
    "shown": "show",
}


def _forms(verb: str) -> set[str]:
    """Base form, third person, present and regular past participle."""
    stem = verb[:-1] if verb.endswith("e") else verb  # Python 3.8
    double = verb + verb[-1]
    return {
        verb,
        verb + "s",
        verb + "es",
        verb + "ing",
        stem + "ing",
        double + "ing",
        stem + "ed",
        double + "ed",
    }


_BASE_FORM = {form: verb for verb in _VERBS.split() for form in _forms(verb)}
_BASE_FORM.update(_IRREGULAR)
_SIDE = re.compile(r"(?<=to )left|(?<=the )left|(?<=its )left|left(?= to)|left$")
"""Where "left" is a side, and not what somebody did."""

_PUT = "(put|place|set|lay|position|insert|stick|return|stow|rest|leave|stand)"
_DROP = "(drop|throw|toss|release|let)"
_THROW = "(throw|toss|fling|hurl|chuck)"
_PULL = "(pull|drag|tug|haul|draw)"
_PUSH = "(push|slide|slip|move|shove|nudge|shift)"
_SLIDE = "(move|slide|slip|push|pull|drag|tug|haul|draw|bring|carry|transfer|shove|nudge|shift|take)"
_LIFT = "(lift|pick|raise|hoist|elevate|grab|grasp)"
_TAKE = "(take|pull|remove|get|lift|pick|extract|withdraw|fetch|draw)"
_HOLD = "(hold|keep)"
_TIP = "(tip|tilt|knock|topple|push|poke)"
_POKE = "(poke|push|tap|prod|nudge|flick|touch)"
_SPIN = "(spin|twirl|rotate)"
_IN = "(into|inside|inside of|in|within)"
_ON = "(onto|on top of|on to|on|upon|atop)"
_OFF = "(off|off of|from on top of|from the top of|down from)"
_NEXT = "(next to|beside|besides|alongside|adjacent to|near|by|close to)"
_FRONT = "(in front of|before)"
_BACK = "(behind|in back of|at the back of)"
_TABLE = "(the|a) (table|surface|desk|flat surface|counter|ground|floor)"
_RIGHT = "(left to right|to the right|to its right|right|rightwards?)$"
_LEFT = "(right to left|to the left|to its left|left|leftwards?)$"

_RULES: tuple[tuple[str, str, str], ...] = (
    # (pattern over the caption in base forms, its objects replaced by X and Y; families; role order): where
    # several families are named, what the clip shows decides among them, and the first one goes without it
    (f"{_HOLD} X .*(over|above) Y", "hold_over", "ab"),
    (f"{_HOLD} X .*{_NEXT} Y", "hold_next", "ab"),
    (f"{_HOLD} X .*{_FRONT} Y", "hold_front", "ab"),
    (f"{_HOLD} X .*{_BACK} Y", "hold_behind", "ab"),
    ("(uncover|unveil|expose) X( from (under |underneath |beneath |below )?Y)?", "uncover", "ba"),
    (f"{_TAKE} X (up )?from {_BACK} (of )?Y", "pull_from_behind", "ab"),
    (f"{_LIFT} X (up )?with Y (on|on top of) (it|top)", "lift_with", "ab"),
    (f"{_PUSH} X {_OFF} Y", "push_off|uncover", "ab"),
    (
        "(take|remove|lift|pull|pick) X (up )?(off|off of|from over|from on top of|from above) Y",
        "uncover|push_off",
        "ab",
    ),
    ("(remove|lift|take|move) X .*reveal Y", "remove_reveal|uncover", "ab"),
    ("(cover|hide|conceal) X (with|under|underneath|beneath|by) Y", "cover", "ba"),
    (f"({_PUT}|{_SLIDE}|lower) X (down )?(upside down )?over Y", "cover|put_onto", "ab"),
    (f"{_THROW} X {_IN} Y", "throw_into", "ab"),
    (f"{_THROW} X (against|at) Y", "throw_against", "ab"),
    (f"{_DROP} X (fall |drop )?{_IN} Y", "drop_into", "ab"),
    (f"({_PUT}|{_SLIDE}|lower) X (down )?{_IN} Y", "put_into", "ab"),
    (f"{_TAKE} X (up )?(out of|out from|from inside|from within|from) Y", "take_out", "ab"),
    (f"{_DROP} X (fall |drop )?{_FRONT} Y", "drop_front", "ab"),
    (f"({_PUT}|{_SLIDE}) X (down )?{_FRONT} Y", "put_front", "ab"),
    (f"{_DROP} X .*{_BACK} Y", "drop_behind", "ab"),
    (f"({_PUT}|{_SLIDE}) X .*{_BACK} Y", "put_behind", "ab"),
    (f"{_DROP} X (fall |drop )?(down )?{_NEXT} Y", "drop_next", "ab"),
    (f"({_PUT}|{_SLIDE}) X (down )?(right |close )?{_NEXT} Y", "put_next", "ab"),
    (f"{_SLIDE} X (further |farther )?away from Y", "move_away", "ab"),
    (f"{_PULL} X {_ON} Y", "pull_onto", "ab"),
    (f"(push|shove|nudge|slide) X {_ON} Y", "push_onto", "ab"),
    (f"{_DROP} X (fall |drop )?(down )?{_ON} Y", "drop_onto", "ab"),
    (f"({_PUT}|stack|move|bring|carry|transfer|lower) X (down )?{_ON} Y", "put_onto|cover", "ab"),
    (f"{_SLIDE} X .*(closer to|nearer to|towards?|up to|to) Y", "move_closer", "ab"),
    ("(push|move|nudge|shove) X with Y", "push_with", "ba"),
    (f"(push|shove|knock|slide|move) X {_OFF} (the |a )?(table|desk|edge|counter)", "push_off_edge", "a"),
    (f"{_PUSH} X .*(edge|almost falls?|nearly falls?|almost fall off)", "push_near_edge", "a"),
    (f"{_PUSH} X .*falls? (down|off)", "push_off_edge", "a"),
    (f"{_TIP} (over X|X over|X down|down X|X .*falls? over|X onto its side|X on its side)", "tip_over", "a"),
    ("topple X", "tip_over", "a"),
    (f"({_PUT}|turn|tip|flip) X (down )?.*(on|onto) its side", "lay_side", "a"),
    (f"({_PUT}|turn|lift|set) X (up )?(upright|vertically|standing|straight up)", "upright", "a"),
    ("(stand|erect) (up X|X up|X)$", "upright", "a"),
    ("(turn|flip) (X upside down|upside down X|X over|over X)", "upside_down|tip_over|lay_side", "a"),
    ("(invert|upend|overturn) X", "upside_down|tip_over|lay_side", "a"),
    ("put X (down )?upside down", "upside_down", "a"),
    (f"{_LIFT} (up )?(one|an|the) end of X.*(drop|let|release)", "lift_end_drop", "a"),
    (f"({_LIFT}|tilt) (up )?(one|an|the) (end|side) of X", "lift_end", "a"),
    (f"{_THROW} X .*(into the air|in the air|up|upwards?)", "throw_up", "a"),
    (f"{_THROW} X .*(on|onto) {_TABLE}", "throw_surface", "a"),
    (f"{_LIFT} .*(drop|let|release)", "lift_drop", "a"),
    (f"{_LIFT} (up )?X", "lift", "a"),
    ("(move|take|bring) X (straight )?(up|upwards?)", "lift", "a"),
    ("take X (up )?from", "lift", "a"),
    ("(move|bring|take) X (straight )?(down|downwards?)$", "move_down", "a"),
    ("lower X", "move_down|put_surface", "a"),
    (f"{_SLIDE} X .*(towards?|closer to|to) (the camera|the viewer|me)", "move_to_cam", "a"),
    (f"{_SLIDE} X .*away from (the camera|the viewer|me)", "move_away_cam", "a"),
    (f"{_PULL} X .*{_RIGHT}", "pull_right", "a"),
    (f"{_PULL} X .*{_LEFT}", "pull_left", "a"),
    (f"{_PUSH} X .*{_RIGHT}", "push_right", "a"),
    (f"{_PUSH} X .*{_LEFT}", "push_left", "a"),
    (f"{_POKE} X .*(spin|turn)s?", "spin", "a"),
    (f"{_POKE} X .*(slightly|a little|a bit|gently)", "poke_move", "a"),
    ("(roll X|X roll|let X roll)", "roll", "a"),
    (f"{_SPIN} X .*(stop|quickly)", "spin_stop", "a"),
    (f"({_SPIN} X|X {_SPIN}|turn X around)", "spin|spin_stop", "a"),
    (f"{_THROW} X", "throw|throw_surface|throw_up", "a"),
    ("(touch|tap) X", "touch|poke_move", "a"),
    ("(poke|prod) X", "poke_move|push_any|touch", "a"),
    ("(drop X|let X (fall|drop|go)|release X|X fall)", "drop|lift_drop", "a"),
    (f"{_PUT} X .*(still|without .*roll)", "put_still", "a"),
    (
        f"{_PUT} X (down|back|down (on|onto) {_TABLE}|(on|onto) {_TABLE})$",
        "put_surface|upright|lay_side",
        "a",
    ),
    (f"{_PUT} (down|back) X$", "put_surface|upright|lay_side", "a"),
    (f"{_PULL} X$", "pull_left|pull_right|move_to_cam", "a"),
    (
        f"{_PUSH} X( across| along| around| over (the|a) (table|surface)| on (the|a) (table|surface)|$)",
        "push_left|push_right|move_away_cam|move_to_cam|push_any",
        "a",
    ),
    (f"{_HOLD} X", "hold", "a"),
)

_GERUND = "|".join(sorted(set(_BASE_FORM.values()), key=len, reverse=True))

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


def find_objects(caption: str, labels: Sequence[str]) -> list[tuple[int, int] | None]:
    """Where each label stands in the normalised caption, as (start, end); None where it is absent.

    Longer labels are placed first, so that "cup" is not found inside "cup holder"; like labels take
    successive places. A plural in one of the two does not matter.
    """
    text = normalise(caption)
    taken: list[tuple[int, int]] = []
    spans: list[tuple[int, int] | None] = [None] * len(labels)
    for index in sorted(range(len(labels)), key=lambda i: -len(labels[i])):
        label = normalise(labels[index])
        singular = re.escape(re.sub(r"(?<=[^s])s$", "", label))
        for hit in re.finditer(rf"(?<!\w)({re.escape(label)}|{singular})(e?s)?(?!\w)", text):
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
    text = re.sub(r"\b(the|a|an|some|this|that|his|her|its|their|my|your) (?=[XYZ]\b)", "", text)
    return _active(_base(text))


def understood(caption: str, labels: Sequence[str]) -> str:
    """What a caption that fits no family was understood as: its verb, and how many objects."""
    text = _pattern_text(caption, labels)
    verbs = [word for word in text.split() if word in _BASE_FORM.values()]
    what = f'the verb "{verbs[0]}"' if verbs else "no verb that it knows"
    objects = "one object" if len(labels) == 1 else f"{len(labels)} objects"
    return f"{what} and {objects}"


def _base(text: str) -> str:
    """Every verb in its base form; "left" is a side where it can be one."""
    kept = _SIDE.sub("LEFT", text)
    return " ".join(_BASE_FORM.get(word, word) for word in kept.split()).replace("LEFT", "left")


def _active(text: str) -> str:
    """`X is push to the left by somebody` becomes `push X to the left`."""
    text = re.sub(r" by (a |the |some)?(person|hand|someone|somebody|man|woman|human|robot)\b", "", text)
    return re.sub(rf"\bX (?:is|are|was|were|gets?)(?: being)? ({_GERUND})\b", r"\1 X", text)


_BY_BASE_FORM = {_base(text): template for text, template in _BY_TEXT.items()}


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
    # A camera that is only a direction does not move.
    told = re.sub(r"\b(towards?|away from|closer to|to) (the |your )?camera\b", "", text)
    for pattern, family in _REFUSALS:
        if re.search(rf"\b{pattern}\b", told):
            return Match(family, "ab", None, REASONS[family])
    hits = [
        (families.split("|"), order)
        for pattern, families, order in _RULES
        if re.search(rf"\b(?:{pattern})(?!\w)", text)
    ]
    hits.sort(key=lambda hit: N_OBJECTS[hit[0][0]] != len(labels))
    if not hits:
        return None
    (family, *others), order = hits[0]
    return Match(family, order, alternatives=tuple(others))
