"""What a worker does before it locks itself down, so that nothing has to be compiled or found afterwards."""

from __future__ import annotations

from collections.abc import Callable

import torch

from video2policy.sim.base import N_ACTIONS, Simulator


def rehearse(make: Callable[[int, int], Simulator]) -> None:
    """One reset and one step: numba loads its compiled functions, or compiles and keeps them.

    `make` gives a simulator of so many environments and threads. Two, since arrays of one row are laid out
    otherwise; and one thread, the caller's: others would keep their access to files after the lockdown.
    """
    sim = make(2, 1)
    ids = torch.arange(sim.n_envs)
    sim.reset(ids, sim.sample_object_poses(ids))
    sim.step(torch.zeros(sim.n_envs, N_ACTIONS))
    sim.states()
