"""Rows on disk: whole or not at all, in order, one process a folder; and a disk that is full."""

import errno
import json
import os
import resource
import time
from types import SimpleNamespace

import pytest
from world.fakes import manifest_of

from interlock.errors import Refused, Unreachable
from interlock.serving.prediction_log import log as log_module
from interlock.serving.prediction_log import spool as spool_module
from interlock.serving.prediction_log.log import PredictionLog
from interlock.serving.prediction_log.metrics import LogCollector
from interlock.serving.prediction_log.rows import Privacy
from interlock.serving.prediction_log.spool import Spool


@pytest.fixture
def spool(tmp_path):
    spool = Spool(tmp_path)
    yield spool
    spool.close()


def drained(spool):
    lines = []
    while path := spool.oldest():
        lines += path.read_bytes().splitlines()
        path.unlink()
    return lines


def test_rows_come_back_in_order_whatever_is_drained_in_between(spool, monkeypatch):
    monkeypatch.setattr(spool_module, "LARGEST_FILE", 20)
    found = []
    for n in range(50):
        spool.append([f"row {n}\n".encode()])
        if n % 7 == 0:
            found += drained(spool)

    assert found + drained(spool) == [f"row {n}".encode() for n in range(50)]


def test_while_nobody_drains_few_files_are_made(spool):
    for _ in range(100):
        spool.append([b"x" * 1000 + b"\n"])

    assert len(list(spool.folder.glob("*.jsonl"))) == 1
    assert spool.waiting_bytes() == 100_100


def test_a_process_that_starts_takes_over_what_ended_ones_left(tmp_path):
    one, two = Spool(tmp_path), Spool(tmp_path)
    one.append([b"1\n"])
    two.append([b"2\n"])
    assert one.folder != two.folder
    one.close()
    two.close()

    heir = Spool(tmp_path)

    assert sorted(drained(heir)) == [b"1", b"2"]
    newcomer = Spool(tmp_path)
    assert newcomer.folder == two.folder
    newcomer.close()
    heir.close()


def test_a_full_disk_takes_all_of_a_batch_or_nothing(spool, monkeypatch):
    spool.append([b"1\n"])
    written = os.fsync

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        spool.append([b"2\n", b"3\n"])
    monkeypatch.setattr(os, "fsync", written)
    spool.append([b"4\n"])

    assert drained(spool) == [b"1", b"4"]


def test_a_write_that_stops_half_way_leaves_nothing(spool):
    """The kernel takes 10 bytes of the second batch, and then no more."""
    spool.append([b"x" * 989 + b"\n"])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            spool.append([b"y" * 99 + b"\n"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    spool.append([b"z\n"])

    assert drained(spool) == [b"x" * 989, b"z"]


class Table:
    """A database in memory that can be away, and that refuses what says so."""

    def __init__(self):
        self.rows = []
        self.away = False

    def prepare(self):
        pass

    def insert(self, rows):
        if self.away:
            raise Unreachable("away")
        try:
            numbers = [json.loads(row)["n"] for row in rows]
        except ValueError:
            raise Refused("malformed JSON") from None
        if "bad" in numbers:
            raise Refused("DataError")
        self.rows += numbers

    def close(self):
        pass


class Asked:
    """An answered request, as far as the log looks at it; its rows are numbers."""

    def __init__(self, *numbers):
        self.question = SimpleNamespace(rows=numbers)
        self.model = SimpleNamespace(manifest=manifest_of(1), version=1)


@pytest.fixture
def table():
    return Table()


@pytest.fixture
def log(table, spool, monkeypatch):
    """A log whose threads do not run: each test takes their steps."""

    def lines(entry, _):
        return [json.dumps({"n": n}).encode() + b"\n" for n in entry.prediction.question.rows]

    monkeypatch.setattr("interlock.serving.prediction_log.rows.Entry.lines", lines)
    return PredictionLog(table, spool, Privacy(), capacity=5)


def test_a_full_disk_loses_nothing_while_the_database_takes_rows(log, table, spool, monkeypatch):
    monkeypatch.setattr(spool, "append", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space")))
    for n in range(4):
        log.put(Asked(n))
        log._spool_queued()
        log._drain()

    assert table.rows == [0, 1, 2, 3]
    assert log.counts["dropped"] == 0


def test_a_full_disk_and_no_database_drops_what_memory_does_not_hold_and_counts_it(
    log, table, spool, monkeypatch, caplog
):
    with monkeypatch.context() as full:
        full.setattr(spool, "append", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space")))
        table.away = True
        for n in range(8):
            log.put(Asked(n))
            log._spool_queued()
            with pytest.raises(Unreachable):
                log._drain()
    table.away = False
    log._spool_queued()
    log._drain()

    assert table.rows == [0, 1, 2, 3, 4]
    assert log.counts == {"written": 5, "dropped": 3, "rejected": 0}
    assert "rows of the prediction log are lost" in caplog.text


def test_a_queue_that_nobody_empties_is_bounded(log):
    for n in range(7):
        log.put(Asked(n))

    assert (log.waiting_rows(), log.counts["dropped"]) == (5, 2)


def test_a_row_that_the_table_does_not_take_is_put_aside_and_the_others_are_written(log, table, spool):
    log.put(Asked(1, "bad", 2))
    log._spool_queued()
    log._drain()

    assert table.rows == [1, 2]
    assert json.loads((spool.folder / "rejected.txt").read_bytes()) == {"n": "bad"}
    assert log.counts["rejected"] == 1


def test_a_line_that_was_cut_off_is_counted_and_not_kept(log, table, spool):
    """Nobody can say whether what is in it is private."""
    spool.append([b'{"n": 1}\n{"n": 2'])
    log._drain()

    assert (table.rows, log.counts["rejected"]) == ([1], 1)
    assert spool.rejected_bytes() == 0


def test_one_bad_row_among_two_thousand_costs_few_transactions(log, table, monkeypatch):
    sizes, insert = [], table.insert
    monkeypatch.setattr(table, "insert", lambda lines: sizes.append(len(lines)) or insert(lines))

    log._insert([json.dumps({"n": "bad" if n == 777 else n}).encode() for n in range(2000)])

    assert sorted(table.rows) == [n for n in range(2000) if n != 777]
    assert len(sizes) <= 24


def test_what_is_put_aside_is_bounded_and_all_of_it_is_counted(log, spool, monkeypatch, caplog):
    monkeypatch.setattr(spool_module, "MOST_REJECTED", 100)

    log._insert([json.dumps({"n": "bad"}).encode()] * 500)

    assert 0 < spool.rejected_bytes() <= 100
    assert log.counts["rejected"] == 500
    assert f"interlock_log_rejected_bytes {spool.rejected_bytes()}" in "\n".join(
        f"{sample.name} {sample.value:g}" for metric in LogCollector(log).collect() for sample in metric.samples
    )
    assert caplog.text.count("the database refused") <= 3


def test_what_is_put_aside_has_no_private_column_even_if_it_was_spooled_before_they_were_private(log, spool):
    log._privacy = Privacy(exclude=frozenset({"income"}), hashed=frozenset({"customer_id"}), key=b"k" * 32)

    log._insert([json.dumps({"n": "bad", "customer_id": "Ann", "features": {"income": 4111, "age": 5}}).encode()])

    assert json.loads((spool.folder / "rejected.txt").read_bytes()) == {"n": "bad", "features": {"age": 5}}


def test_only_its_owner_can_look_into_the_spool(tmp_path):
    spool = Spool(tmp_path / "log" / "spool")
    assert (tmp_path / "log" / "spool").stat().st_mode & 0o077 == 0
    spool.close()


def until(is_so):
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("what", ["spool.append", "spool.oldest", "_spool_queued", "_note"])
def test_whatever_fails_in_a_thread_of_the_log_it_goes_on(log, table, spool, monkeypatch, what):
    """Also what nobody expected: a thread that ended would lose every row from then on, in silence."""
    monkeypatch.setattr(log_module, "LONGEST_PAUSE_S", 0.05)
    failed = []

    def fail(*_):
        failed.append(what)
        raise RuntimeError("nobody expected this")

    with monkeypatch.context() as broken:
        owner, name = (spool, what.split(".")[1]) if "." in what else (log, what)
        broken.setattr(owner, name, fail)
        log.start()
        log.put(Asked(1))
        until(lambda: failed)
    log.put(Asked(2))
    until(lambda: sorted(table.rows) == [1, 2])
    log.stop()
    assert not any(thread.is_alive() for thread in log._threads)


@pytest.mark.timeout(20)
def test_what_somebody_else_put_into_the_folder_neither_hangs_nor_ends_it(tmp_path):
    (tmp_path / "1").mkdir()
    os.mkfifo(tmp_path / "1" / "lock")
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / "notes.jsonl").write_text("somebody's")
    os.mkfifo(tmp_path / "2" / "7.jsonl")

    spool = Spool(tmp_path)
    spool.append([b"row\n"])

    assert spool.folder == tmp_path / "2"
    assert drained(spool) == [b"row"]
    assert (tmp_path / "2" / "notes.jsonl").read_text() == "somebody's"
    spool.close()
