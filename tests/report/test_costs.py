"""The ledger, summed."""

from pathlib import Path

import pytest

from tests.report import synthetic
from video2policy.author.cassette import Usage
from video2policy.author.ledger import Ledger, Prices, rows, total
from video2policy.report.costs import costs


def test_it_sums_what_the_author_wrote(tmp_path: Path) -> None:
    book = Ledger(tmp_path, Prices(1.0, 0.1, 10.0), None)
    for clip, used in (("cup", Usage(500, 0, 10)), ("box", Usage(9000, 100, 900)), ("cup", None)):
        names = (f"{clip}/task/0/0", "localhost", "m", "k" * 64)
        call = book.reserve(*names, Usage(1000, 0, 100))
        if used is not None:
            book.settle(call, *names, used)
    box, cup = costs(book.path)
    assert (box.job, box.calls, box.prompt, box.cached, box.completion) == ("box", 1, 9000, 100, 900)
    assert (cup.job, cup.calls, cup.prompt) == ("cup", 2, 1500)  # the call that was lost counts in full
    assert box.usd + cup.usd == pytest.approx(total(rows(book.path)))


def test_no_ledger_costs_nothing_and_a_broken_one_is_said(tmp_path: Path) -> None:
    assert costs(tmp_path / "ledger.tsv") == []
    synthetic.write_ledger(tmp_path / "ledger.tsv")
    with (tmp_path / "ledger.tsv").open("a") as file:
        file.write("half a row\n")
    with pytest.raises(ValueError, match="lacks a cell"):
        costs(tmp_path / "ledger.tsv")
