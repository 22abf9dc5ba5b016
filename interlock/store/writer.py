"""Write the model repository: whoever has a Writer holds the model's lock."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Self
from uuid import uuid4

from interlock.clock import utc_stamp
from interlock.errors import Stopped
from interlock.records import Attempts, Event, HistoryEntry, Journal, Record, RefusedDigest, Run, sealed
from interlock.store.contents import is_folder, is_there, shown
from interlock.store.decision_writer import DecisionWriter
from interlock.store.durable import replace, writing
from interlock.store.lock import locked, stop_request
from interlock.store.odd import remove_file, room_for_file
from interlock.store.paths import ModelPaths
from interlock.store.reader import Store


class Writer(DecisionWriter):
    """
    All writes to one model's part of the repository, each atomic and durable.

    Every method raises Unwritable when the repository is read-only or full.
    """

    def __init__(self, store: Store, paths: ModelPaths, holding: str) -> None:
        """Made by `Writer.locked`, inside the lock that it holds as *holding*."""
        super().__init__(store, paths)
        self._holding = holding

    @classmethod
    @contextmanager
    def locked(
        cls, store: Store, model: str, run: Run, *, wait_s: float = 0, interrupt: bool = False
    ) -> Iterator[Self]:
        """
        Hold the model's lock and yield its only writer; with *interrupt*, ask another holder to stop.

        Raises:
            Busy: Somebody else held it for *wait_s* seconds; the message says who.
            Unwritable: The repository is read-only or full, or a folder of it is a link.
        """
        paths = store.paths(model)
        with locked(paths, run, wait_s, interrupt=interrupt) as holding:
            writer = cls(store, paths, holding.name)
            if holding.set_aside:
                writer.record("set aside", "; ".join(holding.set_aside))
            yield writer

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
            remove_file(self.paths, self.paths.journal)

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
            remove_file(self.paths, self.paths.refusal(sha256))

    def count_attempt(self, sha256: str) -> None:
        """Note, before anybody examines it, that the digest is tried once more."""
        count = self.store.attempts(self.model, sha256) + 1
        self._replace(self.paths.attempts_of(sha256), Attempts(sha256=sha256, count=count, at_utc=utc_stamp()))

    def keep_trial(self, version: int, trial: Record) -> None:
        """Put what a trial measured beside the bytes, once: another change in the folder makes Triton load it again."""
        if not is_there(self.paths.trial(version)):
            self._replace(self.paths.trial(version), trial)

    def forget_attempts(self, sha256: str) -> None:
        """Forget how often the digest was tried: it is live."""
        with writing(self.paths.attempts):
            remove_file(self.paths, self.paths.attempts_of(sha256))

    def note_alias(self, alias: str, versions: list[int]) -> None:
        """Note what we wrote to *alias* in the registry: two versions before the call, one after it."""
        aliases = self.store.written_aliases(self.model) | {alias: versions}
        with writing(self.paths.releases):
            room_for_file(self.paths, self.paths.registry)
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
        """Remove what a killed writer left, set aside what no writer makes; return the names."""
        left = self.store.debris(self.model)
        with writing(self.paths.staging):
            for path in left:
                if is_folder(path) and path.parent == self.paths.staging:
                    shutil.rmtree(path)
                else:
                    remove_file(self.paths, path)
        return [shown(path.name) for path in left]
