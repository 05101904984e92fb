"""The suite: clips drawn by family and seed, each with its sheet row and the exact truth about it.

Seeds below 1000 are for tuning; seeds from 1000 on are held out for the figures that are reported, and
nothing
may be chosen by looking at them. The same family, seed, size and rate give the same clip.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from trimesh.bounds import oriented_bounds

from video2policy.pose import rotation_about
from video2policy.rendered import motion as motions
from video2policy.rendered.geometry import (
    Array,
    Pose,
    rotation_x,
    rotation_z,
    transform,
)
from video2policy.rendered.hand import Hand
from video2policy.rendered.motion import Impossible, Motion, Reach, Thing
from video2policy.rendered.shapes import KINDS, Kind, rotated
from video2policy.rendered.stage import Setting, Stage, camera_at, intrinsics, write_video
from video2policy.rendered.textures import (
    COLOURS,
    UNCOLOURED,
    Image,
    object_texture,
    room_texture,
    skin_texture,
    sleeve_texture,
    table_texture,
)

HELD_OUT = 1000
"""Seeds from here on are held out."""

ATTEMPTS = 200
SKINS = (
    (232, 190, 168),
    (222, 172, 146),
    (205, 150, 120),
    (180, 124, 92),
    (142, 94, 66),
    (104, 68, 50),
    (80, 54, 42),
)

LIFTED = (
    "box",
    "cube",
    "can",
    "bottle",
    "jar",
    "cup",
    "glass",
    "mug",
    "bowl",
    "pot",
    "container",
    "ball",
    "apple",
    "orange",
    "tomato",
    "pear",
    "lemon",
    "egg",
    "banana",
    "garlic",
    "candle",
    "tape",
    "marker",
    "battery",
    "remote",
    "phone",
    "book",
    "soap",
    "sponge",
    "eraser",
    "wallet",
    "mouse",
    "fork",
    "spoon",
    "knife",
    "brush",
    "lock",
    "toy car",
    "teapot",
)
PUSHED = (
    "box",
    "cube",
    "can",
    "bottle",
    "jar",
    "cup",
    "glass",
    "mug",
    "bowl",
    "pot",
    "container",
    "tray",
    "candle",
    "tape",
    "remote",
    "book",
    "soap",
    "sponge",
    "wallet",
    "mouse",
    "lock",
    "toy car",
    "teapot",
    "garlic",
    "phone",
    "plate",
)
TIPPED = ("bottle", "can", "jar", "box", "candle", "glass", "cup", "container", "bottle", "box")
COVERS = ("cup", "pot", "bowl", "container", "glass", "cup", "bowl")
SMALL = (
    "ball",
    "garlic",
    "lemon",
    "egg",
    "eraser",
    "tape",
    "battery",
    "cube",
    "tomato",
    "candle",
    "soap",
    "lock",
)
TOOLS = ("remote", "box", "book", "phone", "marker", "brush", "soap", "sponge", "wallet")
NEAR = (
    "box",
    "can",
    "mug",
    "bottle",
    "cup",
    "bowl",
    "jar",
    "pot",
    "toy car",
    "container",
    "tape",
    "glass",
    "teapot",
)
DROPPED = (
    "box",
    "cube",
    "sponge",
    "soap",
    "eraser",
    "tape",
    "garlic",
    "wallet",
    "lock",
    "mouse",
    "toy car",
    "remote",
)
INSERTED = ("fork", "fork", "fork", "spoon", "knife", "marker")
TALL = ("container", "container", "cup", "glass", "mug", "pot")
THROWN = ("garlic", "garlic", "garlic", "lemon", "egg", "ball", "tomato", "tape", "cube")
OPEN_WIDE = ("bowl", "bowl", "bowl", "tray", "pot")


@dataclass(frozen=True)
class Family:
    """One of the paper's tasks (Table 1): SSv2's template ("": none says so), the caption, and its objects.

    ``a`` is handled, ``b`` (empty: none) is what it is related to. ``caption`` (the template by default)
    names them as {a} and {b}; ``order`` is the sheet's order of names.
    """

    template: str
    a: tuple[str, ...]
    b: tuple[str, ...] = ()
    caption: str = ""
    order: Literal["a", "ab", "ba"] = "a"

    def worded(self, a: str, b: str) -> str:
        if self.caption:
            return self.caption.format(a=a, b=b)
        text = self.template.lower()
        for name in {"a": (a,), "ab": (a, b), "ba": (b, a)}[self.order]:
            text = text.replace("[something]", name, 1)
        return text


FAMILIES = {
    "push_left": Family("Pushing [something] from right to left", PUSHED),
    "push_right": Family("Pushing [something] from left to right", PUSHED),
    "lift": Family("Lifting [something] up completely without letting it drop down", LIFTED),
    "tip_over": Family("Tipping [something] over", TIPPED),
    "cover": Family("Covering [something] with [something]", COVERS, SMALL, order="ba"),
    "uncover": Family("Uncovering [something]", COVERS, SMALL, order="ba"),
    "push_with": Family("Pushing [something] with [something]", TOOLS, NEAR, order="ba"),
    "push_next": Family(
        "Putting [something] next to [something]", PUSHED, NEAR, "pushing {a} next to {b}", "ab"
    ),
    "drop_front": Family("Dropping [something] in front of [something]", DROPPED, NEAR, order="ab"),
    "insert": Family("Putting [something] into [something]", INSERTED, TALL, order="ab"),
    "slide": Family(
        "Moving [something] closer to [something]",
        ("remote", "remote", "remote", "phone", "soap", "wallet", "toy car"),
        ("mouse", "mouse", "mouse", "can", "box", "mug"),
        order="ab",
    ),
    "throw_into": Family("", THROWN, OPEN_WIDE, "throwing {a} into {b}", "ab"),
}
"""By the name that the command takes, in the order of the paper's Table 1."""


@dataclass(frozen=True)
class Item:
    """An object with its looks. ``label`` is its name in the caption ("" for what is not named)."""

    thing: Thing
    kind: Kind
    texture: Image
    colour: str
    label: str = ""


@dataclass(frozen=True)
class Lens:
    """The camera: vertical field of view, pitch below the horizon and roll in degrees, first
    world_from_camera,
    and its shake: amplitudes (3, k) in degrees about its own axes, frequencies (k,) in Hz, phases (3, k)."""

    fov: float
    pitch: float
    roll: float
    pose: Pose
    amplitude: Array
    frequency: Array
    phase: Array

    def at(self, t: float) -> Pose:
        """world_from_camera at a time in seconds; the first one at 0."""
        waves = np.sin(2 * np.pi * self.frequency * t + self.phase) - np.sin(self.phase)
        turn = (self.amplitude * waves).sum(1)
        angle = float(np.linalg.norm(turn))
        if angle < 1e-9:
            return self.pose
        return Pose(self.pose.position, self.pose.rotation @ rotation_about(turn, angle))


@dataclass(frozen=True)
class Take:
    """Everything about a clip before it is rendered."""

    video: str
    family: str
    seed: int
    items: tuple[Item, ...]
    """Handled first, then what it is related to, then what is not named."""
    caption: str
    hand: Hand
    motion: Motion
    setting: Setting
    lens: Lens
    size: tuple[int, int]
    fps: int
    codec: str = "libx264"
    options: dict[str, str] = field(default_factory=dict)

    @property
    def suffix(self) -> str:
        return ".webm" if self.codec.startswith("libvpx") else ".mp4"

    @property
    def template(self) -> str:
        return FAMILIES[self.family].template

    @property
    def labels(self) -> list[str]:
        """Names in the caption in the sheet's order."""
        named = [item.label for item in self.items if item.label]
        return named[::-1] if FAMILIES[self.family].order == "ba" else named

    @property
    def frames(self) -> int:
        return round(self.motion.seconds * self.fps)


# ---------------------------------------------------------------------------------------------- drawing a
# take


def _generator(family: str, seed: int, *more: int) -> np.random.Generator:
    return np.random.default_rng([zlib.crc32(family.encode()), seed, *more])


def draw(family: str, seed: int, size: tuple[int, int] = (427, 240), fps: int = 12) -> Take:
    """The take of a family and seed.

    Raises:
        ValueError: for an unknown family.
        RuntimeError: when nothing drawn could be performed.
    """
    if family not in FAMILIES:
        raise ValueError(f"family {family!r} is not one of {', '.join(FAMILIES)}")
    for attempt in range(ATTEMPTS):
        try:
            return _drawn(family, seed, size, fps, _generator(family, seed, attempt))
        except Impossible:
            continue
    raise RuntimeError(f"{family} with seed {seed}: {ATTEMPTS} draws, none can be performed")


def _pick(rng: np.random.Generator, names: tuple[str, ...]) -> Kind:
    return KINDS[names[int(rng.integers(len(names)))]]


def _item(
    rng: np.random.Generator, kind: Kind, name: str, rotation: Array, colour: str | None = None
) -> Item:
    style = kind.textures[int(rng.integers(len(kind.textures)))]
    word = colour or list(COLOURS)[int(rng.integers(len(COLOURS)))]
    mesh = kind.mesh(rng)
    aligned = rotated(mesh, rotation)
    jitter = rng.uniform(-22, 22, 3)
    tone = tuple(int(np.clip(v, 12, 245)) for v in np.array(COLOURS[word]) + jitter)
    texture = object_texture(style, (tone[0], tone[1], tone[2]), rng)
    thing = Thing(name, aligned, np.array([0.0, 0.0, aligned.size[2] / 2]))
    return Item(thing, kind, texture, "" if style in UNCOLOURED else word)


def _at(item: Item, x: float, y: float) -> Item:
    start = np.array([x, y, item.thing.size[2] / 2])
    return replace(item, thing=replace(item.thing, start=start))


def _aligned(kind: Kind, azimuth: float, rng: np.random.Generator) -> Array:
    """A yaw that turns a long object's narrow side towards the fingers; any yaw for round ones."""
    if kind.symmetry in ("continuous", "spherical"):
        return rotation_z(float(rng.uniform(0, 360)))
    if kind.name == "mug":  # the handle lies to the side of the hand
        return rotation_z(azimuth + float(rng.choice([0, 180])) + float(rng.uniform(-25, 25)))
    flip = 180.0 * float(rng.integers(2))
    return rotation_z(azimuth + flip + float(rng.uniform(-14, 14)))


def _drawn(family: str, seed: int, size: tuple[int, int], fps: int, rng: np.random.Generator) -> Take:
    plan = FAMILIES[family]
    side: Literal["left", "right"] = "right" if rng.random() < 0.65 else "left"
    if family in ("push_left", "push_right"):
        side = "right" if family == "push_left" else "left"
    sign = 1.0 if side == "right" else -1.0
    hand = Hand(side, float(rng.uniform(0.92, 1.06)))
    reach = Reach(
        azimuth=sign * float(rng.uniform(28, 95)),
        elevation=float(rng.uniform(14, 34)),
        arrive=float(rng.uniform(0.7, 1.1)),
        closed=0.0,
        away=float(rng.uniform(0.7, 1.0)),
    )
    reach = replace(reach, closed=reach.arrive + float(rng.uniform(0.2, 0.4)))
    items, motion = _BEHAVIOURS[family](rng, plan, hand, reach, sign)
    extra = 0
    if rng.random() < 0.35:
        extra = int(rng.integers(1, 5 - len(items) if len(items) < 3 else 2))
    twin = bool(rng.random() < 0.22) and len(items) < 4
    items = _centred_items(items)
    items, named = _labelled(items, _distractors(rng, items, extra, twin, sign), rng, family)
    things = [item.thing for item in items]
    _check(hand, motion, things, reach)
    lens = _lens(rng, motion, things, size)
    setting = _setting(rng, sign)
    codec, options = _compression(rng, size)
    return Take(
        video=f"{family}_{seed:04d}",
        family=family,
        seed=seed,
        items=tuple(items),
        caption=plan.worded(*(named + [""])[:2]),
        hand=hand,
        motion=motion,
        setting=setting,
        lens=lens,
        size=size,
        fps=fps,
        codec=codec,
        options=options,
    )


def _compression(rng: np.random.Generator, size: tuple[int, int]) -> tuple[str, dict[str, str]]:
    """VP9 as SSv2 ships it, or H.264, which takes no odd width such as SSv2's 427."""
    crf = int(rng.integers(23, 31))
    if rng.random() < 0.25 or size[0] % 2 or size[1] % 2:
        options = {"crf": str(crf + 8), "b": "0", "deadline": "realtime", "cpu-used": "6"}
        return "libvpx-vp9", options
    return "libx264", {"crf": str(crf), "preset": "veryfast"}


def _centred_items(items: list[Item]) -> list[Item]:
    """Checks the contract of the world frame: the named objects' first positions have their mean over the
    origin."""
    mean = np.mean([item.thing.start[:2] for item in items], axis=0)
    if np.abs(mean).max() > 1e-9:
        raise RuntimeError("a behaviour must place its objects around the origin")
    return items


def _around(a: Item, b: Item, offset: Array) -> tuple[Item, Item]:
    """Both items on the table, ``a`` by ``offset`` (2,) from ``b``, their mean over the origin."""
    x, y = np.asarray(offset, float) / 2
    return _at(a, x, y), _at(b, -x, -y)


def _distractors(
    rng: np.random.Generator, items: list[Item], extra: int, twin: bool, sign: float
) -> list[Item]:
    """Objects that play no part; a twin is of the first object's class."""
    result = []
    for number in range(extra + twin):
        is_twin = twin and number == extra
        kind = items[0].kind if is_twin else _pick(rng, LIFTED)
        others = [c for c in COLOURS if c != items[0].colour]
        colour = others[int(rng.integers(len(others)))] if is_twin else None
        item = _item(rng, kind, f"other_{number + 1}", rotation_z(float(rng.uniform(0, 360))), colour)
        x = float(rng.uniform(0.05, 0.22))
        y = sign * float(rng.uniform(0.10, 0.26)) if rng.random() < 0.7 else float(rng.uniform(-0.25, 0.25))
        result.append(_at(item, x, y))
    return result[: 4 - len(items)]


def _labelled(
    items: list[Item], others: list[Item], rng: np.random.Generator, family: str
) -> tuple[list[Item], list[str]]:
    """Items with labels and names, then the distractors; and the labels of the named ones."""
    labels: list[str] = []
    present = [*items, *others]
    for item in items:
        alike = [o for o in present if o is not item and o.kind.name == item.kind.name]
        label = item.kind.name
        if alike:
            y = item.thing.start[1]
            gaps = [y - o.thing.start[1] for o in alike]
            apart = all(g > 0.08 for g in gaps) or all(g < -0.08 for g in gaps)
            colours = item.colour and all(o.colour and o.colour != item.colour for o in alike)
            if apart and (rng.random() < 0.5 or not colours):
                label = f"{'left' if gaps[0] > 0 else 'right'} {label}"
            elif colours:
                label = f"{item.colour} {label}"
            else:
                raise Impossible("two objects that no word tells apart")
        elif item.colour and rng.random() < 0.45:
            label = f"{item.colour} {label}"
        labels.append(label)
    if len(set(labels)) < len(labels):
        raise Impossible("two objects of one name")
    named = [replace(item, label=label) for item, label in zip(items, labels, strict=True)]
    return named + others, labels


def identifier(label: str) -> str:
    """The name of a caption's object in the truth, as the sheet's reader makes it."""
    return label.replace(" ", "_")


# ------------------------------------------------------------------------------------------------- behaviours
# Each returns the items (named only, their mean over the origin) and the motion, with `a` and `b` as things'
# names.

Behaviour = Callable[[np.random.Generator, Family, Hand, Reach, float], tuple[list[Item], Motion]]


def _push(direction: float) -> Behaviour:
    """direction: +1 to the image's left."""

    def behaviour(
        rng: np.random.Generator, plan: Family, hand: Hand, reach: Reach, sign: float
    ) -> tuple[list[Item], Motion]:
        a = _at(_item(rng, _pick(rng, plan.a), "a", rotation_z(float(rng.uniform(0, 360)))), 0, 0)
        reach = replace(reach, azimuth=direction * float(rng.uniform(65, 100)), closed=reach.arrive + 0.15)
        reach = replace(reach, release=reach.closed + float(rng.uniform(1.1, 1.9)))
        way = np.array([0.0, direction])
        way = (rotation_z(float(rng.uniform(-8, 8))) @ [*way, 0])[:2]
        touching = _touch(rng, hand, a, reach, way)
        move = way * float(rng.uniform(0.12, 0.22))
        assert reach.release is not None
        seconds = reach.release + 1.2
        return [a], motions.push(hand, a.thing, reach, touching, seconds, move, float(rng.uniform(-14, 14)))

    return behaviour


def _touch(rng: np.random.Generator, hand: Hand, a: Item, reach: Reach, way: Array) -> motions.Posture:
    height = float(np.clip(0.45 * a.thing.size[2], 0.014, 0.05))
    for tilt in (float(rng.uniform(12, 24)), 30.0, 38.0):
        for up in (0.0, 0.008, 0.016):
            try:
                posture = motions.push_posture(hand, a.thing, reach, way, height + up, tilt)
            except Impossible:
                continue
            if hand.clearance(posture, [], arm=True) > -0.0005:
                return posture
    raise Impossible("no way to push it")


def _lift(
    rng: np.random.Generator, plan: Family, hand: Hand, reach: Reach, sign: float
) -> tuple[list[Item], Motion]:
    kind = _pick(rng, plan.a)
    a = _at(_item(rng, kind, "a", _aligned(kind, reach.azimuth, rng)), 0, 0)
    grip = motions.grasp(hand, a.thing, reach, kind.hold)
    seconds = reach.closed + float(rng.uniform(2.2, 3.4))
    tilt = rng.uniform(-12, 12, 3)
    return [a], motions.lift(hand, a.thing, reach, grip, seconds, float(rng.uniform(0.11, 0.20)), tilt)


def _tip(
    rng: np.random.Generator, plan: Family, hand: Hand, reach: Reach, sign: float
) -> tuple[list[Item], Motion]:
    kind = _pick(rng, plan.a)
    a = _at(_item(rng, kind, "a", rotation_z(float(rng.uniform(0, 360)))), 0, 0)
    if a.thing.size[2] < 1.05 * min(a.thing.size[:2]) or a.thing.size[2] < 0.07:
        raise Impossible("too low to be tipped over")
    reach = replace(reach, azimuth=sign * float(rng.uniform(60, 100)), closed=reach.arrive + 0.1)
    way = (rotation_z(float(rng.uniform(-15, 15))) @ [0, sign, 0])[:2]
    touching = motions.push_posture(
        hand, a.thing, reach, way, 0.80 * float(a.thing.size[2]), float(rng.uniform(4, 14))
    )
    return [a], motions.tip_over(hand, a.thing, reach, touching, reach.closed + 2.6, way)


def _fits(cover: Item, b: Item) -> bool:
    assert cover.kind.cavity is not None
    wide, deep = cover.kind.cavity
    inside = wide * float(min(cover.thing.size[:2]))
    return 2 * b.thing.radius + 0.006 < inside and b.thing.size[2] + 0.004 < deep * cover.thing.size[2]


def _cover(taken_off: bool) -> Behaviour:
    def behaviour(
        rng: np.random.Generator, plan: Family, hand: Hand, reach: Reach, sign: float
    ) -> tuple[list[Item], Motion]:
        kind = _pick(rng, plan.a)
        cover = _item(rng, kind, "a", _aligned(kind, reach.azimuth, rng) @ rotation_x(180))
        b = _item(rng, _pick(rng, plan.b), "b", rotation_z(float(rng.uniform(0, 360))))
        if not _fits(cover, b):
            raise Impossible("the cover is too small")
        beside = np.array([float(rng.uniform(-0.06, 0.04)), -sign * float(rng.uniform(0.16, 0.22))])
        a, b = _around(cover, b, np.zeros(2) if taken_off else beside)
        hold: motions.Hold = "side" if kind.hold == "side" else "top"
        grip = motions.grasp(hand, a.thing, reach, hold)
        reach = replace(reach, release=reach.closed + float(rng.uniform(1.7, 2.3)))
        spot = b.thing.start + [*beside, 0.0] if taken_off else b.thing.start
        target = np.array([spot[0], spot[1], a.thing.start[2]])
        height = max(float(a.thing.size[2]), float(b.thing.size[2])) + 0.03
        assert reach.release is not None
        return [a, b], motions.transfer(
            hand, a.thing, reach, grip, reach.release + 1.15, target, height, yaw=float(rng.uniform(-15, 15))
        )

    return behaviour


def _push_with(
    rng: np.random.Generator, plan: Family, hand: Hand, reach: Reach, sign: float
) -> tuple[list[Item], Motion]:
    kind = _pick(rng, plan.a)
    a = _item(rng, kind, "a", _aligned(kind, reach.azimuth, rng))
    b = _item(rng, _pick(rng, plan.b), "b", rotation_z(float(rng.uniform(0, 360))))
    way = (rotation_z(float(rng.uniform(-12, 12))) @ [0, sign, 0])[:2]
    a, b = _around(a, b, -way * (a.thing.radius + b.thing.radius + float(rng.uniform(0.02, 0.05))))
    reach = replace(reach, release=reach.closed + float(rng.uniform(1.5, 2.1)))
    grip = motions.grasp(hand, a.thing, reach, "top")
    travel = motions.contact_distance(a.thing, b.thing, way * 0.2) + float(rng.uniform(0.09, 0.14))
    assert reach.release is not None
    return [a, b], motions.slide(hand, a.thing, reach, grip, reach.release + 1.1, way * travel, b.thing)


def _push_next(
    rng: np.random.Generator, plan: Family, hand: Hand, reach: Reach, sign: float
) -> tuple[list[Item], Motion]:
    a = _item(rng, _pick(rng, plan.a), "a", rotation_z(float(rng.uniform(0, 360))))
    b = _item(rng, _pick(rng, plan.b), "b", rotation_z(float(rng.uniform(0, 360))))
    way = np.array([0.0, sign])
    gap = float(rng.uniform(0.012, 0.03))
    apart = float(a.thing.size[1] + b.thing.size[1]) / 2 + gap
    travel = float(rng.uniform(0.10, 0.16))
    a, b = _around(a, b, -way * (apart + travel) + [float(rng.uniform(-0.015, 0.015)), 0])
    reach = replace(reach, azimuth=sign * float(rng.uniform(65, 100)), closed=reach.arrive + 0.15)
    reach = replace(reach, release=reach.closed + float(rng.uniform(1.1, 1.7)))
    touching = _touch(rng, hand, a, reach, way)
    assert reach.release is not None
    return [a, b], motions.push(hand, a.thing, reach, touching, reach.release + 1.2, way * travel)


def _drop_front(
    rng: np.random.Generator, plan: Family, hand: Hand, reach: Reach, sign: float
) -> tuple[list[Item], Motion]:
    kind = _pick(rng, plan.a)
    a = _item(rng, kind, "a", _aligned(kind, reach.azimuth, rng))
    b = _item(rng, _pick(rng, plan.b), "b", rotation_z(float(rng.uniform(0, 360))))
    a, b = _around(a, b, np.array([float(rng.uniform(-0.03, 0.03)), -sign * float(rng.uniform(0.15, 0.21))]))
    grip = motions.grasp(hand, a.thing, reach, kind.hold)
    reach = replace(reach, release=reach.closed + float(rng.uniform(1.5, 2.0)))
    gap = float(a.thing.size[0] + b.thing.size[0]) / 2 + float(rng.uniform(0.025, 0.05))
    target = b.thing.start + [-gap, float(rng.uniform(-0.02, 0.02)), 0]
    target[2] = a.thing.start[2]
    drop = float(rng.uniform(0.05, 0.11))
    assert reach.release is not None
    return [a, b], motions.transfer(
        hand, a.thing, reach, grip, reach.release + 1.2, target, drop + 0.06, drop
    )


def _insert(
    rng: np.random.Generator, plan: Family, hand: Hand, reach: Reach, sign: float
) -> tuple[list[Item], Motion]:
    # Lengthwise along the fingers' row, what goes in first on the little finger's side.
    kind = _pick(rng, plan.a)
    a = _item(rng, kind, "a", rotation_z(reach.azimuth - (180 if sign > 0 else 0)))
    b = _item(rng, _pick(rng, plan.b), "b", rotation_z(float(rng.uniform(0, 360))))
    a, b = _around(a, b, np.array([float(rng.uniform(-0.04, 0.04)), -sign * float(rng.uniform(0.17, 0.22))]))
    angle = np.radians(reach.azimuth)
    ahead = np.array([np.cos(angle), np.sin(angle), 0.0])
    first_in = np.array([np.sin(angle), -np.cos(angle), 0.0]) * sign
    length = float(np.ptp(a.thing.mesh.vertices @ first_in))
    for share in (0.26, 0.20, 0.14, 0.32):
        try:
            grip = motions.grasp(hand, a.thing, reach, "top", a.thing.start - first_in * share * length)
            break
        except Impossible:
            continue
    else:
        raise Impossible("no part of the handle can be gripped")
    best: tuple[float, Array, Array] | None = None
    for lean in (float(rng.uniform(10, 16)), 20.0, 26.0):
        turn = rotation_about(ahead, sign * (90 - lean))
        for shift in np.linspace(-0.3, 0.3, 7) * float(b.thing.size[0]):
            at = b.thing.start + first_in * shift
            z = motions.rest_height(a.thing.mesh, turn, at, b.thing.mesh, b.thing.first)
            if best is None or z < best[0] - 0.004:
                best = z, turn, np.array([at[0], at[1], z])
    assert best is not None
    half = float((a.thing.mesh.vertices @ best[1].T)[:, 2].max())
    if best[2][2] - half > 0.03:
        raise Impossible("it does not go in")
    reach = replace(reach, release=reach.closed + float(rng.uniform(2.0, 2.6)))
    drop = 0.055
    height = float(b.thing.size[2]) + half + 0.02 - float(a.thing.start[2])
    assert reach.release is not None
    return [a, b], motions.transfer(
        hand, a.thing, reach, grip, reach.release + 1.15, best[2], height, drop, rotation=best[1]
    )


def _slide(
    rng: np.random.Generator, plan: Family, hand: Hand, reach: Reach, sign: float
) -> tuple[list[Item], Motion]:
    kind = _pick(rng, plan.a)
    a = _item(rng, kind, "a", _aligned(kind, reach.azimuth, rng))
    b = _item(rng, _pick(rng, plan.b), "b", rotation_z(float(rng.uniform(-40, 40))))
    way = np.array([float(rng.uniform(-0.15, 0.15)), sign])
    travel = float(rng.uniform(0.09, 0.15))
    near = float(a.thing.size[1] + b.thing.size[1]) / 2 + float(rng.uniform(0.015, 0.04))
    a, b = _around(a, b, -way * (near + travel))
    grip = motions.grasp(hand, a.thing, reach, "top")
    reach = replace(reach, release=reach.closed + float(rng.uniform(1.3, 1.9)))
    assert reach.release is not None
    return [a, b], motions.slide(
        hand, a.thing, reach, grip, reach.release + 1.1, way * travel, yaw=float(rng.uniform(-12, 12))
    )


def _throw_into(
    rng: np.random.Generator, plan: Family, hand: Hand, reach: Reach, sign: float
) -> tuple[list[Item], Motion]:
    kind = _pick(rng, plan.a)
    a = _item(rng, kind, "a", _aligned(kind, reach.azimuth, rng))
    b = _item(rng, _pick(rng, plan.b), "b", rotation_z(float(rng.uniform(0, 360))))
    if not _fits(b, a):
        raise Impossible("the container is too small")
    a, b = _around(a, b, np.array([float(rng.uniform(-0.05, 0.03)), -sign * float(rng.uniform(0.18, 0.23))]))
    grip = motions.grasp(hand, a.thing, reach, kind.hold)
    reach = replace(reach, release=reach.closed + float(rng.uniform(1.2, 1.6)))
    z = motions.rest_height(a.thing.mesh, np.eye(3), b.thing.start, b.thing.mesh, b.thing.first)
    target = np.array([b.thing.start[0], b.thing.start[1], z])
    away = (a.thing.start - b.thing.start) * [1, 1, 0]
    rim = float(b.thing.size[2])
    letting = (
        b.thing.start * [1, 1, 0]
        + away * float(rng.uniform(0.35, 0.6))
        + [0, 0, rim + float(rng.uniform(0.09, 0.14))]
    )
    assert reach.release is not None
    return [a, b], motions.toss(hand, a.thing, reach, grip, reach.release + 1.3, target, letting)


_BEHAVIOURS: dict[str, Behaviour] = {
    "push_left": _push(1.0),
    "push_right": _push(-1.0),
    "lift": _lift,
    "tip_over": _tip,
    "cover": _cover(taken_off=False),
    "uncover": _cover(taken_off=True),
    "push_with": _push_with,
    "push_next": _push_next,
    "drop_front": _drop_front,
    "insert": _insert,
    "slide": _slide,
    "throw_into": _throw_into,
}


# ------------------------------------------------------------------------------------------------------
# checks


def _check(hand: Hand, motion: Motion, things: list[Thing], reach: Reach) -> None:
    """Nothing may visibly pass through anything else or through the table.

    Raises:
        Impossible: when something does.
    """
    for t in np.linspace(0.25, motion.seconds, 22):
        frame = motion.frame(float(t))
        poses = {thing.name: frame.objects.get(thing.name, thing.first) for thing in things}
        free = [(thing.cloud, poses[thing.name]) for thing in things if thing.name not in frame.touched]
        if hand.clearance(frame.hand, free) < -0.004:
            raise Impossible("the hand passes through something")
        for i, one in enumerate(things):
            if (poses[one.name].of(one.mesh.vertices)[:, 2]).min() < -1e-4:
                raise Impossible("something sinks into the table")
            for other in things[i + 1 :]:
                gap = np.linalg.norm((poses[one.name].position - poses[other.name].position)[:2])
                if gap > one.radius + other.radius and t > 0.3:
                    continue
                inside = poses[other.name].inverse().of(poses[one.name].of(one.cloud.points))
                if other.cloud.clearance(inside).min() < -0.004:
                    raise Impossible("two objects overlap")


def _lens(rng: np.random.Generator, motion: Motion, things: list[Thing], size: tuple[int, int]) -> Lens:
    """A camera that sees all objects in the first and last frame, and what is handled nearly always.

    Raises:
        Impossible: when an object would be small.
    """
    width, height = size
    fov, pitch = float(rng.uniform(30, 56)), float(rng.uniform(16, 48))
    roll = float(rng.normal(0, 0.8))
    shots = []
    for t in (0.0, motion.seconds * 0.6, motion.seconds * 0.8, motion.seconds):
        objects = motion.frame(t).objects
        shots += [objects.get(thing.name, thing.first).of(thing.mesh.vertices) for thing in things]
    points = np.concatenate(shots)
    middle = (points.max(0) + points.min(0)) / 2 + [0, 0, float(rng.uniform(0.0, 0.03))]
    K = intrinsics(fov, width, height)
    margin = np.array([width, height]) * 0.05
    spread = float(rng.uniform(1.0, 1.28))
    for distance in np.arange(0.30, 1.8, 0.03):
        pose = camera_at(pitch, distance, middle)
        seen = pose.inverse().of(points) @ K.T
        pixels = seen[:, :2] / seen[:, 2:]
        if (
            seen[:, 2].min() > 0.1
            and (pixels > margin).all()
            and (pixels < np.array([width, height]) - margin).all()
        ):
            break
    else:
        raise Impossible("the objects do not fit into the picture")
    pose = camera_at(pitch, distance * spread, middle)
    pose = Pose(pose.position, pose.rotation @ rotation_z(roll))
    for thing in things:
        seen = pose.inverse().of(thing.first.of(thing.mesh.vertices)) @ K.T
        if np.ptp(seen[:, :2] / seen[:, 2:], axis=0).max() < 25 * height / 240:
            raise Impossible(f"{thing.name} would be small")
    shaken = 0.0 if rng.random() < 0.35 else float(rng.uniform(0.3, 3.0)) * height / 240
    degrees = np.degrees(shaken / K[0, 0])
    weights = rng.dirichlet(np.ones(4), size=3) * np.array([[0.5], [0.5], [0.25]])
    return Lens(
        fov, pitch, roll, pose, degrees * weights, rng.uniform(0.2, 2.2, 4), rng.uniform(0, 2 * np.pi, (3, 4))
    )


def _setting(rng: np.random.Generator, sign: float) -> Setting:
    skin = np.array(SKINS[int(rng.integers(len(SKINS)))], float) + rng.uniform(-6, 6, 3)
    cloth = np.array(list(COLOURS.values())[int(rng.integers(len(COLOURS)))], float) * rng.uniform(0.5, 1.0)
    yaw = float(rng.uniform(-35, 35))
    clutter = []
    for _ in range(int(rng.integers(0, 6))):
        kind = str(rng.choice(["box", "cylinder", "ellipsoid"]))
        extent = rng.uniform(0.02, 0.09, 3)
        at = np.array(
            [rng.uniform(0.45, 0.75), rng.uniform(-0.6, 0.6), extent[1] if kind == "cylinder" else extent[2]]
        )
        clutter.append((kind, at, extent, float(rng.uniform(0, 90)), rng.uniform(0.08, 0.75, 3)))
    strength = float(rng.uniform(0.45, 0.85))
    return Setting(
        table=table_texture(rng),
        room=room_texture(rng),
        skin=skin_texture((int(skin[0]), int(skin[1]), int(skin[2])), rng),
        sleeve=sleeve_texture((int(cloth[0]), int(cloth[1]), int(cloth[2])), rng),
        nail=tuple(np.clip((skin * 0.8 + [60, 45, 45]) / 255, 0, 1)),
        room_yaw=yaw,
        table_half=(float(rng.uniform(0.85, 1.1)), float(rng.uniform(0.8, 1.3))),
        table_repeat=float(rng.uniform(1.0, 2.4)),
        wall=float(rng.uniform(1.1, 1.9)),
        sun=(
            float(rng.uniform(-0.7, 0.3)),
            float(rng.choice([-1, 1]) * rng.uniform(0.2, 0.9)),
            float(rng.uniform(1.1, 1.8)),
        ),
        sun_strength=strength,
        ambient=float(rng.uniform(0.26, 0.46)) * (1.25 - 0.4 * strength),
        warmth=float(rng.uniform(0.94, 1.08)),
        clutter=clutter,
    )


# ---------------------------------------------------------------------------------------------------
# rendering


def render(take: Take, clip_path: Path, truth_path: Path | None = None) -> None:
    """Write the take's clip and, if asked, the truth about it (see docs/suite.md)."""
    stage = Stage(
        {item.thing.name: (item.thing.mesh, item.texture, item.kind.gloss) for item in take.items},
        take.hand,
        take.setting,
        take.lens.fov,
        take.size,
    )
    record = _Record(take)

    def images() -> Iterator[Image]:
        for index in range(take.frames):
            yield record.shoot(stage, index)

    try:
        write_video(clip_path, images(), take.fps, take.codec, take.options)
    finally:
        stage.close()
    if truth_path is not None:
        with truth_path.open("wb") as file:
            np.savez_compressed(file, **record.truth(stage.K))  # type: ignore[arg-type]


class _Record:
    """Shoots frame by frame and keeps the truth."""

    def __init__(self, take: Take) -> None:
        self.take = take
        self.things = [item.thing for item in take.items]
        self.depth: list[NDArray[np.float16]] = []
        self.masks: list[NDArray[np.bool_]] = []
        self.hands: list[NDArray[np.bool_]] = []
        self.visible: list[Array] = []
        self.cameras: list[Pose] = []
        self.poses: list[list[Pose]] = []
        self.touched: list[list[bool]] = []

    def _set(self, stage: Stage, t: float) -> tuple[motions.Frame, list[Pose], Pose]:
        frame = self.take.motion.frame(t)
        poses = [frame.objects.get(thing.name, thing.first) for thing in self.things]
        camera = self.take.lens.at(t)
        stage.pose(frame.hand, dict(zip((thing.name for thing in self.things), poses, strict=True)), camera)
        return frame, poses, camera

    def _speed(self, t: float, shutter: float, K: Array) -> float:
        """How many pixels hand or objects cross while the shutter is open."""
        ends = []
        for when in (t - shutter / 2, t + shutter / 2):
            frame = self.take.motion.frame(when)
            points = [frame.hand.pose.position, *(pose.position for pose in frame.objects.values())]
            seen = self.take.lens.at(when).inverse().of(np.array(points)) @ K.T
            ends.append(seen[:, :2] / np.maximum(seen[:, 2:], 0.1))
        inside = (np.abs(ends[1] - K[:2, 2]) < 1.3 * K[:2, 2]).all(axis=1)
        return float((np.linalg.norm(ends[1] - ends[0], axis=1) * inside).max())

    def shoot(self, stage: Stage, index: int) -> Image:
        t = index / self.take.fps
        shutter = 0.4 / self.take.fps
        frame, poses, camera = self._set(stage, t)
        shot = stage.shoot()
        self.depth.append(np.minimum(shot.depth, 60000).astype(np.float16))
        self.masks.append(shot.masks)
        self.hands.append(shot.hand)
        whole = shot.amodal.sum((1, 2))
        self.visible.append(np.where(whole > 0, shot.masks.sum((1, 2)) / np.maximum(whole, 1), 0.0))
        self.cameras.append(camera)
        self.poses.append(poses)
        self.touched.append([thing.name in frame.touched for thing in self.things])
        pixels = self._speed(t, shutter, stage.K)
        if pixels < 1.5:
            return shot.colour
        total = shot.colour.astype(np.uint16)
        for when in (t - shutter / 2, t + shutter / 2) if pixels > 4 else (t + shutter / 2,):
            self._set(stage, when)
            total = total + stage.colour()
        return (total // (3 if pixels > 4 else 2)).astype(np.uint8)

    def truth(self, K: Array) -> dict[str, object]:
        take = self.take
        names = [identifier(item.label) if item.label else item.thing.name for item in take.items]
        named = [name for name, item in zip(names, take.items, strict=True) if item.label]
        truth: dict[str, object] = {
            "names": np.array(named),
            "distractors": np.array([name for name in names if name not in named], dtype=str),
            "handled": names[0],
            "family": take.family,
            "caption": take.caption,
            "depth": np.stack(self.depth),
            "masks_shape": np.array((len(self.depth), take.size[1], take.size[0])),
            "hand": np.packbits(np.stack(self.hands)),
            "K": K,
            "world_from_camera": transform(self.cameras[0]),
            "world_from_camera_per_frame": np.stack([transform(camera) for camera in self.cameras]),
            "fov": take.lens.fov,
            "pitch": take.lens.pitch,
            "roll": take.lens.roll,
            "fps": take.fps,
        }
        for index, (name, item) in enumerate(zip(names, take.items, strict=True)):
            poses = [row[index] for row in self.poses]
            matrices = np.stack([transform(pose) for pose in poses])
            steps = np.abs(np.diff(matrices, axis=0)).max((1, 2)) > 1e-4
            truth |= {
                f"masks_{name}": np.packbits(np.stack([masks[index] for masks in self.masks])),
                f"visible_{name}": np.array([row[index] for row in self.visible], np.float32),
                f"camera_from_object_{name}": np.stack(
                    [transform(c.inverse().times(p)) for c, p in zip(self.cameras, poses, strict=True)]
                ),
                f"vertices_{name}": item.thing.mesh.vertices,
                f"faces_{name}": item.thing.mesh.faces,
                f"size_{name}": item.thing.size,
                f"dimensions_{name}": oriented_bounds(item.thing.mesh.vertices)[1],
                f"class_{name}": item.kind.name,
                f"symmetry_{name}": item.kind.symmetry,
                f"container_{name}": item.kind.cavity is not None,
                f"moves_{name}": np.append(steps, False) | np.append(False, steps),
                f"touched_{name}": np.array([row[index] for row in self.touched]),
            }
        return truth
