"""What image policies learn from: what to collect for one, and collected datasets as training data."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from video2policy.dataset.collection import Wish
from video2policy.dataset.lerobot import Reader
from video2policy.policy import bc

log = logging.getLogger("video2policy")


def demonstrations_of(config: bc.Config, episodes: int) -> Wish:
    """What to collect for a policy: with masks, so that either input learns from the same episodes."""
    return Wish(episodes, config.image_size, config.cameras, config.action_noise, config.after, masks=True)


def load_demonstrations(folders: Sequence[Path], config: bc.Config) -> bc.Demonstrations:
    """Everything that was collected, labelled with each clip's family.

    A clip whose policy never succeeded has no demonstrations and is left out.

    Raises:
        BCError: nothing was collected from any clip.
    """

    def episodes() -> Iterator[bc.Demonstration]:
        for folder in folders:
            about = json.loads((folder / "meta" / "collection.json").read_text())
            if not about["episodes"]:
                log.info("%s: no successful episode to learn from", about["video"])
                continue
            for episode in Reader(folder):
                images = episode.images
                if config.masks:
                    images = {
                        camera: bc.mask_pictures(labels, about["objects"], about["roles"])
                        for camera, labels in episode.masks.items()
                    }
                yield about["family"], images, episode.state, episode.action

    return bc.Demonstrations.stack(list(episodes()), config)
