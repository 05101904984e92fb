"""The example settings are valid, and say what an endpoint needs."""

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from video2policy.author.settings import Settings

ROOT = Path(__file__).parents[2]
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())
SCHEMA = yaml.safe_load((ROOT / "schemas" / "config.schema.yaml").read_text())


def blocks() -> list[dict[str, Any]]:
    """The author's blocks in configs/llm.yaml, those in comments too."""
    text = (ROOT / "configs" / "llm.yaml").read_text()
    plain = re.sub(r"^# (?=author:|  )", "", text, flags=re.M)
    found = re.findall(r"^author:\n(?:  .*\n)+", plain, re.M)
    return [yaml.safe_load(block)["author"] for block in found]


def test_there_is_one_for_each_kind_of_endpoint() -> None:
    openai, azure, own = blocks()
    assert openai["base_url"].startswith("https://") and azure["azure"]["api_version"]
    assert own["key_env"] == "" and set(own["prices"].values()) == {0}
    assert not any(block.get("send_frames") for block in (openai, azure, own))


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block["model"])
def test_the_examples_are_valid(block: dict[str, Any]) -> None:
    config = {**DEFAULT, "author": {**DEFAULT["author"], **block}}
    jsonschema.validate(config, SCHEMA)
    read = Settings.read({"name": "llm"}, config)
    assert read.endpoint and read.endpoint.base_url == block["base_url"] and read.model == block["model"]
    assert read.budget == block.get("budget_usd", 5.0) and not read.send_frames


def test_the_default_asks_nobody() -> None:
    jsonschema.validate(DEFAULT, SCHEMA)
    author = DEFAULT["author"]
    assert (author["name"], author["base_url"], author["model"]) == ("grammar", "", "")
    assert not author["send_frames"] and author["budget_usd"] is not None


@pytest.mark.parametrize(
    "values",
    [
        {"base_url": "https://user:word@host/v1"},
        {"base_url": "file:///etc/passwd"},
        {"key_env": "sk-a-key-itself"},
        {"options": {"messages": []}},
        {"prices": {"input": 1}},
        {"temperature": -1},
        {"name": "oracle"},
    ],
)
def test_what_the_schema_refuses(values: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**DEFAULT, "author": {**DEFAULT["author"], **values}}, SCHEMA)


def test_the_config_says_where_replies_come_from_and_the_job_what_decides_them() -> None:
    config = {"author": {"name": "replay", "model": "other", "replies": "kept", "seed": 3}}
    read = Settings.read({"name": "llm", "model": "m", "temperature": None}, config)
    assert (read.model, read.replies, read.endpoint, read.seed) == ("m", Path("kept"), None, 3)
    assert "temperature" not in read.body([], 0, 0)
    assert [read.body([], sample, attempt)["seed"] for sample, attempt in ((0, 0), (2, 0), (2, 1))] == [
        3,
        5,
        1005,
    ]
