#!/usr/bin/env bash
# Compiled from their repositories. kaolin 0.17.0 for torch 2.5.1 must be found by pip: set PIP_FIND_LINKS to NVIDIA's
# page of its wheels, as the repository's doc/setup.md says.
set -euo pipefail
python -m pip install --quiet --no-build-isolation git+https://github.com/facebookresearch/pytorch3d@75ebeeaea0908c5527e7b1e305fbc7681382db47
python -m pip install --quiet --no-deps git+https://github.com/microsoft/MoGe@a8c37341bc0325ca99b9d57981cc3bb2bd3e255b
python -m pip install --quiet --no-deps git+https://github.com/EasternJournalist/utils3d@3913c65d81e05e47b9f367250cf8c0f7462a0900
python -m pip install --quiet kaolin==0.17.0
