"""What a training that was interrupted goes on from, as if it had not been: its state as a safetensors file.

The state of the simulation is not in it: at a checkpoint all episodes start anew with randomness that
depends on the seed and the number of steps alone (`ppo.train`), whether the training goes on or is resumed.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from video2policy.files import written
from video2policy.train.agent import A2CAgent
from video2policy.train.episodes import Episodes, Finished

FORMAT = "video2policy.checkpoint/1"
CHECKPOINT = "checkpoint.safetensors"
"""Its name in a worker's folder."""

Weights = dict[str, torch.Tensor]


@dataclass
class Course:
    """How far a training has come."""

    best: Weights
    """The weights with the highest success so far."""
    best_rate: float = -1.0
    tested: float = 0.0
    """Success of these without exploration noise, where that was tried: from then on it alone decides."""
    promising: bool = False
    """Whether tries are worth their time."""
    best_steps: int = 0
    tried: int = 0
    """Environment steps at the last try whether it is solved."""
    kept: int = 0
    """Environment steps at the last checkpoint."""
    log: list[dict[str, Any]] = field(default_factory=list)


def weights(agent: A2CAgent) -> Weights:
    """A copy of the agent's parameters and statistics, by name."""
    return {name: value.detach().clone() for name, value in agent.model.state_dict().items()}


def save(path: Path, agent: A2CAgent, episodes: Episodes, course: Course) -> None:
    """Write the state; a file of that name is replaced at once, never half."""
    numbers = {
        "course": {name: value for name, value in vars(course).items() if name != "best"},
        "learning_rate": agent.last_lr,
        "frame": agent.frame,
        "epoch": agent.epoch_num,
        "components": episodes.names,
    }
    moments = {
        f"{index}/{name}": value
        for index, slots in agent.optimizer.state_dict()["state"].items()
        for name, value in slots.items()
    }
    parts = {
        "model": weights(agent),
        "best": course.best,
        "optimizer": moments,
        "episodes": _columns(episodes),
    }
    tensors = {f"{part}:{name}": value for part, values in parts.items() for name, value in values.items()}
    with written(path) as part:
        save_file(
            {name: value.detach().contiguous().clone() for name, value in tensors.items()},
            part,
            metadata={FORMAT: json.dumps(numbers)},
        )


def restore(path: Path, agent: A2CAgent, episodes: Episodes) -> Course:
    """Bring agent and episodes to what the file says. Raises ValueError for a file that is no checkpoint."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        if FORMAT not in metadata:
            raise ValueError(f"{path.name} is no checkpoint of this project ({FORMAT})")
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    numbers = json.loads(metadata[FORMAT])
    parts: dict[str, Weights] = {}
    for name, value in tensors.items():
        part, _, rest = name.partition(":")
        parts.setdefault(part, {})[rest] = value
    agent.model.load_state_dict(parts["model"])
    slots: dict[int, Weights] = {}
    for name, value in parts.get("optimizer", {}).items():
        index, _, slot = name.partition("/")
        slots.setdefault(int(index), {})[slot] = value
    agent.optimizer.load_state_dict({**agent.optimizer.state_dict(), "state": slots})
    agent.last_lr, agent.frame, agent.epoch_num = (numbers[k] for k in ("learning_rate", "frame", "epoch"))
    agent.update_lr(agent.last_lr)
    episodes.names = tuple(numbers["components"])
    columns = [parts["episodes"][name].tolist() for name in ("steps", "success", "total", "components")]
    episodes.finished[:] = [
        Finished(steps, success, total, tuple(components))
        for steps, success, total, components in zip(*columns, strict=True)
    ]
    return Course(best=parts["best"], **numbers["course"])


def _columns(episodes: Episodes) -> Weights:
    """The finished episodes, one column each."""
    done = episodes.finished
    return {
        "steps": torch.tensor([e.steps for e in done], dtype=torch.int64),
        "success": torch.tensor([e.success for e in done], dtype=torch.bool),
        "total": torch.tensor([e.total for e in done], dtype=torch.float64),
        "components": torch.tensor([e.components for e in done], dtype=torch.float64).reshape(
            len(done), len(episodes.names)
        ),
    }
