"""Behaviour cloning of one image policy over the trajectories of many tasks (paper, section 4.2).

The policy sees two stacked frames of each camera, RGB or segmentation masks, the robot's own state (tool
pose, gripper, tracking error: nothing of the objects), and which behaviour is asked for, as a one-hot over
the training families. An encoder (`policy.encoders`) turns each camera's frames into features; a head of
three layers of 512 turns these into the 7-dim action.

An image-blind policy is the same with black images: what it reaches needs no sight.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from video2policy.policy import encoders
from video2policy.policy.encoders import FRAMES, BackboneEncoder
from video2policy.task import ROBOT_OBSERVATIONS

PROPRIOCEPTION = ROBOT_OBSERVATIONS
"""The robot's own states; a test holds that none of them depends on where the objects are."""

ACTION_DIM = 7
ROTATION = slice(3, 6)
INPUTS = ("rgb", "mask", "mask_state")
MAPS_BATCH = 64
FORMAT = "video2policy.bc.2"

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
    inputs: str = "rgb"
    """rgb: colours and the robot's state. mask: masks of the task's objects alone. mask_state: with the
    robot's state, which an MLP lifts to `state_width` numbers (paper, section 4.2: sim-to-real)."""
    backbone: str = "points"
    """points (a small network from scratch) | efficientnet_lite0 | resnet18 (`policy.encoders`)."""
    frozen: bool = False
    """An ImageNet backbone does not learn; its maps of all frames are computed once."""
    weights: str = ""
    """Folder or hub name of ResNet18's weights."""
    state_width: int = 256
    rotation_scale: float = 1.0
    """Factor on the rotations that the policy commands; .2 in the paper's sim-to-real."""
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
        for name, known in (("inputs", INPUTS), ("backbone", encoders.BACKBONES)):
            if getattr(self, name) not in known:
                raise ValueError(f"no {name} {getattr(self, name)!r}; there are {', '.join(known)}")

    @property
    def masks(self) -> bool:
        """Whether the policy sees masks instead of colours."""
        return self.inputs != "rgb"


class BCError(ValueError):
    """Data or a checkpoint that do not fit the policy."""


_PAPER = Config(
    cameras=("front",),
    image_size=256,
    backbone="resnet18",
    epochs=30,
    batch_size=1024,
    head_lr=3e-4,
    backbone_lr=3e-5,
    action_noise=0.0,
    after=None,
)

PRESETS = {
    "small": Config(),
    "small_mask": Config(inputs="mask_state"),
    "imagenet": Config(image_size=96, backbone="efficientnet_lite0", frozen=True, shift=0),
    "paper": _PAPER,
    "paper_mask": replace(_PAPER, inputs="mask_state", rotation_scale=0.2),
}
"""small: a few minutes on a CPU; imagenet: the packaged backbone, frozen; paper: sections 4.2, ResNet18."""


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


def mask_pictures(labels: npt.NDArray[Any], objects: Sequence[str], roles: Mapping[str, str]) -> Images:
    """Labels (n, h, w) of `objects` in order (1...) -> (n, h, w, 3): the task's object a in red, b in green.

    The robot and objects without a role stay black: at deployment one click on each object gives the masks.
    """
    picture = np.zeros((*labels.shape, 3), np.uint8)
    for channel, role in enumerate("ab"):
        if role in roles:
            picture[..., channel] = 255 * (labels == 1 + list(objects).index(roles[role]))
    return picture


class ImagePolicy(nn.Module):
    """The cloned policy; `forward` gives actions from frames, `load` and `save` keep it as safetensors."""

    state_mean: Tensor
    state_std: Tensor

    def __init__(
        self, config: Config, behaviours: Sequence[str], state_dim: int, pretrained: bool = False
    ) -> None:
        super().__init__()
        self.config, self.behaviours = config, tuple(behaviours)
        self.encoders = nn.ModuleDict(
            {
                camera: encoders.make(
                    config.backbone,
                    config.channels,
                    config.image_size,
                    config.frozen,
                    pretrained,
                    config.weights,
                )
                for camera in config.cameras
            }
        )
        widths: list[int] = [encoder.width for encoder in self.encoders.values()]  # type: ignore[misc]
        if config.inputs == "rgb":
            widths.append(FRAMES * state_dim)
        elif config.inputs == "mask_state":
            self.lift = nn.Sequential(
                nn.Linear(FRAMES * state_dim, config.state_width),
                nn.ReLU(),
                nn.Linear(config.state_width, config.state_width),
            )
            widths.append(config.state_width)
        width = sum(widths) + len(behaviours)
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
            images: camera -> (n, 3 * FRAMES, size, size) in [0, 1], the older frame first; or what `maps`
            gave for these frames, (n, FRAMES, c, h, w).
            state: (n, FRAMES, d) normalised. behaviour: (n,) int.
        """
        parts = [self._features(camera, images[camera], len(state)) for camera in self.config.cameras]
        if self.config.inputs == "rgb":
            parts.append(state.flatten(1))
        elif self.config.inputs == "mask_state":
            parts.append(self.lift(state.flatten(1)))
        one_hot = nn.functional.one_hot(behaviour, len(self.behaviours)).to(state.dtype)
        return self.head(torch.cat([*parts, one_hot], dim=-1))

    def _features(self, camera: str, images: Tensor, count: int) -> Tensor:
        encoder = self.encoders[camera]
        if self.config.image_blind:  # one black image stands for all
            return encoder(torch.zeros_like(images[:1])).expand(count, -1)
        if images.ndim == 5:
            assert isinstance(encoder, BackboneEncoder)
            return encoder.read(images)
        return encoder(images)

    @torch.no_grad()
    def maps(self, camera: str, images: Images) -> Tensor:
        """A frozen backbone's feature maps (n, c, h, w), half precision, of single frames (n, h, w, 3)."""
        encoder = self.encoders[camera]
        assert isinstance(encoder, BackboneEncoder) and encoder.frozen
        return torch.cat(
            [
                encoder.maps(
                    torch.from_numpy(batch).to(self.state_mean.device).permute(0, 3, 1, 2).float() / 255.0
                ).half()
                for batch in np.array_split(images, -(-len(images) // MAPS_BATCH))
            ]
        )

    def normalise(self, state: Tensor) -> Tensor:
        return (state - self.state_mean) / self.state_std

    def save(self, path: Path) -> None:
        about = {"config": asdict(self.config), "behaviours": self.behaviours, "format": FORMAT}
        tensors = {name: tensor.contiguous() for name, tensor in self.state_dict().items()}
        save_file(tensors, path, {"about": json.dumps(about)})

    @classmethod
    def load(cls, path: Path) -> ImagePolicy:
        """Raises BCError when the file is no cloned policy, or a spoilt one."""
        if not path.is_file():
            raise BCError(f"{path} is no file")
        try:
            with safe_open(path, "pt") as file:
                about = json.loads((file.metadata() or {}).get("about", "{}"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if about.get("format") != FORMAT:
                raise BCError(f"{path} holds no cloned image policy of this version")
            config: dict[str, Any] = {
                k: tuple(v) if isinstance(v, list) else v for k, v in about["config"].items()
            }
            policy = cls(Config(**config), about["behaviours"], len(tensors["state_mean"]))
            policy.load_state_dict(tensors)
        except BCError:
            raise
        except (SafetensorError, AttributeError, KeyError, TypeError, RuntimeError, ValueError) as error:
            raise BCError(f"{path} holds no cloned image policy, or a spoilt one: {error}") from error
        if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
            raise BCError(f"{path} holds weights that are not finite")
        return policy.eval()


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
        action[:, ROTATION] *= self.policy.config.rotation_scale
        return action.clamp(-1.0, 1.0)


def proprioception(states: Mapping[str, Tensor]) -> Tensor:
    """The robot's own states (n, 14) out of the simulator's."""
    return torch.cat([states[key].reshape(len(states[key]), -1) for key in PROPRIOCEPTION], dim=1)
