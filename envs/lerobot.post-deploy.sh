#!/usr/bin/env bash
# The Panda's meshes come inside the gym-hil wheel (Apache-2.0). Its dependencies drag in a training framework and
# torch ranges, and a `pip:` list cannot say --no-deps for one package, so it is installed here, after the rest.
set -euo pipefail
python -m pip install --quiet --no-deps gym-hil==0.1.14
