"""Write the model repository: whoever has a Writer holds the model's lock."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from pydantic import ValidationError

from delivery.clock import utc_stamp
from delivery.errors import DigestMismatch, StaleEpoch
from delivery.manifest import Manifest
from delivery.records import Candidate, Current, Event, HistoryEntry, Journal, Record, RefusedDigest, sealed
from delivery.store.files import create, move, remove, replace, sha256_of, sync_file, sync_folder, write_new, writing
from delivery.store.paths import MANIFEST, ONNX, ModelPaths

if TYPE_CHECKING:
    from delivery.store.reader import Store

Fetch = Callable[[str, Path], None]
"""Copies the artifact of that name (`model.onnx`, `manifest.json`) to that path."""


def _seal(record: Record) -> bytes:
    return sealed(record.model_dump(mode="json"))


class Writer:
    """
    All writes to one model's part of the repository, each atomic and durable.

    Every method raises Unwritable when the repository is read-only or full.
    """

    def __init__(self, store: Store, paths: ModelPaths) -> None:
        """Made by `Store.writer`, inside the lock."""
        self.store = store
        self.paths = paths
        self.model = paths.model

    def open_journal(self, journal: Journal) -> None:
        """Write the state before and after, before the first side effect."""
        self._replace(self.paths.journal, journal)

    def close_journal(self) -> None:
        """Forget the open release."""
        with writing(self.paths.releases):
            remove(self.paths.journal)

    def materialize(self, candidate: Candidate, fetch: Fetch) -> bool:
        """
        Put the candidate's version folder in place, complete and checked; return whether it was made now.

        Raises:
            DigestMismatch: What *fetch* brought, or what is there already, is not the candidate's digest.
        """
        target = self.paths.version(candidate.version)
        if target.exists():
            _same_digest(target, candidate, "the repository already holds other bytes under this number; move it away")
            return False
        staged = self.paths.staging / f"{candidate.version}-{uuid4().hex}"
        with writing(self.paths.versions):
            staged.mkdir()
        try:
            self._fill(staged, candidate, fetch)
            with writing(self.paths.versions):
                move(staged, target)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        return True

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

    def quarantine(self, version: int, reason: str) -> Path | None:
        """Move a version folder out of the engines' sight; return where it is now, or None if it was not there."""
        source = self.paths.version(version)
        if not source.exists():
            return None
        target = self.paths.failed / f"{version}-{utc_stamp()}-{uuid4().hex[:8]}"
        with writing(self.paths.failed):
            move(source, target)
            write_new(target / "reason.json", json.dumps({"version": version, "reason": reason}).encode())
        return target

    def note_alias(self, alias: str, versions: list[int]) -> None:
        """Note what we wrote to *alias* in the registry: two versions before the call, one after it."""
        aliases = self.store.written_aliases(self.model) | {alias: versions}
        with writing(self.paths.releases):
            replace(self.paths.registry, sealed(aliases), self.paths.staging)

    def record(self, kind: str, message: str, journal: Journal | None = None) -> None:
        """Add an event: something that was not a decision."""
        release_id = journal.release_id if journal else None
        flow_run_id = journal.run.flow_run_id if journal else None
        at_utc = utc_stamp()
        event = Event(at_utc=at_utc, kind=kind, message=message, release_id=release_id, flow_run_id=flow_run_id)
        self._replace(self.paths.events / f"{at_utc}-{uuid4().hex[:8]}.json", event)

    def sweep(self) -> list[str]:
        """Remove what a killed writer left in staging; return the names."""
        left = list(self.paths.staging.iterdir())
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

    def _fill(self, staged: Path, candidate: Candidate, fetch: Fetch) -> None:
        for name in (ONNX, MANIFEST):
            with writing(self.paths.staging):
                fetch(name, staged / name)
        _same_digest(staged, candidate, "the registry's bytes are not the ones that were trained")
        with writing(self.paths.staging):
            for name in (ONNX, MANIFEST):
                sync_file(staged / name)
            sync_folder(staged)


def _same_digest(folder: Path, candidate: Candidate, meaning: str) -> None:
    found = sha256_of(folder / ONNX) if (folder / ONNX).exists() else "nothing"
    name = f"{candidate.model} v{candidate.version}"
    if found != candidate.sha256:
        msg = f"{name}: model.onnx is {found[:12]}, expected {candidate.sha256[:12]}: {meaning} ({folder})"
        raise DigestMismatch(msg)
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (FileNotFoundError, ValidationError) as error:
        msg = f"{name}: its manifest.json is missing or no manifest ({folder})"
        raise DigestMismatch(msg) from error
    if manifest.sha256 != found:
        msg = f"{name}: its manifest was written for {manifest.sha256[:12]}, model.onnx is {found[:12]} ({folder})"
        raise DigestMismatch(msg)
