"""The success of every clip in one table; fails where no clip reached a policy."""

import csv
import json

from scripts.stage import Failed, Input, Output, stage

COLUMNS = (
    "video",
    "variant",
    "caption",
    "family",
    "passed",
    "success_rate",
    "ci95",
    "episodes",
    "rollout",
    "reason",
)


def main(report: Input, outcomes: list[Input], table: Output, markdown: Output) -> None:
    """Write the table as CSV and as Markdown; Failed when no clip reached a policy."""
    lines = [json.loads(path.read_text()) for path in outcomes]
    write_csv(table, lines)
    markdown.write_text(as_markdown(lines, str(report)))
    if not any(line["passed"] for line in lines):
        reasons = "; ".join(f"{line['video']}: {line['reason']}" for line in lines)
        raise Failed(f"no clip reached a policy ({reasons}); {report} shows why")


def write_csv(path: Output, lines: list[dict]) -> None:
    """One row per clip and variant."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(lines)


def as_markdown(lines: list[dict], report: str) -> str:
    """The table in words that fit a terminal."""
    text = ["| clip | result | rollout |", "|---|---|---|"]
    for line in lines:
        if line["passed"]:
            low, high = line["ci95"]
            rate, episodes = line["success_rate"], line["episodes"]
            result = f"judged success {rate:.2f} [{low:.2f}, {high:.2f}] over {episodes} episodes"
        else:
            result = f"stopped: {line['reason']}"
        text.append(f"| {line['video']} ({line['caption']}) | {result} | {line.get('rollout', '')} |")
    return "\n".join([*text, "", f"Report: {report}", ""])


stage(main)
