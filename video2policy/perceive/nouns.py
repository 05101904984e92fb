"""What an object's name says about how it looks: its class, colour, place and size among others.

"small red cup on the left" -> a cup (the head noun), red, to the left, small. Nouns are mapped to the classes
that the packaged detector knows (COCO's 80): to the class of that name, to the classes of things of the same
shape otherwise. Names that say nothing to the detector are no error: other evidence carries them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.perceive.coco import CLASSES

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

HUES: dict[str, tuple[tuple[tuple[int, int, int], tuple[int, int, int]], ...]] = {
    "red": (((0, 90, 50), (8, 255, 255)), ((168, 90, 50), (180, 255, 255))),
    "orange": (((6, 110, 80), (19, 255, 255)),),
    "brown": (((4, 60, 30), (20, 220, 150)),),
    "yellow": (((19, 90, 90), (35, 255, 255)),),
    "green": (((35, 60, 35), (87, 255, 255)),),
    "cyan": (((80, 60, 60), (100, 255, 255)),),
    "blue": (((97, 70, 40), (130, 255, 255)),),
    "purple": (((128, 45, 40), (158, 255, 255)),),
    "pink": (((145, 45, 110), (175, 200, 255)),),
    "black": (((0, 0, 0), (180, 255, 58)),),
    "white": (((0, 0, 175), (180, 48, 255)),),
    "grey": (((0, 0, 60), (180, 42, 185)),),
}
"""Ranges of hue (0-180), saturation and value (0-255) that a colour word stands for."""
COLOUR_SYNONYMS = {
    "gray": "grey", "silver": "grey", "violet": "purple", "turquoise": "cyan", "teal": "cyan",
    "golden": "yellow", "gold": "yellow", "beige": "brown", "magenta": "pink", "scarlet": "red",
    "maroon": "red", "crimson": "red", "navy": "blue", "lime": "green", "wooden": "brown",
}  # fmt: skip
NOT_ALONE = frozenset({"orange", "lime", "gold", "silver"})
"""Colour words that name a thing when nothing follows them: "orange" is a fruit, "orange cup" a colour."""

PLACES: dict[str, tuple[str, float]] = {
    "left": ("x", -1.0), "leftmost": ("x", -1.0), "right": ("x", 1.0), "rightmost": ("x", 1.0),
    "front": ("y", 1.0), "near": ("y", 1.0), "nearest": ("y", 1.0), "closest": ("y", 1.0),
    "lower": ("y", 1.0), "back": ("y", -1.0), "far": ("y", -1.0), "rear": ("y", -1.0), "upper": ("y", -1.0),
    "big": ("size", 1.0), "bigger": ("size", 1.0), "biggest": ("size", 1.0), "large": ("size", 1.0),
    "larger": ("size", 1.0), "largest": ("size", 1.0), "tall": ("size", 1.0), "small": ("size", -1.0),
    "smaller": ("size", -1.0), "smallest": ("size", -1.0), "little": ("size", -1.0), "tiny": ("size", -1.0),
    "middle": ("x", 0.0), "centre": ("x", 0.0), "center": ("x", 0.0), "central": ("x", 0.0),
}  # fmt: skip
"""Words that tell an object from others like it: along which axis of the picture, towards which end."""

GROUPS = (
    ("bottle", "cup", "vase", "wine glass", "bowl"),
    ("cup", "bowl", "potted plant", "vase"),
    ("apple", "orange", "sports ball", "donut"),
    ("banana", "carrot", "hot dog"),
    ("knife", "fork", "spoon", "toothbrush", "scissors"),
    ("book", "cell phone", "remote", "laptop"),
    ("remote", "cell phone", "mouse", "keyboard"),
    ("handbag", "backpack", "suitcase"),
    ("tv", "laptop", "microwave"),
    ("clock", "frisbee", "bowl", "donut"),
    ("cake", "sandwich", "donut", "pizza", "hot dog"),
)
"""Classes that the detector takes for one another when the thing is small or seen from an odd side."""

_UPRIGHT = {"bottle": 0.9, "cup": 0.9, "vase": 0.8, "wine glass": 0.5}
_FLAT = {"book": 0.9, "cell phone": 0.8, "remote": 0.6, "laptop": 0.5}
_STICK = {"toothbrush": 0.9, "knife": 0.7, "spoon": 0.6, "fork": 0.6, "remote": 0.6, "scissors": 0.4}
_ROUND = {"apple": 0.9, "orange": 0.9, "sports ball": 0.8, "donut": 0.5}
_BLOCK = {
    "book": 0.6,
    "cell phone": 0.6,
    "suitcase": 0.4,
    "remote": 0.4,
    "clock": 0.3,
    "cup": 0.3,
    "cake": 0.3,
}
_SMALL = {"mouse": 0.6, "remote": 0.6, "cell phone": 0.6, "clock": 0.3}
_DISH = {"bowl": 1.0, "frisbee": 0.7, "pizza": 0.3, "donut": 0.3, "cup": 0.3}

_NOUNS: tuple[tuple[str, Mapping[str, float]], ...] = (
    ("mug glass tumbler beaker teacup goblet", {"cup": 1.0, "wine glass": 0.6}),
    ("wineglass", {"wine glass": 1.0, "cup": 0.6}),
    (
        "flask thermos shampoo lotion perfume deodorant spray sanitizer ketchup mustard vial",
        {"bottle": 1.0, "vase": 0.4, "cup": 0.4},
    ),
    ("can tin jar jug pitcher container canister pot bucket candle lamp cream lipstick shaker", _UPRIGHT),
    ("plate saucer dish lid pan tray ashtray coaster", _DISH),
    ("notebook magazine diary folder envelope card paper calculator tablet wallet", _FLAT),
    ("phone mobile smartphone cellphone iphone", {"cell phone": 1.0, "remote": 0.6}),
    ("pen pencil marker crayon brush comb screwdriver stick straw chopstick highlighter", _STICK),
    ("box cube block brick carton packet package parcel case matchbox toy dice die lego", _BLOCK),
    ("ball football baseball marble globe", {"sports ball": 1.0, "orange": 0.7, "apple": 0.7}),
    ("lemon lime tomato onion potato peach pear egg mango fruit plum avocado garlic", _ROUND),
    ("cucumber", {"banana": 0.7, "carrot": 0.7, "hot dog": 0.5}),
    ("lighter key charger battery eraser stapler sharpener coin watch tape ring adapter plug cap", _SMALL),
    ("controller", {"remote": 1.0, "cell phone": 0.5}),
    ("doll bear teddy plush", {"teddy bear": 1.0}),
    ("bag purse pouch", {"handbag": 1.0, "backpack": 0.8, "suitcase": 0.5}),
    ("monitor screen television", {"tv": 1.0, "laptop": 0.7}),
    ("plant flower", {"potted plant": 1.0, "vase": 0.6}),
    ("sofa", {"couch": 1.0}),
    ("table desk", {"dining table": 1.0}),
)
SYNONYMS = {word: classes for words, classes in _NOUNS for word in words.split()}
"""Nouns that are no class of the detector, and the classes that such things look like to it."""

_ENDS = re.compile(r"\b(?:of|with|on|in|from|at|for|that|which|to|by|under|behind|containing)\b")


@dataclass(frozen=True)
class Noun:
    """What a name says: head noun, colour (a key of HUES), places, and likeness in [0, 1] to classes."""

    head: str
    colour: str | None = None
    places: tuple[tuple[str, float], ...] = ()
    classes: Mapping[str, float] = field(default_factory=dict)

    def weights(self) -> NDArray[np.float32]:
        """Likeness (80,) to each class of the detector."""
        return np.array([self.classes.get(name, 0.0) for name in CLASSES], np.float32)


def words_of(label: str) -> list[str]:
    return re.findall(r"[a-z]+", label.lower())


def singular(word: str) -> str:
    """The singular of an English plural: cups, boxes, batteries; knives and the like by their entry."""
    irregular = {
        "knives": "knife",
        "mice": "mouse",
        "dice": "dice",
        "scissors": "scissors",
        "glasses": "glass",
        "thermos": "thermos",
    }
    if word in irregular:
        return irregular[word]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if re.search(r"(s|x|z|ch|sh)es$", word):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def names_in(phrase: list[str]) -> Iterator[tuple[str, bool]]:
    """What a noun phrase may be the name of, likeliest first: two words before one, from the end leftwards;
    and whether it is the phrase's end."""
    for end in range(len(phrase), 0, -1):
        for length in (2, 1):
            if length <= end:
                last = singular(phrase[end - 1])
                yield " ".join([*phrase[end - length : end - 1], last]), end == len(phrase)


def noun_phrase(label: str) -> list[str]:
    """The words up to the first preposition: "box" of "box of eggs"."""
    return words_of(_ENDS.split(label.lower())[0]) or words_of(label)


def class_likeness(phrase: list[str]) -> tuple[str, dict[str, float]]:
    """Head noun of a noun phrase and its likeness to classes.

    The phrase's end decides ("vicks vaporub bottle" is a bottle); a word further left only when no later
    one is known ("toothbrush holder" and the like are then taken for what they hold).
    """
    for name, at_end in names_in(phrase):
        known = {name: 1.0} if name in CLASSES else SYNONYMS.get(name, SYNONYMS.get(name.replace(" ", "")))
        if known is None:
            continue
        likeness = dict(known)
        for own in [c for c, weight in known.items() if weight == 1.0]:
            for group in GROUPS:
                if own in group:
                    for other in group:
                        likeness[other] = max(likeness.get(other, 0.0), 0.5)
        # What stands left of the known noun's end, or was skipped, makes it less certain.
        doubt = 1.0 if at_end else 0.6
        return name, {c: weight * doubt for c, weight in likeness.items()}
    return (phrase[-1] if phrase else ""), {}


def colour_word(label: str) -> str | None:
    """The colour that a label names, as a key of HUES: "Dark-red cup" -> "red"."""
    words = noun_phrase(label)
    for place, word in enumerate(words):
        if word in NOT_ALONE and place == len(words) - 1:
            continue
        word = COLOUR_SYNONYMS.get(word, word)
        if word in HUES:
            return word
    return None


def parse_noun(label: str) -> Noun:
    """What a name as in the sheet says of its object."""
    head = noun_phrase(label)
    places = tuple(dict.fromkeys(PLACES[word] for word in words_of(label) if word in PLACES))
    colour = colour_word(label)
    known = [w for i, w in enumerate(head) if w not in PLACES and (i == len(head) - 1 or not _is_colour(w))]
    name, classes = class_likeness(known)
    return Noun(name, colour, places, classes)


def _is_colour(word: str) -> bool:
    return COLOUR_SYNONYMS.get(word, word) in HUES


def colour_mask(image: Image, colour: str) -> Mask:
    """Pixels of an RGB image that have a colour of HUES."""
    hsv = cv2.cvtColor(cv2.GaussianBlur(image, (3, 3), 0), cv2.COLOR_RGB2HSV)
    found = np.zeros(image.shape[:2], bool)
    for low, high in HUES[colour]:
        found |= cv2.inRange(hsv, np.array(low), np.array(high)) > 0
    return found
