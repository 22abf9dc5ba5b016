"""
Batches on disk: what is finished, and what a run that was killed goes on from.

    <root>/<batch>/                     appears at once, when the batch is whole; never changed again
        _batch.json                     the question, and the version that answered
        part-000000.parquet ..          the answers, in the order of the rows
    <root>/.work/<batch>/               while it runs
        lock                            flock: one run at a time
        rows.parquet                    what a query gave, once: a run that goes on reads the same rows
        answers/                        what becomes <root>/<batch>/

Readers of Parquet pass over names that begin with `_` or `.`. Workers on other machines need the same folder.
"""

import fcntl
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from interlock.batch.parts import Batch, Part
from interlock.errors import Busy, CorruptRecord, InvalidRows, Unreadable, Unwritable
from interlock.names import batch_name
from interlock.store.contents import RECORD_BYTES, bytes_of, is_there, names_in
from interlock.store.durable import move, replace, sync_folder, writing


@dataclass(frozen=True)
class Work:
    """One batch, of which the lock is held."""

    root: Path
    name: str

    @property
    def folder(self) -> Path:
        """What is there while it runs."""
        return self.root / ".work" / self.name

    @property
    def answers(self) -> Path:
        """The answers so far."""
        return self.folder / "answers"

    @property
    def finished(self) -> Path:
        """The answers, all of them."""
        return self.root / self.name

    @property
    def rows(self) -> Path:
        """What a query gave."""
        return self.folder / "rows.parquet"

    def is_finished(self) -> bool:
        """Whether all answers are there."""
        return is_there(self.finished)

    def batch(self) -> Batch | None:
        """
        Return the batch if it was begun, by this run or by another.

        Raises:
            CorruptRecord: Its record does not parse, or its folder is there without one.
            Unreadable: The disk does not let it read.
        """
        path = (self.finished if self.is_finished() else self.answers) / "_batch.json"
        try:
            return Batch.model_validate_json(bytes_of(path, RECORD_BYTES))
        except CorruptRecord as error:
            msg = f"{path} is no record of a batch; name another batch"
            raise CorruptRecord(msg) from error
        except FileNotFoundError:
            if self.is_finished():
                msg = f"{self.finished} is there and is no batch; name another"
                raise CorruptRecord(msg) from None
            return None
        except ValidationError as error:
            msg = f"{path} is no record of a batch: {error.error_count()} fields are wrong; name another batch"
            raise CorruptRecord(msg) from error

    def begin(self, batch: Batch) -> None:
        """Write down what is asked, and who answers."""
        with writing(self.folder):
            replace(self.answers / "_batch.json", batch.model_dump_json(indent=2).encode(), self.folder)

    def part(self, part: Part) -> Path:
        """Return where the answers of *part* are, or will be."""
        return self.answers / f"part-{part.number:06d}.parquet"

    def missing(self, parts: Sequence[Part]) -> list[Part]:
        """Return the parts that are not there yet."""
        return [part for part in parts if not is_there(self.part(part))]

    def publish(self) -> None:
        """Let the batch appear, at once; nothing else of it stays."""
        with writing(self.root):
            for left in self.answers.glob(".*"):  # by a run that was killed
                left.unlink()
            sync_folder(self.answers)
            move(self.answers, self.finished)
        self.discard()

    def discard(self) -> None:
        """Remove what a run goes on from."""
        with writing(self.folder):
            shutil.rmtree(self.folder)

    def is_empty(self) -> bool:
        """Whether there is nothing to go on from: no rows, no answers."""
        return not is_there(self.rows) and not any(name.startswith("part-") for name in names_in(self.answers))


class BatchFolder:
    """The folder *root*; it is made by the first batch."""

    def __init__(self, root: Path) -> None:
        """Nothing is opened before the first batch."""
        self.root = root

    @contextmanager
    def open(self, name: str) -> Iterator[Work]:
        """
        Hold the lock of a batch; what failed before its first answer, or can never be whole, leaves nothing.

        Raises:
            InvalidName: It may name no batch.
            Busy: Another run holds it.
            Unwritable: The folder is read-only or full, or something else is where the lock or a folder should be.
        """
        work = Work(self.root, batch_name(name))
        with _lock_file(work) as file:
            _lock(file, work)
            try:
                yield work
            except (InvalidRows, Unreadable):
                work.discard()
                raise
            finally:
                if is_there(work.folder) and (work.is_empty() or work.is_finished()):
                    work.discard()


def _lock_file(work: Work) -> IO[str]:
    """Open the lock, made if it is not there; a named pipe in its place must not hang."""
    try:
        with writing(work.folder):
            work.answers.mkdir(parents=True, exist_ok=True)
            handle = os.open(work.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    except FileExistsError as error:
        msg = f"the folder {work.answers} cannot be made: something else is in its place"
        raise Unwritable(msg) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        msg = f"{work.folder / 'lock'} is no regular file"
        raise Unwritable(msg)
    return os.fdopen(handle, "r+")


def _lock(file: IO[str], work: Work) -> None:
    """Take the lock, unless it is another's, or was removed with a batch that has just ended."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat((work.folder / "lock").stat(), os.fstat(file.fileno())):
            return
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError as error:
        msg = f"{work.folder / 'lock'} cannot be locked: {error.strerror}"
        raise Unwritable(msg) from error
    msg = f"batch {work.name} is being made by another run"
    raise Busy(msg)
