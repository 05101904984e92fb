"""Builds environments with the stand-in, imports what their scripts import: `python -m bench.environments`.

By default those that need no GPU and nothing off the package index; others by name. An environment is built
in a temporary folder, with its post-deploy script, and thrown away.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.test_environments import CPU, REPO, RUNS, imported

STAND_IN = REPO / "tools" / "conda" / "bin" / "conda"


def scripts(name: str) -> tuple[str, ...]:
    """The files that run in an environment."""
    return tuple(file for known, files in RUNS for file in files if known == name)


def build(name: str, prefix: Path) -> None:
    """Build an environment as snakemake would. Raises CalledProcessError."""
    environ = {**os.environ, "PATH": f"{REPO / '.venv' / 'bin'}:{os.environ['PATH']}"}
    file = REPO / "envs" / f"{name}.yaml"
    subprocess.run([STAND_IN, "env", "create", "--file", file, "--prefix", prefix], check=True, env=environ)
    after = file.with_suffix(".post-deploy.sh")
    if after.exists():
        environ |= {"CONDA_PREFIX": str(prefix), "PATH": f"{prefix / 'bin'}:{environ['PATH']}"}
        subprocess.run(["bash", after], check=True, env=environ, cwd=REPO)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=CPU, help=f"default: {' '.join(CPU)}")
    failed = False
    print("| environment | build, s | packages imported |\n|---|---|---|")
    for name in parser.parse_args().names:
        with tempfile.TemporaryDirectory(prefix="environment_") as folder:
            prefix, started = Path(folder, "env"), time.monotonic()
            try:
                build(name, prefix)
                seconds = time.monotonic() - started
                packages = sorted(imported(*scripts(name)))
                subprocess.run(
                    [prefix / "bin" / "python", "-I", "-c", f"import {', '.join(packages)}"], check=True
                )
                print(f"| {name} | {seconds:.0f} | {len(packages)}: {' '.join(packages)} |", flush=True)
            except subprocess.CalledProcessError as error:
                failed = True
                print(f"| {name} | failed | {error} |", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
