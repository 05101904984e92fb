"""Measurements and renderings for developers; nothing in the workflow needs them."""

import sys
from importlib.util import find_spec

if find_spec("scipy") is None:
    sys.exit(
        "bench needs the environment of the tests: `make setup-test`, then `.venv-test/bin/python -m ...`"
    )
