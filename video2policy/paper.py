"""What the paper measured (arXiv 2502.09886): its tables of success rates, as data, and what each compares.

Columns are the names of variants in config.yaml, rows are task families. Averages are computed from the rows;
where the paper states another one, that stands beside it. Standard library only: the Snakefile reads this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

V2P = "v2p"
"""The variant that the others are compared with."""

TASKS: Mapping[str, str] = {
    "push_left": "Push sth. left",
    "push_right": "Push sth. right",
    "lift": "Lift up sth.",
    "tip_over": "Tip sth. over",
    "cover": "Cover sth. with sth.",
    "uncover": "Uncover sth. from sth.",
    "push_with": "Push sth. with sth.",
    "put_next": "Push sth. next to sth.",
    "drop_front": "Drop sth. in front of sth.",
    "put_into": "Insert fork into container",
    "move_closer": "Slide remote to mouse",
    "throw_into": "Throw garlic into bowl",
}
"""Family -> the paper's name of the task."""

ABLATED = ("lift", "uncover", "throw_into")
"""The tasks of the ablations (section 4.4)."""


@dataclass(frozen=True)
class Comparison:
    """One table or figure that sets variants side by side.

    Attributes:
        title, section: as in the paper.
        variants: the variants it compares, V2P among them.
        rows: family -> success rates in the order of `variants`; None where the paper gives none.
        stated: the averages that the paper prints, in the same order.
    """

    title: str
    section: str
    variants: tuple[str, ...]
    rows: Mapping[str, Sequence[float | None]]
    stated: Sequence[float | None] = ()

    def average(self, variant: str) -> float | None:
        """Mean over the paper's own rows; None unless it has them all."""
        column = self.variants.index(variant)
        values = [row[column] for row in self.rows.values()]
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known and len(known) == len(values) else None

    def value(self, family: str, variant: str) -> float | None:
        """The paper's success rate, None where it gives none."""
        return self.rows[family][self.variants.index(variant)] if family in self.rows else None


CODE, _ROBOGEN, _EUREKA = "code_as_policies", "robogen", "eureka"
_UNKNOWN = (None, None, None, None)

COMPARISONS: Mapping[str, Comparison] = {
    "table1": Comparison(
        "Success of learned policies",
        "section 4.1, table 1",
        (CODE, _ROBOGEN, _EUREKA, V2P),
        {
            "push_left": (0.17, 0.93, 1.00, 1.00),
            "push_right": (0.75, 1.00, 1.00, 1.00),
            "lift": (0.33, 0.28, 0.83, 0.93),
            "tip_over": (1.00, 0.97, 0.67, 1.00),
            "cover": (0.00, 0.00, 0.00, 0.07),
            "uncover": (0.10, 0.67, 0.63, 0.97),
            "push_with": (0.03, 0.03, 0.47, 0.43),
            "put_next": (0.80, 0.23, 0.83, 1.00),
            "drop_front": (0.53, 0.37, 0.87, 0.93),
            "put_into": (0.07, 0.27, 0.57, 0.93),
            "move_closer": (0.00, 0.53, 0.87, 0.97),
            "throw_into": (0.00, 0.03, 0.37, 0.70),
        },
        (0.34, 0.45, 0.71, 0.88),
    ),
    "table3": Comparison(
        "What each part of the code generation adds",
        "section 4.4, table 3",
        (V2P, "no_visual", "no_picking", "no_iteration", "one_sample"),
        {
            "lift": (0.93, *_UNKNOWN),
            "uncover": (0.97, *_UNKNOWN),
            "throw_into": (0.70, *_UNKNOWN),
        },
        (0.87, 0.75, 0.57, 0.48, 0.51),
    ),
    "table7": Comparison(
        "Without poses in the prompt",
        "appendix A.3, table 7",
        (V2P, "no_tracking", _EUREKA),
        {
            "lift": (0.93, 0.90, 0.83),
            "uncover": (0.97, 0.77, 0.63),
            "throw_into": (0.70, 0.57, 0.37),
        },
        (0.87, 0.75, 0.61),
    ),
    "table9": Comparison(
        "With the same reset function",
        "appendix A.3, table 9",
        (V2P, CODE, _ROBOGEN, "robogen_same_reset", _EUREKA, "eureka_same_reset"),
        {
            "lift": (0.93, 0.33, 0.28, 0.28, 0.83, 0.83),
            "uncover": (0.97, 0.10, 0.67, 0.60, 0.63, 0.67),
            "throw_into": (0.70, 0.00, 0.03, 0.03, 0.37, 0.37),
        },
        (0.87, 0.14, 0.33, 0.30, 0.61, 0.62),
    ),
}

HALLUCINATING = "hallucination"
"""The variant of table 8: programs that are asked for once."""

HALLUCINATION: Mapping[str, tuple[float, float]] = {
    "hallucination": (0.40, 0.19),
    "does not run": (0.25, 0.13),
    "runs, never succeeds": (0.15, 0.07),
}
"""Appendix A.3, table 8: share of samples, without picking and picked."""

FIGURE4 = (V2P, _EUREKA, _ROBOGEN, "no_evolution")
"""Appendix A.2, figure 4: success after each round of reward search."""

FIGURE10 = (V2P, _EUREKA)
CORRELATION = 0.83
"""Appendix A.3, figure 10: of generated and hand-written success, over policies, with visual information."""

BC_V2P, COP, BC_COP = "BC-V2P", "CoP", "BC-CoP"
GENERALIST: Mapping[str, float] = {BC_V2P: 0.75, COP: 0.32, BC_COP: 0.26}
"""Section 4.2, figure 5: success on ten unseen lifting clips, after 100 training clips; CoP sees the state.
Of figure 6 only its end is stated, the same .75."""

SIM_TO_REAL: Mapping[str, float] = {"mouse": 0.50, "cup": 0.40, "bread": 0.50}
"""Section 4.3, table 2: lifting on the real robot, masks and randomised demonstrations."""
IN_SIMULATION = 0.72
"""Of the same policy, over ten novel objects in simulation; 0.47 is the stated average of table 2."""

TRUE_SIZE: Mapping[str, float] = {"sizes found": 0.97, "true sizes": 0.83}
"""Beside table 6: a policy of "slide remote to mouse", judged at predicted sizes and at measured ones."""
