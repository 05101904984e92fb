"""Rolls a cloned image policy out in one scene; started by `guard.process.run_worker`.

The specification is that of `video2policy.evaluate.worker`, with behaviour (the family asked for) and
image_size (pixels a side) beside it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from video2policy.evaluate.worker import Act, record
from video2policy.policy import bc
from video2policy.sim.base import Kind
from video2policy.sim.tabletop import Tabletop


def main(spec: Mapping[str, Any]) -> None:
    policy = bc.ImagePolicy.load(Path(spec["policy"]))
    size = int(spec["image_size"])

    def make_policy(sim: Tabletop) -> Act:
        agent = bc.Agent(policy, spec["behaviour"])

        kind: Kind = "segmentation" if policy.config.masks else "rgb"

        def act(_: torch.Tensor) -> torch.Tensor:
            images = {
                camera: np.stack([sim.render(i, camera, size, size, kind) for i in range(sim.n_envs)])
                for camera in policy.config.cameras
            }
            if policy.config.masks:
                roles = sim.scene.task.roles
                images = {c: bc.mask_pictures(seen, sim.object_names, roles) for c, seen in images.items()}
            return agent.act(images, bc.proprioception(sim.states()))

        return act

    record(spec, make_policy, drawing=True)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
