"""What is wrong with a config is said in one sentence that names the place."""

from __future__ import annotations

import copy
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from video2policy.clip import Limits
from video2policy.config import complaint

REPO = Path(__file__).parents[1]
SCHEMA = REPO / "schemas" / "config.schema.yaml"


@pytest.fixture
def config() -> dict[str, Any]:
    return yaml.safe_load((REPO / "config.yaml").read_text())


def test_every_threshold_of_clips_is_known() -> None:
    quality = yaml.safe_load(SCHEMA.read_text())["properties"]["frames"]["properties"]["quality"]
    assert set(quality["properties"]) == {field.name for field in fields(Limits)}


def test_the_default_config_has_nothing_wrong(config: dict[str, Any]) -> None:
    assert complaint(config, SCHEMA) is None


@pytest.mark.parametrize("name", sorted(path.name for path in (REPO / "configs").glob("*.yaml")))
def test_every_config_that_comes_along_is_accepted(config: dict[str, Any], name: str) -> None:
    for block, values in yaml.safe_load((REPO / "configs" / name).read_text()).items():
        config[block] = {**config[block], **values} if isinstance(values, dict) else values
    assert complaint(config, SCHEMA) is None


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        (("vidoes",), "a.tsv", 'there is no "vidoes"; did you mean "videos"'),
        (("simulation", "robott"), "panda", 'there is no "robott" in simulation; did you mean "robot"'),
        (("simulation", "engine"), "bullet", 'simulation.engine is "bullet"; choose one of mujoco, warp'),
        (("training", "max_steps"), "lots", 'training.max_steps is "lots" but must be of type integer'),
        (("reward", "iterations"), "4", "write them into a file for --configfile"),
        (("training", "max_steps"), "1e5", "(YAML takes such a number for text: write 100000)"),
        (("limit",), -2, "limit: -2 is less than the minimum of 0"),
        (("frames", "quality"), {"max_cut": 1}, 'no "max_cut" in frames.quality; did you mean "max_cuts"'),
        (("frames", "quality"), {"max_seconds": "90"}, "frames.quality.max_seconds is"),
        (("frames", "max_frames"), 7, "frames.max_frames: 7 is less than the minimum of 8"),
        (("simulation", "environments"), 10**6, "environments: 1000000 is greater than the maximum"),
        (("variants", "A b"), {}, "'A b' does not match"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    config: dict[str, Any], place: tuple[str, ...], value: object, says: str
) -> None:
    changed = copy.deepcopy(config)
    block = changed
    for name in place[:-1]:
        block = block[name]
    block[place[-1]] = value
    said = complaint(changed, SCHEMA)
    assert said is not None and says in said and "\n" not in said
