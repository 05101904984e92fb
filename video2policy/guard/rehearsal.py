"""What a worker does before it locks itself down, so that nothing has to be compiled or found afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

from video2policy.sim.base import N_ACTIONS, Simulator


def rehearse(make: Callable[[int, int], Simulator], sizes: Iterable[int]) -> None:
    """One reset and one step: numba loads its compiled functions, or compiles and keeps them.

    `make` gives a simulator of so many environments and threads; `sizes` are the numbers of environments that
    will be wanted. Two stand for many, but arrays of one row are laid out otherwise. One thread, which is the
    caller's: others would keep their access to files after the lockdown.
    """
    for size in {min(size, 2) for size in sizes if size}:
        sim = make(size, 1)
        ids = torch.arange(size)
        sim.reset(ids, sim.sample_object_poses(ids))
        sim.step(torch.zeros(size, N_ACTIONS))
        sim.states()
