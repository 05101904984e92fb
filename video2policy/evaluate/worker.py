"""Rolls a policy out in its scene and records what the simulator says; started by `guard.process.run_worker`.

Generated task code (reset, observation) runs here and nowhere else in an evaluation. What is recorded are the
simulator's own states, copied before that code sees them; the judge reads them in another process.

The specification, spec.json: what `sim.engines.make` reads (scene, engine, robot, ...), task, policy (paths),
episodes, seed, action_noise. It leaves recording.npz.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from video2policy.evaluate.recording import Recording, join
from video2policy.guard.load import SimulatorView, load_task
from video2policy.guard.lockdown import contain
from video2policy.guard.rehearsal import rehearse
from video2policy.sim import engines
from video2policy.sim.environment import Environment
from video2policy.sim.tabletop import Tabletop
from video2policy.train.policy import load_policy

BATCH = 128
"""Episodes that run side by side; more follow in further batches."""

NOISY_ACTIONS = 6
"""Noise of collection moves the tool; the gripper stays as commanded."""

NOISE_MEMORY = 0.8
"""How much of that noise stays from one step to the next. What pushes the same way for a while leads further
off the policy's own way, and the demonstrations show more of how to come back: docs/generalist.md."""

Act = Callable[[torch.Tensor], torch.Tensor]
"""Observations (n, d) -> actions (n, 7)."""


def record(spec: Mapping[str, Any], make_policy: Callable[[Tabletop], Act], drawing: bool = False) -> None:
    """Run all episodes of `spec`, with a fresh policy for each batch, and leave recording.npz.

    From here on the process is locked down; `drawing` leaves it what rendering needs.
    """
    torch.set_num_threads(1)
    total = int(spec["episodes"])
    sizes = [min(BATCH, total - start) for start in range(0, total, BATCH)]
    rehearse(lambda environments, threads: engines.make({**spec, "threads": threads}, environments, 0), sizes)
    contain(spec, drawing)
    parts: list[Recording] = []
    for start in range(0, total, BATCH):
        seed = int(spec["seed"]) + start
        sim = engines.make(spec, min(BATCH, total - start), seed)
        task = load_task(Path(spec["task"]))(SimulatorView(sim), str(Path(spec["scene"]).parent))
        environment = Environment(sim, task, record=True)
        noise = torch.Generator().manual_seed(int(spec["seed"]) + start)
        parts.append(roll_out(environment, make_policy, float(spec["action_noise"]), noise))
        print(f"progress {min(start + BATCH, total)} of {total} episodes", flush=True)
    join(parts).save(Path("recording.npz"))
    Path("result.json").write_text("{}")


def roll_out(
    environment: Environment,
    make_policy: Callable[[Tabletop], Act],
    action_noise: float,
    generator: torch.Generator,
) -> Recording:
    """One episode of each of the environment's simulations.

    `pushes` times `action_noise` are added to what is executed, not to what is recorded.
    """
    sim = environment.sim
    assert isinstance(sim, Tabletop)
    observation = environment.reset()
    act = make_policy(sim)
    draws = sim.draws()
    rows = [sim.arrays()]
    valid = [np.ones(sim.n_envs, bool)]
    actions, generated, configuration = [], [], []
    for push in islice(pushes(sim.n_envs, generator), sim.horizon):
        configuration.append(sim.configuration())
        action = act(observation)
        executed = action.clone()
        executed[:, :NOISY_ACTIONS] += action_noise * push
        observation, _, done, info = environment.step(executed)
        broken = done & ~info["time_outs"]
        rows.append(info["raw_states"])
        valid.append(valid[-1] & ~broken.numpy())
        actions.append(action.numpy())
        generated.append(info["success"].numpy())
    return Recording(
        states={name: np.stack([row[name] for row in rows]) for name in rows[0]},
        actions=np.stack(actions),
        generated=np.stack(generated),
        valid=np.stack(valid),
        configuration=np.stack(configuration),
        draws=draws,
    )


def pushes(episodes: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    """Normal noise (episodes, 6) of standard deviation 1, step after step, which remembers its last step."""
    push = torch.randn(episodes, NOISY_ACTIONS, generator=generator)
    while True:
        yield push
        fresh = torch.randn(episodes, NOISY_ACTIONS, generator=generator)
        push = NOISE_MEMORY * push + (1.0 - NOISE_MEMORY**2) ** 0.5 * fresh


def main(spec: Mapping[str, Any]) -> None:
    policy = load_policy(Path(spec["policy"]))
    record(spec, lambda sim: policy.act)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
