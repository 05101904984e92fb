"""feedback.md: what a reader and a model are told about a training run."""

from video2policy.author.feedback import analyse, feedback_markdown, read_figures

SEARCH = {
    "success_rate": 0.25,
    "steps": 300_000,
    "stopped": "cap",
    "return": {"success": 150.5, "failure": 20.25},
    "components": {
        "reach": {
            "success": {"mean": 60.0, "min": 40.0, "max": 80.0, "series": [40.0, 80.0]},
            "failure": {"mean": 30.0, "min": 0.0, "max": 70.0, "series": [0.0, 70.0]},
        },
        "lift": {"success": None, "failure": {"mean": 0.0, "min": 0.0, "max": 0.0, "series": [0.0] * 30}},
        "grasp": {"success": None, "failure": {"mean": 50.0, "min": 49.5, "max": 50.5, "series": [50.0]}},
    },
}


def test_components_are_split_by_success_and_failure() -> None:
    text = feedback_markdown(SEARCH)
    assert "Success rate (generated predicate): 0.250 after 300000 steps (stopped: cap)." in text
    assert "| reach | success | 60 | 40 | 80 | 40 80 |" in text
    assert "| reach | failure | 30 | 0 | 70 | 0 70 |" in text
    assert "| lift | success | none | | | |" in text
    assert "150.5 in success, 20.25 in failure" in text


def test_the_analysis_names_what_to_change() -> None:
    lines = " ".join(analyse(SEARCH))
    assert "lift is always zero" in lines and "grasp is nearly constant" in lines
    assert "Fewer than half" in lines and "reach" not in lines
    assert "redesign" in " ".join(analyse({"success_rate": 0.0}))
    assert "Nothing stands out." in feedback_markdown({"success_rate": 0.9, "components": {}})


def test_a_component_that_pays_failures_more_misleads() -> None:
    part = {
        "success": {"mean": 1.0, "min": 0.0, "max": 2.0, "series": [1.0]},
        "failure": {"mean": 5.0, "min": 0.0, "max": 9.0, "series": [None, 5.0]},
    }
    assert read_figures({"components": {"a": part}})["a"].misleads
    assert not read_figures({"components": {"a": {"success": part["failure"], "failure": part["success"]}}})[
        "a"
    ].misleads


def test_names_from_generated_code_are_no_markup() -> None:
    part = {"success": None, "failure": {"mean": 1.0, "min": 0.0, "max": 2.0, "series": [1.0]}}
    text = feedback_markdown({"success_rate": 0.1, "components": {"<img src=x>|[a](b)\n# h": part}})
    assert "<" not in text.split("## Analysis")[0] and "[a]" not in text and "\n# h" not in text
