"""The grammar author's robot programs: code that acts, for Code-as-Policies without a language model.

A program is a module with `policy(states) -> actions`. Its author sees all states of one episode as numbers
(paper, section 4.1), writes a plan with the places, heights and widths that follow from them, and is asked
again every so many steps. Within a program the loop is closed: it reads the states of every step.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from video2policy.author.fragments import number

Numbers = Mapping[str, Sequence[float]]
"""The states of one episode, by name; a state of width 1 is a list of one number."""


class NoProgram(Exception):
    """Why no program can be written, in one sentence."""


HEAD = '''"""{says}"""

import torch


def towards(tool, goal):
    # one action moves the tool by at most 1.5 cm along each axis
    return torch.clamp((goal - tool) / 0.015, -1.0, 1.0)


def policy(states):
    tool, pos = states["eef_pos"], states["{a}_pos"]
    actions = torch.zeros((tool.shape[0], 7))
'''

GRASP = """
    # come down over the place where it is held, fingers across its narrow sides, and close
    held_at = pos + {grip} * states["{a}_long"]
    turn = states["{a}_grasp_turn"]
    off = torch.norm(held_at[:, :2] - tool[:, :2], dim=-1)
    low = torch.clamp(held_at[:, 2] + {deep}, min=0.008)
    ready = (off < 0.012) & (torch.abs(turn) < 0.15)
    down = (off < 0.024) & (tool[:, 2] < low + 0.006)
    held = states["{a}_grasped"] > 0.5
    height = torch.where(ready | down, low, torch.clamp(held_at[:, 2] + {half} + 0.04, min=0.008))
    goal = torch.cat([held_at[:, :2], height.unsqueeze(-1)], dim=-1)
    fingers = torch.where(down | held, -1.0, 1.0)
"""

LIFT = """
    # raise it, and keep it there
    carried = tool.clone()
    carried[:, 2] = tool[:, 2] + torch.clamp({rise} - states["{a}_displacement"][:, 2], -0.05, 0.05)
    done = torch.zeros_like(held)
"""

CARRY = """
    # carry it at a height that clears the way, then down to where it is let go of
    place = torch.tensor([{x}, {y}])
    left = place - pos[:, :2]
    there = torch.norm(left, dim=-1) < 0.02
    bottom = pos[:, 2] - {half} - torch.abs(states["{a}_long"][:, 2])
    clear = bottom > {clear} - 0.01
    carried = tool.clone()
    carried[:, :2] = torch.where((clear | there).unsqueeze(-1), tool[:, :2] + left, tool[:, :2])
    lower = torch.clamp({release} - 0.004 - bottom, -0.04, 0.02)
    carried[:, 2] = tool[:, 2] + torch.where(there, lower, torch.clamp({clear} + 0.01 - bottom, -0.03, 0.05))
    done = there & (bottom < {release})
    done = done | ((torch.norm(left, dim=-1) < 0.05) & (states["{a}_ever_released"] > 0.5))
"""

HOLD = """
    # it stays in the hand
    done = torch.zeros_like(held)
"""

ACT = """
    # once it is let go of, open and rise
    goal = torch.where(held.unsqueeze(-1), carried, goal)
    free = states["{a}_contact_gripper"] < 0.5
    away = torch.where(free, torch.clamp(tool[:, 2] + 0.02, max=0.3), tool[:, 2])
    goal = torch.where(done.unsqueeze(-1), torch.cat([tool[:, :2], away.unsqueeze(-1)], dim=-1), goal)
    actions[:, :3] = towards(tool, goal)
    turning = torch.clamp(turn / 0.1, -1.0, 1.0)
    actions[:, 5] = torch.where(held | down | done, torch.zeros_like(turn), turning)
    actions[:, 6] = torch.where(done, torch.ones_like(fingers), fingers)
    return actions
"""

PUSH = """
    # which way it is pushed
    {way}
    # where the tool is, seen along that way
    offset = tool[:, :2] - pos[:, :2]
    along = torch.sum(offset * way, dim=-1)
    aside = offset - along.unsqueeze(-1) * way
    across = torch.norm(aside, dim=-1)
    # go round it above its top, come down behind it, and push through its middle
    level = torch.abs(tool[:, 2] - {push_height}) < 0.015
    behind = (along < -{reach}) & (across < 0.015)
    pushing = level & (across < 0.03) & (along < 0.0)
    start = pos[:, :2] - way * ({reach} + 0.025)
    over = torch.where(behind, torch.full_like(along, {push_height}), torch.full_like(along, {top} + 0.05))
    high = tool[:, 2] > {top} + 0.03
    xy = torch.where((high | behind).unsqueeze(-1), start, tool[:, :2])
    goal = torch.cat([xy, over.unsqueeze(-1)], dim=-1)
    # drift is answered by pushing from the side to which it drifts
    drift = states["{a}_displacement"][:, :2]
    drift = drift - torch.sum(drift * way, dim=-1).unsqueeze(-1) * way
    ahead = tool[:, :2] + {pace} * way - aside + {steer} * drift
    forward = torch.cat([ahead, torch.full_like(over, {push_height}).unsqueeze(-1)], dim=-1)
    goal = torch.where(pushing.unsqueeze(-1), forward, goal)
    # far enough: leave it
    {done}
    back = torch.cat([tool[:, :2] - 0.01 * way, (tool[:, 2] + 0.01).clamp(max=0.3).unsqueeze(-1)], dim=-1)
    goal = torch.where(done.unsqueeze(-1), back, goal)
    actions[:, :3] = towards(tool, goal)
    actions[:, 6] = torch.clamp(({opening} - states["gripper_command"]) / 0.02, -1.0, 1.0)
    return actions
"""

_ALONG_Y = "way = torch.tensor([0.0, {sign}]).expand(tool.shape[0], 2)"
_TO_B = (
    'to_b = states["{b}_pos"][:, :2] - pos[:, :2]\n'
    "    way = to_b / torch.clamp(torch.norm(to_b, dim=-1, keepdim=True), min=0.01)"
)
_FIXED = "way = torch.tensor([{way_x}, {way_y}]).expand(tool.shape[0], 2)"
_MOVED = 'done = {sign} * states["{a}_displacement"][:, 1] > {enough}'
_NEAR = "done = torch.norm(to_b, dim=-1) < {enough}"
_SHOVED = 'done = torch.norm(states["{b}_displacement"][:, :2], dim=-1) > {enough}'
_LIES = 'done = states["{a}_up"] < 0.35'


@dataclass(frozen=True)
class Plan:
    """What a family's program is put together from, and where the object goes (`Shapes.place`)."""

    parts: tuple[str, ...]
    place: str = ""
    clear: float = 0.04
    release: float = 0.008
    over_b: bool = False
    """Heights count from the other object's top."""
    way: str = ""
    done: str = ""
    tall: float = 0.4
    """Of the object's height: where it is pushed."""


_CARRY = (GRASP, CARRY, ACT)
_DROP = 0.05
PLANS: Mapping[str, Plan] = {
    "lift": Plan((GRASP, LIFT, ACT)),
    "push_left": Plan((PUSH,), way=_ALONG_Y, done=_MOVED),
    "push_right": Plan((PUSH,), way=_ALONG_Y, done=_MOVED),
    "tip_over": Plan((PUSH,), way=_FIXED, done=_LIES, tall=0.85),
    "push_with": Plan((PUSH,), way=_TO_B, done=_SHOVED),
    "move_closer": Plan((PUSH,), way=_TO_B, done=_NEAR),
    "put_next": Plan(_CARRY, "beside"),
    "drop_next": Plan(_CARRY, "beside", 0.06, _DROP),
    "put_front": Plan(_CARRY, "front"),
    "drop_front": Plan(_CARRY, "front", 0.06, _DROP),
    "put_into": Plan(_CARRY, "over", 0.02, 0.02, True),
    "drop_into": Plan(_CARRY, "over", 0.04, 0.03, True),
    "throw_into": Plan(_CARRY, "over", 0.15, 0.155, True),
    "cover": Plan(_CARRY, "over", 0.02, -1.0, True),
    "uncover": Plan((GRASP, CARRY, HOLD, ACT), "away", 0.02, 0.01, True),
}
"""By family. `release` -1: on the table."""

EDGE = 0.2
"""Metres from the table's middle that a place may be away from it."""


def write_program(
    family: str, roles: Mapping[str, str], states: Numbers, step: int, caption: str = "", grip: float = 0.0
) -> str:
    """Source of a program for one episode as it stands at control step `step`.

    `grip` is where along its longest direction the object is held: 0 at its centre, 1 at its end. Raises
    NoProgram for a family without a plan.
    """
    if family not in PLANS:
        raise NoProgram(f'there is no plan for the family "{family}"; there is one for {", ".join(PLANS)}')
    plan = PLANS[family]
    says = " ".join(re.sub(r'[\\"{}]', " ", caption).split())
    values = {"says": f"{says or family}: from step {step} on.", **roles, "grip": number(grip)}
    values |= {name: number(value) for name, value in _numbers(plan, family, roles, states).items()}
    text = HEAD + "".join(plan.parts).replace("{way}", plan.way).replace("{done}", plan.done)
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], text)


def _numbers(plan: Plan, family: str, roles: Mapping[str, str], states: Numbers) -> dict[str, float]:
    a = roles["a"]
    size, pos = states[f"{a}_size"], states[f"{a}_pos"]
    up = min(abs(states[f"{a}_up"][0]), 1.0)
    half = 0.5 * (size[2] * up + max(size[:2]) * math.sqrt(1 - up * up))
    reach = 0.25 * (size[0] + size[1])
    found = {
        "half": half,
        "deep": min(max(half - 0.03, 0.0), 0.04),
        "rise": max(0.15, 0.75 * size[2] + 0.04),
        "top": pos[2] + half,
        "reach": max(reach, 0.5 * max(size[:2])) + 0.012,
        "push_height": max(2 * half * plan.tall, 0.012),
        "pace": 0.012,
        "steer": 0.5,
        "opening": min(0.5 * min(size[:2]), 0.06),
        "sign": -1.0 if family == "push_right" else 1.0,
        "enough": max(0.12, 0.5 * max(size[:2]) + 0.03),
    }
    if family == "tip_over":
        # across the longer side of its foot, where it falls most easily
        long = states[f"{a}_long"]
        length = math.hypot(long[0], long[1])
        x, y = (-long[1] / length, long[0] / length) if length > 1e-3 else (0.0, 1.0)
        side = 1.0 if x * pos[0] + y * pos[1] <= 0 else -1.0  # towards the table's middle
        found |= {"way_x": side * x, "way_y": side * y, "opening": 0.0, "pace": 0.02}
    if "b" in roles:
        found |= _relation(plan, family, roles, states, reach)
    return found


def _relation(
    plan: Plan, family: str, roles: Mapping[str, str], states: Numbers, reach: float
) -> dict[str, float]:
    a, b = roles["a"], roles["b"]
    pos, other, size_b = states[f"{a}_pos"], states[f"{b}_pos"], states[f"{b}_size"]
    reach_b = 0.25 * (size_b[0] + size_b[1])
    top = other[2] + 0.5 * size_b[2]
    first = math.dist(states[f"{a}_init_pos"][:2], states[f"{b}_init_pos"][:2])
    base = top if plan.over_b else 0.0
    x, y = _place(plan.place, pos, other, reach + reach_b)
    clear = max(base + plan.clear, top + 0.03) if plan.place in ("front", "away") else base + plan.clear
    release = 0.01 if plan.release < 0 else base + plan.release
    enough = 0.07 if family == "push_with" else max(0.6 * first, reach + reach_b + 0.01)
    return {"x": x, "y": y, "clear": clear, "release": release, "enough": enough}


def _place(place: str, pos: Sequence[float], other: Sequence[float], apart: float) -> tuple[float, float]:
    """Where the object's centre goes, metres; `apart` is how far from the other's it touches."""
    if place in ("", "over"):
        return other[0], other[1]
    if place == "front":
        return other[0] - apart - 0.045, other[1]
    dx, dy = pos[0] - other[0], pos[1] - other[1]
    length = math.hypot(dx, dy)
    gap = apart + (0.06 if place == "away" else 0.02)
    if place == "away" and length > apart:
        return pos[0], pos[1]
    if length < 0.02 or place == "away":  # towards the table's middle
        dx, dy = -other[0], -other[1]
        length = math.hypot(dx, dy)
        if length < 0.02:
            dx, dy, length = 0.0, 1.0, 1.0
    x, y = other[0] + dx / length * gap, other[1] + dy / length * gap
    return max(-EDGE, min(EDGE, x)), max(-EDGE, min(EDGE, y))
