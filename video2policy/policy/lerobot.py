"""Rolls one of LeRobot's own policies (ACT, diffusion) out in one scene.

Started by `guard.process.run_worker`, with a specification as `policy.worker` has it; the policy is a
checkpoint of LeRobot's training program. Needs the lerobot package, 0.6.1 (envs/lerobot.yaml).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from video2policy.dataset.lerobot import IMAGE_PREFIX, MASK_SUFFIX, STATE, picture_of
from video2policy.policy.bc import BCError, Images
from video2policy.policy.worker import record_seeing
from video2policy.scene import Scene


def sides_of(folder: Path) -> dict[str, int]:
    """What a checkpoint's policy looks at (`front`, `front_mask`), and the pictures' sides in pixels.

    Raises:
        BCError: the folder is no checkpoint, or its policy does not look at square pictures of one size.
    """
    try:
        features = json.loads((folder / "config.json").read_text())["input_features"]
        sides = {
            name.removeprefix(IMAGE_PREFIX): tuple(about["shape"][1:])
            for name, about in features.items()
            if name.startswith(IMAGE_PREFIX)
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BCError(f"{folder} holds no policy of LeRobot: {error}") from error
    if len({side for shape in sides.values() for side in shape}) != 1:
        raise BCError(f"{folder}: its policy sees {sides or 'no pictures'}, not square pictures of one size")
    return {name: int(shape[0]) for name, shape in sides.items()}


class LeRobotPolicy:
    """The policy with its processors, on the CPU; some are told the `task`, the clip's caption."""

    def __init__(self, folder: Path, task: str) -> None:
        """Raises BCError when `folder` is no checkpoint."""
        from lerobot.configs.policies import PreTrainedConfig
        from lerobot.policies.factory import get_policy_class, make_pre_post_processors

        self.task = task
        names = sides_of(folder)
        self.cameras = [name.removesuffix(MASK_SUFFIX) for name in names]
        self.image_size = next(iter(names.values()))
        self.masks = all(name.endswith(MASK_SUFFIX) for name in names)
        config = PreTrainedConfig.from_pretrained(folder)
        config.device = "cpu"
        if hasattr(config, "pretrained_backbone_weights"):
            config.pretrained_backbone_weights = None  # the checkpoint holds them
        self.policy = get_policy_class(config.type).from_pretrained(folder, config=config).eval()
        self._before, self._after = make_pre_post_processors(
            config,
            pretrained_path=str(folder),
            preprocessor_overrides={"device_processor": {"device": "cpu"}},
        )

    def begin(self) -> LeRobotPolicy:
        """Itself, for a batch of new episodes: nothing is left of the actions of the one before."""
        self.policy.reset()
        return self

    @torch.no_grad()
    def act(self, images: Mapping[str, Images], state: torch.Tensor) -> torch.Tensor:
        """Actions (n, 7) in [-1, 1] for images (camera -> (n, h, w, 3) uint8) and robot states (n, 14).

        Of a chunk of actions the rest is kept for the next calls.
        """
        suffix = MASK_SUFFIX if self.masks else ""
        observation: dict[str, Any] = {
            f"{IMAGE_PREFIX}{camera}{suffix}": torch.from_numpy(views).permute(0, 3, 1, 2).float() / 255.0
            for camera, views in images.items()
        }
        observation |= {STATE: state.float(), "task": [self.task] * len(state)}
        return self._after(self.policy.select_action(self._before(observation))).clamp(-1.0, 1.0)


def grey(labels: npt.NDArray[np.int32], names: Sequence[str], roles: Mapping[str, str]) -> Images:
    """Masks as the datasets have them, and so LeRobot's training: label k as a grey level."""
    return picture_of(labels)


def main(spec: Mapping[str, Any]) -> None:
    policy = LeRobotPolicy(Path(spec["policy"]), Scene.load(Path(spec["scene"])).task.caption)
    masked = grey if policy.masks else None
    record_seeing(spec, policy.cameras, policy.image_size, masked, lambda sim: policy.begin())


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
