"""Figure 5: the image policy, written programs, and the image policy that imitates those, on unseen clips."""

import json

from scripts.stage import Input, Output, stage
from video2policy.evaluate.comparison import write_csv
from video2policy.paper import BC_COP, BC_V2P, COP, GENERALIST
from video2policy.policy import unseen

TITLE = "Success on unseen clips"
NOTES = (
    "Judged episodes with 95% intervals clustered by clip. The paper: 100 training clips, ten unseen ones.",
    "CoP acts on the true state, the others on images.",
)


def main(
    clones: Input,
    by_code: Input,
    programs: list[Input],
    table: Output,
    markdown: Output,
    figure: Output,
    splits: dict[str, str],
) -> None:
    """`clones`, `by_code`: of `judge_clones`. `programs`: eval.json of each clip. `splits`: clip -> split."""
    ours, theirs = (json.loads(path.read_text()) for path in (clones, by_code))
    evals = [json.loads(path.read_text()) for path in programs]
    v2p = unseen.Series.of_clones(BC_V2P, ours, GENERALIST[BC_V2P])
    cop = unseen.Series.of_evals(COP, evals, splits, GENERALIST[COP])
    bc_cop = unseen.Series.of_clones(BC_COP, theirs, GENERALIST[BC_COP])
    series = [v2p, cop, bc_cop]
    write_csv(table, unseen.lines(series))
    markdown.write_text(unseen.markdown(TITLE, series, [(bc_cop, v2p), (cop, v2p)], NOTES))
    unseen.draw_bars(series, figure)


stage(main)
