#!/usr/bin/env bash
# Not on a package index.
set -euo pipefail
python -m pip install --quiet --no-build-isolation git+https://github.com/tatsy/torchmcubes@3aef8afa5f21b113afc4f4ea148baee850cbd472
