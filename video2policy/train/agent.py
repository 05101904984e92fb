"""rl-games' agent, imported without what it loads beside it."""

import functools
from unittest import mock

import torch

# rl-games compiles a network of its own tests, for which torch loads its whole compiler: 1.4 s a training.
with mock.patch.object(torch, "compile", lambda model: model):
    from rl_games.algos_torch.a2c_continuous import A2CAgent as A2CAgent
from rl_games.common import a2c_common
from rl_games.common.algo_observer import AlgoObserver as AlgoObserver
from rl_games.common.ivecenv import IVecEnv as IVecEnv
from rl_games.common.tr_helpers import DefaultRewardsShaper as DefaultRewardsShaper

# Its TensorBoard logs are read by nobody here, and their writer starts a queue between processes.
a2c_common.SummaryWriter = functools.partial(a2c_common.SummaryWriter, write_to_disk=False)
