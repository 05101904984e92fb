"""What a language model cost, for each job that asked one: the ledger's rows, summed."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """The calls of one model for one clip: the part of a job's name before the first "/". Tokens, USD."""

    job: str
    model: str
    calls: int
    prompt: int
    cached: int
    completion: int
    usd: float


def costs(ledger: Path) -> list[Cost]:
    """A sum per job and model, the dearest first; [] without a file. A call counts by its last row.

    Raises ValueError for a row that cannot be read.
    """
    if not ledger.is_file():
        return []
    with ledger.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, dialect="excel-tab"))
    sums: dict[tuple[str, str], Cost] = {}
    try:
        for row in {row["call"]: row for row in rows}.values():
            key = row["job"].split("/")[0], row["model"]
            old = sums.get(key) or Cost(*key, 0, 0, 0, 0, 0.0)
            sums[key] = Cost(
                *key,
                old.calls + 1,
                old.prompt + int(row["prompt"]),
                old.cached + int(row["cached"]),
                old.completion + int(row["completion"]),
                old.usd + float(row["usd"]),
            )
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"a row of {ledger.name} lacks a cell ({error})") from error
    return sorted(sums.values(), key=lambda one: (-one.usd, one.job, one.model))
