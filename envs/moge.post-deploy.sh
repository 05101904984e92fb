#!/usr/bin/env bash
# Neither is on a package index at the version that is needed.
set -euo pipefail
python -m pip install --quiet --no-deps git+https://github.com/EasternJournalist/utils3d@3913c65d81e05e47b9f367250cf8c0f7462a0900
python -m pip install --quiet --no-deps git+https://github.com/microsoft/MoGe@a8c37341bc0325ca99b9d57981cc3bb2bd3e255b
