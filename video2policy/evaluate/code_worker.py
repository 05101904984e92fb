"""Episodes in which written programs act, rewritten as they go on; started by `guard.process.run_worker`.

Code-as-Policies in a closed loop (paper, section 4.1). Every `every` control steps the worker leaves the
states of all episodes in asked_N.json, prints "progress asked N" and waits for written_N.json: the source of
a program for each episode, or null. Programs run here, as contained as task code. The specification is that
of `evaluate.worker`, with `every` and `patience`, the seconds after which no programs come any more.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from video2policy.evaluate.worker import record
from video2policy.files import written
from video2policy.guard.load import LoadError, run_module
from video2policy.sim.base import N_ACTIONS
from video2policy.sim.tabletop import Tabletop

Program = Callable[[dict[str, torch.Tensor]], torch.Tensor]
Groups = list[tuple[torch.Tensor, Program]]
"""Episodes (k,) that share a program, and that program."""


class Programs:
    """Acts by the latest programs; asks for new ones every so many steps."""

    def __init__(self, sim: Tabletop, every: int, patience: float, first: int) -> None:
        self.sim, self.every, self.patience = sim, every, patience
        self.step, self.number = 0, first
        self.groups: Groups = []

    def act(self, observation: torch.Tensor) -> torch.Tensor:
        """Actions (n, 7); zeros for an episode without a program, or with one that fails."""
        states = self.sim.states()
        if self.step % self.every == 0:
            self.groups = load(self.ask(states))
        self.step += 1
        actions = torch.zeros(self.sim.n_envs, N_ACTIONS)
        for group in list(self.groups):
            episodes, program = group
            try:
                chosen = program({name: value[episodes] for name, value in states.items()})
                if chosen.shape != (len(episodes), N_ACTIONS) or not torch.isfinite(chosen).all():
                    raise ValueError("a program must give finite actions (n, 7)")
                actions[episodes] = chosen.float()
            except Exception as error:  # generated code may raise anything; until it is written anew it rests
                print(f"a program failed: {type(error).__name__}: {str(error)[:200]}", flush=True)
                self.groups.remove(group)
        return actions.clamp(-1.0, 1.0)

    def ask(self, states: Mapping[str, torch.Tensor]) -> list[str | None]:
        """The program of each episode."""
        numbers = {name: value.reshape(self.sim.n_envs, -1).tolist() for name, value in states.items()}
        with written(Path(f"asked_{self.number}.json")) as part:
            part.write_text(json.dumps({"step": self.step, "states": numbers}))
        print(f"progress asked {self.number}", flush=True)
        answer = Path(f"written_{self.number}.json")
        self.number += 1
        deadline = time.monotonic() + self.patience
        while not answer.exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"no programs came within {self.patience:g} s")
            time.sleep(0.01)
        return list(json.loads(answer.read_text()))


def load(sources: list[str | None]) -> Groups:
    """Programs by the episodes that share them; one that does not load is left out."""
    episodes: dict[str, list[int]] = {}
    for index, source in enumerate(sources):
        if source is not None:
            episodes.setdefault(source, []).append(index)
    groups: Groups = []
    for source, indices in episodes.items():
        try:
            program = run_module(source, "generated_program").get("policy")
            if not callable(program):
                raise LoadError("it defines no policy")
            groups.append((torch.tensor(indices), program))
        except LoadError as error:
            print(f"a program does not load: {error}", flush=True)
    return groups


def main(spec: Mapping[str, Any]) -> None:
    number = 0

    def begin(sim: Tabletop) -> Callable[[torch.Tensor], torch.Tensor]:
        nonlocal number
        programs = Programs(sim, int(spec["every"]), float(spec["patience"]), number)
        number += -(-sim.horizon // int(spec["every"]))
        return programs.act

    record(spec, begin)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
