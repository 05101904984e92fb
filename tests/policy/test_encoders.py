"""Encoders: image points, and ImageNet backbones with their real loading code."""

from __future__ import annotations

import pytest
import torch
from transformers import ResNetConfig, ResNetModel

from video2policy.policy import encoders
from video2policy.policy.encoders import BackboneError


def make(backbone: str, size: int = 64, pretrained: bool = True, weights: str = "") -> encoders.Encoder:
    return encoders.make(backbone, (8, 8), size, frozen=False, pretrained=pretrained, weights=weights)


def test_the_soft_argmax_points_at_the_largest():
    maps = torch.zeros(1, 2, 5, 5)
    maps[0, 0, 0, 4] = maps[0, 1, 2, 2] = 50.0
    x1, x2, y1, y2 = encoders.SoftArgmax(5)(maps)[0].tolist()
    assert (x1, y1) == pytest.approx((1, -1), abs=1e-3) and (x2, y2) == pytest.approx((0, 0), abs=1e-3)


@pytest.mark.parametrize("size", [64, 100])
def test_the_packaged_backbone_has_imagenets_weights(size):
    torch.manual_seed(0)
    encoder, random = make("efficientnet_lite0", size), make("efficientnet_lite0", size, pretrained=False)
    assert encoder(torch.rand(2, 6, size, size)).shape == (2, encoder.width)
    names = encoder.body.state_dict().keys()
    assert names == random.body.state_dict().keys()
    # A trained first layer has learnt statistics; a fresh one has means of 0.
    assert encoder.body[1].running_mean.abs().sum() > 0 and random.body[1].running_mean.abs().sum() == 0


def test_resnet18_is_loaded_from_a_folder(tmp_path):
    torch.manual_seed(0)
    shape = {"hidden_sizes": [64, 128, 256, 512], "depths": [2, 2, 2, 2], "layer_type": "basic"}
    network = ResNetModel(ResNetConfig(**shape)).eval()
    network.save_pretrained(tmp_path)
    encoder = make("resnet18", weights=str(tmp_path)).eval()
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        own = encoder(torch.cat([image, image], dim=1))
        vendor = network((image - encoder.mean) / encoder.std).pooler_output.flatten(1)
    assert own.shape == (1, encoder.width) == (1, 1024)
    torch.testing.assert_close(own, torch.cat([vendor, vendor], dim=1))


def test_what_cannot_be_had_is_said(tmp_path):
    with pytest.raises(BackboneError, match="there are points, efficientnet_lite0, resnet18"):
        make("vgg")
    with pytest.raises(BackboneError, match=r"name a folder in generalist\.weights"):
        make("resnet18", weights=str(tmp_path / "absent"))
