"""Tables 4, 5 and 6: refusals per gate, d1, sizes."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from video2policy import pose
from video2policy.evaluate.perception import (
    box_sides,
    d1,
    depth_line,
    failures,
    first_refusals,
    gate_of,
    paper_size_lines,
    regions,
    truth_beside,
    write_table,
)
from video2policy.perceive.verdict import Verdict

FOLDER = Path("results/videos/clip_1")


def passed(stage: str) -> Verdict:
    return Verdict(stage, True, f"method of {stage}", 0.9)


def test_the_gate_is_read_off_a_verdicts_place() -> None:
    assert gate_of(FOLDER / "ground.verdict.json") == ("clip_1", "ground")
    assert gate_of(FOLDER / "masks" / "red_box.verdict.json") == ("clip_1", "segment")
    assert gate_of(FOLDER / "objects" / "red_box" / "track.verdict.json") == ("clip_1", "track")


def test_a_gate_behind_a_refusal_was_not_reached() -> None:
    refused = Verdict.rejected("segment", "its mask is empty")
    verdicts = [
        ("good", "ground", passed("ground")),
        ("good", "segment", passed("segment")),
        ("good", "track", passed("track")),
        ("bad", "ground", passed("ground")),
        ("bad", "segment", refused),
        ("bad", "track", refused),
    ]
    lines = {line["stage"]: line for line in failures(verdicts)}
    assert (lines["ground"]["reached"], lines["ground"]["refused"]) == (2, 0)
    assert (lines["segment"]["reached"], lines["segment"]["refusal_rate"]) == (2, 0.5)
    assert (lines["track"]["reached"], lines["track"]["refused"]) == (1, 0)
    assert lines["segment"]["reasons"] == "its mask is empty"
    assert (lines["all"]["reached"], lines["all"]["refused"]) == (2, 1)
    assert lines["depth"]["refusal_rate"] is None
    assert [lines[s]["paper_failure_rate"] for s in ("ground", "segment", "reconstruct", "track")] == [
        0.60, 0.15, 0.35, 0.55,
    ]  # fmt: skip
    assert lines["all"]["paper_failure_rate"] == pytest.approx(1 - 0.4 * 0.85 * 0.65 * 0.45, abs=1e-3)


@given(st.floats(0.5, 2), st.integers(0, 1000))
def test_d1_counts_what_is_within_a_tenth(factor: float, seed: int) -> None:
    true = np.random.default_rng(seed).uniform(0.3, 3, (20, 30))
    true[0] = 0  # unknown
    right, counted = d1(factor * true, true, np.ones((20, 30), bool))
    assert counted == 19 * 30
    if abs(abs(factor - 1) - 0.1) > 1e-6:
        assert right == (counted if abs(factor - 1) < 0.1 else 0)


def test_the_regions_of_table_5() -> None:
    where = regions((100, 200), [(10, 20, 30, 50)])
    assert where["full frame"].all()
    assert where["centre crop"].sum() == 80 * 160 and where["centre crop"][10, 20]
    assert where["object box"].sum() == 20 * 30


def test_a_clips_depth_is_compared_frame_by_frame_at_its_own_size() -> None:
    true = np.stack([np.full((40, 60), 1.0 + t) for t in range(4)])
    mask = np.zeros((4, 40, 60), bool)
    mask[:, 10:20, 20:40] = True
    depths = [np.full((20, 30), 1.0), np.full((20, 30), 3.0)]
    depths[1][5:10, 10:20] = 9.0  # wrong on the object
    line = depth_line("clip_1", depths, true, {"cup": mask}, [0, 2])
    assert line["object box"] == 0.5 and line["full frame"] == pytest.approx(1 - 50 / 1200, abs=1e-4)


@given(st.floats(0, 360), st.lists(st.floats(0.02, 0.3), min_size=3, max_size=3))
def test_sides_do_not_depend_on_how_the_object_is_turned(angle: float, extents: list[float]) -> None:
    box = trimesh.creation.box(extents=extents)
    box.apply_transform(pose.transform(pose.rotation_about([0.2, 1, 0.5], angle)))
    np.testing.assert_allclose(box_sides(box.vertices), sorted(extents, reverse=True), rtol=1e-3, atol=1e-5)


def test_the_papers_sizes_differ_by_what_the_paper_prints() -> None:
    remote, mouse = paper_size_lines()
    assert remote["delta"] == "0.030 x 0.010 x 0.000" and mouse["delta"] == "0.020 x 0.020 x 0.020"


def test_the_truth_lies_beside_its_clip() -> None:
    truths = [Path("results/demo/a.npz"), Path("my/a.npz"), Path("out/truth/a.npz")]
    assert truth_beside("my/a.mp4", truths) == truths[1]
    assert truth_beside("out/clips/a.webm", truths) == truths[2], "as bench.suite leaves it"
    assert truth_beside("my/b.mp4", truths) is None


def test_refusals_are_found_by_clip(tmp_path: Path) -> None:
    paths = []
    for video, verdict in (("a", passed("ground")), ("b", Verdict.rejected("ground", "no cup"))):
        path = tmp_path / "videos" / video / "ground.verdict.json"
        path.parent.mkdir(parents=True)
        path.write_text(verdict.dumps())
        paths.append(path)
    assert first_refusals(paths) == {"b": "refused: no cup"}


def test_a_table_is_written_twice_and_missing_values_stay_empty(tmp_path: Path) -> None:
    lines = [{"clip": "a", "full_frame": 0.5}, {"clip": "b|c", "full_frame": None}]
    write_table(lines, ["a note"], tmp_path / "t.csv", tmp_path / "t.md")
    rows = list(csv.DictReader((tmp_path / "t.csv").open()))
    assert rows[1] == {"clip": "b|c", "full_frame": ""}
    assert (tmp_path / "t.md").read_text().splitlines() == [
        "| clip | full frame |", "|---|---|", "| a | 0.5 |", "| b/c |  |", "", "a note",
    ]  # fmt: skip
