"""Measures a policy's generated success on fresh seeds; started by `guard.process.run_worker`.

The specification is that of `train.worker`, with `policy`. It leaves the success rate in result.json.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from video2policy.guard.load import SimulatorView, load_task
from video2policy.guard.lockdown import contain
from video2policy.guard.rehearsal import rehearse
from video2policy.sim import engines
from video2policy.sim.base import Simulator
from video2policy.sim.environment import Environment
from video2policy.train.policy import load_policy
from video2policy.train.ppo import Training, measure


def main(spec: Mapping[str, Any]) -> None:
    torch.set_num_threads(1)
    environments = int(spec["environments"])

    def simulate(environments: int, threads: int) -> Simulator:
        return engines.make({**spec, "threads": threads}, environments, int(spec["seed"]))

    policy = load_policy(Path(spec["policy"]))
    rehearse(simulate, [environments])
    contain(spec)
    sim = simulate(environments, int(spec["threads"]))
    task = load_task(Path(spec["task"]))(SimulatorView(sim), str(Path(spec["scene"]).parent))
    rate = measure(Environment(sim, task), policy, Training().check_episodes)
    Path("result.json").write_text(json.dumps({"success_rate": round(rate, 4)}))


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
