"""The queue between requests and the database, and the two threads behind it."""

import logging
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence

from interlock.errors import Refused
from interlock.serving.prediction import Prediction
from interlock.serving.prediction_log.database import Database
from interlock.serving.prediction_log.rows import CUSTOMER, Entry, Privacy
from interlock.serving.prediction_log.spool import Spool
from interlock.serving.seldom import Seldom

PERIOD_S = 0.1
LONGEST_PAUSE_S = 2.0
STOP_S = 5.0
BATCH = 2000
"""Most rows that are written, and inserted, at once."""
log = logging.getLogger(__name__)


class PredictionLog:
    """
    Writes every answered request to the database, off the request path.

    Args:
        capacity: Most rows in memory, when the disk is full or hangs; further ones are dropped, and counted.
    """

    def __init__(self, database: Database, spool: Spool, privacy: Privacy, capacity: int) -> None:
        """Nothing is written before `start`."""
        self.counts: Counter[str] = Counter(written=0, dropped=0, rejected=0)
        self.failure: str | None = None
        self.spool = spool
        self._database = database
        self._privacy = privacy
        self._capacity = capacity
        self._process = secrets.token_hex(4)
        self._queue: deque[Entry] = deque()
        self._put_rows = 0
        self._taken_rows = 0
        self._lost = Seldom(log.error, "%d rows of the prediction log are lost so far: %s")
        self._rejected = Seldom(
            log.error, "the database refused %d rows of the prediction log so far, see rejected.txt in %s: %s"
        )
        self._warned: set[str] = set()
        self._held: list[bytes] = []
        self._holding = threading.Lock()
        self._stopping = threading.Event()
        self._more = threading.Event()
        self._threads = [
            threading.Thread(target=self._supervise, args=[run], daemon=True)
            for run in (self._keep_spooling, self._keep_draining)
        ]

    def put(self, prediction: Prediction) -> None:
        """Take an answered request; called by the event loop only, so that no lock is needed."""
        rows = len(prediction.question.rows)
        if self._put_rows - self._taken_rows + rows > self._capacity:
            self._drop(rows, "the queue is full")
            return
        self._queue.append(Entry(prediction, time.time_ns(), self._put_rows, self._process))
        self._put_rows += rows

    def start(self) -> None:
        """Begin to write; the table is migrated as soon as the database answers."""
        self._more.set()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Write what is queued to disk, and to the database if it answers; what it does not take waits on disk."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(STOP_S)
        self.spool.close()
        self._database.close()

    def waiting_rows(self) -> int:
        """Return how many rows are in memory only."""
        return self._put_rows - self._taken_rows + len(self._held)

    def _supervise(self, run: Callable[[], None]) -> None:
        """Begin again when *run* fails: a thread that ended would stop the log in silence."""
        while True:
            try:
                return run()
            except Exception:
                log.exception("the prediction log failed unexpectedly, and goes on")
                if self._stopping.wait(LONGEST_PAUSE_S):
                    return None

    def _keep_spooling(self) -> None:
        while not self._stopping.wait(PERIOD_S):
            self._spool_queued()
        self._spool_queued()
        self._more.set()

    def _spool_queued(self) -> None:
        lines: list[bytes] = []
        rows = 0
        for _ in range(len(self._queue)):
            entry = self._queue.popleft()
            rows += len(entry.prediction.question.rows)
            lines += self._lines(entry)
        with self._holding:
            lines, self._held = self._held + lines, []
        if lines:
            self._to_disk(lines)
        self._taken_rows += rows

    def _lines(self, entry: Entry) -> list[bytes]:
        try:
            self._check_privacy(entry)
            return entry.lines(self._privacy)
        except Exception:  # whatever one answer is, the others are written
            log.exception("an answered request could not be made rows of the prediction log")
            self._drop(len(entry.prediction.question.rows), "they are no rows")
            return []

    def _check_privacy(self, entry: Entry) -> None:
        """Warn, once a version, of a column that is to be kept private and that the model does not have."""
        manifest = entry.prediction.model.manifest
        absent = self._privacy.columns - {CUSTOMER, *(column.name for column in manifest.columns)}
        if absent and manifest.sha256 not in self._warned:
            self._warned.add(manifest.sha256)
            log.warning(
                "v%d has no column %s to keep private", entry.prediction.model.version, ", ".join(sorted(absent))
            )

    def _to_disk(self, lines: list[bytes]) -> None:
        try:
            while lines:
                self.spool.append(lines[:BATCH])
                lines = lines[BATCH:]
        except Exception as error:  # noqa: BLE001 - whatever it is, the rows wait in memory and it is tried again
            with self._holding:
                self._held = lines[: self._capacity]
            if len(lines) > self._capacity:
                self._drop(len(lines) - self._capacity, f"the spool cannot be written ({error})")
        self._more.set()

    def _keep_draining(self) -> None:
        pause_s = PERIOD_S
        while not (self._stopping.is_set() and self._is_drained()):
            self._more.wait(LONGEST_PAUSE_S)
            self._more.clear()
            try:
                self._drain()
                self._note(None)
                pause_s = PERIOD_S
            except Exception as error:  # noqa: BLE001 - whatever it is, rows wait on disk and it is tried again
                self._note(str(error) or type(error).__name__)
                if self._stopping.wait(pause_s):
                    return
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                self._more.set()

    def _is_drained(self) -> bool:
        return not self._threads[0].is_alive() and self.spool.oldest() is None

    def _drain(self) -> None:
        self._database.prepare()
        while path := self.spool.oldest():
            self._insert(path.read_bytes().splitlines(keepends=True))
            path.unlink()
        while held := self._take_held():
            try:
                self._insert(held)
            except Exception:
                with self._holding:
                    self._held = held + self._held
                raise

    def _take_held(self) -> list[bytes]:
        with self._holding:
            held, self._held = self._held[:BATCH], self._held[BATCH:]
        return held

    def _insert(self, lines: Sequence[bytes]) -> None:
        if not lines:
            return
        try:
            self._database.insert(lines)
            self.counts["written"] += len(lines)
        except Refused as error:
            if len(lines) == 1:
                self._reject(lines[0], str(error))
                return
            half = len(lines) // 2  # a bad row among 2,000 costs 22 transactions
            self._insert(lines[:half])
            self._insert(lines[half:])

    def _reject(self, line: bytes, why: str) -> None:
        self.spool.reject(self._privacy.stripped(line))
        self.counts["rejected"] += 1
        self._rejected.happened(self.spool.folder, why)

    def _drop(self, rows: int, why: str) -> None:
        with self._holding:
            self.counts["dropped"] += rows
        self._lost.happened(why, times=rows)

    def _note(self, failure: str | None) -> None:
        if failure and failure != self.failure:
            log.error("the prediction log's rows wait on disk: %s", failure)
        if self.failure and not failure:
            log.warning("the prediction log's database takes rows again")
        self.failure = failure
