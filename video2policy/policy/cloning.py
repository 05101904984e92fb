"""Training of a cloned policy (`policy.bc`), and the batches of images that it learns from.

How batches are put together is compiled: in torch that took a tenth of a training step of the small preset,
most of it in strides.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment
from torch import Tensor, nn

from video2policy.policy import bc
from video2policy.policy.demonstrations import load_demonstrations
from video2policy.policy.encoders import FRAMES

log = logging.getLogger("video2policy")

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Hardware:
    """What a policy is cloned on.

    Attributes:
        device: auto (a GPU where there is one), cuda or cpu. devices: processes, one for each GPU, which
        share every batch. precision: auto (bf16-mixed on a GPU, 32-true on a CPU), or another of Fabric's.
    """

    device: str = "auto"
    devices: int = 1
    precision: str = "auto"

    def fabric(self) -> Fabric:
        """Raises bc.BCError for GPUs that are not there."""
        there = torch.cuda.device_count()
        cuda = self.device == "cuda" or (self.device == "auto" and there > 0)
        if cuda and there < self.devices:
            raise bc.BCError(f"generalist.hardware asks for {self.devices} GPUs, and torch finds {there}")
        precision: Any = self.precision
        if precision == "auto":
            precision = "bf16-mixed" if cuda else "32-true"
        return Fabric(
            accelerator="cuda" if cuda else "cpu",
            devices=self.devices,
            # A fork shares the demonstrations' memory, and needs no script that can be started again.
            strategy="ddp_fork" if self.devices > 1 else "auto",
            plugins=LightningEnvironment(),  # whatever else, SLURM for one, started this process
            precision=precision,
        )


def train(
    data: bc.Demonstrations,
    config: bc.Config,
    on_epoch: Callable[[int, float], None] | None = None,
    hardware: Hardware = Hardware(),
) -> tuple[bc.ImagePolicy, list[float]]:
    """Clone the demonstrations; returns the policy after the last epoch and the mean loss of every epoch.

    Deterministic for a seed on one machine, number of threads and `hardware`. The loss is Huber's on the
    action.
    """
    fabric = hardware.fabric()
    if hardware.devices == 1:
        return _fit(fabric, data, config, on_epoch)

    with TemporaryDirectory() as folder:
        path = Path(folder) / "policy.safetensors"

        def fit(_: Fabric) -> list[float]:
            torch.set_num_threads(1)  # a pool of threads does not survive a fork
            policy, losses = _fit(fabric, data, config, on_epoch if fabric.is_global_zero else None)
            if fabric.is_global_zero:
                policy.save(path)
            return losses

        losses = fabric.launch(fit)
        return bc.ImagePolicy.load(path), losses


def told(name: str, epochs: int) -> Callable[[int, float], None]:
    """An `on_epoch` that logs five times in a training, so that one can see that it goes on."""
    every = -(-epochs // 5)

    def on_epoch(epoch: int, loss: float) -> None:
        if (epoch + 1) % every == 0:
            log.info("%s: %d of %d epochs, loss %.4f", name, epoch + 1, epochs, loss)

    return on_epoch


def clone(
    folders: Sequence[Path], config: bc.Config, seeds: int, root: Path, hardware: Hardware
) -> dict[str, Any]:
    """Clone one policy for each training seed into `root`; what they learnt from and their losses."""
    data = load_demonstrations(folders, config)
    losses = []
    for seed in range(seeds):
        on_epoch = told(f"cloning {seed + 1} of {seeds}", config.epochs)
        policy, course = train(data, replace(config, seed=config.seed + seed), on_epoch, hardware)
        policy.save(root / f"seed_{seed}.safetensors")
        losses.append(course[-1])
        log.info("cloning %d of %d: loss %.4f from %d frames", seed + 1, seeds, losses[-1], len(data))
    return {"config": asdict(config), "clips": len(folders), "frames": len(data), "loss": losses}


def _fit(
    fabric: Fabric, data: bc.Demonstrations, config: bc.Config, on_epoch: Callable[[int, float], None] | None
) -> tuple[bc.ImagePolicy, list[float]]:
    """One process's part of a training."""
    torch.manual_seed(config.seed)
    order = torch.Generator().manual_seed(config.seed)
    rank, world = fabric.global_rank, fabric.world_size
    # What is drawn for a batch; of the order, which all processes share, it must be apart.
    noise = order if world == 1 else torch.Generator().manual_seed(config.seed + 1 + rank)
    policy = bc.ImagePolicy(config, data.behaviours, data.state.shape[1], pretrained=True).train()
    state = torch.from_numpy(data.state)
    policy.state_mean.copy_(state.mean(0))
    policy.state_std.copy_(state.std(0).clamp(min=1e-3))
    state = policy.normalise(state)
    policy.to(fabric.device)
    cached = config.frozen and not config.image_blind
    images: dict[str, Any] = {
        camera: policy.maps(camera, views) if cached else _loader(views, config, fabric.device)
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
    model, steps = fabric.setup(policy, optimiser)
    losses = []
    for epoch in range(config.epochs):
        total = torch.zeros((), device=fabric.device)  # read once an epoch: a GPU would wait each time
        for whole in torch.randperm(len(data), generator=order).split(config.batch_size):
            batch = whole[rank::world] if len(whole) >= world else whole
            frames = torch.stack([previous[batch], batch], dim=1)
            views = {
                camera: seen[frames].float() if cached else seen(frames, noise)
                for camera, seen in images.items()
            }
            drawn = torch.randn(len(batch), 1, state.shape[1], generator=noise) * config.state_noise
            given = fabric.to_device((views, state[frames] + drawn, behaviour[batch]))
            predicted = model(*given)
            loss = nn.functional.smooth_l1_loss(predicted, fabric.to_device(action[batch]), beta=0.1)
            steps.zero_grad()
            fabric.backward(loss)
            fabric.clip_gradients(model, steps, max_norm=1.0)
            steps.step()
            schedule.step()
            total += loss.detach() * len(whole)
        summed = fabric.all_reduce(total)
        assert isinstance(summed, Tensor)
        losses.append(float(summed) / len(data))
        if on_epoch is not None:
            on_epoch(epoch, losses[-1])
    return policy.cpu().eval(), losses


def _loader(
    images: bc.Images, config: bc.Config, device: torch.device
) -> Callable[[Tensor, torch.Generator], Tensor]:
    """What gives a batch's stacked frames of one camera."""
    if config.image_blind:
        black = torch.zeros(1, 3 * FRAMES, config.image_size, config.image_size)
        return lambda frames, generator: black
    return Frames(images, config.image_size, config.shift, config.batch_size, device)


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
    """Stacked frames of one camera; on a CPU the same memory serves all batches."""

    def __init__(
        self,
        images: npt.NDArray[np.uint8],
        size: int,
        shift: int,
        batch_size: int,
        device: torch.device = CPU,
    ) -> None:
        """`images` (n, size, size, 3) are shifted by up to `shift` pixels, one shift for a batch."""
        side = ((0, 0), (shift, shift), (shift, shift), (0, 0))
        self.pixels = np.pad(images, side, "edge")
        self.size, self.shift, self.device = size, shift, device
        # Channels stay innermost: the convolutions are twice as fast so.
        here = batch_size if device.type == "cpu" else 0
        self.batch = np.zeros((here, size, size, 3 * FRAMES), np.float32)

    def __call__(self, frames: Tensor, generator: torch.Generator) -> Tensor:
        """(b, 3 * FRAMES, s, s) in [0, 1] of the frame indices (b, FRAMES); holds until the next call."""
        down, right = torch.randint(0, 2 * self.shift + 1, (2,), generator=generator).tolist()
        if self.device.type != "cpu":
            return self.sent(frames, down, right)
        batch = self.batch[: len(frames)]
        _stack(self.pixels, frames.numpy(), down, right, batch)
        return torch.from_numpy(batch).permute(0, 3, 1, 2)

    def sent(self, frames: Tensor, down: int, right: int) -> Tensor:
        """The same, sent to the device as bytes, a quarter of the numbers, and made into numbers there."""
        pixels = torch.from_numpy(self.pixels)[frames].to(self.device, non_blocking=True)
        window = pixels[:, :, down : down + self.size, right : right + self.size]
        stacked = window.permute(0, 2, 3, 1, 4).flatten(3).float() / 255
        return stacked.permute(0, 3, 1, 2)
