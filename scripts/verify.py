"""Check a results folder against what its jobs recorded, and name what must be made again."""

import argparse
import sys
import time
from pathlib import Path

from video2policy.verification import verify

REBUILD = "make them again, with the --config and --configfile of the run:\n  snakemake --cores all --force"


def main() -> None:
    """Print one line per problem and the command that mends them; exit with status 1 where there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", nargs="?", type=Path, default=Path("results"), help="default: results")
    folder: Path = parser.parse_args().results
    started = time.monotonic()
    done = verify(folder)
    if not done.jobs and not done.problems:
        sys.exit(f"verify: no job left a record in {folder}, there is nothing to check")
    amount = f"{done.artifacts} artifacts of {done.jobs} jobs, {done.size / 1e6:,.0f} MB"
    checked = f"{amount}, in {time.monotonic() - started:.1f} s"
    for problem in done.problems:
        print(f"{problem.path} {problem.what}")
    if done.rebuild():
        print(REBUILD, *done.rebuild())
    if done.problems:
        sys.exit(f"verify: {len(done.problems)} problems in {checked}")
    print(f"verify: all is as it was made: {checked}")


if __name__ == "__main__":
    main()
