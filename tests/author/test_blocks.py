"""Code is found in replies of any form, and what is missing is named."""

import ast
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.author.conftest import MakeScene
from video2policy.author import blocks
from video2policy.author.blocks import NoCode, read_json, read_reply, reward_module, task_module
from video2policy.author.prompts import PROMPTS
from video2policy.guard.syntax import check_syntax

FIGURES = Path(__file__).parents[1] / "guard" / "figures"
REWARD = "def reward_function(actions, states):\n    return states['time_left'], {}"
SUCCESS = "def compute_success(self, states):\n    return states['time_left'] > 0.5"


def block(code: str, language: str = "python") -> str:
    return f"```{language}\n{code}\n```"


def test_a_task_of_the_shortest_kind_gets_the_default_parts(scene_of: MakeScene) -> None:
    source = task_module(read_reply(f"Here it is.\n\n{block(SUCCESS)}\n\n{block(REWARD)}"), scene_of("lift"))
    assert check_syntax(source) == []
    (task,) = (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    assert [node.name for node in task.body if isinstance(node, ast.FunctionDef)] == [
        "__init__",
        *blocks.METHODS,
        "compute_reward",
    ]


@pytest.mark.parametrize(
    "language", ["python", "py", "Python3", "python {.numberLines}", "ipython", "reward.py", "", "text"]
)
def test_any_name_of_the_language_will_do(language: str) -> None:
    assert "reward_function" in read_reply(block(REWARD, language)).definitions


def test_the_last_definition_counts_and_helpers_stay_in_order() -> None:
    first = REWARD.replace("time_left", "draft")
    codes = [first, "A = 1", REWARD, "def f(x):\n    return x * A"]
    source = reward_module(read_reply("\n".join(block(code) for code in codes)))
    assert "draft" not in source
    assert source.index("A = 1") < source.index("def f(x)") < source.index("def reward_function")


def test_decorators_and_comments_stay_with_their_function() -> None:
    code = f"# why\n# so\n@torch.jit.script\n{REWARD}  # end\n\n# loose"
    found = read_reply(block(code)).definitions["reward_function"]
    assert found.startswith("# why\n# so\n@torch.jit.script\ndef ") and found.endswith("# end")


def test_methods_are_found_in_a_class_and_out_of_it(scene_of: MakeScene) -> None:
    inside = "class Lift(Task):\n    LEAST = 0.1\n\n" + "\n".join(
        "    " + line for line in SUCCESS.split("\n")
    )
    loose = "def compute_success(self, states):\n    return self.helper(states)\n\n"
    loose += "def helper(self, states):\n    pass"
    pieces = read_reply(block(inside) + "\n" + block(loose) + "\n" + block(REWARD))
    assert list(pieces.methods) == ["LEAST", "compute_success", "helper"]
    assert "self.helper(states)" in task_module(pieces, scene_of("lift"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I would lift it.", "holds no Python code"),
        (block("fn main() {}", "rust"), "written in rust, not in Python"),
        (block("def f(:\n  pass"), "The block with f does not parse: .*line 1"),
        (block("x == "), "A Python block does not parse"),
        (block('{"a": 1}', "json"), "holds no Python code"),
        ("", "holds no Python code"),
        (block("print(1)"), "holds no Python code"),
    ],
)
def test_what_is_no_code_is_named(text: str, reason: str) -> None:
    with pytest.raises(NoCode, match=reason):
        read_reply(text)


def test_what_is_missing_is_named(scene_of: MakeScene) -> None:
    observe = "def compute_observation_key(self, states):\n    return []"
    with pytest.raises(NoCode, match="does not give compute_success, reward_function, get_observation_space"):
        task_module(read_reply(block(observe)), scene_of("lift"))
    with pytest.raises(
        NoCode, match=r"does not give reward_function\. The block with reward_function does not"
    ):
        reward_module(read_reply(block("A = 1") + "\n" + block("def reward_function(:\n    pass")))


def test_code_without_fences_is_found() -> None:
    assert "reward_function" in read_reply(f"The reward:\n\n{REWARD}\n\nThat is all, good luck!").definitions


def test_a_fence_that_was_never_closed_is_read() -> None:
    assert "reward_function" in read_reply(f"```python\n{REWARD}").definitions


@pytest.mark.parametrize(
    "text",
    [
        f"````markdown\n{block(REWARD)}\n````",
        block(block(REWARD), "md"),
        block(REWARD, "\ufeffpython").replace("```\ufeff", "\ufeff\u200b```"),
        "\n".join(f"\t{line}" for line in block(REWARD).split("\n")),
        f"<answer>\n{block(REWARD)}\n</answer>",
        f"<details>\n<summary>code</summary>\n{block(REWARD)}\n</details>",
    ],
    ids=["markdown", "md", "marks", "tab", "answer", "details"],
)
def test_what_stands_around_a_fence_does_not_hide_it(text: str) -> None:
    assert read_reply(text).definitions["reward_function"] == REWARD


@pytest.mark.parametrize("end", ["</think>", "\n</think>\n", "\n\n</Thinking>\n\n", "```\n\n</think>\n"])
@pytest.mark.parametrize("start", ["", "<think>", "<think>\n\n", "\n<thinking>\nLet me see.\n"])
def test_drafts_in_thoughts_are_no_answer(start: str, end: str) -> None:
    draft = f"{start}```python\nSCALE = 9\n{REWARD.replace('time_left', 'draft')}\n{end}"
    assert read_reply(draft + block(REWARD)).definitions == {"reward_function": REWARD}
    for text in (draft + "Sorry, no.", f"<think>{draft.removesuffix(end)}"):
        with pytest.raises(NoCode, match="holds no Python code"):
            read_reply(text)
    assert read_json(f'{start}{{"pick": 1}}{end}{{"pick": 2}}') == {"pick": 2}


@pytest.mark.parametrize(
    "text",
    ["def x\n" * 10**6, "[" * 10**6, "import torch\n" + "(\n" * 2 * 10**6, "[a](" * 10**6, "> - " * 10**6],
    ids=["def", "brackets", "parentheses", "links", "quotes"],
)
def test_hostile_replies_are_read_in_time(text: str) -> None:
    """Half a second where a reply's length is bounded; two of these take too long where it is not."""
    begin = time.process_time()
    with pytest.raises(NoCode):
        read_reply(text)
    assert time.process_time() - begin < 15


@pytest.mark.parametrize("path", sorted(FIGURES.glob("figure_*.txt")), ids=lambda path: path.stem)
def test_the_papers_figures_are_read(path: Path) -> None:
    pieces = read_reply(block(path.read_text(encoding="utf-8")))
    assert pieces.methods or "reward_function" in pieces.definitions


@pytest.mark.parametrize("path", sorted((PROMPTS / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_a_whole_module_comes_back_as_it_was(path: Path, scene_of: MakeScene) -> None:
    source = path.read_text(encoding="utf-8")
    again = task_module(read_reply(block(source)), scene_of("lift"))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            assert ast.unparse(node) in {
                ast.unparse(other)
                for other in ast.walk(ast.parse(again))
                if isinstance(other, ast.FunctionDef)
            }


@pytest.mark.parametrize("caption", ['"""\nimport os', "a\\", "'; x", "\u2028{}$x```", "Task"])
def test_captions_stay_data(caption: str, scene_of: MakeScene) -> None:
    scene = scene_of("lift")
    scene = replace(scene, task=replace(scene.task, caption=caption))
    source = task_module(read_reply(block(SUCCESS) + "\n" + block(REWARD)), scene)
    assert check_syntax(source) == []
    space = next(node for node in ast.parse(source).body if isinstance(node, ast.Assign))
    assert ast.literal_eval(space.value)["task_description"] == caption


def test_the_last_json_object_is_the_plan() -> None:
    text = f"{block('[1]', 'json')} {block(REWARD)}\n\n{block('{}', 'json')}\n\n" + block(
        '{"pick": 3}', "json"
    )
    assert read_json(text) == {"pick": 3}
    assert read_json('Sure: {"pick": 1}.') == {"pick": 1}
    assert read_json("none") is None and read_json("[1]") is None and read_json("{" * 5000) is None


@given(st.text(alphabet="`~ \n#@adefclssintru_():=1.\"'{}[],\t\\\x00é", max_size=200))
def test_no_text_makes_it_fail_otherwise(text: str) -> None:
    try:
        read_reply(text)
    except NoCode as error:
        assert str(error)


def test_code_too_deep_to_be_written_again_is_none() -> None:
    with pytest.raises(NoCode):
        read_reply("```python\nx = " + "-" * 5000 + "1; y = 2\n```")
