#!/usr/bin/env bash
# mediapipe asks for jax, scipy, sounddevice and a second OpenCV (400 MB), which its hand model does not use.
set -euo pipefail
python -m pip install --quiet --no-deps mediapipe==0.10.21
