#!/usr/bin/env bash
# Not on a package index; --no-deps, since it requires a whole frozen training environment.
set -euo pipefail
python -m pip install --quiet --no-deps git+https://github.com/lpiccinelli-eth/UniDepth@8d8cfe4c7ee15297099983607febf0d4f32eb3d6
