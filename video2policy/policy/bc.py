"""Behaviour cloning of one image policy over the trajectories of many tasks (paper, section 4.2).

The policy sees two stacked RGB frames of each camera, the robot's own state (tool pose, gripper, tracking
error: nothing of the objects), and which behaviour is asked for, as a one-hot over the training families. A
convolutional encoder with a spatial soft-argmax (Finn et al. 2016) turns each camera's frames into image
points; a head of three layers of 512 turns these into the 7-dim action.

An image-blind policy is the same with black images: what it reaches needs no sight.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from video2policy.task import ROBOT_OBSERVATIONS

PROPRIOCEPTION = ROBOT_OBSERVATIONS
"""The robot's own states; a test holds that none of them depends on where the objects are."""

ACTION_DIM = 7
FRAMES = 2

Images = npt.NDArray[np.uint8]
Demonstration = tuple[str, Mapping[str, Images], npt.ArrayLike, npt.ArrayLike]
"""One episode: behaviour, images by camera (T, h, w, 3), robot states (T, 14), actions (T, 7)."""


@dataclass(frozen=True)
class Config:
    """What a cloned policy is and how it is trained; the defaults are the small CPU preset.

    The paper: 256 px, ImageNet ResNet18, 30 epochs, batch 1024, rates 3e-4 (head) and 3e-5 (backbone).
    """

    cameras: tuple[str, ...] = ("front", "wrist")
    image_size: int = 64
    """Side in pixels; images of another size are resampled."""
    channels: tuple[int, ...] = (16, 32, 32)
    hidden: tuple[int, ...] = (512, 512, 512)
    image_blind: bool = False
    epochs: int = 20
    batch_size: int = 256
    head_lr: float = 1e-3
    backbone_lr: float = 1e-3
    weight_decay: float = 1e-4
    shift: int = 3
    """Images are shifted by up to so many pixels in training, one shift per batch and camera."""
    state_noise: float = 0.1
    """Noise on the normalised robot state in training, so that the head cannot lean on it alone."""
    action_noise: float = 0.2
    """Noise under which its demonstrations are collected (dataset.collection.Wish)."""
    after: int | None = 10
    """Steps kept of a demonstration after its success (dataset.collection.Wish)."""
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.cameras:
            raise ValueError("an image policy needs a camera (image_blind makes it ignore what that shows)")
        if self.image_size % 4:
            raise ValueError(f"image_size is {self.image_size}, it must be a multiple of 4")


class BCError(ValueError):
    """Data or a checkpoint that do not fit the policy."""


PRESETS = {
    "small": Config(),
    "paper": Config(
        cameras=("front",),
        image_size=256,
        channels=(32, 64, 64),
        epochs=30,
        batch_size=1024,
        head_lr=3e-4,
        backbone_lr=3e-5,
        action_noise=0.0,
        after=None,
    ),
}
"""`paper` has the paper's image size, batch, epochs and rates, on this module's encoder."""


@dataclass
class Demonstrations:
    """Episodes in memory: what the policy sees and what it should do.

    Attributes:
        images: camera name -> (n, size, size, 3) uint8, all episodes' frames one after the other.
        state: (n, 14) float32. action: (n, 7) float32, clipped to [-1, 1].
        behaviour: (n,) index into `behaviours`.
        previous: (n,) index of the frame before, itself at the start of an episode.
    """

    behaviours: tuple[str, ...]
    images: dict[str, Images]
    state: npt.NDArray[np.float32]
    action: npt.NDArray[np.float32]
    behaviour: npt.NDArray[np.int64]
    previous: npt.NDArray[np.int64] = field(repr=False)

    def __len__(self) -> int:
        return len(self.action)

    @classmethod
    def stack(
        cls,
        episodes: Sequence[Demonstration],
        config: Config,
    ) -> Demonstrations:
        """Join episodes.

        Raises:
            BCError: no episode, or one without a camera that the policy looks through.
        """
        if not episodes:
            raise BCError("there is no episode to clone")
        behaviours = tuple(sorted({name for name, *_ in episodes}))
        images: dict[str, list[Images]] = {camera: [] for camera in config.cameras}
        states, actions, labels, previous = [], [], [], []
        start = 0
        for name, views, state, action in episodes:
            missing = set(config.cameras) - set(views)
            if missing:
                raise BCError(f"an episode lacks the cameras {sorted(missing)}; it has {sorted(views)}")
            states.append(np.asarray(state, np.float32))
            actions.append(np.clip(np.asarray(action, np.float32), -1.0, 1.0))
            length = len(actions[-1])
            labels.append(np.full(length, behaviours.index(name)))
            previous.append(start + np.maximum(np.arange(length) - 1, 0))
            for camera in config.cameras:
                images[camera].append(resample(views[camera], config.image_size))
            start += length
        return cls(
            behaviours,
            {camera: np.concatenate(views) for camera, views in images.items()},
            np.concatenate(states),
            np.concatenate(actions),
            np.concatenate(labels),
            np.concatenate(previous),
        )


def resample(images: Images, size: int) -> Images:
    """(n, h, w, 3) -> (n, size, size, 3) by area; unchanged where the size fits."""
    if images.shape[1:3] == (size, size):
        return images
    pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float()
    resized = nn.functional.interpolate(pixels, (size, size), mode="area")
    return resized.round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


class Encoder(nn.Module):
    """(n, 3 * FRAMES, size, size) in [0, 1] -> (n, 2 * channels[-1]) points in [-1, 1]: all x, all y."""

    grid_x: Tensor
    grid_y: Tensor

    def __init__(self, channels: Sequence[int], size: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = 3 * FRAMES
        for index, out in enumerate(channels):
            stride = 2 if index < 2 else 1
            layers += [
                nn.Conv2d(width, out, 5 if index == 0 else 3, stride, 2 if index == 0 else 1),
                nn.ReLU(),
            ]
            width = out
        self.layers = nn.Sequential(*layers[:-1])  # the soft-argmax needs no rectified input
        self.layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        axis = torch.linspace(-1.0, 1.0, size // 4)
        self.register_buffer("grid_x", axis.repeat(size // 4), persistent=False)
        self.register_buffer("grid_y", axis.repeat_interleave(size // 4), persistent=False)
        self.temperature = nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        features = self.layers(images - 0.5).flatten(2)  # (n, c, size/4 * size/4)
        weights = torch.softmax(features / self.temperature.clamp(min=0.05), dim=-1)
        return torch.cat([weights @ self.grid_x, weights @ self.grid_y], dim=-1)


class ImagePolicy(nn.Module):
    """The cloned policy; `forward` gives actions from frames, `load` and `save` keep it as safetensors."""

    state_mean: Tensor
    state_std: Tensor

    def __init__(self, config: Config, behaviours: Sequence[str], state_dim: int) -> None:
        super().__init__()
        self.config, self.behaviours = config, tuple(behaviours)
        self.encoders = nn.ModuleDict(
            {camera: Encoder(config.channels, config.image_size) for camera in config.cameras}
        )
        width = 2 * config.channels[-1] * len(config.cameras) + FRAMES * state_dim + len(behaviours)
        layers: list[nn.Module] = []
        for units in config.hidden:
            layers += [nn.Linear(width, units), nn.ReLU()]
            width = units
        self.head = nn.Sequential(*layers, nn.Linear(width, ACTION_DIM))
        self.register_buffer("state_mean", torch.zeros(state_dim))
        self.register_buffer("state_std", torch.ones(state_dim))

    def forward(self, images: Mapping[str, Tensor], state: Tensor, behaviour: Tensor) -> Tensor:
        """Actions (n, 7), not clipped.

        Args:
            images: camera -> (n, 3 * FRAMES, size, size) in [0, 1], the older frame first.
            state: (n, FRAMES, d) normalised. behaviour: (n,) int.
        """
        points = [
            # One black image stands for all of a blind policy's.
            self.encoders[camera](torch.zeros_like(images[camera][:1])).expand(len(state), -1)
            if self.config.image_blind
            else self.encoders[camera](images[camera])
            for camera in self.config.cameras
        ]
        one_hot = nn.functional.one_hot(behaviour, len(self.behaviours)).to(state.dtype)
        return self.head(torch.cat([*points, state.flatten(1), one_hot], dim=-1))

    def normalise(self, state: Tensor) -> Tensor:
        return (state - self.state_mean) / self.state_std

    def save(self, path: Path) -> None:
        about = {"config": asdict(self.config), "behaviours": self.behaviours, "format": "video2policy.bc.1"}
        tensors = {name: tensor.contiguous() for name, tensor in self.state_dict().items()}
        save_file(tensors, path, {"about": json.dumps(about)})

    @classmethod
    def load(cls, path: Path) -> ImagePolicy:
        """Raises BCError when the file is no cloned policy."""
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {}).get("about", "{}"))
            if about.get("format") != "video2policy.bc.1":
                raise BCError(f"{path} holds no cloned image policy")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        config: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in about["config"].items()
        }
        policy = cls(Config(**config), about["behaviours"], len(tensors["state_mean"]))
        policy.load_state_dict(tensors)
        return policy.eval()


def train(
    data: Demonstrations, config: Config, on_epoch: Callable[[int, float], None] | None = None
) -> tuple[ImagePolicy, list[float]]:
    """Clone the demonstrations; returns the policy after the last epoch and the mean loss of every epoch.

    Deterministic for a seed on one machine and number of threads. The loss is Huber's on the action.
    """
    torch.manual_seed(config.seed)
    generator = torch.Generator().manual_seed(config.seed)
    policy = ImagePolicy(config, data.behaviours, data.state.shape[1])
    state = torch.from_numpy(data.state)
    policy.state_mean.copy_(state.mean(0))
    policy.state_std.copy_(state.std(0).clamp(min=1e-3))
    state = policy.normalise(state)
    images = {camera: torch.from_numpy(views) for camera, views in data.images.items()}
    action, behaviour = torch.from_numpy(data.action), torch.from_numpy(data.behaviour)
    previous = torch.from_numpy(data.previous)
    optimiser = torch.optim.AdamW(
        [
            {"params": policy.encoders.parameters(), "lr": config.backbone_lr},
            {"params": policy.head.parameters(), "lr": config.head_lr},
        ],
        weight_decay=config.weight_decay,
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
            views = {camera: _frames(pixels, frames, config, generator) for camera, pixels in images.items()}
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


def _frames(pixels: Tensor, frames: Tensor, config: Config, generator: torch.Generator) -> Tensor:
    """Stacked, randomly shifted frames (b, 3 * FRAMES, s, s) in [0, 1] of the frame indices (b, FRAMES)."""
    size, shift = config.image_size, config.shift
    if config.image_blind:
        return torch.zeros(1, 3 * FRAMES, size, size)
    # Channels stay innermost: the convolutions are twice as fast so.
    stacked = torch.cat([pixels[frames[:, k]] for k in range(FRAMES)], dim=-1)
    down, right = torch.randint(-shift, shift + 1, (2,), generator=generator).tolist()
    rows, columns = ((torch.arange(size) + by).clamp(0, size - 1) for by in (down, right))
    shifted = stacked.index_select(1, rows).index_select(2, columns)
    return shifted.permute(0, 3, 1, 2).float() / 255.0


class Agent:
    """A cloned policy in closed loop over n environments; it remembers the frame before."""

    def __init__(self, policy: ImagePolicy, behaviour: str) -> None:
        if behaviour not in policy.behaviours:
            raise BCError(f"the policy has not seen {behaviour!r}; it knows {', '.join(policy.behaviours)}")
        self.policy = policy
        self._behaviour = policy.behaviours.index(behaviour)
        self._last: tuple[dict[str, Tensor], Tensor] | None = None

    def reset(self) -> None:
        """Forget the last frame: all environments begin an episode."""
        self._last = None

    @torch.no_grad()
    def act(self, images: Mapping[str, Images], state: Tensor) -> Tensor:
        """Actions (n, 7) in [-1, 1] for images (camera -> (n, h, w, 3) uint8) and robot states (n, 14)."""
        size = self.policy.config.image_size
        now = {
            camera: torch.from_numpy(resample(images[camera], size)).permute(0, 3, 1, 2).float() / 255.0
            for camera in self.policy.config.cameras
        }
        proprioception = self.policy.normalise(state.float())
        before = self._last or (now, proprioception)
        self._last = (now, proprioception)
        stacked = {camera: torch.cat([before[0][camera], now[camera]], dim=1) for camera in now}
        behaviour = torch.full((len(state),), self._behaviour)
        action = self.policy(stacked, torch.stack([before[1], proprioception], dim=1), behaviour)
        return action.clamp(-1.0, 1.0)


def proprioception(states: Mapping[str, Tensor]) -> Tensor:
    """The robot's own states (n, 14) out of the simulator's."""
    return torch.cat([states[key].reshape(len(states[key]), -1) for key in PROPRIOCEPTION], dim=1)
