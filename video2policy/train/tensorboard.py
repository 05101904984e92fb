"""TensorBoard's writer for plain numbers, without torch, which it loads for tensors: a second a training."""

import sys

# With an entry of None `import torch` raises ImportError, and the writer does without. The type of entries is
# declared to be a module.
_torch = sys.modules.get("torch")
sys.modules["torch"] = None  # type: ignore[assignment]
try:
    from tensorboardX import SummaryWriter as SummaryWriter
finally:
    del sys.modules["torch"]
    if _torch is not None:
        sys.modules["torch"] = _torch
