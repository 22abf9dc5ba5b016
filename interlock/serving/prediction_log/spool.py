"""
Files of rows that wait for the database, oldest first. One process writes a folder, and holds its lock.

    <log folder>/spool/1/lock
                         00000001765432100000000000.jsonl     a row a line
                         rejected.txt                         rows that the database does not take, 1 MiB at most

Every append is fsynced, and so is the folder when a file is made: what `append` took survives a power cut. A process
that starts takes over what ended processes left in their folders.
"""

import fcntl
import os
from contextlib import suppress
from io import FileIO
from pathlib import Path
from threading import Lock
from time import time_ns
from typing import IO

from interlock.store.durable import sync_folder

LARGEST_FILE = 1024 * 1024
REJECTED = "rejected.txt"
MOST_REJECTED = 1024 * 1024


class Spool:
    """The files below *folder* that this process writes and drains; safe for one writer and one reader thread."""

    def __init__(self, folder: Path) -> None:
        """
        Take a folder that no other process holds, and what ended processes left.

        Raises:
            OSError: It cannot be written.
        """
        self._lock = Lock()
        self._open: FileIO | None = None
        self._locks: list[IO[bytes]] = []
        self.folder = self._take(folder)
        self._last = max((int(path.stem) for path in self._files()), default=0)

    def append(self, lines: list[bytes]) -> None:
        """
        Write rows; all of them or, when it fails, none.

        Raises:
            OSError: The disk is full, or broken.
        """
        with self._lock:
            file = self._open or self._new()
            before = file.tell()
            try:
                _write(file, b"".join(lines))
                os.fsync(file.fileno())
            except OSError:
                with suppress(OSError):
                    os.ftruncate(file.fileno(), before)
                self._close()
                raise
            if file.tell() >= LARGEST_FILE:
                self._close()

    def oldest(self) -> Path | None:
        """Return the file that is to be drained next; nothing is appended to it any more."""
        with self._lock:
            files = self._files()
            if not files:
                return None
            if self._open and Path(str(self._open.name)) == files[0]:
                self._close()
            return files[0]

    def waiting_bytes(self) -> int:
        """Return how much waits."""
        sizes = 0
        for path in self._files():
            with suppress(FileNotFoundError):
                sizes += path.stat().st_size
        return sizes

    def reject(self, line: bytes) -> None:
        """Put aside a row that the database does not take, for a person to look at, as long as there is room."""
        if self.rejected_bytes() + len(line) <= MOST_REJECTED:
            with (self.folder / REJECTED).open("ab") as file:
                file.write(line)

    def rejected_bytes(self) -> int:
        """Return how much was put aside."""
        with suppress(FileNotFoundError):
            return (self.folder / REJECTED).stat().st_size
        return 0

    def close(self) -> None:
        """Let go of the folder; what waits stays."""
        with self._lock:
            self._close()
        for lock in self._locks:
            lock.close()

    def _files(self) -> list[Path]:
        """Return our own; what somebody else put into the folder is left alone."""
        return sorted(path for path in self.folder.glob("*.jsonl") if path.stem.isdecimal() and path.is_file())

    def _new(self) -> FileIO:
        self._last = max(self._last + 1, time_ns())
        self._open = FileIO(self._path(self._last), "ab")
        sync_folder(self.folder)
        return self._open

    def _close(self) -> None:
        if self._open:
            self._open.close()
            self._open = None

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:026d}.jsonl"

    def _take(self, folder: Path) -> Path:
        """Lock every folder that nobody holds; keep the first, and move the others' files into it."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)  # what customers sent
        mine = [path for path in sorted(folder.iterdir()) if self._locked(path)]
        if not mine:
            mine = [self._made(folder)]
        for left in reversed(mine[1:]):
            for path in left.glob("*.jsonl"):
                path.rename(mine[0] / path.name)
            self._locks.pop().close()
        return mine[0]

    def _made(self, folder: Path) -> Path:
        number = 1
        while not self._locked(folder / str(number), make=True):
            number += 1
        return folder / str(number)

    def _locked(self, path: Path, *, make: bool = False) -> bool:
        if make:
            path.mkdir(exist_ok=True)
        if not path.is_dir():
            return False
        lock = path / "lock"
        if lock.exists() and not lock.is_file():  # to open a pipe would hang
            return False
        file = lock.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._locks.append(file)
        return True


def _write(file: FileIO, content: bytes) -> None:
    """Write all of *content*: a disk that fills up takes a part first, and says so only then."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]
