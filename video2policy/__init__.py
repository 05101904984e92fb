"""Video2Policy: from an RGB clip of a person handling objects to a trained robot policy."""

import os

os.environ.setdefault("MUJOCO_GL", "egl")  # draw without a screen; MuJoCo reads it when it is first imported
