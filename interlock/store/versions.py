"""The version folders of a model: put in place complete and checked, restored, put away, removed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from pydantic import ValidationError

from interlock.clock import utc_stamp
from interlock.errors import CorruptRecord, Damaged, DigestMismatch, Garbled, Unreadable
from interlock.model.manifest import MANIFEST, MANIFEST_BYTES, ONNX, Manifest
from interlock.records import Candidate
from interlock.store.contents import bytes_of, is_file, is_folder, is_link, is_there, sha256_of
from interlock.store.durable import move, sync_file, sync_folder, write_new, writing
from interlock.store.folders import engine_folders
from interlock.store.odd import own_folder, room_for_file, set_aside
from interlock.store.paths import ModelPaths

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

        What lies there and is no version, because it is no folder or lacks a file, is set aside.

        Raises:
            DigestMismatch: What *fetch* brought is not the candidate's digest.
            Garbled: Its manifest.json is no manifest.
            Damaged: The repository holds other bytes under this number.
        """
        target = self.paths.version(candidate.version)
        if is_folder(target) and all(is_file(target / name) for name in (ONNX, MANIFEST)):
            try:
                _check(target, candidate)
            except (CorruptRecord, DigestMismatch, Garbled) as error:
                msg = f"the repository already holds other bytes under this number; move it away: {error}"
                raise Damaged(msg) from error
            return False
        with self._fetched(candidate, fetch) as staged, writing(self.paths.versions):
            if is_there(target):
                set_aside(self.paths, target)
            move(staged, target)
        return True

    def restore(self, candidate: Candidate, fetch: Fetch) -> None:
        """
        Put the bytes of a version that was live in place again: file by file, so that none is ever missing.

        Raises:
            DigestMismatch: What *fetch* brought is not the candidate's digest.
            Garbled: Its manifest.json is no manifest.
        """
        target = self.paths.version(candidate.version)
        with self._fetched(candidate, fetch) as staged, writing(self.paths.versions):
            if is_link(target):
                set_aside(self.paths, target)
            own_folder(self.paths, target)
            for name in (ONNX, MANIFEST):
                room_for_file(self.paths, target / name)
                move(staged / name, target / name)
        for folder in engine_folders(self.paths):
            folder.link_again(candidate.version)

    def quarantine(self, version: int, reason: str) -> Path | None:
        """Move a version folder out of the engines' sight; return where it is now, or None if it was not there."""
        source = self.paths.version(version)
        if not is_folder(source):
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
        try:
            _check(staged, candidate)
        except DigestMismatch as error:
            msg = f"the registry's bytes are not the ones that were trained: {error}"
            raise DigestMismatch(msg) from error
        with writing(self.paths.staging):
            for name in (ONNX, MANIFEST):
                sync_file(staged / name)
            sync_folder(staged)


def _check(folder: Path, candidate: Candidate) -> None:
    """
    Look whether the version in *folder* is the candidate.

    Raises:
        DigestMismatch: Its model.onnx has another digest, or its manifest was written for another one.
        Garbled: Its manifest.json is no manifest, such as a proxy's page: that says nothing about the bytes.
        CorruptRecord: Its manifest.json is too large, or no file.
        Unreadable: A file is gone.
    """
    name = f"{candidate.model} v{candidate.version}"
    try:
        found, manifest = sha256_of(folder / ONNX), bytes_of(folder / MANIFEST, MANIFEST_BYTES)
        described = Manifest.model_validate_json(manifest).sha256
    except FileNotFoundError as error:
        msg = f"{name}: {error.filename} is gone"
        raise Unreadable(msg) from error
    except ValidationError as error:
        msg = f"{name}: its manifest.json is no manifest ({folder})"
        raise Garbled(msg) from error
    if found != candidate.sha256:
        msg = f"{name}: model.onnx is {found[:12]}, expected {candidate.sha256[:12]} ({folder})"
        raise DigestMismatch(msg)
    if described != found:
        msg = f"{name}: its manifest was written for {described[:12]}, model.onnx is {found[:12]} ({folder})"
        raise DigestMismatch(msg)
