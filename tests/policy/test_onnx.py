"""Exported policies act as PyTorch's, and one that does not is not kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.deploy import tiny_policy
from scripts import export_onnx
from video2policy.policy import onnx
from video2policy.policy.bc import PRESETS


@pytest.mark.parametrize("inputs", ["rgb", "mask_state"])
def test_an_exported_policy_acts_the_same(tmp_path, inputs):
    small = replace(
        PRESETS["small"], image_size=32, channels=(8, 8), hidden=(32,), inputs=inputs, state_width=8
    )
    policy = tiny_policy(small)
    policy.state_mean.fill_(0.3)
    policy.save(tmp_path / "policy.safetensors")
    export_onnx.main(tmp_path / "policy.safetensors", tmp_path / "policy.onnx")
    assert (tmp_path / "policy.onnx").stat().st_size > 1000


def test_a_network_that_differs_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx, "TOLERANCE", -1.0)
    with pytest.raises(onnx.ExportError, match="differs by"):
        onnx.export(tiny_policy(), tmp_path / "policy.onnx")
    assert not list(tmp_path.iterdir())
