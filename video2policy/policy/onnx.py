"""An image policy as ONNX, checked against PyTorch. onnx and onnxruntime are imported here and nowhere else.

The network takes what `ImagePolicy.forward` takes, for one robot, but that its state comes as it is: the
input statistics are in the file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from video2policy.policy.bc import FRAMES, ImagePolicy

TOLERANCE = 1e-4
"""Largest difference of an action, which is about 1, between ONNX Runtime and PyTorch."""


class ExportError(ValueError):
    """The exported network does not act as the policy does."""


class _Network(nn.Module):
    """The policy with its normalisation, and images as arguments of their own."""

    def __init__(self, policy: ImagePolicy) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, state: Tensor, behaviour: Tensor, *images: Tensor) -> Tensor:
        views = dict(zip(self.policy.config.cameras, images, strict=True))
        return self.policy(views, self.policy.normalise(state), behaviour)


def export(policy: ImagePolicy, path: Path, trials: int = 5) -> float:
    """Write the policy to `path` (.onnx) and return the largest difference over random inputs.

    Inputs: state (1, FRAMES, d), behaviour (1,) int64, image_<camera> (1, 3 * FRAMES, size, size) in [0, 1];
    output: action (1, 7), neither clipped nor scaled (config `rotation_scale`).

    Raises:
        ExportError: it differs by more than TOLERANCE; the file is removed.
    """
    import onnx
    import onnxruntime

    network = _Network(policy.eval()).eval()
    names = ["state", "behaviour", *(f"image_{camera}" for camera in policy.config.cameras)]
    generator = torch.Generator().manual_seed(0)

    def inputs() -> tuple[Tensor, ...]:
        size, dim = policy.config.image_size, len(policy.state_mean)
        state = policy.state_mean + policy.state_std * torch.randn(1, FRAMES, dim, generator=generator)
        behaviour = torch.randint(len(policy.behaviours), (1,), generator=generator)
        images = [torch.rand(1, 3 * FRAMES, size, size, generator=generator) for _ in policy.config.cameras]
        return state, behaviour, *images

    torch.onnx.export(
        network,
        inputs(),
        str(path),
        input_names=names,
        output_names=["action"],
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    onnx.checker.check_model(str(path))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for _ in range(trials):
        given = inputs()
        with torch.no_grad():
            expected = network(*given).numpy()
        fed = {name: value.numpy() for name, value in zip(names, given, strict=True)}
        known = {item.name for item in session.get_inputs()}  # a mask policy does not read the state
        (action,) = session.run(["action"], {name: value for name, value in fed.items() if name in known})
        worst = max(worst, float(np.abs(action - expected).max()))
    if not worst <= TOLERANCE:
        path.unlink()
        raise ExportError(f"the exported network differs by {worst:.2g} from the policy")
    return worst
