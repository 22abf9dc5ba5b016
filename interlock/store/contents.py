"""
Read what is on disk, whatever lies there: no call hangs, takes more memory than it may, or raises a bare OSError.

    regular file         its bytes, if they are not too many
    nothing              FileNotFoundError: what that means is for the caller to judge
    anything else        CorruptRecord: a folder, a named pipe, a device, a link in a circle
    no permission, EIO   Unreadable: nobody can tell what is there
"""

import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from interlock.errors import CorruptRecord, Unreadable
from interlock.records import Record, checksum

R = TypeVar("R", bound=Record)

RECORD_BYTES = 4 * 2**20
"""Most bytes of a record; the largest ones, history entries of many aliases, have some 100 kB."""
ONNX_BYTES = 2**31 - 1
"""Most bytes of a model.onnx: protobuf allows no larger message."""
NO_FILE = frozenset({errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.ENODEV, errno.ENOTDIR, errno.ENAMETOOLONG})
"""What opening something says that is no file and never becomes one, however often it is tried."""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say what cannot be read, and why; that something is not there is for the caller to judge."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        msg = f"{shown(path)} cannot be read: {error.strerror or error}"
        raise Unreadable(msg) from error


@contextmanager
def opened(path: Path, most: int) -> Iterator[BufferedReader]:
    """
    Open the regular file at *path*, which has *most* bytes at most.

    Raises:
        FileNotFoundError: Nothing is there.
        CorruptRecord: What is there is no regular file, or it is larger.
        Unreadable: The disk does not let it read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)  # a pipe must not hang
    except OSError as error:
        if error.errno not in NO_FILE:
            with reading(path):
                raise
        msg = f"{shown(path)} is no regular file ({error.strerror}); `interlock reconcile` mends it"
        raise CorruptRecord(msg) from error
    try:
        with reading(path):
            _check_regular(path, os.fstat(handle), most)
    except (CorruptRecord, Unreadable):
        os.close(handle)
        raise
    with reading(path), os.fdopen(handle, "rb") as file:
        yield file


def bytes_of(path: Path, most: int) -> bytes:
    """Return the content of the file at *path*; raises as `opened` does."""
    with opened(path, most) as file:
        content = file.read(most + 1)
    if len(content) > most:
        msg = f"{shown(path)} grew over {most} bytes while it was read; `interlock reconcile` mends it"
        raise CorruptRecord(msg)
    return content


def sha256_of(path: Path, most: int = ONNX_BYTES) -> str:
    """Return the sha256 of the file at *path* in hexadecimal; raises as `opened` does."""
    with opened(path, most) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def names_in(folder: Path) -> list[str]:
    """Return the names in *folder*, none if it is not there; unlike `glob`, hide no folder that is unreadable."""
    try:
        with reading(folder):
            return sorted(os.listdir(folder))  # noqa: PTH208 - names are what is compared
    except FileNotFoundError:
        return []


def is_there(path: Path) -> bool:
    """Whether something is there, be it a link to nothing; unlike `exists`, raise Unreadable when nobody can tell."""
    return mode_of(path) is not None


def is_folder(path: Path) -> bool:
    """Whether a folder is there, and no link to one."""
    return stat.S_ISDIR(mode_of(path) or 0)


def is_file(path: Path) -> bool:
    """Whether a regular file is there, and no link to one."""
    return stat.S_ISREG(mode_of(path) or 0)


def is_link(path: Path) -> bool:
    """Whether a symbolic link is there, wherever it leads."""
    return stat.S_ISLNK(mode_of(path) or 0)


def mode_of(path: Path) -> int | None:
    """Return the mode of what is at *path* itself, not of what a link names; None if nothing is there."""
    try:
        with reading(path):
            return os.lstat(path).st_mode
    except FileNotFoundError:
        return None
    except Unreadable as error:
        if isinstance(error.__cause__, NotADirectoryError):  # a file stands where a folder above it should
            return None
        raise


def read_sealed(path: Path) -> dict[str, Any] | None:
    """
    Return the record at *path* without its checksum, or None if there is no file.

    Raises:
        CorruptRecord: No regular file, too large, not JSON, not an object, or the checksum is off.
    """
    try:
        content = json.loads(bytes_of(path, RECORD_BYTES))
        intact = isinstance(content, dict) and content.pop("checksum", None) == checksum(content)
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        msg = f"{shown(path)} is not JSON: {error}; `interlock reconcile` mends it"
        raise CorruptRecord(msg) from error
    if not intact:
        msg = f"{shown(path)} does not carry the checksum of its content; `interlock reconcile` mends it"
        raise CorruptRecord(msg)
    return dict(content)


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
        wrong = f"{error.error_count()} fields are wrong"
        msg = f"{shown(path)} is no {kind.__name__}: {wrong}; `interlock reconcile` mends it"
        raise CorruptRecord(msg) from error


def shown(path: Path | str) -> str:
    """Return *path* as every terminal, log and record takes it, also when its bytes are no UTF-8."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _check_regular(path: Path, found: os.stat_result, most: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe, a socket or a device"
        msg = f"{shown(path)} is {what}, no file; `interlock reconcile` mends it"
        raise CorruptRecord(msg)
    if found.st_size > most:
        msg = f"{shown(path)} has {found.st_size} bytes, at most {most} are taken; `interlock reconcile` mends it"
        raise CorruptRecord(msg)
