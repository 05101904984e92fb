"""Pick one of several task programs from their check reports, and say why (paper, section 3.2 and figure 11).

First comes what can be trained at all, then what agrees with the clip, then what a reader would prefer: a
reward that rises along the clip, a success that holds late on the way rather than at once (generated
successes are over-confident, figure 10) but with some margin, and observations of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

GOOD_ONSET = 0.75
"""Part of the clip's way at which a well chosen success first holds: strict, with a margin for noise."""


@dataclass(frozen=True)
class Pick:
    """The chosen candidate's index, why it, and a row per candidate for the report."""

    index: int | None
    reason: str
    rows: list[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        return {"picked": self.index, "reason": self.reason, "candidates": self.rows}


def rank(report: Mapping[str, Any]) -> tuple[float, ...]:
    """A key by which better candidates sort first."""
    passed = {check["name"]: bool(check["passed"]) for check in report["checks"]}
    facts = report["facts"]
    onset = facts.get("onset")
    return (
        -float(bool(report["runs"])),
        -float(sum(passed.values())) if not report["runs"] else 0.0,
        -float(passed.get("false_at_start", False)) - float(passed.get("true_at_end", False)),
        -float(passed.get("reward_rises", False)),
        1.0 if onset is None else round(abs(onset - GOOD_ONSET), 2),
        -float(min(facts.get("extra_observations", 0), 4)),
    )


def pick(reports: Sequence[Mapping[str, Any]]) -> Pick:
    """The best of the candidates by their reports; index None when none can be trained."""
    order = sorted(range(len(reports)), key=lambda index: (rank(reports[index]), index))
    best = order[0]
    rows = [
        {
            "index": index,
            "rank": order.index(index) + 1,
            "passed": bool(report["runs"]),
            "reason": describe(report),
            "facts": dict(report["facts"]),
            "checks": list(report["checks"]),
        }
        for index, report in enumerate(reports)
    ]
    if not reports[best]["runs"]:
        return Pick(
            None, f"no candidate can be trained; the nearest, {best}: {describe(reports[best])}", rows
        )
    able = sum(bool(report["runs"]) for report in reports)
    reason = f"candidate {best} of {len(reports)} ({able} can be trained): {describe(reports[best])}"
    if len(order) > 1:
        reason += f" Next best was candidate {order[1]}: {describe(reports[order[1]])}"
    return Pick(best, reason, rows)


def describe(report: Mapping[str, Any]) -> str:
    """One or two sentences on a candidate."""
    failed = [check for check in report["checks"] if not check["passed"]]
    if failed:
        return " ".join(f"{check['name']}: {check['reason'].rstrip('.')}." for check in failed)
    facts = report["facts"]
    if "onset" in facts:
        onset = f"{facts['onset']:.0%}"
        text = f"its success is false on the clip's first poses and true from {onset} of the way on"
    else:
        text = "it runs"
    extra = facts.get("extra_observations", 0)
    return text + (f"; it adds {extra} numbers to the observation." if extra else "; it adds no observation.")
