"""Read the model repository. Anybody may, at any time, without a lock."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from interlock.errors import CorruptRecord, NotFound
from interlock.names import MODEL, model_name
from interlock.records import Attempts, Current, Event, HistoryEntry, Journal, RefusedDigest
from interlock.store.contents import is_there, names_in, read, read_sealed, reading
from interlock.store.decision import decision, epochs, last_claimed
from interlock.store.lock import check_locks
from interlock.store.odd import left_in_staging
from interlock.store.version_reader import VersionReader

Aliases = TypeAdapter(dict[str, list[int]])


class Store(VersionReader):
    """
    The model repository below *root*.

    Every reading method raises CorruptRecord for a record that does not parse or whose checksum is off, and
    InvalidName for a name that is not safe in a path, and Unreadable when the disk does not let it read.
    """

    def check_locks(self) -> None:
        """
        Prove that a second writer would be kept out here; cheap enough for the start of every run.

        Raises:
            NoLocks: The disk does not lock: a second writer would not be kept out.
            Unwritable: The repository is read-only or full.
        """
        check_locks(self.root / "releases")

    def models(self) -> list[str]:
        """Return the names of all models that a release was ever tried for."""
        releases = self.root / "releases"
        with reading(releases):
            return [name for name in names_in(releases) if MODEL.fullmatch(name) and (releases / name).is_dir()]

    def known(self, model: str) -> str:
        """
        Return the name of a model that a release was tried for.

        Raises:
            NotFound: There is no such model; the message names those that there are.
        """
        models = self.models()
        if model_name(model) not in models:
            msg = f"no model {model} was ever released; there are {', '.join(models) or 'none'}"
            raise NotFound(msg)
        return model

    def current(self, model: str) -> Current:
        """
        Return the decision; epoch 0 if there never was one.

        Raises:
            CorruptRecord: It is unreadable, or it is lost or old though newer decisions were made.
        """
        return decision(self.paths(model))

    def journal(self, model: str) -> Journal | None:
        """Return the open release, if there is one."""
        return read(self.paths(model).journal, Journal)

    def entry(self, model: str, epoch: int) -> HistoryEntry | None:
        """Return the account of the decision *epoch*."""
        return read(self.paths(model).entry(epoch), HistoryEntry)

    def entries(self, model: str) -> Iterator[HistoryEntry]:
        """Yield the decisions that can be read, newest first; `history` names the ones that cannot."""
        for epoch in reversed(self.epochs(model)):
            with suppress(CorruptRecord):
                if entry := self.entry(model, epoch):
                    yield entry

    def events(self, model: str) -> Iterator[Event]:
        """Yield what was not a decision and can be read, newest first."""
        events = self.paths(model).events
        for name in reversed(names_in(events)):
            with suppress(CorruptRecord):
                if event := read(events / name, Event):
                    yield event

    def debris(self, model: str) -> list[Path]:
        """Return what a killed writer left: unfinished files, and a request to stop."""
        paths = self.paths(model)
        return [*left_in_staging(paths), *([paths.stop] if is_there(paths.stop) else [])]

    def epochs(self, model: str) -> list[int]:
        """Return the epochs that were claimed and not voided, oldest first."""
        return epochs(self.paths(model))

    def last_claimed(self, model: str) -> int:
        """Return the highest epoch that anybody ever claimed, also in vain; 0 if nobody did."""
        return last_claimed(self.paths(model))

    def next_epoch(self, model: str) -> int:
        """Return an epoch that nobody ever claimed, also not in vain; a claim that got lost is not claimed again."""
        return max(self.current(model).epoch, self.last_claimed(model)) + 1

    def refusal(self, model: str, sha256: str) -> RefusedDigest | None:
        """Return why the digest *sha256* is not released again, if so; a damaged record refuses as well."""
        try:
            return read(self.paths(model).refusal(sha256), RefusedDigest)
        except CorruptRecord as damaged:
            return RefusedDigest(sha256=sha256, reason=f"why is not known any more: {damaged}", at_utc="", version=None)

    def attempts(self, model: str, sha256: str) -> int:
        """Return how often the digest was tried since it was last live; a damaged record counts as none."""
        try:
            noted = read(self.paths(model).attempts_of(sha256), Attempts)
        except CorruptRecord:
            return 0
        return noted.count if noted else 0

    def written_aliases(self, model: str) -> dict[str, list[int]]:
        """Return for each alias the versions that we last wrote to it, two while writing; none if unreadable."""
        with suppress(CorruptRecord, ValidationError):
            return Aliases.validate_python(read_sealed(self.paths(model).registry) or {})
        return {}
