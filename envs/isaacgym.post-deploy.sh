#!/usr/bin/env bash
# NVIDIA hands Isaac Gym Preview 4 out to registered developers only: unpack it to vendor/isaacgym, or name its folder in
# ISAACGYM_PATH. It stays where it is, as its assets lie beside its package. ninja compiles its bridge to torch.
set -euo pipefail
python -m pip install --quiet --no-deps --editable "${ISAACGYM_PATH:-vendor/isaacgym}/python"
