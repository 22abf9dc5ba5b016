"""Read the model repository. Anybody may, at any time, without a lock."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from delivery.errors import CorruptRecord, NotFound
from delivery.manifest import Manifest
from delivery.names import MODEL
from delivery.records import Attempts, Current, Event, HistoryEntry, Journal, Record, RefusedDigest, Run
from delivery.store.files import is_there, names_in, read_sealed, reading, sha256_of
from delivery.store.lock import locked
from delivery.store.paths import ModelPaths
from delivery.store.writer import Writer

R = TypeVar("R", bound=Record)


def read(path: Path, kind: type[R]) -> R | None:
    """
    Return the record at *path*, or None if there is no file.

    Raises:
        CorruptRecord: It does not parse, its checksum is off, or it is no *kind*.
    """
    content = read_sealed(path)
    try:
        return kind.model_validate(content) if content is not None else None
    except ValidationError as error:
        msg = f"{path} is no {kind.__name__}: {error.error_count()} fields are wrong; `interlock reconcile` mends it"
        raise CorruptRecord(msg) from error


class Store:
    """
    The model repository below *root*.

    Every reading method raises CorruptRecord for a record that does not parse or whose checksum is off, and
    InvalidName for a name that is not safe in a path, and Unreadable when the disk does not let it read.
    """

    def __init__(self, root: Path) -> None:
        """Take the folder *root*; it is made by the first writer."""
        self.root = root

    def paths(self, model: str) -> ModelPaths:
        """Return where the things of *model* are."""
        return ModelPaths(self.root, model)

    def models(self) -> list[str]:
        """Return the names of all models that a release was ever tried for."""
        releases = self.root / "releases"
        with reading(releases):
            return [name for name in names_in(releases) if MODEL.fullmatch(name) and (releases / name).is_dir()]

    def current(self, model: str) -> Current:
        """
        Return the decision; epoch 0 if there never was one.

        Raises:
            CorruptRecord: It is unreadable, or it is lost though decisions were made or claimed.
        """
        paths = self.paths(model)
        current = read(paths.current, Current)
        if current is None and self.epochs(model) and (current := read(paths.current, Current)) is None:
            msg = f"{paths.current} is lost; `interlock reconcile` rebuilds it"
            raise CorruptRecord(msg)
        return current or Current.nothing(model)

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
        return [
            *(paths.staging / name for name in names_in(paths.staging)),
            *([paths.stop] if is_there(paths.stop) else []),
        ]

    def epochs(self, model: str) -> list[int]:
        """Return the epochs that were claimed and not voided, oldest first."""
        stems = (name.removesuffix(".json") for name in names_in(self.paths(model).history))
        return sorted(int(stem) for stem in stems if stem.isdigit())

    def next_epoch(self, model: str) -> int:
        """Return an epoch that nobody ever claimed, also not in vain; a claim that got lost is not claimed again."""
        claimed = (name.split(".")[0] for name in names_in(self.paths(model).history))
        return max(self.current(model).epoch, *(int(epoch) for epoch in claimed if epoch.isdigit()), 0) + 1

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

    def manifest(self, model: str, version: int) -> Manifest:
        """
        Return the manifest of a version on disk.

        Raises:
            NotFound: The version is not on disk.
            CorruptRecord: The manifest does not parse.
        """
        path = self.paths(model).manifest(version)
        try:
            with reading(path):
                return Manifest.model_validate_json(path.read_bytes())
        except FileNotFoundError as error:
            msg = f"{model} v{version} is not in the model repository {self.root}"
            raise NotFound(msg) from error
        except ValidationError as error:
            msg = f"{path} is no manifest: {error.error_count()} fields are wrong"
            raise CorruptRecord(msg) from error

    def digest(self, model: str, version: int) -> str | None:
        """Return the sha256 of the model.onnx of a version on disk, or None if it is not there."""
        path = self.paths(model).onnx(version)
        return sha256_of(path) if is_there(path) else None

    def is_intact(self, model: str, version: int, sha256: str) -> bool:
        """Whether a version on disk, bytes and manifest, is the one with that digest."""
        try:
            return self.manifest(model, version).sha256 == sha256 == self.digest(model, version)
        except (NotFound, CorruptRecord):
            return False

    def written_aliases(self, model: str) -> dict[str, list[int]]:
        """Return for each alias the versions that we last wrote to it, two while writing; none if unreadable."""
        try:
            content = read_sealed(self.paths(model).registry) or {}
        except CorruptRecord:
            return {}
        return {alias: list(versions) for alias, versions in content.items()}

    @contextmanager
    def writer(self, model: str, run: Run, *, wait_s: float = 0, interrupt: bool = False) -> Iterator[Writer]:
        """
        Hold the model's lock and yield its only writer; with *interrupt*, ask another holder to stop.

        Raises:
            Busy: Somebody else held it for *wait_s* seconds; the message says who.
            Unwritable: The repository is read-only or full.
        """
        paths = self.paths(model)
        with locked(paths, run, wait_s, interrupt=interrupt) as holding:
            yield Writer(self, paths, holding)
