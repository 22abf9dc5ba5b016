"""Whether the repository can be written and locked: asked before a training, not found out after it."""

import fcntl
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from delivery.errors import Unwritable
from delivery.store.files import make_folder, writing

PREFIX = ".usable-"


def check_usable(root: Path) -> None:
    """
    Look whether a second writer would be kept out of the repository.

    Raises:
        Unwritable: The disk is full, read-only or somebody else's, or its locks do not keep anybody out.
    """
    with writing(root):
        make_folder(root)
        with NamedTemporaryFile(dir=root, prefix=PREFIX) as first, open(first.name, "rb") as second:  # noqa: PTH123
            first.write(b"\n")
            first.flush()
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_kept_out(second):
                msg = f"the file system of {root} lets two writers hold one lock: choose a disk whose locks work"
                raise Unwritable(msg)


def _is_kept_out(other: IO[bytes]) -> bool:
    try:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
