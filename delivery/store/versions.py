"""The version folders of a model: put in place complete and checked, restored, put away, removed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from pydantic import ValidationError

from delivery.clock import utc_stamp
from delivery.errors import Damaged, DeliveryError, DigestMismatch
from delivery.manifest import Manifest
from delivery.records import Candidate
from delivery.store.files import make_folder, move, sha256_of, sync_file, sync_folder, write_new, writing
from delivery.store.folders import engine_folders
from delivery.store.paths import MANIFEST, ONNX, ModelPaths

Fetch = Callable[[str, Path], None]
"""Copies the artifact of that name (`model.onnx`, `manifest.json`) to that path."""


class VersionWriter:
    """
    Writes to `models/<model>/<version>` and `failed/`.

    Every method raises Unwritable when the repository is read-only or full.
    """

    def __init__(self, paths: ModelPaths) -> None:
        """Made inside the lock."""
        self.paths = paths

    def materialize(self, candidate: Candidate, fetch: Fetch) -> bool:
        """
        Put the candidate's version folder in place, complete and checked; return whether it was made now.

        Raises:
            DigestMismatch: What *fetch* brought is not the candidate's digest.
            Damaged: What is there already is not.
        """
        target = self.paths.version(candidate.version)
        if target.exists():
            meaning = "the repository already holds other bytes under this number; move it away"
            _same_digest(target, candidate, meaning, Damaged)
            return False
        with self._fetched(candidate, fetch) as staged, writing(self.paths.versions):
            move(staged, target)
        return True

    def restore(self, candidate: Candidate, fetch: Fetch) -> None:
        """
        Put the bytes of a version that was live in place again: file by file, so that none is ever missing.

        Raises:
            DigestMismatch: What *fetch* brought is not the candidate's digest.
        """
        target = self.paths.version(candidate.version)
        with self._fetched(candidate, fetch) as staged, writing(self.paths.versions):
            make_folder(target)
            for name in (ONNX, MANIFEST):
                move(staged / name, target / name)
        for folder in engine_folders(self.paths):
            folder.link_again(candidate.version)

    def quarantine(self, version: int, reason: str) -> Path | None:
        """Move a version folder out of the engines' sight; return where it is now, or None if it was not there."""
        source = self.paths.version(version)
        if not source.exists():
            return None
        target = self.paths.failed / f"{version}-{utc_stamp()}-{uuid4().hex[:8]}"
        with writing(self.paths.failed):
            move(source, target)
            write_new(target / "reason.json", json.dumps({"version": version, "reason": reason}).encode())
            sync_folder(target)
        return target

    def discard(self, folder: Path) -> None:
        """Remove a version's or a quarantined folder: gone at once, its bytes afterwards."""
        doomed = self.paths.staging / f"{folder.name}-{uuid4().hex}"
        with writing(self.paths.staging):
            move(folder, doomed)
            shutil.rmtree(doomed)

    @contextmanager
    def _fetched(self, candidate: Candidate, fetch: Fetch) -> Iterator[Path]:
        staged = self.paths.staging / f"{candidate.version}-{uuid4().hex}"
        with writing(self.paths.staging):
            staged.mkdir()
        try:
            self._fill(staged, candidate, fetch)
            yield staged
        finally:
            shutil.rmtree(staged, ignore_errors=True)

    def _fill(self, staged: Path, candidate: Candidate, fetch: Fetch) -> None:
        for name in (ONNX, MANIFEST):
            with writing(self.paths.staging):
                fetch(name, staged / name)
        _same_digest(staged, candidate, "the registry's bytes are not the ones that were trained", DigestMismatch)
        with writing(self.paths.staging):
            for name in (ONNX, MANIFEST):
                sync_file(staged / name)
            sync_folder(staged)


def _same_digest(folder: Path, candidate: Candidate, meaning: str, wrong: type[DeliveryError]) -> None:
    found = sha256_of(folder / ONNX) if (folder / ONNX).exists() else "nothing"
    name = f"{candidate.model} v{candidate.version}"
    if found != candidate.sha256:
        msg = f"{name}: model.onnx is {found[:12]}, expected {candidate.sha256[:12]}: {meaning} ({folder})"
        raise wrong(msg)
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (FileNotFoundError, ValidationError) as error:
        msg = f"{name}: its manifest.json is missing or no manifest ({folder})"
        raise wrong(msg) from error
    if manifest.sha256 != found:
        msg = f"{name}: its manifest was written for {manifest.sha256[:12]}, model.onnx is {found[:12]} ({folder})"
        raise wrong(msg)
