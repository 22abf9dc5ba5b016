"""Durable files: after a crash at any instruction a reader sees the old content or the new, never anything else."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from delivery.errors import CorruptRecord, Unreadable, Unwritable
from delivery.records import checksum, sealed


def sha256_of(path: Path) -> str:
    """Return the sha256 of the file at *path* in hexadecimal."""
    with reading(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def names_in(folder: Path) -> list[str]:
    """Return the names in *folder*, none if it is not there; unlike `glob`, hide no folder that is unreadable."""
    try:
        with reading(folder):
            return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []


def is_there(path: Path) -> bool:
    """Whether a file or a folder is there; unlike `exists`, raise Unreadable when nobody can tell."""
    with reading(path):
        return path.exists()


def sync_folder(path: Path) -> None:
    """Make the names in *path* durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Make the content of *path* durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, each durably; one that is there is fine."""
    if path.is_dir():
        return
    make_folder(path.parent)
    with suppress(FileExistsError):
        os.mkdir(path)
    sync_folder(path.parent)


def write_new(path: Path, content: bytes) -> None:
    """Write and fsync a file that must not exist."""
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _staged(content: bytes, staging: Path) -> Iterator[Path]:
    """A durable file under a name that nobody reads; gone on leaving."""
    temporary = staging / uuid4().hex
    try:
        write_new(temporary, content)
        yield temporary
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)


def replace(path: Path, content: bytes, staging: Path) -> None:
    """Put *content* at *path*, atomically and durably. *staging* is a folder on the same filesystem."""
    with _staged(content, staging) as temporary:
        os.rename(temporary, path)
        sync_folder(path.parent)


def create(path: Path, content: bytes, staging: Path) -> None:
    """
    Put *content* at *path*, atomically and durably, only if nothing is there.

    Raises:
        FileExistsError: Somebody was first.
    """
    with _staged(content, staging) as temporary:
        os.link(temporary, path)
        sync_folder(path.parent)


def move(source: Path, target: Path) -> None:
    """Rename durably within one filesystem."""
    os.rename(source, target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def remove(path: Path) -> None:
    """Remove a file durably; one that is gone already is fine."""
    with suppress(FileNotFoundError):
        os.unlink(path)
        sync_folder(path.parent)


def read_sealed(path: Path) -> dict[str, Any] | None:
    """
    Return the record at *path* without its checksum, or None if there is no file.

    Raises:
        CorruptRecord: Not JSON, not an object, or the checksum is off.
    """
    try:
        with reading(path):
            content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        msg = f"{path} is not JSON: {error}; `interlock reconcile` mends it"
        raise CorruptRecord(msg) from error
    if not isinstance(content, dict) or content.pop("checksum", None) != checksum(content):
        msg = f"{path} does not carry the checksum of its content; `interlock reconcile` mends it"
        raise CorruptRecord(msg)
    return content


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say what cannot be read, and why; that something is not there is for the caller to judge."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror or error}"
        raise Unreadable(msg) from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say which folder cannot be written, and why."""
    try:
        yield
    except (FileExistsError, BlockingIOError):
        raise
    except OSError as error:
        msg = f"the folder {path} cannot be written: {error.strerror or error}"
        raise Unwritable(msg) from error


__all__ = [
    "create",
    "is_there",
    "make_folder",
    "move",
    "names_in",
    "read_sealed",
    "reading",
    "remove",
    "replace",
    "sealed",
    "sha256_of",
    "sync_file",
    "sync_folder",
    "write_new",
    "writing",
]
