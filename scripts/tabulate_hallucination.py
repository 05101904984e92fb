"""How many task programs do not run or never succeed, before picking and after (paper, table 8)."""

import json

from scripts.stage import Failed, Input, Output, stage
from video2policy.evaluate.comparison import write_csv
from video2policy.guard.screening import RANKS
from video2policy.paper import HALLUCINATION


def main(picks: list[Input], searches: list[Input], table: Output, markdown: Output) -> None:
    """`picks` is pick.json of each clip, `searches` the search.json of every candidate of every clip."""
    if not picks:
        raise Failed("no clip passed the gates, so that no program was written")
    kinds = {path: kind(json.loads(path.read_text())) for path in searches}
    chosen = []
    for path in picks:
        number = json.loads(path.read_text())["picked"]
        chosen.append(kinds[Input(path.parent / f"candidate_{number}" / "search.json")])
    lines = []
    for name, (without, picked) in HALLUCINATION.items():
        counted = [name] if name != "hallucination" else list(HALLUCINATION)
        shares = [sum(k in counted for k in part) / len(part) for part in (list(kinds.values()), chosen)]
        lines.append(
            {
                "": name,
                "without picking": round(shares[0], 4),
                "paper": without,
                "picked": round(shares[1], 4),
                "paper, picked": picked,
            }
        )
    write_csv(table, lines)
    text = ["# Programs that do not run or never succeed", "", "The paper's appendix A.3, table 8.", ""]
    text += ["| " + " | ".join(lines[0]) + " |", "|---" * len(lines[0]) + "|"]
    text += ["| " + " | ".join(str(value) for value in line.values()) + " |" for line in lines]
    text += [
        "",
        f"{len(kinds)} programs, asked for once each, of which {len(picks)} were picked, one a clip.",
    ]
    markdown.write_text("\n".join(text) + "\n")


def kind(search: dict) -> str:
    """Which line a trained program counts in; "" for one that succeeds at times."""
    if search["stopped"] in ("failed", "screened") and f"{RANKS}:" not in search["reason"]:
        return "does not run"
    return "" if search["success_rate"] > 0 else "runs, never succeeds"


stage(main)
