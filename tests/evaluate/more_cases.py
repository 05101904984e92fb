"""Scripted episodes for families beyond the paper's tasks: what is asked for, what is not, near misses."""

from __future__ import annotations

from tests.evaluate.scripted import Episode, Waypoints

CUBE, MUG, BALL = (0.05, 0.05, 0.05), (0.08, 0.08, 0.10), (0.04, 0.04, 0.04)
BOARD, PLANK, BOTTLE = (0.14, 0.14, 0.02), (0.05, 0.16, 0.02), (0.05, 0.05, 0.15)
TIPPED, INVERTED = (2**-0.5, 2**-0.5, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0)
END = range(10, 60)
NEVER = range(0)
ONE, TWO = {"a": "cube"}, {"a": "cube", "b": "mug"}
Point = tuple[float, float, float]


def move(
    *stops: Point, size: Point = CUBE, touched: range | None = END, grasped: range | None = None
) -> Episode:
    """A cube that goes from stop to stop in steps 10 to 40; the tool stays with it."""
    ways = {10 + round(30 * i / max(len(stops) - 1, 1)): stop for i, stop in enumerate(stops)}
    return Episode().object("cube", size, ways, touched=touched, grasped=grasped).tool(ways)


def with_mug(episode: Episode, ways: Waypoints | None = None, size: Point = MUG) -> Episode:
    return episode.object("mug", size, ways or {0: (0.0, 0.0, size[2] / 2)})


def carry(end: Point, start: Point = (0.0, 0.2, 0.025), grasped: range = END, **more: object) -> Episode:
    """A cube carried over a height to `end`, beside a mug at the origin."""
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2, 0.2)
    return with_mug(move(start, middle, end, touched=None, grasped=grasped), **more)  # type: ignore[arg-type]


def slide(start: Point, end: Point, touched: range | None = END, **more: object) -> Episode:
    return with_mug(move(start, end, touched=touched), **more)  # type: ignore[arg-type]


def onto(end: Point = (0.0, 0.0, 0.045), grasped: range = range(10, 41), high: bool = True) -> Episode:
    """A cube brought onto a board, over a height or just over its rim."""
    start = (0.0, 0.2, 0.025)
    middle = (0.0, 0.1, 0.2 if high else 0.045)
    episode = move(start, middle, end, touched=None, grasped=grasped)
    return with_mug(episode, size=BOARD)


def fall(
    let_go: int = 40,
    lands: int = 44,
    high: float = 0.2,
    end: Point = (0.0, 0.0, 0.02),
    top: float | None = None,
    touched_from: int = 10,
    stays: bool = False,
) -> Episode:
    """A ball carried up to `high`, let go of at step `let_go`, rising to `top`, and at `end` from `lands`."""
    held: Waypoints = {10: (0, 0, 0.02), 30: (0, 0, high), let_go: (0, 0, high)}
    ways: Waypoints = dict(held)
    if top is not None:
        ways[(let_go + lands) // 2] = (0, 0, top)
    ways[lands] = end
    episode = Episode().object("cube", BALL, ways, grasped=range(touched_from, let_go + 1))
    return episode.tool(ways if stays else held)


def lie(first: tuple, last: tuple, low: float = 0.025, touched: range | None = END, at: int = 20) -> Episode:
    """A bottle that is turned from one orientation to another at step `at`."""
    high = {True: 0.025, False: 0.075}
    ways = {10: (0.0, 0.0, high[first == TIPPED]), 25: (0.03, 0.0, low)}
    episode = Episode().object("cube", BOTTLE, ways, touched=touched, quat=last, quat_from=at)
    episode.states["cube_quat"][:at] = first
    episode.states["cube_contact_table"][25:] = low < 0.08
    return episode.tool(ways)


def end_up(degrees: dict[int, float], low: float = 0.0, touched: range | None = END) -> Episode:
    episode = Episode().object("cube", PLANK, {0: (0, 0, 0.01)}, touched=touched)
    return episode.leans("cube", degrees, low)


def roll(
    way: float = 0.3, ratio: float = 1.0, touched: range | None = range(10, 14), high: float = 0.02
) -> Episode:
    episode = Episode().object("cube", BALL, {10: (0, 0, high), 40: (0, way, high)}, touched=touched)
    return episode.rolling("cube", high, ratio)


def turn(
    yaw: dict[int, float], way: float = 0.0, touched: range | None = END, tool: Point = (0, 0, 0.03)
) -> Episode:
    ways = {10: (0.0, 0.0, 0.025), 40: (0.0, way, 0.025)}
    episode = Episode().object("cube", CUBE, ways, touched=touched).tool({0: tool})
    return episode.yaw("cube", yaw)


def flight(meets: range = range(44, 46), **more: object) -> Episode:
    episode = fall(end=(0.0, 0.07, 0.02), **more)  # type: ignore[arg-type]
    return with_mug(episode, {0: (0, 0.12, 0.05)}).meet("cube", "mug", meets)


def lift_with(load: Waypoints | None = None, height: float = 0.15) -> Episode:
    ways = {10: (0.0, 0.0, 0.025), 35: (0.0, 0.0, 0.025 + height)}
    episode = Episode().object("cube", CUBE, ways, grasped=END).tool(ways)
    return episode.object("mug", BALL, load or {k: (x, y, z + 0.045) for k, (x, y, z) in ways.items()})


HERE = (0.0, 0.0, 0.025)
STILL = (1.0, 0.0, 0.0, 0.0)
BEHIND, BEFORE, BESIDE = (0.1, 0.0, 0.025), (-0.1, 0.0, 0.025), (0.0, 0.085, 0.025)
UP = 0.12


def raised(point: Point) -> Point:
    return (*point[:2], UP)


PULLED = {"not touched on its way": move(HERE, (0, 0.1, 0.025), touched=range(10, 13))}
ON_BOARD = (0.0, 0.0, 0.045)

CASES = {
    "push_any": (
        ONE,
        [move(HERE, (0.05, 0.05, 0.025)), move(HERE, (-0.08, 0, 0.025))],
        {
            "4 cm": move(HERE, (0.04, 0, 0.025)),
            "fell": move(HERE, (0.3, 0, -0.25)),
            "carried": move(HERE, (0.05, 0, 0.1), (0.1, 0, 0.025), touched=None, grasped=END),
            "by nothing": move(HERE, (0.1, 0, 0.025), touched=None),
        },
    ),
    "poke_move": (
        ONE,
        [move(HERE, (0.03, 0, 0.025)), move(HERE, (0, 0.07, 0.025))],
        {
            "hardly": move(HERE, (0.005, 0, 0.025)),
            "9 cm": move(HERE, (0.09, 0, 0.025)),
            "by nothing": move(HERE, (0.03, 0, 0.025), touched=None),
            "tipped": lie(STILL, TIPPED),
        },
    ),
    "touch": (
        ONE,
        [move(HERE), move(HERE, (0.005, 0, 0.025), touched=range(20, 22))],
        {
            "never touched": move(HERE, touched=None),
            "moved 2 cm": move(HERE, (0.02, 0, 0.025)),
            "moved and brought back": move(HERE, (0.03, 0, 0.025), HERE),
        },
    ),
    "push_off_edge": (
        ONE,
        [move(HERE, (0, 0.22, 0.025), (0, 0.28, -0.27)), move(HERE, (-0.3, 0, -0.27))],
        {
            "stays on the table": move(HERE, (0, 0.2, 0.025)),
            "by nothing": move(HERE, (0, 0.28, -0.27), touched=None),
            "carried over it": move(HERE, (0, 0.1, 0.1), (0, 0.3, -0.27), touched=None, grasped=END),
        },
    ),
    "push_near_edge": (
        ONE,
        [move(HERE, (0, 0.205, 0.025)), move(HERE, (-0.19, 0.1, 0.025))],
        {
            "far from the edge": move(HERE, (0, 0.15, 0.025)),
            "fell": move(HERE, (0, 0.28, -0.27)),
            "over the edge": move(HERE, (0, 0.23, 0.025)),
            "began there": move((0, 0.205, 0.025)),
            "carried": move(HERE, (0, 0.1, 0.1), (0, 0.205, 0.025), touched=None, grasped=END),
        },
    ),
    "pull_left": (
        ONE,
        [move(HERE, (0, 0.1, 0.025)), move(HERE, (0, 0.1, 0.025), touched=None, grasped=END)],
        {"to the right": move(HERE, (0, -0.1, 0.025)), "3 cm": move(HERE, (0, 0.03, 0.025)), **PULLED},
    ),
    "pull_right": (
        ONE,
        [move(HERE, (0, -0.1, 0.025))],
        {
            "to the left": move(HERE, (0, 0.1, 0.025)),
            "mostly away": move(HERE, (0.2, -0.08, 0.025)),
            "flicked": move(HERE, (0, -0.1, 0.025), touched=range(10, 13)),
        },
    ),
    "push_off": (
        TWO,
        [slide((0, 0, 0.125), (0, 0.1, 0.025)), slide((0, 0, 0.125), (0.1, 0, 0.125))],
        {
            "still on it": slide((0, 0, 0.125), (0, 0.03, 0.125)),
            "never on it": slide((0, 0.1, 0.025), (0, 0.2, 0.025)),
            "by nothing": slide((0, 0, 0.125), (0, 0.1, 0.025), touched=None),
            "off the table": slide((0, 0, 0.125), (0, 0.4, -0.27)),
            "the mug was drawn away": slide(
                (0, 0, 0.125), (0, 0, 0.025), ways={10: (0, 0, 0.05), 30: (0, 0.2, 0.05)}
            ),
        },
    ),
    "push_onto": (
        TWO,
        [onto(high=False)],
        {
            "carried": onto(),
            "beside": onto((0, 0.12, 0.025), high=False),
            "in the air over it": onto((0, 0, 0.1), high=False),
            "by nothing": onto(high=False, grasped=NEVER),
        },
    ),
    "pull_onto": (
        TWO,
        [onto(high=False)],
        {
            "carried": onto(),
            "flicked": onto(high=False, grasped=range(10, 14)),
            "beside": onto((0, 0.12, 0.025), high=False),
        },
    ),
    "move_away": (
        TWO,
        [slide(BESIDE, (0, 0.2, 0.025)), slide((0.1, 0, 0.025), (0.25, 0, 0.025))],
        {
            "9 cm": slide(BESIDE, (0, 0.175, 0.025)),
            "closer": slide((0, 0.25, 0.025), BESIDE),
            "the mug moved": slide(BESIDE, BESIDE, ways={10: (0, 0, 0.05), 30: (0, -0.2, 0.05)}),
            "fell": slide(BESIDE, (0, 0.4, -0.27)),
        },
    ),
    "move_to_cam": (
        ONE,
        [move(HERE, (-0.12, 0.05, 0.025))],
        {
            "away": move(HERE, (0.12, 0, 0.025)),
            "9 cm": move(HERE, (-0.09, 0, 0.025)),
            "mostly aside": move(HERE, (-0.11, 0.25, 0.025)),
            "by nothing": move(HERE, (-0.12, 0, 0.025), touched=None),
        },
    ),
    "move_away_cam": (
        ONE,
        [move(HERE, (0.12, 0, 0.025)), move(HERE, (0.15, 0, 0.1))],
        {
            "closer": move(HERE, (-0.12, 0, 0.025)),
            "9 cm": move(HERE, (0.09, 0, 0.025)),
            "fell": move(HERE, (0.3, 0, -0.27)),
        },
    ),
    "move_down": (
        ONE,
        [
            move(HERE, (0, 0, 0.2), HERE, touched=None, grasped=END),
            move((0, 0, 0.2), (0, 0, 0.3), (0, 0, 0.1)),
        ],
        {
            "never up": move(HERE),
            "9 cm": move(HERE, (0, 0, 0.2), (0, 0, 0.11)),
            "still up": move(HERE, (0, 0, 0.2)),
            "fell": fall(),
        },
    ),
    "pull_from_behind": (
        TWO,
        [slide(BEHIND, (0.1, 0.1, 0.025)), carry(BEFORE, start=BEHIND)],
        {
            "still behind": slide(BEHIND, (0.1, 0.03, 0.025)),
            "was not behind": slide(BEFORE, (-0.1, 0.1, 0.025)),
            "the mug was moved": slide(
                BEHIND, (0.1, 0.1, 0.025), ways={10: (0, 0, 0.05), 30: (0, -0.1, 0.05)}
            ),
            "by nothing": slide(BEHIND, (0.1, 0.1, 0.025), touched=None),
        },
    ),
    "remove_reveal": (
        TWO,
        [slide(BEFORE, (-0.1, 0.12, 0.025)), carry((-0.1, -0.15, 0.025), start=BEFORE)],
        {
            "still before it": slide(BEFORE, (-0.2, 0, 0.025)),
            "half before it": slide(BEFORE, (-0.1, 0.05, 0.025)),
            "was not before it": slide(BESIDE, (0, 0.2, 0.025)),
            "the mug was moved": slide(
                BEFORE, (-0.1, 0.12, 0.025), ways={10: (0, 0, 0.05), 30: (0.1, 0, 0.05)}
            ),
        },
    ),
    "put_behind": (
        TWO,
        [carry(BEHIND, grasped=range(10, 42)), slide((0.1, 0.2, 0.025), BEHIND)],
        {
            "before": carry(BEFORE, grasped=range(10, 42)),
            "beside": carry(BESIDE, grasped=range(10, 42)),
            "too far": carry((0.25, 0, 0.025), grasped=range(10, 42)),
            "still held": carry(BEHIND),
        },
    ),
    "drop_behind": (
        TWO,
        [carry(BEHIND, grasped=range(10, 38))],
        {
            "pushed there": slide((0.1, 0.2, 0.025), BEHIND),
            "before": carry(BEFORE, grasped=range(10, 38)),
            "still held": carry(BEHIND),
        },
    ),
    "hold": (
        ONE,
        [move(HERE, (0, 0, 0.2), touched=None, grasped=END)],
        {
            "8 cm": move(HERE, (0, 0, 0.105), touched=None, grasped=END),
            "down again": move(HERE, (0, 0, 0.2), HERE, touched=None, grasped=END),
            "nothing touches it": move(HERE, (0, 0, 0.2), touched=None),
        },
    ),
    "hold_next": (
        TWO,
        [carry(raised(BESIDE))],
        {
            "on the table": carry(BESIDE),
            "over it": carry((0, 0, 0.2)),
            "too far": carry((0, 0.13, UP)),
            "let go": carry(raised(BESIDE), grasped=range(10, 45)),
        },
    ),
    "hold_front": (
        TWO,
        [carry(raised(BEFORE))],
        {
            "behind": carry(raised(BEHIND)),
            "on the table": carry(BEFORE),
            "beside": carry(raised(BESIDE)),
            "let go": carry(raised(BEFORE), grasped=range(10, 45)),
        },
    ),
    "hold_behind": (
        TWO,
        [carry(raised(BEHIND))],
        {
            "before": carry(raised(BEFORE)),
            "on the table": carry(BEHIND),
            "too far": carry((0.25, 0, UP)),
        },
    ),
    "hold_over": (
        TWO,
        [carry((0, 0, 0.2)), carry((0.02, 0.02, 0.19))],
        {
            "too low": carry((0, 0, 0.16)),
            "beside": carry((0, 0.1, 0.2)),
            "let go": carry((0, 0, 0.2), grasped=range(10, 45)),
        },
    ),
    "put_onto": (
        TWO,
        [onto(), onto(high=False)],
        {
            "beside": onto((0, 0.12, 0.025)),
            "still held": onto(grasped=END),
            "in the air over it": onto((0, 0, 0.1)),
            "over its rim": onto((0, 0.08, 0.045)),
        },
    ),
    "drop_onto": (
        TWO,
        [onto(grasped=range(10, 38))],
        {
            "slid": with_mug(move((0, 0.2, 0.025), ON_BOARD, touched=range(10, 30)), size=BOARD),
            "still held": onto(grasped=END),
            "beside": onto((0, 0.12, 0.025)),
        },
    ),
    "take_out": (
        TWO,
        [carry((0, 0.1, 0.025), start=(0, 0, 0.03)), carry((0, 0, 0.2), start=(0, 0, 0.03))],
        {
            "still inside": carry((0, 0, 0.06), start=(0, 0, 0.03)),
            "was outside": carry((0, 0.2, 0.025), start=(0, 0.1, 0.025)),
            "the mug went along": carry(
                (0, 0.1, 0.025), start=(0, 0, 0.03), ways={10: (0, 0, 0.05), 30: (0, -0.1, 0.05)}
            ),
            "by nothing": carry((0, 0.1, 0.025), start=(0, 0, 0.03), grasped=NEVER),
        },
    ),
    "lift_with": (
        TWO,
        [lift_with()],
        {
            "without it": lift_with({0: (0, 0.1, 0.02)}),
            "it fell off": lift_with({10: (0, 0, 0.07), 20: (0, 0.1, 0.02)}),
            "8 cm": lift_with(height=0.08),
        },
    ),
    "lay_side": (
        ONE,
        [lie(STILL, TIPPED), lie(STILL, (0.64, 0.0, 0.77, 0.0))],
        {
            "stands": lie(STILL, STILL, low=0.075),
            "leans": lie(STILL, (0.866, 0.5, 0, 0)),
            "lay already": lie(TIPPED, TIPPED),
            "in the air": lie(STILL, TIPPED, low=0.2),
            "by nothing": lie(STILL, TIPPED, touched=None).tool({0: (0, 0, 0.4)}),
        },
    ),
    "upright": (
        ONE,
        [lie(TIPPED, STILL, low=0.075)],
        {
            "lies": lie(TIPPED, TIPPED),
            "leans by 30 degrees": lie(TIPPED, (0.966, 0.259, 0, 0), low=0.075),
            "stood already": lie(STILL, STILL, low=0.075),
            "on its head": lie(TIPPED, INVERTED, low=0.075),
            "in the air": lie(TIPPED, STILL, low=0.2),
        },
    ),
    "upside_down": (
        ONE,
        [lie(STILL, INVERTED, low=0.075)],
        {
            "on its side": lie(STILL, TIPPED),
            "stands": lie(STILL, STILL, low=0.075),
            "in the air": lie(STILL, INVERTED, low=0.2),
            "was so already": lie(INVERTED, INVERTED, low=0.075),
        },
    ),
    "lift_end": (
        ONE,
        [end_up({10: 0, 30: 30}), end_up({10: 0, 30: 70})],
        {
            "10 degrees": end_up({10: 0, 30: 10}),
            "upright": end_up({10: 0, 30: 85}),
            "both ends": end_up({10: 0, 30: 30}, low=0.05),
            "let go": end_up({10: 0, 30: 30}, touched=range(10, 40)),
            "down again": end_up({10: 0, 25: 30, 40: 0}),
        },
    ),
    "lift_end_drop": (
        ONE,
        [end_up({10: 0, 25: 30, 30: 0}, touched=range(10, 27))],
        {
            "not let go": end_up({10: 0, 25: 30, 30: 0}),
            "never up": end_up({10: 0, 25: 10, 30: 0}, touched=range(10, 27)),
            "still up": end_up({10: 0, 25: 30}, touched=range(10, 50)),
        },
    ),
    "roll": (
        ONE,
        [roll(), roll(-0.2), roll(0.3, ratio=0.8)],
        {
            "5 cm": roll(0.05),
            "slides": roll(ratio=0.2),
            "spins backwards": roll(ratio=-1.0),
            "in the hand": roll(touched=END),
            "in the air": roll(high=0.2),
            "by nothing": roll(touched=None),
        },
    ),
    "spin": (
        ONE,
        [turn({10: 0, 59: 6}), turn({10: 0, 59: -5})],
        {
            "a quarter turn": turn({10: 0, 59: 1.6}),
            "ends still": turn({10: 0, 40: 5}),
            "to and fro": turn({10: 0, 25: 2, 40: 0, 59: 2}),
            "went away": turn({10: 0, 59: 6}, way=0.1),
            "by nothing": turn({10: 0, 59: 6}, touched=None, tool=(0, 0, 0.4)),
        },
    ),
    "spin_stop": (
        ONE,
        [turn({10: 0, 40: 5})],
        {
            "goes on": turn({10: 0, 59: 6}),
            "a quarter turn": turn({10: 0, 40: 1.6}),
            "went away": turn({10: 0, 40: 5}, way=0.1),
        },
    ),
    "put_surface": (
        ONE,
        [move(HERE, (0, 0, 0.1), (0, 0.1, 0.025), touched=None, grasped=range(10, 42))],
        {
            "pushed": move(HERE, (0, 0.1, 0.025), touched=range(10, 42)),
            "still held": move(HERE, (0, 0, 0.1), (0, 0.1, 0.025), touched=None, grasped=END),
            "still up": move(HERE, (0, 0, 0.1), touched=None, grasped=range(10, 42)),
            "dropped": fall(),
        },
    ),
    "put_still": (
        ONE,
        [move(HERE, (0, 0, 0.1), (0, 0.1, 0.025), touched=None, grasped=range(10, 42))],
        {
            "it turns": move(HERE, (0, 0, 0.1), (0, 0.1, 0.025), touched=None, grasped=range(10, 42)).yaw(
                "cube", {10: 0, 59: 3}
            ),
            "still held": move(HERE, (0, 0, 0.1), (0, 0.1, 0.025), touched=None, grasped=END),
        },
    ),
    "drop": (
        ONE,
        [fall(), fall(high=0.08)],
        {
            "put down": move(HERE, (0, 0, 0.1), HERE, touched=None, grasped=range(10, 42)),
            "still held": fall(let_go=59, lands=59),
            "nothing ever held it": fall(touched_from=41),
            "off the table": fall(end=(0, 0.4, -0.27)),
        },
    ),
    "lift_drop": (
        ONE,
        [fall()],
        {
            "from 6 cm": fall(high=0.08),
            "put down": move(HERE, (0, 0, 0.2), HERE, touched=None, grasped=range(10, 42)),
            "still held": fall(let_go=59, lands=59),
        },
    ),
    "throw": (
        ONE,
        [fall(), fall(end=(0.3, 0.3, -0.27))],
        {
            "put down": move(HERE, (0, 0, 0.2), HERE, touched=None, grasped=range(10, 42)),
            "the hand stays with it": fall(stays=True),
            "still in the air": fall(end=(0, 0, 0.15)),
            "not let go": fall(let_go=59, lands=59),
        },
    ),
    "throw_surface": (
        ONE,
        [fall(end=(0.1, 0.1, 0.02))],
        {
            "beside the table": fall(end=(0.3, 0.3, -0.27)),
            "the hand stays with it": fall(stays=True),
            "still in the air": fall(end=(0, 0, 0.15)),
        },
    ),
    "throw_up": (
        ONE,
        [fall(top=0.35, let_go=36)],
        {
            "dropped": fall(),
            "by 8 cm": fall(top=0.28, let_go=36),
            "held up": fall(let_go=59, lands=59, high=0.4),
        },
    ),
    "throw_against": (
        TWO,
        [flight()],
        {
            "beside it": flight(meets=NEVER),
            "met in the hand": flight(meets=range(20, 30)),
            "the hand stays with it": flight(stays=True),
        },
    ),
}
