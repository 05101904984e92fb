"""TensorBoard's writer for plain numbers, without torch, which it loads for tensors: a second a training."""

import sys

_torch = sys.modules.get("torch")
sys.modules["torch"] = None  # type: ignore[assignment]  # importing it fails
try:
    from tensorboardX import SummaryWriter as SummaryWriter
finally:
    del sys.modules["torch"]
    if _torch is not None:
        sys.modules["torch"] = _torch
