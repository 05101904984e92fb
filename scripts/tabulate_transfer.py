"""Table 2: image policies in simulation and on a stand-in for the real robot, the paper's beside ours."""

import json
from itertools import combinations
from statistics import fmean

from scripts.stage import Input, Output, stage
from video2policy.evaluate.comparison import write_csv
from video2policy.paper import IN_SIMULATION, SIM_TO_REAL
from video2policy.policy import unseen

TITLE = "From simulation to a stand-in for the real robot"
NOTES = (
    'No hardware: "real" is another simulation (`simulation.randomise: real`: physics, delays, light, noise,',
    "errors of masks) behind the policy server's checks and limits. The paper: ten novel objects in",
    "simulation; mouse .50, cup .40, bread .50 on a Franka.",
)
AS_THE_PAPER = "mask_varied"


def main(
    simulated: list[Input],
    real: list[Input],
    table: Output,
    markdown: Output,
    figure: Output,
    policies: list[str],
) -> None:
    """`simulated` and `real` are of `judge_clones`, one for each of `policies`, in order."""
    papers = {"simulation": IN_SIMULATION, "real": fmean(SIM_TO_REAL.values())}
    worlds: dict[str, list[unseen.Series]] = {}
    for world, paths in (("simulation", simulated), ("real", real)):
        worlds[world] = [
            unseen.Series.of_clones(
                f"{name}, {world}",
                json.loads(path.read_text()),
                papers[world] if name == AS_THE_PAPER else None,
                world=world,
            )
            for name, path in zip(policies, paths, strict=True)
        ]
    series = [one for both in zip(*worlds.values(), strict=True) for one in both]
    write_csv(table, unseen.lines(series))
    pairs = [*combinations(worlds["real"], 2), *zip(worlds["simulation"], worlds["real"], strict=True)]
    markdown.write_text(unseen.markdown(TITLE, series, pairs, NOTES))
    unseen.draw_bars(series, figure)


stage(main)
