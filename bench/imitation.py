"""What imitation adds to its encoders: `python -m bench.imitation`.

Frames a second of whole training steps (loading, shifting, encoders, head, loss, optimiser) beside those of
the encoders alone, forward and backward, on the same batches; processor time of one thread.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from video2policy.policy import bc
from video2policy.policy.cloning import train

GOAL = 0.85
"""Share of the bare encoders' speed."""


def demonstrations(config: bc.Config, frames: int) -> bc.Demonstrations:
    """Noise of the right shape."""
    rng = np.random.default_rng(0)
    images = {
        camera: rng.integers(0, 255, (frames, config.image_size, config.image_size, 3), np.uint8)
        for camera in config.cameras
    }
    state, action = rng.random((frames, 14), np.float32), rng.uniform(-1, 1, (frames, 7))
    return bc.Demonstrations.stack([("lift", images, state, action)], config)


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def last_epoch(data: bc.Demonstrations, config: bc.Config) -> float:
    """Processor seconds of a training's second epoch: what is set up once is not in it."""
    ends: list[float] = []
    train(data, replace(config, epochs=2), lambda *_: ends.append(time.process_time()))
    return ends[1] - ends[0]


def bare(config: bc.Config, batch: int, batches: int) -> Callable[[], None]:
    """The encoders alone on batches that lie ready."""
    policy = bc.ImagePolicy(config, ["lift"], 14, pretrained=True).train()
    images = torch.rand(batch, 3 * bc.FRAMES, config.image_size, config.image_size)
    images = images.contiguous(memory_format=torch.channels_last)

    def run() -> None:
        for _ in range(batches):
            for encoder in policy.encoders.values():
                encoder(images).sum().backward()

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presets", nargs="+", default=["small"], choices=list(bc.PRESETS))
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--batches", type=int, default=8)
    parser.add_argument("--weights", default="", help="folder or hub name of ResNet18's, for paper")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| preset | batch | frames/s | bare encoders, frames/s | ratio |\n" + "|---" * 5 + "|")
    for preset in arguments.presets:
        config = replace(bc.PRESETS[preset], batch_size=arguments.batch, weights=arguments.weights)
        count = arguments.batch * arguments.batches
        data, alone = demonstrations(config, count), bare(config, arguments.batch, arguments.batches)
        whole, encoders = [], []
        for _ in range(arguments.rounds):  # taken in turns: the machine may be busy
            whole.append(last_epoch(data, config))
            encoders.append(seconds(alone))
        fast, free = count / min(whole), count / min(encoders)
        print(f"| {preset} | {arguments.batch} | {fast:.0f} | {free:.0f} | {fast / free:.2f} |", flush=True)
    print(f"\nThe goal is {GOAL}.")


if __name__ == "__main__":
    main()
