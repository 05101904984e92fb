#!/usr/bin/env bash
# nvdiffrast is not on a package index, and for non-commercial use only.
set -euo pipefail
python -m pip install --quiet --no-build-isolation git+https://github.com/NVlabs/nvdiffrast@v0.3.3
