"""A trained policy as a safetensors file: weights, input normalisation and what is needed to use them."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from video2policy.sim.base import N_ACTIONS

FORMAT = "video2policy.policy/1"
CLIP = 5.0
"""Normalised observations are clipped to this many standard deviations, as in training (rl-games)."""
EPSILON = 1e-5


@dataclass(frozen=True)
class PolicyInfo:
    """What a policy was made for; stored in the file's metadata."""

    observation_size: int
    units: tuple[int, ...]
    seed: int
    steps: int
    """Environment steps of training behind these weights."""
    inputs: tuple[str, ...] = ()
    """What each number is that it observes, where it is known."""


@dataclass
class Policy:
    """A deterministic policy: the mean action of the trained Gaussian.

    `weights` are the training model's parameters and statistics by name: training can go on from them.
    """

    info: PolicyInfo
    weights: dict[str, torch.Tensor]

    def act(self, observations: torch.Tensor) -> torch.Tensor:
        """Actions (n, 7) in [-1, 1] for observations (n, d). Raises ValueError for another width."""
        if observations.shape[1] != self.info.observation_size:
            raise ValueError(
                f"the policy observes {self.info.observation_size} numbers, not {observations.shape[1]}"
            )
        mean = self.weights["running_mean_std.running_mean"].float()
        variance = self.weights["running_mean_std.running_var"].float()
        x = ((observations - mean) / torch.sqrt(variance + EPSILON)).clamp(-CLIP, CLIP)
        for layer in range(len(self.info.units)):
            x = torch.nn.functional.elu(self._linear(f"a2c_network.actor_mlp.{2 * layer}", x))
        return self._linear("a2c_network.mu", x).clamp(-1, 1)

    def _linear(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])


def save_policy(path: Path, policy: Policy) -> None:
    """Write the policy; the same policy gives the same bytes."""
    weights = {name: value.detach().contiguous().clone() for name, value in sorted(policy.weights.items())}
    # One entry: safetensors writes several in an order that changes from call to call.
    save_file(weights, path, metadata={FORMAT: json.dumps(asdict(policy.info))})


def load_policy(path: Path) -> Policy:
    """Read a policy. Raises ValueError for a file that is none."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        if FORMAT not in metadata:
            raise ValueError(f"{path.name} is no policy of this project ({FORMAT})")
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    info = json.loads(metadata[FORMAT])
    info |= {name: tuple(info.get(name, ())) for name in ("units", "inputs")}
    policy = Policy(PolicyInfo(**info), weights)
    if weights["a2c_network.mu.bias"].shape != (N_ACTIONS,):
        raise ValueError(f"{path.name} does not act in {N_ACTIONS} dimensions")
    return policy
