"""Write the model repository: whoever has a Writer holds the model's lock."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from delivery.clock import utc_stamp
from delivery.errors import StaleEpoch, Stopped
from delivery.records import Attempts, Current, Event, HistoryEntry, Journal, Record, RefusedDigest, sealed
from delivery.store.files import create, move, remove, replace, writing
from delivery.store.lock import stop_request
from delivery.store.paths import ModelPaths
from delivery.store.versions import VersionWriter

if TYPE_CHECKING:
    from delivery.store.reader import Store


def _seal(record: Record) -> bytes:
    return sealed(record.model_dump(mode="json"))


class Writer(VersionWriter):
    """
    All writes to one model's part of the repository, each atomic and durable.

    Every method raises Unwritable when the repository is read-only or full.
    """

    def __init__(self, store: Store, paths: ModelPaths, holding: str) -> None:
        """Made by `Store.writer`, inside the lock that it holds as *holding*."""
        super().__init__(paths)
        self.store = store
        self._holding = holding
        self.model = paths.model

    def check_not_stopped(self) -> None:
        """
        Look whether an operator's rollback waits for this writer.

        Raises:
            Stopped: It does; the message says who asked.
        """
        if request := stop_request(self.paths, self._holding):
            msg = f"{request.who} asked this release of {self.model} to stop, to roll back"
            raise Stopped(msg)

    def open_journal(self, journal: Journal) -> None:
        """Write the state before and after, before the first side effect."""
        self._replace(self.paths.journal, journal)

    def close_journal(self) -> None:
        """Forget the open release."""
        with writing(self.paths.releases):
            remove(self.paths.journal)

    def commit(self, before: Current, entry: HistoryEntry) -> Current:
        """
        Write the decision `entry.after` if the decision still is *before*: the one commit point.

        The claim on the epoch is the exclusive creation of its history file; the rename of current.json commits.

        Raises:
            StaleEpoch: Somebody else decided in between, or claimed this epoch.
        """
        after, now = entry.after, self.store.current(self.model)
        if now.same_decision(after):
            return after
        if not now.same_decision(before):
            msg = f"{self.model} is at epoch {now.epoch}, not at {before.epoch}; {now.describe(entry.alias)}"
            raise StaleEpoch(msg)
        self._claim(entry)
        self._replace(self.paths.current, after)
        return after

    def restore_current(self, current: Current) -> None:
        """Write a lost or unreadable current.json again."""
        self._replace(self.paths.current, current)

    def void_claims_above(self, epoch: int) -> None:
        """Void what was claimed after *epoch*, the committed one; the numbers are not used again."""
        for claimed in self.store.epochs(self.model):
            if claimed > epoch:
                with writing(self.paths.history):
                    move(self.paths.entry(claimed), self.paths.void(claimed))

    def account(self, entry: HistoryEntry) -> None:
        """Complete the account of a decision."""
        self._replace(self.paths.entry(entry.epoch), entry)

    def refuse_digest(self, sha256: str, version: int, reason: str) -> None:
        """Remember that these bytes are not to be released again."""
        refusal = RefusedDigest(sha256=sha256, version=version, reason=reason, at_utc=utc_stamp())
        self._replace(self.paths.refusal(sha256), refusal)

    def allow_digest(self, sha256: str) -> None:
        """Forget that these bytes failed."""
        with writing(self.paths.refused):
            remove(self.paths.refusal(sha256))

    def count_attempt(self, sha256: str) -> None:
        """Note, before anybody examines it, that the digest is tried once more."""
        count = self.store.attempts(self.model, sha256) + 1
        self._replace(self.paths.attempts_of(sha256), Attempts(sha256=sha256, count=count, at_utc=utc_stamp()))

    def forget_attempts(self, sha256: str) -> None:
        """Forget how often the digest was tried: it is live."""
        with writing(self.paths.attempts):
            remove(self.paths.attempts_of(sha256))

    def note_alias(self, alias: str, versions: list[int]) -> None:
        """Note what we wrote to *alias* in the registry: two versions before the call, one after it."""
        aliases = self.store.written_aliases(self.model) | {alias: versions}
        with writing(self.paths.releases):
            replace(self.paths.registry, sealed(aliases), self.paths.staging)

    def record(self, kind: str, message: str, journal: Journal | None = None) -> None:
        """Add an event: something that was not a decision."""
        now = datetime.now(UTC)
        at_utc = utc_stamp(now)
        event = Event(at_utc=at_utc, kind=kind, message=message)
        if journal:
            of = {"release_id": journal.release_id, "flow_run_id": journal.run.flow_run_id, "engines": journal.engines}
            event = event.model_copy(update=of)
        self._replace(self.paths.events / f"{at_utc}-{now.microsecond:06d}-{uuid4().hex[:8]}.json", event)

    def record_once(self, kind: str, message: str) -> None:
        """Add an event, unless the newest one says the same: a pass that fails every 30 s says so once."""
        newest = next(iter(self.store.events(self.model)), None)
        if newest is None or (newest.kind, newest.message) != (kind, message):
            self.record(kind, message)

    def sweep(self) -> list[str]:
        """Remove what a killed writer left; return the names."""
        left = self.store.debris(self.model)
        with writing(self.paths.staging):
            for path in left:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        return [path.name for path in left]

    def _replace(self, path: Path, record: Record) -> None:
        with writing(path.parent):
            replace(path, _seal(record), self.paths.staging)

    def _claim(self, entry: HistoryEntry) -> None:
        try:
            with writing(self.paths.history):
                create(self.paths.entry(entry.epoch), _seal(entry), self.paths.staging)
        except FileExistsError as error:
            claimed = self.store.entry(self.model, entry.epoch)
            if claimed is None or claimed.release_id != entry.release_id:
                msg = f"epoch {entry.epoch} of {self.model} was claimed by another release; nothing was changed"
                raise StaleEpoch(msg) from error
