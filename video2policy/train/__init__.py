"""Training. Isaac Gym refuses to be imported after torch, so that it goes first where it is installed."""

import importlib.util

if importlib.util.find_spec("isaacgym") is not None:
    import isaacgym  # noqa: F401
