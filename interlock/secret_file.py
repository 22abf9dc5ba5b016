"""A secret in a file that only its owner can read; made at first use, whole at every instant."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from interlock.errors import NotFound


def secret_in(path: Path, user: str = "") -> SecretStr:
    """
    Return the first line of the file; make it when it is missing, or when a killed writer left it empty.

    Args:
        path: The file.
        user: What a secret that is made begins with, such as `interlock:`.
    """
    if not (line := _first_line(path)):
        with _one_at_a_time(path.parent):
            if not _first_line(path):
                write_secret(path, user + secrets.token_hex(32))
        line = _first_line(path)
    return SecretStr(line)


def known_secret(path: Path) -> str:
    """
    Return the first line of the file, which somebody else made.

    Raises:
        NotFound: It is not there, or empty.
    """
    if not (line := _first_line(path)):
        msg = f"there is no secret in {path}: `interlock up` makes it, or its owner puts it there"
        raise NotFound(msg)
    return line


def write_secret(path: Path, secret: str) -> None:
    """Replace the file at once; whoever reads it meanwhile has the old one."""
    _unfinished(path, secret).replace(path)


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _first_line(path: Path) -> str:
    lines = path.read_text().split("\n") if path.exists() else []
    return next(filter(None, map(str.strip, lines)), "")


def _unfinished(path: Path, secret: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{secret}\n")
    return unfinished
