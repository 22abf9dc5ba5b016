r"""
Write the decision, so that also without a working lock no late writer puts an older one over a newer (docs/adr/0011).

    prepare -> claim -> outrun -> rename
       |         |        |         \_ the one commit point; it fails if somebody removed what was prepared
       |         |        \___________ remove what others prepared, then see that the decision still is the one before
       |         \____________________ exclusive creation of history/<epoch>.json
       \______________________________ the new current.json, durable, under a name of its own in the staging folder

Whoever prepared before the others claimed finds it removed; whoever prepared after them sees their claim.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from interlock.errors import CorruptRecord, StaleEpoch
from interlock.records import Current, HistoryEntry, Record, sealed
from interlock.store.contents import is_there, names_in, read
from interlock.store.durable import create, move, put, replace, staged, writing
from interlock.store.odd import remove_file, room_for_file
from interlock.store.paths import PREPARED, ModelPaths
from interlock.store.reader import Store
from interlock.store.versions import VersionWriter


def seal(record: Record) -> bytes:
    """Return *record* as the bytes of its file."""
    return sealed(record.model_dump(mode="json"))


class DecisionWriter(VersionWriter):
    """Commits, and rebuilds what got lost. Every method raises Unwritable when the repository is read-only or full."""

    def __init__(self, store: Store, paths: ModelPaths) -> None:
        """Made inside the lock."""
        super().__init__(paths)
        self.store = store
        self.model = paths.model

    def commit(self, before: Current, entry: HistoryEntry) -> Current:
        """
        Write the decision `entry.after` if the decision still is *before*: the one commit point.

        Raises:
            StaleEpoch: Somebody else decided in between, or claimed this epoch or a later one; nothing was changed.
        """
        after, now = entry.after, self.store.current(self.model)
        if now.same_decision(after):
            return after
        self._check_still(before, now, entry.alias)
        with self._prepared(after) as prepared:
            self._claim(entry)
            try:
                self._outrun(prepared, before, entry)
                self._commit(prepared, after)
            except StaleEpoch:
                self._void(entry.epoch)
                raise
        return after

    def restore_current(self, current: Current) -> None:
        """
        Write a lost or unreadable current.json again.

        Raises:
            StaleEpoch: Somebody else did so in between.
        """
        with self._prepared(current) as prepared:
            with suppress(CorruptRecord):
                now = self.store.current(self.model)
                msg = f"{self.model} was mended by somebody else, and is at epoch {now.epoch}"
                raise StaleEpoch(msg)
            self._commit(prepared, current)

    def void_claims_above(self, epoch: int) -> None:
        """
        Void what was claimed after *epoch*, the committed one; the numbers are not used again.

        Raises:
            StaleEpoch: A claim was committed in between.
        """
        claims = [claimed for claimed in self.store.epochs(self.model) if claimed > epoch]
        if not claims:
            return
        self._remove_prepared()
        if (now := self._now()).epoch != epoch:
            msg = f"{self.model} went from epoch {epoch} to {now.epoch} while it was mended"
            raise StaleEpoch(msg)
        for claimed in claims:
            self._void(claimed)

    def _check_still(self, before: Current, now: Current, alias: str) -> None:
        if not now.same_decision(before):
            msg = f"{self.model} is at epoch {now.epoch}, not at {before.epoch}; {now.describe(alias)}"
            raise StaleEpoch(msg)

    @contextmanager
    def _prepared(self, after: Current) -> Iterator[Path]:
        """Make the new current.json, before the claim: whoever claims later finds it and removes it."""
        with writing(self.paths.staging), staged(seal(after), self.paths.staging, PREPARED) as prepared:
            yield prepared

    def _claim(self, entry: HistoryEntry) -> None:
        try:
            with writing(self.paths.history):
                create(self.paths.entry(entry.epoch), seal(entry), self.paths.staging)
        except FileExistsError as error:
            claimed = self.store.entry(self.model, entry.epoch)
            if claimed is None or claimed.release_id != entry.release_id:
                msg = f"epoch {entry.epoch} of {self.model} was claimed by another release; nothing was changed"
                raise StaleEpoch(msg) from error

    def _outrun(self, prepared: Path, before: Current, entry: HistoryEntry) -> None:
        """Make sure that nobody with another claim can commit any more, or give up."""
        voided = is_there(self.paths.void(entry.epoch))  # by somebody who took the number between our look and claim
        if voided or self.store.last_claimed(self.model) > entry.epoch:
            msg = f"epoch {entry.epoch} of {self.model} is not the newest that was claimed; nothing was changed"
            raise StaleEpoch(msg)
        rivals = [epoch for epoch in self.store.epochs(self.model) if before.epoch < epoch < entry.epoch]
        self._remove_prepared(except_=prepared)
        self._check_still(before, self._now(), entry.alias)
        for epoch in rivals:
            self._void(epoch)

    def _commit(self, prepared: Path, after: Current) -> None:
        room_for_file(self.paths, self.paths.current)
        try:
            put(prepared, self.paths.current)
        except FileNotFoundError as error:
            if self._now().same_decision(after):  # NFS: it was done, and the answer got lost
                return
            msg = f"another writer of {self.model} was faster than the commit of epoch {after.epoch}; it was not made"
            raise StaleEpoch(msg) from error

    def _now(self) -> Current:
        """Return current.json as it is; before the first commit a claim does not make it a lost one."""
        return read(self.paths.current, Current) or Current.nothing(self.model)

    def _remove_prepared(self, except_: Path | None = None) -> None:
        with writing(self.paths.staging):
            for name in names_in(self.paths.staging):
                if name.endswith(PREPARED) and self.paths.staging / name != except_:
                    remove_file(self.paths, self.paths.staging / name)

    def _void(self, epoch: int) -> None:
        with writing(self.paths.history), suppress(FileNotFoundError):
            move(self.paths.entry(epoch), self.paths.void(epoch))

    def _replace(self, path: Path, record: Record) -> None:
        with writing(path.parent):
            room_for_file(self.paths, path)
            replace(path, seal(record), self.paths.staging)
