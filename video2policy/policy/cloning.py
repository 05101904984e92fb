"""Training of a cloned policy (`policy.bc`), and the batches of images that it learns from.

How batches are put together is compiled: in torch that took a tenth of a training step of the small preset,
most of it in strides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from video2policy.policy import bc
from video2policy.policy.encoders import FRAMES


def train(
    data: bc.Demonstrations, config: bc.Config, on_epoch: Callable[[int, float], None] | None = None
) -> tuple[bc.ImagePolicy, list[float]]:
    """Clone the demonstrations; returns the policy after the last epoch and the mean loss of every epoch.

    Deterministic for a seed on one machine and number of threads. The loss is Huber's on the action.
    """
    torch.manual_seed(config.seed)
    generator = torch.Generator().manual_seed(config.seed)
    policy = bc.ImagePolicy(config, data.behaviours, data.state.shape[1], pretrained=True).train()
    state = torch.from_numpy(data.state)
    policy.state_mean.copy_(state.mean(0))
    policy.state_std.copy_(state.std(0).clamp(min=1e-3))
    state = policy.normalise(state)
    cached = config.frozen and not config.image_blind
    images: dict[str, Any] = {
        camera: policy.maps(camera, views) if cached else _loader(views, config)
        for camera, views in data.images.items()
    }
    action, behaviour = torch.from_numpy(data.action), torch.from_numpy(data.behaviour)
    previous = torch.from_numpy(data.previous)
    optimiser = torch.optim.AdamW(
        [
            {"params": list(policy.encoders.parameters()), "lr": config.backbone_lr},
            {
                "params": [p for n, p in policy.named_parameters() if not n.startswith("encoders.")],
                "lr": config.head_lr,
            },
        ],
        weight_decay=config.weight_decay,
        fused=True,
    )
    batches = -(-len(data) // config.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [config.backbone_lr, config.head_lr], total_steps=config.epochs * batches
    )
    losses = []
    for epoch in range(config.epochs):
        total = 0.0
        for batch in torch.randperm(len(data), generator=generator).split(config.batch_size):
            frames = torch.stack([previous[batch], batch], dim=1)
            views = {
                camera: seen[frames].float() if cached else seen(frames, generator)
                for camera, seen in images.items()
            }
            noise = torch.randn(len(batch), 1, state.shape[1], generator=generator) * config.state_noise
            predicted = policy(views, state[frames] + noise, behaviour[batch])
            loss = nn.functional.smooth_l1_loss(predicted, action[batch], beta=0.1)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += float(loss.detach()) * len(batch)
        losses.append(total / len(data))
        if on_epoch is not None:
            on_epoch(epoch, losses[-1])
    return policy.eval(), losses


def _loader(images: bc.Images, config: bc.Config) -> Callable[[Tensor, torch.Generator], Tensor]:
    """What gives a batch's stacked frames of one camera."""
    if config.image_blind:
        black = torch.zeros(1, 3 * FRAMES, config.image_size, config.image_size)
        return lambda frames, generator: black
    return Frames(images, config.image_size, config.shift, config.batch_size)


@numba.njit(cache=True, error_model="numpy")
def _stack(
    pixels: npt.NDArray[np.uint8],
    frames: npt.NDArray[np.int64],
    down: int,
    right: int,
    batch: npt.NDArray[np.float32],
) -> None:
    """Fill `batch` (b, s, s, 3 * FRAMES) with the windows at (down, right) of the `frames` (b, FRAMES)."""
    scale = np.float32(1 / 255)
    for i in range(len(frames)):
        for k in range(frames.shape[1]):
            image = pixels[frames[i, k]]
            for y in range(batch.shape[1]):
                for x in range(batch.shape[2]):
                    for channel in range(3):
                        batch[i, y, x, 3 * k + channel] = image[y + down, x + right, channel] * scale


class Frames:
    """Stacked frames of one camera; the same memory serves all batches."""

    def __init__(self, images: npt.NDArray[np.uint8], size: int, shift: int, batch_size: int) -> None:
        """`images` (n, size, size, 3) are shifted by up to `shift` pixels, one shift for a batch."""
        side = ((0, 0), (shift, shift), (shift, shift), (0, 0))
        self.pixels = np.pad(images, side, "edge")
        self.shift = shift
        # Channels stay innermost: the convolutions are twice as fast so.
        self.batch = np.zeros((batch_size, size, size, 3 * FRAMES), np.float32)

    def __call__(self, frames: Tensor, generator: torch.Generator) -> Tensor:
        """(b, 3 * FRAMES, s, s) in [0, 1] of the frame indices (b, FRAMES); holds until the next call."""
        down, right = torch.randint(0, 2 * self.shift + 1, (2,), generator=generator).tolist()
        batch = self.batch[: len(frames)]
        _stack(self.pixels, frames.numpy(), down, right, batch)
        return torch.from_numpy(batch).permute(0, 3, 1, 2)
