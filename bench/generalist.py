"""Render lifting clips for the generalist (paper, section 4.2) with a sheet that says which are unseen.

    python -m bench.generalist OUT --training 100 --unseen 5

Training clips come from the suite's seeds below 1000; unseen instances (another shape, texture and size of a
kind of object that a training clip shows) and unseen categories (kinds that none shows; some are kept for
that) from the held-out seeds. Perception refuses some clips: render more than shall be learnt from. What is
complete in OUT is kept.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import count, islice
from pathlib import Path

from bench.suite import EXTRAS, HELD_OUT, run, write_sheets

FAMILY = "lift"
RESERVED = 4
"""Every so-manieth kind of object, by name, is no training clip's."""


def kind_of(seed: int) -> str:
    """The kind of object that the suite's seed lifts."""
    from video2policy.rendered import suite

    return suite.draw(FAMILY, seed).items[0].kind.name


def choose(training: int, unseen: int) -> dict[int, str]:
    """Seed -> split; so many training clips, and so many of each unseen split."""
    from video2policy.rendered.suite import LIFTED

    reserved = set(sorted(set(LIFTED))[::RESERVED])
    trained = list(islice((s for s in count() if kind_of(s) not in reserved), training))
    shown = {kind_of(seed) for seed in trained}
    splits = dict.fromkeys(trained, "train")
    for split, known in (("unseen_instance", True), ("unseen_category", False)):
        fitting = (seed for seed in count(HELD_OUT) if (kind_of(seed) in shown) == known)
        splits |= dict.fromkeys(islice(fitting, unseen), split)
    return splits


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--training", type=int, default=100, help="training clips")
    parser.add_argument("--unseen", type=int, default=5, help="clips of each unseen split")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--with", dest="extras", nargs="+", choices=EXTRAS, default=[])
    chosen = parser.parse_args(arguments)
    if min(chosen.training, chosen.unseen, chosen.jobs) < 1:
        parser.error("--training, --unseen and --jobs must be at least 1")
    splits = choose(chosen.training, chosen.unseen)
    failed = run(chosen.out, [FAMILY], list(splits), (427, 240), 12, chosen.jobs)
    videos = {f"{FAMILY}_{seed:04d}": split for seed, split in splits.items()}
    accepted, _ = write_sheets(chosen.out, chosen.extras, videos)
    print(f"{chosen.out}/videos.tsv: {accepted} rows")
    for line in failed:
        print(f"not rendered: {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
