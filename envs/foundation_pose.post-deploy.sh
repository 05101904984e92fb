#!/usr/bin/env bash
# Not on a package index; nvdiffrast is for non-commercial use only. The clone's mycpp is built by its build_all.sh,
# in this environment, once.
set -euo pipefail
python -m pip install --quiet --no-build-isolation git+https://github.com/NVlabs/nvdiffrast@v0.3.3
python -m pip install --quiet --no-build-isolation git+https://github.com/facebookresearch/pytorch3d@v0.7.8
