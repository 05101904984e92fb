"""Policies survive a file unchanged, act deterministically and refuse what is not theirs."""

import itertools
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from video2policy.train.policy import Policy, PolicyInfo, load_policy, save_policy

SIZES = (11, 16, 8, 7)


@pytest.fixture
def policy() -> Policy:
    generator = torch.Generator().manual_seed(0)
    weights = {
        "running_mean_std.running_mean": torch.full((11,), 2.0, dtype=torch.float64),
        "running_mean_std.running_var": torch.full((11,), 4.0, dtype=torch.float64),
    }
    names = ["a2c_network.actor_mlp.0", "a2c_network.actor_mlp.2", "a2c_network.mu"]
    for name, (inner, outer) in zip(names, itertools.pairwise(SIZES), strict=True):
        weights[f"{name}.weight"] = torch.randn(outer, inner, generator=generator)
        weights[f"{name}.bias"] = torch.randn(outer, generator=generator)
    return Policy(PolicyInfo(11, (16, 8), 3, 1000), weights)


def test_round_trip(policy: Policy, tmp_path: Path) -> None:
    save_policy(tmp_path / "a.safetensors", policy)
    save_policy(tmp_path / "b.safetensors", policy)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    loaded = load_policy(tmp_path / "a.safetensors")
    assert loaded.info == policy.info
    observations = torch.randn(5, 11)
    assert torch.equal(loaded.act(observations), policy.act(observations))


def test_actions_are_bounded_and_observations_normalised(policy: Policy) -> None:
    far = torch.full((2, 11), 1e6)
    assert policy.act(far).abs().max() <= 1
    clipped = 2.0 + 2.0 * 5.0  # five standard deviations above the mean
    assert torch.allclose(policy.act(far), policy.act(torch.full((2, 11), clipped)), atol=1e-4)


def test_another_width_is_refused(policy: Policy) -> None:
    with pytest.raises(ValueError, match="observes 11 numbers, not 12"):
        policy.act(torch.zeros(1, 12))


def test_another_file_is_refused(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="no policy of this project"):
        load_policy(tmp_path / "x.safetensors")
