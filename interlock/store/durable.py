"""Durable files: after a crash at any instruction a reader sees the old content or the new, never anything else."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from interlock.errors import Unwritable
from interlock.store.contents import shown


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
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "no folder; move it away, then repeat", str(path))
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
def staged(content: bytes, staging: Path, suffix: str = "") -> Iterator[Path]:
    """Yield a durable file under a name that nobody reads; it is gone on leaving, unless it was put in place."""
    temporary = staging / f"{uuid4().hex}{suffix}"
    try:
        write_new(temporary, content)
        yield temporary
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)


def replace(path: Path, content: bytes, staging: Path) -> None:
    """Put *content* at *path*, atomically and durably. *staging* is a folder on the same filesystem."""
    with staged(content, staging) as temporary:
        put(temporary, path)


def replace_by_link(path: Path, source: Path, staging: Path) -> None:
    """Put a hard link to *source* at *path*, atomically and durably, whatever file is there."""
    temporary = staging / uuid4().hex
    try:
        os.link(source, temporary)
        put(temporary, path)
    finally:
        remove(temporary)  # a rename onto another name of the same file leaves both


def put(temporary: Path, path: Path) -> None:
    """Rename a staged file to *path*, durably; whoever removed it before has prevented that."""
    os.rename(temporary, path)
    sync_folder(path.parent)


def create(path: Path, content: bytes, staging: Path) -> None:
    """
    Put *content* at *path*, atomically and durably, only if nothing is there.

    Raises:
        FileExistsError: Somebody was first.
    """
    with staged(content, staging) as temporary:
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


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say which folder cannot be written, and what of it, and why."""
    try:
        yield
    except (FileExistsError, BlockingIOError):
        raise
    except OSError as error:
        told = os.fspath(error.filename) if isinstance(error.filename, str | bytes | os.PathLike) else ""
        what = f" ({shown(Path(os.fsdecode(told)))})" if told and told != str(path) else ""
        msg = f"the folder {shown(path)} cannot be written{what}: {error.strerror or error}"
        raise Unwritable(msg) from error
