"""Rules of thumb that see the exact state: how to grasp, lift and bring an object, and how to push with it.

They are what `train.skill` imitates. Each is a control law without memory, and continuous where it can be:
how high the tool is depends on how far it still has to go sideways. What jumps where a threshold is crossed
is learnt as the mean of both sides, and lands beside its goal. Metres and radians, world frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from video2policy.sim import robot
from video2policy.sim.base import N_ACTIONS, States

ABOVE, OVER_IT, ALIGNED, DOWN = 0.04, 0.012, 0.15, 0.006
TALL, FINGER = 0.03, 0.04
CARRY_HEIGHT = 0.15
HOLD = -0.3
"""What holds presses gently on, so that the noise of exploration can let go."""
SQUEEZED = 0.02
"""How far the fingers' command runs ahead of them before they lift: 10 N each. With less it slips."""
NEXT_GAP, AWAY_GAP, FRONT_GAP, FREE_RISE = 0.015, 0.03, 0.05, 0.1
SIGHT = {"front": -1.0, "behind": 1.0}
"""Along the clip's line of sight: sign of the world's x."""
FUNNEL, STEEP_FUNNEL = 4.0, 10.0
"""Metres that what is carried stays higher for each metre that it is still away from its goal."""
TALL_B, EDGE, SUNK = 0.05, 0.012, 0.015
"""What is taller meets the palm beside it; how far within the workspace a goal is kept; how far below the
other object's rim the underside is of what is in it."""
STANDING, TO_THE_SIDE = 1.3, 0.6
"""Radians: how steep a long thing is held before it goes in on end, and the yaw on that way. The arm holds
the hand level best when that points to the side, half away from the base."""
PALM, OVER_B = 0.1, 0.02
"""Half the palm, and how far over the other object the tool comes past it."""
SIDEWAYS = 0.7
"""Of the way that is left, in one step: the arm lags, and with all of it swings about its goal."""
TILT_FROM = 0.02
"""Metres over the table from which on it is tilted."""
BEHIND, SHOVE, FORK_WIDTH, SLOWLY = 0.025, 0.075, 0.045, 0.35
"""Of pushing: how far behind the object it begins, how far the other one is moved, the fingers' opening, and
the part of the speed that is left where the two objects meet."""


@dataclass(frozen=True)
class Place:
    """Where what was lifted goes, and how: seen from the other object.

    `where`: "over", "beside" (on the side it came from), "front" or "behind" (seen by the clip's camera),
    "away" (off it), or "push": it is not lifted, but pushed against the other object. Its underside passes
    at `clear` metres over the table, and it is let go of at `release`; both count from the other object's top
    with `from_top`.
    """

    where: str
    clear: float = 0.0
    release: float = 0.0
    from_top: bool = False


_PUT, _DROP = (0.02, 0.006), (0.06, 0.045)
PLACES: Mapping[str, Place] = {
    "put_next": Place("beside", *_PUT),
    "move_closer": Place("beside", *_PUT),
    "drop_next": Place("beside", *_DROP),
    "put_front": Place("front", *_PUT),
    "drop_front": Place("front", *_DROP),
    "cover": Place("over", 0.02, -1.0, from_top=True),
    "uncover": Place("away", 0.02, from_top=True),
    "put_into": Place("over", 0.02, 0.01, from_top=True),
    "drop_into": Place("over", 0.02, 0.01, from_top=True),
    "throw_into": Place("over", 0.11, 1.0, from_top=True),
    "put_behind": Place("behind", *_PUT),
    "drop_behind": Place("behind", *_DROP),
    "put_onto": Place("over", 0.02, 0.008, from_top=True),
    "drop_onto": Place("over", 0.05, 0.035, from_top=True),
    "throw_against": Place("over", 0.15, 1.0, from_top=True),
    "push_with": Place("push"),
}
"""By family; of the others only grasping and lifting is learnt. A cover is let go of on the table (-1: as low
as it gets), what is thrown as high as it is carried."""


def rule(states: States, roles: Mapping[str, str], place: Place | None = None, grip: float = 0.0) -> Tensor:
    """Actions (n, 7) that reach, grasp and lift the object in role "a", from the states as they are now.

    With a `place` it is then brought to the object in role "b" and let go of. `grip` is where along its
    longest direction it is held: 0 at its centre, 1 at its end. What has a place and is held at its end is
    stood on end on the way there.
    """
    a = roles["a"]
    if place is not None and place.where == "push":
        return _push_with(states, a, roles["b"])
    tool, size, pos = states["eef_pos"], states[f"{a}_size"], states[f"{a}_pos"]
    held_at = pos + grip * states[f"{a}_long"]
    turn = states[f"{a}_grasp_turn"]
    top = held_at[:, 2] + 0.5 * size[:, 2]
    # As low as the palm allows: what narrows upwards would slip out.
    low = held_at[:, 2] + torch.clamp(0.5 * size[:, 2] - TALL, max=FINGER)
    on_end = place is not None and grip > 0
    # What lies flat is lower than the tool can go.
    low = low.clamp(min=robot.LOW_ON_END if on_end else robot.LOW[2])
    off = torch.norm(held_at[:, :2] - tool[:, :2], dim=-1)
    inside = (off < 2 * OVER_IT) & (tool[:, 2] < low + DOWN)
    held = states[f"{a}_grasped"] > 0.5
    lead = states["gripper_opening"] - states["gripper_command"]
    goal = held_at.clone()
    high = torch.maximum(top + ABOVE, low)
    if "b" in roles:
        high = torch.maximum(high, _over(states, roles["b"]))
    astray = 6.0 * torch.clamp(off - 0.5 * OVER_IT, min=0.0) + 0.4 * torch.clamp(
        turn.abs() - 0.5 * ALIGNED, min=0.0
    )
    goal[:, 2] = torch.where(inside, low, torch.minimum(low + astray, high))
    carried, spin = tool.clone(), torch.zeros_like(turn)
    released = torch.zeros_like(held)
    if place is None:
        raised = states[f"{a}_displacement"][:, 2]
        carried[:, 2] += torch.clamp(CARRY_HEIGHT - raised, max=0.05)
    else:
        carried, spin, released = _bring(states, a, roles["b"], place, on_end)
        # What is round is grasped with the hand's narrow side to the other object.
        away = torch.nn.functional.normalize(pos[:, :2] - states[f"{roles['b']}_pos"][:, :2] + 1e-6, dim=-1)
        turn = torch.where(turn == 0, robot.YAW_STEP * _across(states, away), turn)
    # The firmer it is held, the more it moves.
    wanted = torch.clamp(0.8 * states["gripper_opening"], min=0.002, max=SQUEEZED)
    firm = torch.clamp(lead / wanted, 0.0, 1.0)
    firm = torch.where(firm > 0.6, firm, torch.zeros_like(firm))[:, None]
    if grip and not on_end:
        firm = torch.ones_like(firm)  # lifted by its end: what is held firmly from the start stays level
    carried = torch.where(released[:, None], carried, firm * carried + (1.0 - firm) * tool)
    bringing = held | released
    goal = torch.where(bringing[:, None], carried, goal)
    actions = torch.zeros(len(tool), N_ACTIONS)
    actions[:, :3] = (goal - tool) / robot.POSITION_STEP
    actions[:, :2] = SIDEWAYS * actions[:, :2]
    turned = torch.where(inside, 0.0, turn / robot.YAW_STEP)
    actions[:, 5] = torch.where(bringing, torch.where(released, 0.0, firm[:, 0] * spin), turned)
    if on_end:
        pitch, yaw = _stand(states, a, held)
        actions[:, 4] = torch.where(released, 0.0, pitch)
        actions[:, 5] = torch.where(held & ~released, yaw, actions[:, 5])
    press = torch.where((firm[:, 0] >= 1.0) & (not on_end), HOLD, -1.0)
    closed = torch.where(inside, -1.0, 1.0)
    actions[:, 6] = torch.where(released, 1.0, torch.where(held, press, closed))
    return actions.clamp(-1.0, 1.0)


def _over(states: States, b: str) -> Tensor:
    """The height (n,) over which the hand passes by `b` without knocking it over; 0 away from it."""
    reach = _reach(states, b)
    apart = torch.norm(states["eef_pos"][:, :2] - states[f"{b}_pos"][:, :2], dim=-1)
    near = torch.clamp((reach + PALM + 0.02 - apart) / 0.02, 0.0, 1.0)
    return near * (states[f"{b}_pos"][:, 2] + 0.5 * states[f"{b}_size"][:, 2] + OVER_B)


def _stand(states: States, a: str, held: Tensor) -> tuple[Tensor, Tensor]:
    """The actions of pitch and yaw (n,) that stand on end what is held; without it, the hand upright."""
    x_axis, fingers = states["eef_rot6d"].split(3, dim=-1)
    pitch = torch.atan2(-x_axis[:, 2], torch.norm(x_axis[:, :2], dim=-1))
    yaw = torch.atan2(fingers[:, 0], -fingers[:, 1]) - robot.HOME_YAW
    yaw = torch.remainder(yaw + torch.pi, 2 * torch.pi) - torch.pi
    long = states[f"{a}_long"]
    steep = torch.atan2(long[:, 2], torch.norm(long[:, :2], dim=-1))
    side = (long * x_axis).sum(dim=-1).sign()  # of the hand, to which the held end points
    bottom = states[f"{a}_pos"][:, 2] - long[:, 2].abs()
    tilted = held & (bottom > TILT_FROM)
    pitch = torch.where(tilted, -side * (STANDING - steep), torch.where(held, 0.0, -pitch))
    yaw = torch.where(tilted, -side * TO_THE_SIDE - yaw, 0.0)
    return pitch / robot.ROTATION_STEP, yaw / robot.YAW_STEP


def _bring(states: States, a: str, b: str, place: Place, on_end: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Where the tool goes that holds `a` (n, 3), how it turns, and whether it has to be open by now (n,)."""
    tool, pos, other = states["eef_pos"], states[f"{a}_pos"], states[f"{b}_pos"]
    top = other[:, 2] + 0.5 * states[f"{b}_size"][:, 2]
    away = pos[:, :2] - other[:, :2]
    if place.where in SIGHT:
        away = torch.tensor([SIGHT[place.where], 0.0]).expand_as(away)
    side = torch.nn.functional.normalize(away + 1e-6, dim=-1)
    reach_a, reach_b = _reach(states, a), _reach(states, b)
    touching = _support(states, a, side) + _support(states, b, side)
    if place.where != "away":  # the box around what is round reaches further than it does
        touching = torch.minimum(touching, reach_a + reach_b + 0.005)
    goal = other[:, :2].clone()
    if place.where != "over":
        gap = {"beside": NEXT_GAP, "away": AWAY_GAP}.get(place.where, FRONT_GAP)
        goal += side * (touching + gap)[:, None]
        held = tool[:, :2] - pos[:, :2]
        least, most = (torch.tensor(bound[:2]) for bound in (robot.LOW, robot.HIGH))
        goal = torch.clamp(goal + held, least + EDGE, most - EDGE) - held
    else:  # what hangs askew goes in with its lower end first, towards the far wall
        lean = states[f"{a}_long"][:, :2] * states[f"{a}_long"][:, 2:3].sign()
        length = torch.norm(lean, dim=-1).clamp(min=1e-6)
        inside = torch.clamp(length - (0.2 if on_end else 0.7) * reach_b, min=0.0)
        inside = inside * (states[f"{a}_long"][:, 2].abs() > 0.03)
        goal += lean * (inside / length)[:, None]
    left = goal - pos[:, :2]
    far = torch.norm(left, dim=-1)
    near = torch.clamp(0.3 * (reach_a - reach_b).abs(), 0.003, 0.012)
    if place.where != "over":
        near = torch.full_like(near, 0.015)
    half = 0.5 * states[f"{a}_size"][:, 2] * states[f"{a}_up"].abs() + states[f"{a}_long"][:, 2].abs()
    bottom = pos[:, 2] - half
    base = top if place.from_top else torch.zeros_like(bottom)
    # The way to its front, or behind it, may lead over the other object.
    clear = (top if place.where in SIGHT else base) + place.clear
    release = base + place.release
    if place.release < 0:
        release = torch.full_like(base, 0.006)
    hanging = states[f"{a}_long"][:, 2].abs() > 0.03
    if place.where == "over" and place.release < 1:
        release = torch.where(hanging, base - 0.05, release)
    release = torch.minimum(release, clear)
    astray = torch.clamp(far - near, min=0.0)
    funnel = STEEP_FUNNEL if place.where == "over" else FUNNEL
    height = torch.minimum(release + funnel * astray, clear + 0.01)
    # It goes sideways as far as it is high enough there.
    risen = torch.clamp((bottom - height + 0.03) / 0.02, 0.0, 1.0)
    carried = tool.clone()
    carried[:, :2] += risen[:, None] * left
    carried[:, 2] += (height - 0.004 - bottom).clamp(-0.03, 0.05)
    spin = torch.zeros_like(far)
    if place.where in ("beside", *SIGHT):
        spin = torch.where(top > TALL_B, _across(states, side), spin)
    there = far < near + 0.008
    let_go = there & (bottom < release)
    if place.release >= 1:  # thrown: from as high as it is carried
        still = torch.norm(states[f"{a}_vel_linear"], dim=-1) < 0.15
        let_go = (far < near) & still & (bottom > clear - 0.01)
    freed = states[f"{a}_ever_released"] > 0.5
    opened = states["gripper_command"] > states["gripper_opening"] + 0.002
    held = states[f"{a}_grasped"] > 0.5
    left_alone = freed & ~held
    done = (let_go & held) | ((far < 0.03) & (opened | left_alone))
    if place.where == "over":  # what leans in the other one is there, wherever its ends are
        within = torch.norm(pos[:, :2] - other[:, :2], dim=-1) < reach_b
        done = done | (within & (bottom < top - SUNK) & left_alone)
    if place.where == "away":
        done = torch.zeros_like(done)
    free = states[f"{a}_contact_gripper"] < 0.5
    rise = tool.clone()
    rise[:, 2] = torch.where(free, torch.maximum(tool[:, 2] + 0.02, base + FREE_RISE), tool[:, 2])
    if on_end:  # from what stands on end the hand goes backwards
        first, second = states["eef_rot6d"].split(3, dim=-1)
        ahead = torch.linalg.cross(first, second)
        rise[:, :2] -= 0.03 * free[:, None] * ahead[:, :2]
    return torch.where(done[:, None], rise, carried), spin, done


def _push_with(states: States, a: str, b: str) -> Tensor:
    """Actions (n, 7): the fingers as a fork behind `a`, then towards `b` until that has been moved."""
    tool, pos, other = states["eef_pos"], states[f"{a}_pos"], states[f"{b}_pos"]
    ahead = torch.nn.functional.normalize(other[:, :2] - pos[:, :2], dim=-1)
    aside = torch.stack([-ahead[:, 1], ahead[:, 0]], dim=-1)
    top = pos[:, 2] + 0.5 * states[f"{a}_size"][:, 2]
    low = torch.clamp(pos[:, 2], min=robot.LOW[2])
    reach = torch.minimum(_support(states, a, ahead), 1.1 * _reach(states, a))
    offset = tool[:, :2] - pos[:, :2]
    along, across = (offset * ahead).sum(dim=-1), (offset * aside).sum(dim=-1)
    spin = _across(states, ahead)
    wrong = torch.clamp(across.abs() - 0.01, min=0.0) + 0.1 * torch.clamp(
        spin.abs() * robot.YAW_STEP - 0.1, min=0.0
    )
    behind = -(reach + 0.012)
    before = torch.clamp(along - behind, min=0.0)  # how far it is not yet behind the object
    down = tool[:, 2] < torch.minimum(top, low + 0.015) + 0.004
    shoved = torch.norm(states[f"{b}_displacement"][:, :2], dim=-1)
    left = torch.clamp((SHOVE - shoved) / 0.02, 0.0, 1.0)
    start = -(reach + BEHIND)
    # Down there it pushes, the less the further it is off its line; else it comes down from above.
    pushing = down & (along < 0)
    apart = torch.norm(other[:, :2] - pos[:, :2], dim=-1) - reach - _support(states, b, ahead)
    # Slow where the two meet: what is hit flies ahead.
    speed = robot.POSITION_STEP * torch.clamp(20.0 * apart, SLOWLY, 1.0)
    speed = speed * left * torch.clamp(1.0 - 25.0 * wrong, 0.0, 1.0)
    move = torch.where(pushing, speed, start - along)
    goal = tool.clone()
    goal[:, :2] += move[:, None] * ahead - across[:, None] * aside
    hover = 4.0 * (torch.clamp(wrong - 0.005, min=0.0) + torch.clamp(before - 0.002, min=0.0))
    goal[:, 2] = torch.where(pushing, low, torch.minimum(low + hover, top + ABOVE))
    actions = torch.zeros(len(tool), N_ACTIONS)
    actions[:, :3] = (goal - tool) / robot.POSITION_STEP
    actions[:, 5] = spin
    opening = torch.clamp(0.6 * states[f"{a}_size"][:, :2].min(dim=-1).values, max=FORK_WIDTH)
    actions[:, 6] = (opening - states["gripper_command"]) / (2 * robot.FINGER_STEP)
    return actions.clamp(-1.0, 1.0)


def _across(states: States, direction: Tensor) -> Tensor:
    """The action of yaw (n,) that turns the line between the fingers across a horizontal direction (n, 2)."""
    fingers = states["eef_rot6d"][:, 3:5]
    along = (fingers * direction).sum(dim=-1)
    across = fingers[:, 1] * direction[:, 0] - fingers[:, 0] * direction[:, 1]
    apart = torch.atan2(along, across)
    half = torch.pi
    return (torch.remainder(apart + half / 2, half) - half / 2) / robot.YAW_STEP


def _reach(states: States, name: str) -> Tensor:
    """How far the object reaches from its centre, the mean of its two horizontal half extents (n,)."""
    return 0.25 * states[f"{name}_size"][:, :2].sum(dim=-1)


def _support(states: States, name: str, direction: Tensor) -> Tensor:
    """How far the box of the object's resting extents reaches from its centre in a direction (n, 2); (n,)."""
    first, second = states[f"{name}_rot6d"].split(3, dim=-1)
    axes = torch.stack([first, second, torch.linalg.cross(first, second)], dim=-1)[:, :2]
    return ((axes * direction[:, :, None]).sum(dim=1).abs() * 0.5 * states[f"{name}_size"]).sum(dim=-1)
