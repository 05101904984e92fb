"""Counting the jobs of every clip and stage."""

import re
from pathlib import Path

from video2policy.board import PHASES, STAGE_OF, STAGES, Board, Cell

RULES = Path(__file__).parents[1] / "rules"


def test_every_rule_of_a_clip_has_its_column() -> None:
    of_clips = set()
    for path in RULES.glob("*.smk"):
        for name, body in re.findall(
            r"^(?:rule|checkpoint) (\w+):\n(.*?)(?=^\S|\Z)", path.read_text(), re.S | re.M
        ):
            outputs = re.search(r"^    output:\n((?:        .*\n)+)", body, re.M)
            if outputs and re.search(r"\{video\}|<clip>|<task>|<round>", outputs[1]):
                of_clips.add(name)
    assert of_clips == set(STAGE_OF)
    assert [stage for stages in PHASES.values() for stage in stages] == list(STAGES)


def test_a_cell_says_what_matters_most() -> None:
    states = [
        (Cell(), "none"),
        (Cell(total=2), "waiting"),
        (Cell(total=2, done=1), "begun"),
        (Cell(total=2, done=1, running=1), "running"),
        (Cell(total=2, done=2), "done"),
        (Cell(total=2, done=2, stopped="too dark"), "stopped"),
        (Cell(total=2, running=1, failed=1), "failed"),
    ]
    assert [cell.state for cell, _ in states] == [state for _, state in states]
    assert states[5][0].words == "2 of 2 done, stopped: too dark"


def test_a_row_in_few_columns_has_all_its_jobs() -> None:
    board = Board(["cup"])
    for rule in ("frames", "segment", "hands", "train_reward", "draw"):
        board.cell(rule, "cup").total += 1
    board.cell("report", None).total += 1
    board.cell("frames", "a clip of another sheet").total += 1
    assert {name: cell.total for name, cell in board.phases("cup").items() if cell.total} == {
        **{"perception": 3, "reward": 1, "result": 1}
    }
    assert board.whole("cup").total == 5 and board.others.total == 2 and board.whole().total == 7
