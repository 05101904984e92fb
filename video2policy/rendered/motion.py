"""Behaviours: where hand and objects are at any time of a clip. Kinematic; nothing is simulated.

World frame: metres, z up, table at z = 0, x away from the camera, y to the image's left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from video2policy.pose import rotation_about
from video2policy.rendered.geometry import (
    Array,
    Cloud,
    Pose,
    eased,
    rotation_x,
    rotation_y,
    rotation_z,
)
from video2policy.rendered.hand import Hand, Posture
from video2policy.rendered.shapes import Mesh

GRAVITY = 9.81
Hold = Literal["top", "side", "rim"]


class Impossible(Exception):
    """What was drawn cannot be performed (nothing to grip, something in the way); draw again."""


@dataclass(frozen=True)
class Thing:
    """An object on the stage: its mesh with the world's axes in the first frame, and its first centre
    (3,)."""

    name: str
    mesh: Mesh
    start: Array

    @cached_property
    def cloud(self) -> Cloud:
        return Cloud.of(self.mesh)

    @property
    def size(self) -> Array:
        return self.mesh.size

    @property
    def first(self) -> Pose:
        return Pose(self.start, np.eye(3))

    @property
    def radius(self) -> float:
        """Of the circle around it on the table, metres."""
        return float(np.linalg.norm(self.mesh.vertices[:, :2], axis=1).max())


@dataclass(frozen=True)
class Frame:
    """One instant: the hand's posture and world_from_object of everything that moves."""

    hand: Posture
    objects: dict[str, Pose]
    touched: frozenset[str] = frozenset()
    """Objects that the hand holds or pushes."""


@dataclass(frozen=True)
class Motion:
    """``frame(t)`` at ``t`` seconds of ``seconds``."""

    seconds: float
    frame: Callable[[float], Frame]


@dataclass(frozen=True)
class Reach:
    """How a hand comes and goes: the azimuth (degrees) into which the forearm points, its elevation, and the
    times (s) at which the hand arrives, has closed, lets go (None: never) and how long it takes to leave."""

    azimuth: float
    elevation: float = 24.0
    arrive: float = 0.9
    closed: float = 1.25
    release: float | None = None
    away: float = 0.9

    @property
    def forearm(self) -> Array:
        """From the wrist to the elbow."""
        e, a = np.radians(self.elevation), np.radians(self.azimuth)
        return np.array([-np.cos(a) * np.cos(e), -np.sin(a) * np.cos(e), np.sin(e)])


# --------------------------------------------------------------------------------------------------- grasps


def _extent(
    thing: Thing, azimuth: float, height: float, spot: Array, band: float = 0.012
) -> tuple[float, float]:
    """Least and greatest coordinate along ``azimuth`` of the thing's surface near a height above the
    table."""
    points = thing.cloud.points + thing.start
    along = np.array([np.cos(np.radians(azimuth)), np.sin(np.radians(azimuth))])
    across = np.array([-along[1], along[0]])
    offset = points[:, :2] - spot[:2]
    near = (np.abs(points[:, 2] - height) < band) & (np.abs(offset @ across) < 0.02)
    if not near.any():
        raise Impossible(f"{thing.name} has nothing to grip at {height:.3f} m")
    s = offset[near] @ along
    return float(s.min()), float(s.max())


@dataclass(frozen=True)
class Grip:
    """A closed posture on an object at its first pose, and the digits' curls (5,) before it closed."""

    ready: Array
    held: Posture


def grasp(hand: Hand, thing: Thing, reach: Reach, hold: Hold, spot: Array | None = None) -> Grip:
    """The first posture that holds the thing: as its kind likes it, else from above; several pitches of the
    hand.

    ``spot`` (3,) says where (only x and y count; the thing's centre by default).

    Raises:
        Impossible: when nothing holds it.
    """
    reason = Impossible(f"no posture holds {thing.name}")
    ways: list[tuple[Hold, float]] = [(hold, pitch) for pitch in (34.0, 46.0, 28.0, 60.0)]
    for way, pitch in ways if hold == "top" else [*ways, ("top", 34.0), ("top", 50.0)]:
        try:
            return grasp_as(hand, thing, reach, way, pitch, thing.start if spot is None else spot)
        except Impossible as error:
            reason = error
    raise reason


def grasp_as(hand: Hand, thing: Thing, reach: Reach, hold: Hold, pitch: float, spot: Array) -> Grip:
    """A closed posture on a thing at its first pose.

    "top": fingers beyond it, thumb on this side; "side": the palm upright beside it; "rim": fingers inside,
    thumb outside of the nearest piece of wall.

    Raises:
        Impossible: when nothing of the kind holds it.
    """
    azimuth, sign = reach.azimuth, 1.0 if hand.side == "right" else -1.0
    top = float(thing.start[2] + thing.size[2] / 2)
    ahead = np.array([np.cos(np.radians(azimuth)), np.sin(np.radians(azimuth)), 0.0])
    if hold == "side":
        # The palm faces the thing from the side that the thumb's hand is on.
        height = max(0.078 * hand.scale, min(0.55 * top, top - 0.03))
        if height > top - 0.012:
            raise Impossible(f"{thing.name} is too low to be held from the side")
        rotation = np.stack([ahead, sign * np.array([0, 0, 1.0]), np.zeros(3)], axis=1)
        rotation[:, 2] = np.cross(rotation[:, 0], rotation[:, 1])
        low, high = _extent(thing, azimuth, height, spot)
        centre = spot * [1, 1, 0] + ahead * (low + high) / 2 + [0, 0, height]
        back = rotation[:, 2]
    elif hold == "rim":
        rotation = rotation_z(azimuth) @ rotation_y(pitch + 14)
        height = top - 0.010
        low, _ = _extent(thing, azimuth, height, spot, 0.008)
        low, high = low, low + 0.008
        centre = spot * [1, 1, 0] + ahead * (low + high) / 2 + [0, 0, height]
        back = np.array([0, 0, 1.0])
    else:
        rotation = rotation_z(azimuth) @ rotation_y(pitch)
        height = max(top - min(0.6 * thing.size[2], 0.032), 0.0105 * hand.scale)
        low, high = _extent(thing, azimuth, height, spot)
        centre = spot * [1, 1, 0] + ahead * (low + high) / 2 + [0, 0, height]
        back = np.array([0, 0, 1.0])
    width = high - low
    if width > 0.105 * hand.scale:
        raise Impossible(f"{thing.name} is {width:.3f} m wide, too wide for the hand")
    curl, point = hand.pinch(width)
    place = [(thing.cloud, thing.first)]
    slack = 0.005 if thing.size[2] > 0.03 else 0.011  # the table keeps fingertips off what is thin
    for step in range(14 if thing.size[2] > 0.03 else 5):
        pose = Pose(centre - rotation @ point + back * 0.003 * step, rotation)
        ready = hand.off_table(pose, np.full(5, max(0.0, curl - 0.22)))
        begin = Posture(pose, ready, reach.forearm)
        if hand.clearance(begin, place) < -0.003:  # skin gives way
            continue
        held = hand.closed(begin, thing.cloud, thing.first, min(1.0, curl + 0.45), slack)
        if held is not None:
            return Grip(ready, held)
    raise Impossible(f"no posture holds {thing.name}")


# ---------------------------------------------------------------------------------------------------- parts


def _path(reach: Reach, grip: Grip, lift: Array) -> Callable[[float, Pose], Posture]:
    """The hand over time, given world_from_hand while it holds: it comes, closes, holds, opens and goes."""
    ready, held = grip.ready, grip.held
    out = reach.forearm * 0.55 + [0, 0, 0.02]
    start = reach.arrive

    def at(t: float, holding: Pose) -> Posture:
        away = 1 - eased(t, 0.0, 0.82 * start)
        above = 1 - eased(t, 0.45 * start, start)
        close = eased(t, start, reach.closed)
        if reach.release is not None:
            away += eased(t, reach.release + 0.35 * reach.away, reach.release + 1.15 * reach.away)
            above += eased(t, reach.release + 0.10, reach.release + 0.10 + 0.7 * reach.away)
            close -= eased(t, reach.release - 0.04, reach.release + 0.16)
        pose = holding.moved(away * out + above * lift)
        return Posture(pose, ready + (held.curl - ready) * close, reach.forearm)

    return at


Goal = Callable[[float], tuple[Array, Array]]
"""Displacement (3,) and rotation (3, 3) of the held object since the first frame, at a time in seconds."""


def carry(
    hand: Hand,
    thing: Thing,
    reach: Reach,
    grip: Grip,
    goal: Goal,
    seconds: float,
    after: Callable[[float, Pose], Pose] | None = None,
    others: Callable[[Pose], dict[str, Pose]] | None = None,
    lift: Array | None = None,
) -> Motion:
    """The hand takes a thing and moves it along ``goal``; once released it follows ``after(seconds since,
    from)``.

    ``others`` are moved by the thing itself.
    """
    path = _path(reach, grip, np.array([0, 0, 0.07]) if lift is None else lift)
    object_from_hand = thing.first.inverse().times(grip.held.pose)

    def at(t: float) -> Pose:
        offset, turn = goal(t)
        return Pose(thing.start + offset, turn)

    def frame(t: float) -> Frame:
        free = reach.release is not None and t > reach.release
        hold = at(min(t, reach.release) if reach.release is not None else t)
        pose = after(t - reach.release, hold) if free and after and reach.release is not None else hold
        moved = others(pose) if others else {}
        touched = {thing.name} if t >= reach.closed and not free else set()
        follow = at(min(t, reach.release + 0.25) if reach.release is not None else t) if after else hold
        return Frame(path(t, follow.times(object_from_hand)), {thing.name: pose} | moved, frozenset(touched))

    return Motion(seconds, frame)


def fall(height: float, elapsed: float, bounce: float = 0.18) -> float:
    """Height of something dropped from ``height`` after a time, with one small bounce."""
    landing = np.sqrt(2 * max(height, 0.0) / GRAVITY)
    if elapsed < landing:
        return float(height - GRAVITY * elapsed**2 / 2)
    speed, since = bounce * GRAVITY * landing, elapsed - landing
    return float(max(0.0, speed * since - GRAVITY * since**2 / 2))


def rest_height(
    upper: Mesh, rotation: Array, at: Array, lower: Mesh, below: Pose, cell: float = 0.003
) -> float:
    """z of the upper mesh's centre when, turned and over ``at`` (x, y), it is lowered until it touches the
    other."""
    a = Cloud.of(upper, 12000).points @ rotation.T + [at[0], at[1], 0.0]
    b = below.of(Cloud.of(lower, 24000).points)
    first = np.floor(a[:, :2].min(0) / cell).astype(int)
    shape = tuple(np.floor(a[:, :2].max(0) / cell).astype(int) - first + 1)
    under, over = np.full(shape, np.inf), np.full(shape, -np.inf)
    i, j = (np.floor(a[:, :2] / cell).astype(int) - first).T
    np.minimum.at(under, (i, j), a[:, 2])
    i, j = (np.floor(b[:, :2] / cell).astype(int) - first).T
    inside = (i >= 0) & (j >= 0) & (i < shape[0]) & (j < shape[1])
    np.maximum.at(over, (i[inside], j[inside]), b[inside, 2])
    gaps = over - under  # infinite where one of them is absent
    return max(-float(a[:, 2].min()), float(gaps.max(initial=-np.inf))) + 0.0005


def tipping(mesh: Mesh, direction: Array) -> tuple[float, Callable[[float], Pose]]:
    """(angle in degrees at which it lies, pose over angle) of a mesh that is rolled over its own edges.

    It stands with its centre over the origin; ``direction`` (2,) is horizontal. The supporting point neither
    slips nor leaves the table; it lies where its centre is over the edge that it rests on.
    """
    from scipy.spatial import ConvexHull

    along = np.array([*direction, 0.0]) / np.linalg.norm(direction)
    axis = np.cross([0, 0, 1.0], along)  # a positive turn takes z to `along`
    flat = np.stack([mesh.vertices @ along, mesh.vertices[:, 2]], -1)
    hull = flat[ConvexHull(flat).vertices]  # counter-clockwise, x along, y up
    first = max(range(len(hull)), key=lambda i: (hull[i, 1] < hull[:, 1].min() + 1e-6, hull[i, 0]))
    hull = np.roll(hull, -first, axis=0)
    # Turning by `angle` about the axis makes the edge from hull[k] to hull[k + 1] level at `levels[k]`.
    edges = np.diff(np.vstack([hull, hull[:1]]), axis=0)
    levels = np.degrees(np.unwrap(np.arctan2(edges[:, 1], edges[:, 0])))
    levels -= 360 * np.floor((levels[0] + 1e-9) / 360)
    lying = 90.0
    for k in range(len(hull)):
        a, b = np.radians(levels[k]), hull[(k + 1) % len(hull)]
        turn = np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
        x0, x1 = (turn @ hull[k])[0], (turn @ b)[0]
        if x0 + 0.15 * (x1 - x0) <= 0 <= x1 - 0.05 * (x1 - x0) and levels[k] > 40:
            lying = float(levels[k])
            break

    def pose(angle: float) -> Pose:
        a = np.radians(angle)
        turn = np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
        k = int(np.searchsorted(levels, angle))
        # The contact has rolled over the edges passed so far, which lie flat one after the other.
        contact = hull[0, 0] + sum(np.linalg.norm(edges[i]) for i in range(min(k, len(edges))))
        offset = np.array([contact, 0.0]) - turn @ hull[k % len(hull)]
        rotation = rotation_about(axis, angle)
        lowest = float((mesh.vertices @ rotation.T)[:, 2].min())
        return Pose(along * offset[0] + [0, 0, -lowest], rotation)

    return lying, pose


# ----------------------------------------------------------------------------------------------- behaviours


def lift(hand: Hand, a: Thing, reach: Reach, grip: Grip, seconds: float, rise: float, tilt: Array) -> Motion:
    """Up and held there. ``tilt`` (3,): degrees about x, y, z."""

    def goal(t: float) -> tuple[Array, Array]:
        s = eased(t, reach.closed + 0.1, seconds - 0.6)
        turn = rotation_z(tilt[2] * s) @ rotation_y(tilt[1] * s) @ rotation_x(tilt[0] * s)
        return np.array([0.02 * tilt[1] / 10, 0.02 * tilt[0] / 10, rise]) * s, turn

    return carry(hand, a, reach, grip, goal, seconds)


def transfer(
    hand: Hand,
    a: Thing,
    reach: Reach,
    grip: Grip,
    seconds: float,
    target: Array,
    height: float,
    drop: float = 0.0,
    yaw: float = 0.0,
    rotation: Array | None = None,
) -> Motion:
    """Up, across to the centre ``target`` (3,), down; released ``drop`` above it, from where it falls."""
    assert reach.release is not None
    begin, end = reach.closed + 0.08, reach.release - 0.12
    span = end - begin
    move = target - a.start

    def goal(t: float) -> tuple[Array, Array]:
        up, down = eased(t, begin, begin + 0.4 * span), eased(t, begin + 0.62 * span, end)
        across = eased(t, begin + 0.18 * span, begin + 0.78 * span)
        z = height * up + (move[2] + drop - height) * down
        turn = rotation_z(yaw * across)
        if rotation is not None:
            turn = _slerp(rotation, eased(t, begin + 0.1 * span, begin + 0.7 * span))
        return np.array([move[0] * across, move[1] * across, z]), turn

    def after(elapsed: float, last: Pose) -> Pose:
        rest = target[2] + fall(drop, elapsed)
        return Pose(np.array([*last.position[:2], rest]), last.rotation)

    return carry(hand, a, reach, grip, goal, seconds, after if drop > 0 else None)


def _slerp(rotation: Array, s: float) -> Array:
    """The part ``s`` of a rotation."""
    angle = np.degrees(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1)))
    if angle < 1e-6:
        return np.eye(3)
    skew = rotation - rotation.T
    return rotation_about([skew[2, 1], skew[0, 2], skew[1, 0]], s * angle)


def toss(
    hand: Hand, a: Thing, reach: Reach, grip: Grip, seconds: float, target: Array, letting: Array
) -> Motion:
    """Up, a swing towards the target, and a free flight from the centre ``letting`` (3,) to ``target``
    (3,)."""
    assert reach.release is not None
    release = reach.release
    rise = 0.25  # m/s upwards when it leaves the hand
    drop = letting[2] - target[2]
    flight = (rise + np.sqrt(rise**2 + 2 * GRAVITY * drop)) / GRAVITY
    velocity = np.array([*((target - letting)[:2] / flight), rise])
    swing = 0.30
    wound = letting - velocity * swing / 2  # where the swing starts
    begin = reach.closed + 0.08

    def goal(t: float) -> tuple[Array, Array]:
        s = eased(t, begin, release - swing)
        offset = (wound - a.start) * s
        offset[2] += 0.02 * np.sin(np.pi * s)
        u = np.clip((t - (release - swing)) / swing, 0, 1)
        offset = offset + velocity * swing / 2 * u**2
        late = max(0.0, t - release)
        return offset + velocity * 0.10 * (1 - np.exp(-late / 0.10)), np.eye(3)

    def after(elapsed: float, last: Pose) -> Pose:
        s = min(elapsed, flight)
        position = letting + velocity * s - [0, 0, GRAVITY * s**2 / 2]
        if elapsed > flight:
            position = target.copy()
        return Pose(position, last.rotation)

    return carry(hand, a, reach, grip, goal, seconds, after)


def slide(
    hand: Hand,
    a: Thing,
    reach: Reach,
    grip: Grip,
    seconds: float,
    move: Array,
    pushed: Thing | None = None,
    yaw: float = 0.0,
) -> Motion:
    """The held thing slides over the table by ``move`` (2,); on its way it may take another thing along."""
    end = (reach.release or seconds) - 0.15
    gap = 0.0
    if pushed is not None:
        gap = contact_distance(a, pushed, move)

    def goal(t: float) -> tuple[Array, Array]:
        s = eased(t, reach.closed + 0.05, end)
        return np.array([*move, 0.0]) * s, rotation_z(yaw * s)

    def others(pose: Pose) -> dict[str, Pose]:
        assert pushed is not None
        way = np.linalg.norm(move)
        taken = max(0.0, float(np.linalg.norm((pose.position - a.start)[:2])) - gap)
        return {pushed.name: pushed.first.moved(np.array([*move, 0.0]) / way * taken)}

    return carry(hand, a, reach, grip, goal, seconds, others=others if pushed else None)


def contact_distance(a: Thing, b: Thing, move: Array, step: float = 0.002) -> float:
    """How far ``a`` slides along ``move`` (2,) until it touches ``b``.

    Raises:
        Impossible: when it misses it.
    """
    way = np.array([*move, 0.0])
    length = float(np.linalg.norm(way))
    rim = b.cloud
    for distance in np.arange(0.0, length, step):
        points = a.cloud.points + a.start + way / length * distance - b.start
        if float(rim.clearance(points).min()) < 0.0015:
            return float(max(0.0, distance - step))
    raise Impossible(f"{a.name} does not reach {b.name}")


def push_posture(hand: Hand, a: Thing, reach: Reach, direction: Array, height: float, tilt: float) -> Posture:
    """Stretched fingers that touch a thing from behind, as seen along ``direction`` (2,).

    Raises:
        Impossible: when they find nothing to touch.
    """
    yaw = float(np.degrees(np.arctan2(direction[1], direction[0])))
    rotation = rotation_z(yaw) @ rotation_y(tilt)
    curl = np.array([0.10, 0.12, 0.14, 0.18, 0.35])
    tip = rotation @ (hand.tip(1, 0.12) * [1, 0, 1])
    ahead = np.array([*direction, 0.0])
    place = [(a.cloud, a.first)]
    for back in np.arange(a.radius + 0.06, -0.02, -0.003):
        base = a.start * [1, 1, 0] - ahead * back + [0, 0, height]
        posture = Posture(Pose(base - tip, rotation), curl, reach.forearm)
        gap = hand.clearance(posture, place, arm=False)
        if gap < 0.0015:
            if back > a.radius + 0.055 or gap < -0.004:
                break
            return posture
    raise Impossible(f"the fingers do not reach {a.name}")


def push(
    hand: Hand, a: Thing, reach: Reach, touching: Posture, seconds: float, move: Array, yaw: float = 0.0
) -> Motion:
    """The fingertips push a thing over the table by ``move`` (2,) and leave."""
    begin, end = reach.closed, (reach.release or seconds) - 0.05
    way = np.array([*move, 0.0])
    back = -way / np.linalg.norm(way)
    out = reach.forearm * 0.50 + [0, 0, 0.03]

    def frame(t: float) -> Frame:
        s = eased(t, begin, end)
        leave = eased(t, end + 0.12, end + 0.12 + 1.3 * reach.away)
        come = 1 - eased(t, 0.0, reach.arrive)
        pose = touching.pose.moved(way * s + (come + leave) * out + 0.04 * back * min(1.0, come + 2 * leave))
        thing = Pose(a.start + way * s, rotation_z(yaw * s))
        touched = frozenset({a.name}) if begin <= t <= end else frozenset()
        return Frame(replace(touching, pose=pose), {a.name: thing}, touched)

    return Motion(seconds, frame)


def tip_over(
    hand: Hand, a: Thing, reach: Reach, touching: Posture, seconds: float, direction: Array
) -> Motion:
    """The fingertips push a thing's upper part until it falls over and lies."""
    lying, rolled = tipping(a.mesh, direction)
    way = np.array([*direction, 0.0]) / np.linalg.norm(direction)
    begin, push_time, free = reach.closed, 0.75, 34.0
    out = reach.forearm * 0.50 + [0, 0, 0.03]
    contact = touching.pose.of(hand.tip(1, 0.12)) - a.start

    def angle(t: float) -> float:
        if t < begin + push_time:
            s = np.clip((t - begin) / push_time, 0, 1)
            return float(free * s * s)
        late = t - begin - push_time
        grown = free + 2 * free / push_time * late + 0.5 * 420.0 * late**2
        return float(min(lying, grown))

    def frame(t: float) -> Frame:
        turned = angle(t)
        pose = rolled(turned).moved(a.start * [1, 1, 0])
        follow = rolled(min(turned, free)).of(contact) - contact - [0, 0, a.start[2]]
        ahead = way * max(0.0, float(follow @ way))
        leave = eased(t, begin + push_time + 0.05, begin + push_time + 0.05 + 1.2 * reach.away)
        come = 1 - eased(t, 0.0, reach.arrive)
        back = -way * 0.05 * min(1.0, come + 2 * leave)
        hand_pose = touching.pose.moved(ahead + (come + leave) * out + back)
        touched = frozenset({a.name}) if begin <= t <= begin + push_time else frozenset()
        return Frame(replace(touching, pose=hand_pose), {a.name: pose}, touched)

    return Motion(seconds, frame)
