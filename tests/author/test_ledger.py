"""The budget holds, over all jobs that share it."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from video2policy.author import ledger
from video2policy.author.cassette import Answer, Cassette, NoReply, Usage, call_key
from video2policy.author.ledger import Ledger, Prices

PRICES = Prices(1.0, 0.1, 10.0)
NAMES = ("clip/task/0/0", "localhost", "m", "k" * 64)


def test_cached_tokens_cost_less() -> None:
    assert PRICES.cost(Usage(1000, 400, 50)) == pytest.approx((600 * 1 + 400 * 0.1 + 50 * 10) / 1e6)
    assert Prices.from_json({"input": 2, "output": 3}).cached == 2


def test_a_call_is_written_before_it_is_made_and_again_after(tmp_path: Path) -> None:
    book = Ledger(tmp_path, PRICES, None)
    call = book.reserve(*NAMES, Usage(1000, 0, 1000))
    assert ledger.total(ledger.rows(book.path)) == pytest.approx(0.011)
    book.settle(call, *NAMES, Usage(500, 0, 10))
    rows = ledger.rows(book.path)
    assert [row["state"] for row in rows] == ["asked", "answered"]
    assert ledger.total(rows) == pytest.approx(0.0006)
    assert '"calls": 1' in ledger.summary(book.path)


def test_the_call_that_could_exceed_the_budget_is_not_made(tmp_path: Path) -> None:
    book = Ledger(tmp_path, PRICES, 0.025)
    for _ in range(2):
        book.reserve(*NAMES, Usage(1000, 0, 1000))
    before = book.path.read_bytes()
    with pytest.raises(
        NoReply, match=r"budget of 0.025 USD does not allow .* 0.0220 USD are spent or reserved"
    ):
        book.reserve(*NAMES, Usage(1000, 0, 1000))
    assert book.path.read_bytes() == before


def test_jobs_at_the_same_time_cannot_exceed_it_together(tmp_path: Path) -> None:
    def reserve(_: int) -> bool:
        try:
            Ledger(tmp_path, PRICES, 0.1).reserve(*NAMES, Usage(0, 0, 1000))
        except NoReply:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(reserve, range(30))) == 10


def test_a_ledger_that_cannot_be_read_stops_all_calls(tmp_path: Path) -> None:
    book = Ledger(tmp_path, PRICES, 1.0)
    book.reserve(*NAMES, Usage(10, 0, 10))
    book.path.write_text(book.path.read_text() + "2026\tx\n")
    with pytest.raises(NoReply, match="cannot be read"):
        book.reserve(*NAMES, Usage(10, 0, 10))


def test_the_bound_is_above_what_text_and_pictures_use() -> None:
    text = "a reward for a robot's task. " * 100
    body = {
        "messages": [
            {"role": "system", "content": text},
            {"role": "user", "content": [{"type": "text", "text": text}, {"type": "image", "sha256": "0"}]},
        ],
        "max_completion_tokens": 70,
        "max_tokens": 50,
    }
    most = ledger.bound(body, 1000)
    assert most.prompt == 1000 + len(text) and most.completion == 70


def test_no_more_calls_than_turns_at_the_same_time(tmp_path: Path) -> None:
    lock, now, most = threading.Lock(), 0, 0

    def work(_: int) -> None:
        nonlocal now, most
        with ledger.turn(tmp_path, 2):
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.05)
            with lock:
                now -= 1

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert most == 2


def test_a_recorded_answer_comes_back(tmp_path: Path) -> None:
    cassette, body = Cassette(tmp_path / "replies"), {"model": "m", "messages": []}
    key = call_key(body, 0, 0)
    assert cassette.load(key) is None
    answer = Answer("text é", "length", "", "m-1", Usage(3, 2, 1))
    cassette.save(key, body, 0, 0, answer)
    assert cassette.load(key) == answer
    assert [path.name for path in cassette.folder.iterdir()] == [f"{key}.json"]
    (cassette.folder / f"{key}.json").write_text("{")
    with pytest.raises(NoReply, match="delete it to ask again"):
        cassette.load(key)


def test_the_key_is_that_of_request_sample_and_attempt() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "a"}]}
    keys = {
        call_key(body, 0, 0),
        call_key(body, 1, 0),
        call_key(body, 0, 1),
        call_key({**body, "seed": 1}, 0, 0),
    }
    assert len(keys) == 4
    assert call_key(dict(reversed(body.items())), 0, 0) in keys
