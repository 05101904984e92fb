"""Every judge on scripted episodes: what the caption asks for, what it does not, and what nearly is it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.evaluate import more_cases
from tests.evaluate.scripted import Episode
from video2policy.evaluate.judges import HOLD_STEPS, JUDGES, JudgeError, judge
from video2policy.families import SUPPORTED

CUBE = (0.05, 0.05, 0.05)
MUG = (0.08, 0.08, 0.10)
PLATE = (0.14, 0.14, 0.03)
BALL = (0.04, 0.04, 0.04)
TIPPED = (2**-0.5, 2**-0.5, 0.0, 0.0)  # 90 degrees about x

END = range(10, 60)
INSIDE = (0.0, 0.0, 0.03)


def lift(height: float = 0.12, tool_gap: float = 0.0, until: int = 60, touched: range = END) -> Episode:
    """A cube raised from step 10 to 30; down again from step `until`."""
    ways = {10: (0, 0, 0.025), 30: (0, 0, 0.025 + height)}
    if until < 60:
        ways |= {until: (0, 0, 0.025 + height), until + 4: (0, 0, 0.025)}
    follow = {k: (x + tool_gap + (0.025 if tool_gap else 0), y, z) for k, (x, y, z) in ways.items()}
    return Episode().object("cube", CUBE, ways, grasped=touched).tool(follow)


def throw() -> Episode:
    """Tossed up: high for more than `HOLD_STEPS` rows and near the tool, but nothing holds it."""
    ways = {10: (0, 0, 0.025), 20: (0, 0, 0.4), 40: (0, 0, 0.4), 59: (0, 0, 0.13)}
    return Episode().object("cube", CUBE, ways, grasped=range(8, 16)).tool(ways)


def push(
    dy: float,
    dx: float = 0.0,
    dz: float = 0.0,
    touched: range | None = END,
    size: tuple = CUBE,
    lands: bool = True,
    **more: object,
) -> Episode:
    rest = size[2] / 2
    ways = {10: (0.0, 0.0, rest), 35: (dx, dy, rest + dz)}
    if dz > 0 and lands:
        ways[45] = (dx, dy, rest)
    return Episode().object("cube", size, ways, touched=touched, **more)  # type: ignore[arg-type]


def bring(
    end: tuple[float, float, float],
    start: tuple[float, float, float] = (0.0, 0.2, 0.025),
    carried: bool = True,
    grasped: range = range(10, 40),
    mug: dict | None = None,
    size: tuple = CUBE,
) -> Episode:
    """A cube taken from `start` to `end` in steps 10 to 35; a mug at the origin."""
    middle = tuple(
        (s + e) / 2 + (0.1 if carried and k == 2 else 0.0)
        for k, (s, e) in enumerate(zip(start, end, strict=True))
    )
    ways = {10: start, 22: middle, 35: end}
    episode = Episode().object("cube", size, ways, grasped=grasped)  # type: ignore[arg-type]
    return episode.object("mug", MUG, mug or {0: (0, 0, 0.05)})


def lying() -> Episode:
    """A mug knocked over, and a cube that comes to lie on its side, lower than its upper edge."""
    episode = Episode().object(
        "cube", BALL, {10: (0.0, 0.2, 0.02), 22: (0, 0.1, 0.15), 35: (0.0, 0.03, 0.07)}
    )
    return episode.object(
        "mug", MUG, {0: (0, 0, 0.05), 10: (0, 0, 0.05), 20: (0, 0, 0.04)}, quat=TIPPED, quat_from=20
    )


def cover(
    end: tuple[float, float, float] = (0, 0, 0.05), ball: dict | None = None, grasped: range = range(10, 40)
) -> Episode:
    ways = {10: (0.0, 0.2, 0.05), 22: (0.0, 0.1, 0.15), 35: end}
    episode = Episode().object("cup", MUG, ways, grasped=grasped)
    return episode.object("ball", BALL, ball or {0: (0, 0, 0.02)})


def uncover(
    start: tuple[float, float, float] = (0, 0, 0.05),
    end: tuple[float, float, float] = (0, 0.15, 0.05),
    ball: dict | None = None,
    touched: range | None = END,
) -> Episode:
    ways = {10: start, 35: end}
    episode = Episode().object("cup", MUG, ways, touched=touched)
    return episode.object("ball", BALL, ball or {0: (0, 0, 0.02)})


def throw_into(
    end: tuple[float, float, float] = INSIDE,
    rise: float = 0.3,
    let_go: int = 30,
    lands: int = 35,
    tool_up: float = 0.3,
    grasped: int = 10,
) -> Episode:
    """A ball raised beside a mug, let go of at step `let_go` and at its `end` from step `lands` on."""
    begin, high = (0.0, 0.15, 0.02), (0.0, 0.08, rise)
    ways = {10: begin, let_go: high, lands: end}
    episode = Episode().object("cube", BALL, ways, grasped=range(grasped, let_go + 1))
    episode.object("mug", MUG, {0: (0, 0, 0.05)})
    return episode.tool({10: begin, let_go: high, lands: (high[0], high[1], tool_up)})


def tip(
    quat: tuple[float, float, float, float] = TIPPED,
    low: float = 0.025,
    touched: range | None = END,
    quat_from: int = 20,
) -> Episode:
    """A bottle, 5 cm across and 15 cm high, pushed over at step `quat_from`."""
    ways = {10: (0.0, 0.0, 0.075), 25: (0.05, 0.0, low)}
    episode = Episode().object(
        "cube", (0.05, 0.05, 0.15), ways, touched=touched, quat=quat, quat_from=quat_from
    )
    episode.states["cube_contact_table"][25:] = low < 0.03
    return episode


def push_with(
    way: float = 0.08, meets: range = END, cube_touched: range | None = END, mug_touched: range | None = None
) -> Episode:
    """A cube that goes 20 cm towards a mug, which goes `way` in the last steps of it."""
    episode = Episode().object("cube", CUBE, {10: (0, 0.2, 0.025), 40: (0, 0, 0.025)}, touched=cube_touched)
    ways = {25: (0, 0, 0.05), 40: (0, -way, 0.05)}
    return episode.object("mug", MUG, ways, touched=mug_touched).meet("cube", "mug", meets)


ONE, TWO, COVER = {"a": "cube"}, {"a": "cube", "b": "mug"}, {"a": "cup", "b": "ball"}
BESIDE = (0.0, 0.085, 0.025)  # 2 cm between the cube and the mug
AHEAD = (-0.1, 0.0, 0.025)

CASES = {
    "lift": (
        ONE,
        [lift(), lift(height=0.2)],
        {
            "stays": lift(height=0.0),
            "9 cm": lift(height=0.09),
            "dropped again": lift(until=50),
            "dropped in the last rows": lift(until=55),
            "thrown": throw(),
            "nothing touches it": lift(touched=range(0)),
            "tool 6 cm away": lift(tool_gap=0.06),
            "let go at the end": lift(touched=range(10, 59)),
        },
    ),
    "push_left": (
        ONE,
        [
            push(0.08),
            push(0.1, dx=0.15),
            push(0.08, dz=0.035),
            push(0.08, size=BALL, quat=TIPPED, quat_from=20),
        ],
        {
            "stays": push(0.0),
            "4 cm": push(0.04),
            "to the right": push(-0.1),
            "mostly away": push(0.08, dx=0.15),
            "carried": push(0.1, dz=0.05, touched=None, grasped=END),
            "still in the air": push(0.1, dz=0.05, lands=False),
            "fell off the table": push(0.1, dz=-0.1),
            "by nothing": push(0.1, touched=None),
            "half the size of a large one": push(0.09, size=(0.2, 0.2, 0.05)),
            "tipped over": push(0.1, size=(0.05, 0.05, 0.08), quat=TIPPED, quat_from=20),
        },
    ),
    "push_right": (
        ONE,
        [push(-0.08), push(-0.2, dx=-0.1)],
        {
            "stays": push(0.0),
            "4 cm": push(-0.04),
            "to the left": push(0.1),
            "carried": push(-0.1, dz=0.05, touched=None, grasped=END),
        },
    ),
    "put_next": (
        TWO,
        [bring(BESIDE), bring(BESIDE, carried=False), bring((0.09, 0.0, 0.025))],
        {
            "too far": bring((0.0, 0.12, 0.025)),
            "stays": bring((0.0, 0.2, 0.025)),
            "on top": bring((0.0, 0.0, 0.125)),
            "in the air": bring((0.0, 0.085, 0.08)),
            "still grasped": bring(BESIDE, grasped=range(10, 60)),
            "the mug was pushed to it": bring((0.0, 0.17, 0.025), mug={10: (0, 0, 0.05), 35: (0, 0.1, 0.05)}),
            "began there": bring((0.0, 0.085, 0.025), start=(0.0, 0.09, 0.025)),
            "still moving": Episode()
            .object("cube", CUBE, {10: (0, 0.3, 0.025), 59: (0, 0.07, 0.025)}, touched=END)
            .object("mug", MUG, {0: (0, 0, 0.05)}),
        },
    ),
    "drop_next": (
        TWO,
        [bring(BESIDE), bring((0.09, 0.0, 0.025))],
        {
            "pushed there": bring(BESIDE, carried=False),
            "still held": bring(BESIDE, grasped=range(10, 60)),
            "too far": bring((0.0, 0.12, 0.025)),
            "hung in the air": bring((0.0, 0.085, 0.1)),
        },
    ),
    "put_front": (
        TWO,
        [bring(AHEAD), bring(AHEAD, carried=False), bring((-0.2, 0.02, 0.025))],
        {
            "behind": bring((0.1, 0.0, 0.025)),
            "beside": bring(BESIDE),
            "too far ahead": bring((-0.24, 0.0, 0.025)),
            "ahead but aside": bring((-0.1, 0.05, 0.025)),
            "stays": bring((0.0, 0.2, 0.025)),
            "still grasped": bring(AHEAD, grasped=range(10, 60)),
        },
    ),
    "drop_front": (
        TWO,
        [bring(AHEAD)],
        {
            "pushed there": bring(AHEAD, carried=False),
            "still held": bring(AHEAD, grasped=range(10, 60)),
            "behind": bring((0.1, 0.0, 0.025)),
        },
    ),
    "move_closer": (
        TWO,
        [bring((0.0, 0.13, 0.025), carried=False), bring(BESIDE)],
        {
            "by 25%": bring((0.0, 0.15, 0.025), carried=False),
            "away": bring((0.0, 0.3, 0.025), carried=False),
            "the mug came": bring((0.0, 0.2, 0.025), mug={10: (0, 0, 0.05), 35: (0, 0.1, 0.05)}),
            "on top": bring((0.0, 0.0, 0.125)),
            "in the air": bring((0.0, 0.1, 0.1)),
        },
    ),
    "cover": (
        COVER,
        [cover(), cover((0.01, 0.0, 0.055))],
        {
            "beside": cover((0.0, 0.07, 0.05)),
            "half over it": cover((0.0, 0.035, 0.06)),
            "off by more than its radius": cover((0.0, 0.022, 0.05)),
            "still held": cover(grasped=range(10, 60)),
            "the ball on top": cover(ball={0: (0, 0, 0.12)}),
            "fell the other way: the ball off the table": cover(ball={0: (0, 0, -0.1)}),
        },
    ),
    "uncover": (
        COVER,
        [uncover(), uncover(end=(0.1, 0.0, 0.2))],
        {
            "stays": uncover(end=(0, 0, 0.05)),
            "not clear of it": uncover(end=(0, 0.055, 0.05)),
            "the ball went along": uncover(ball={10: (0, 0, 0.02), 35: (0, -0.06, 0.02)}),
            "was never covered": uncover(start=(0, 0.1, 0.05)),
            "by nothing": uncover(touched=None),
        },
    ),
    "put_into": (
        TWO,
        [bring(INSIDE, size=BALL)],
        {
            "beside": bring(BESIDE, size=BALL),
            "on the rim": bring((0.0, 0.035, 0.12), size=BALL),
            "above": bring((0.0, 0.0, 0.12), size=BALL),
            "still held": bring(INSIDE, size=BALL, grasped=range(10, 60)),
            "on the side of a mug that lies": lying(),
        },
    ),
    "throw_into": (
        TWO,
        [throw_into(), throw_into((0.01, 0.01, 0.03))],
        {
            "beside": throw_into((0.0, 0.1, 0.02)),
            "still in the air": throw_into((0.0, 0.0, 0.2)),
            "put in by a hand that stays with it": throw_into(tool_up=0.06),
            "falls slowly": throw_into(lands=55),
            "not let go": throw_into(let_go=59, lands=59),
            "nothing ever held it": throw_into(grasped=31),
            "bounced out again": bring(BESIDE, size=BALL),
        },
    ),
    "tip_over": (
        ONE,
        [tip(), tip((0.64, 0.0, 0.77, 0.0))],
        {
            "stays": tip((1.0, 0.0, 0.0, 0.0), low=0.075),
            "leans by 60 degrees": tip((0.866, 0.5, 0.0, 0.0)),
            "held sideways in the air": tip(low=0.2),
            "by nothing": tip(touched=None),
            "fell off the table": tip(low=-0.2),
            "only in the last rows": tip(quat_from=55),
        },
    ),
    "push_with": (
        TWO,
        [push_with(), push_with(0.2)],
        {
            "4 cm": push_with(0.04),
            "by the gripper": push_with(mug_touched=range(26, 40)),
            "not by the cube": push_with(meets=range(0)),
            "hardly by the cube": push_with(meets=range(25, 27)),
            "nothing moves the cube": push_with(cube_touched=None),
        },
    ),
    "drop_into": (
        TWO,
        [bring(INSIDE, size=BALL)],
        {
            "shoved in": bring(INSIDE, size=BALL, carried=False),
            "still held": bring(INSIDE, size=BALL, grasped=range(10, 60)),
            "on the side of a mug that lies": lying(),
        },
    ),
}

CASES |= more_cases.CASES

POSITIVE = [(family, i) for family, case in CASES.items() for i in range(len(case[1]))]
NEGATIVE = [(family, why) for family, case in CASES.items() for why in case[2]]


def test_every_supported_family_has_a_judge_and_cases():
    assert set(JUDGES) == set(SUPPORTED) == set(CASES)


@pytest.mark.parametrize(("family", "index"), POSITIVE)
def test_what_the_caption_asks_for_succeeds(family, index):
    roles, positive, _ = CASES[family]
    verdicts = judge(family, roles, positive[index].record())
    assert verdicts.success.tolist() == [True]
    # No episode is complete before the hand began at step 10 and the hold elapsed.
    assert 10 + HOLD_STEPS // 2 < verdicts.first_step[0] < 60


@pytest.mark.parametrize(("family", "why"), NEGATIVE)
def test_what_it_does_not_ask_for_fails(family, why):
    roles, _, negative = CASES[family]
    verdicts = judge(family, roles, negative[why].record())
    assert verdicts.success.tolist() == [False]
    assert verdicts.first_step.tolist() == [-1]


AT_REST = """
put_next put_front put_behind drop_next drop_front drop_behind put_into put_onto drop_onto cover poke_move
push_near_edge put_surface move_down upright lay_side upside_down tip_over lift_end_drop
"""
LET_GO = """
drop_next drop_front drop_behind put_into put_onto drop_onto cover put_surface drop lift_drop throw
throw_surface throw_up throw_against throw_into roll upright lay_side upside_down lift_end_drop
"""

ANYWHERE = "push_off_edge throw throw_up throw_against spin spin_stop roll uncover push_with"
"""Where what was handled ends does not matter."""


def handled(family: str) -> tuple[dict[str, str], dict[str, np.ndarray], str]:
    """Roles and a copy of the record of an episode that succeeds, and the handled object's name."""
    roles, positive, _ = CASES[family]
    return roles, {key: value.copy() for key, value in positive[0].record().items()}, roles["a"]


@pytest.mark.parametrize("family", CASES)
def test_what_happens_by_itself_is_no_success(family):
    roles, record, _ = handled(family)
    for name in roles.values():
        record[f"{name}_contact_gripper"][:] = record[f"{name}_grasped"][:] = 0
    record["eef_pos"][:] = (0, 0, 2)
    assert not judge(family, roles, record).success.any()


@pytest.mark.parametrize("family", AT_REST.split())
def test_what_still_moves_is_no_success(family):
    roles, record, a = handled(family)
    record[f"{a}_vel_linear"][:, :, 0] = 0.2
    assert not judge(family, roles, record).success.any()


@pytest.mark.parametrize("family", LET_GO.split())
def test_what_is_not_let_go_of_is_no_success(family):
    roles, record, a = handled(family)
    record[f"{a}_contact_gripper"][10:] = record[f"{a}_grasped"][10:] = 1
    assert not judge(family, roles, record).success.any()


@pytest.mark.parametrize("family", [family for family in CASES if family not in ANYWHERE.split()])
def test_what_fell_off_the_table_is_no_success(family):
    roles, record, a = handled(family)
    record[f"{a}_pos"][-8:, :, 2] -= 1.0
    record[f"{a}_contact_table"][-8:] = 0
    record["eef_pos"][-8:, :, 2] -= 1.0
    assert not judge(family, roles, record).success.any()


def test_the_first_step_is_the_end_of_the_first_hold():
    # The cube passes 10 cm after step 10 + 20 * 10 / 12, hence at row 27.
    verdicts = judge("lift", ONE, lift().record())
    assert verdicts.first_step.tolist() == [27 + HOLD_STEPS - 1]


def test_episodes_are_judged_side_by_side():
    records = [lift().record(), lift(0.05).record(), lift(0.3).record()]
    batch = {name: np.concatenate([r[name] for r in records], axis=1) for name in records[0]}
    assert judge("lift", ONE, batch).success.tolist() == [True, False, True]


@pytest.mark.parametrize("row", [30, 50, 59])
def test_an_episode_that_breaks_off_is_no_success(row):
    record = lift().record()
    assert judge("lift", ONE, record).success.tolist() == [True]
    broken = dict(record, valid=np.arange(60)[:, None] < row)
    assert judge("lift", ONE, broken).success.tolist() == [False]


def test_a_state_that_is_not_finite_ends_the_episode():
    record = lift().record()
    record["cube_pos"] = record["cube_pos"].copy()
    record["cube_pos"][30] = np.nan
    assert judge("lift", ONE, record).success.tolist() == [False]


def test_the_memory_states_are_not_read():
    record = bring(BESIDE, carried=False).record()
    record |= {"cube_ever_lifted": np.ones((60, 1)), "cube_ever_released": np.ones((60, 1))}
    assert judge("drop_next", TWO, record).success.tolist() == [False]


def test_turning_the_pair_about_z_does_not_change_next_to():
    for angle in np.linspace(0, 2 * np.pi, 7):
        end = (0.085 * np.cos(angle), 0.085 * np.sin(angle), 0.025)
        episode = bring(end, start=(0.25 * np.cos(angle), 0.25 * np.sin(angle), 0.025))
        quat = np.array([np.cos(angle / 2), 0, 0, np.sin(angle / 2)])
        for name in ("cube", "mug"):
            episode.states[f"{name}_quat"][:] = quat
        assert judge("put_next", TWO, episode.record()).success.all()


def test_wrong_questions_are_refused_clearly():
    with pytest.raises(JudgeError, match=r"no judge for the family 'juggle'.*cover, drop"):
        judge("juggle", ONE, lift().record())
    with pytest.raises(JudgeError, match="role 'b'"):
        judge("cover", ONE, lift().record())
    record = lift().record()
    del record["cube_size"]
    with pytest.raises(JudgeError, match="lacks the state 'cube_size'"):
        judge("lift", ONE, record)
