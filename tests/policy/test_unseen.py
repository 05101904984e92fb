"""Tables of unseen clips: pooled by split, paired by clip, the paper's beside ours."""

from __future__ import annotations

import csv
import json

import pytest

from scripts import tabulate_generalist, tabulate_scaling, tabulate_transfer
from video2policy.policy.unseen import ALL, Series

SPLITS = {"a": "unseen_instance", "b": "unseen_instance", "c": "unseen_category"}


def judged(**successes: list[int]) -> dict:
    """What `generalist.judge_clones` gives for two seeds of ten episodes."""
    rows = [{"video": v, "split": SPLITS[v], "judge": "lift", "successes": s} for v, s in successes.items()]
    return {"seeds": 2, "episodes": 10, "clips": rows}


GOOD, POOR = judged(a=[9, 7], b=[8, 8], c=[5, 3]), judged(a=[4, 4], b=[5, 3], c=[2, 0])


@pytest.fixture
def outputs(tmp_path):
    return [tmp_path / f"table.{end}" for end in ("csv", "md", "png")]


def write(folder, name, content):
    (folder / name).write_text(json.dumps(content))
    return folder / name


def test_episodes_of_all_seeds_make_a_clips_rate_and_clips_the_pairs():
    good, poor = Series.of_clones("good", GOOD), Series.of_clones("poor", POOR)
    assert good.counts["a"] == (16, 20)
    assert good.rate("unseen_instance").rate == pytest.approx(0.8)
    assert good.rate(ALL).episodes == 60 and good.rate("train") is None
    found = poor.against(good, ALL)
    assert found.pairs == 3 and found.mean == pytest.approx((0.4 + 0.4 + 0.3) / 3)
    assert poor.against(good, "unseen_category").interval is None
    assert poor.against(good, "train") is None


def test_figure_5_sets_programs_and_both_image_policies_side_by_side(tmp_path, outputs):
    programs = [write(tmp_path, f"{v}.json", {"video": v, "successes": 3, "episodes": 10}) for v in SPLITS]
    clones, by_code = write(tmp_path, "good.json", GOOD), write(tmp_path, "poor.json", POOR)
    tabulate_generalist.main(clones, by_code, programs, *outputs, splits=SPLITS)
    rows = list(csv.DictReader(outputs[0].open()))
    assert [row["policy"] for row in rows] == ["BC-V2P"] * 3 + ["CoP"] * 3 + ["BC-CoP"] * 3
    assert {row["paper"] for row in rows} == {"0.75", "0.32", "0.26"}
    text = outputs[1].read_text()
    assert "| BC-V2P | 3 | 0.80 [" in text and "| BC-V2P - BC-CoP | all | 3 | +0.37 |" in text
    assert "| BC-V2P - CoP | unseen_category | 1 | +0.10 | - | - |" in text
    assert outputs[2].read_bytes()[1:4] == b"PNG"


def test_figure_6_compares_each_number_of_clips_with_the_fewest(tmp_path, outputs):
    evals = [write(tmp_path, "2.json", POOR), write(tmp_path, "8.json", GOOD)]
    tabulate_scaling.main(evals, *outputs, counts=[2, 8])
    rows = list(csv.DictReader(outputs[0].open()))
    assert [row["training_clips"] for row in rows] == ["2"] * 3 + ["8"] * 3
    assert "| 8 clips - 2 clips | unseen_instance | 2 | +0.40 |" in outputs[1].read_text()
    assert outputs[2].read_bytes()[1:4] == b"PNG"


def test_table_2_pairs_policies_on_the_stand_in_and_each_with_itself(tmp_path, outputs):
    good, poor = write(tmp_path, "good.json", GOOD), write(tmp_path, "poor.json", POOR)
    tabulate_transfer.main([good] * 2, [poor, good], *outputs, policies=["rgb", "mask_varied"])
    rows = list(csv.DictReader(outputs[0].open()))
    assert {(row["policy"], row["paper"]) for row in rows} == {
        ("rgb, simulation", ""),
        ("rgb, real", ""),
        ("mask_varied, simulation", "0.72"),
        ("mask_varied, real", "0.4666666666666666"),
    }
    text = outputs[1].read_text()
    assert "| mask_varied, real - rgb, real | all | 3 | +0.37 |" in text
    assert "| rgb, real - rgb, simulation | all | 3 | -0.37 |" in text and "No hardware" in text
    assert outputs[2].read_bytes()[1:4] == b"PNG"
