"""One writer per model: an exclusive flock, which the kernel frees when its holder dies."""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from delivery.clock import utc_stamp
from delivery.errors import Busy
from delivery.records import Run
from delivery.store.files import writing
from delivery.store.paths import ModelPaths

POLL_S = 0.05


@contextmanager
def locked(paths: ModelPaths, run: Run, wait_s: float) -> Iterator[None]:
    """
    Hold the lock of one model; its folders exist inside.

    Raises:
        Busy: Somebody else held it for *wait_s* seconds; the message says who.
        Unwritable: The repository is read-only or full.
    """
    with writing(paths.root):
        for folder in paths.folders:
            folder.mkdir(parents=True, exist_ok=True)
        file = paths.lock.open("a+")
    with file:
        _acquire(file, paths, time.monotonic() + wait_s)
        _sign(file, run)
        yield


def holder(paths: ModelPaths) -> str:
    """Return who signed the lock last, as a person reads it."""
    with suppress(OSError, ValueError, KeyError):
        who = json.loads(paths.lock.read_text())
        flow = f" of flow run {who['flow_run_name']} ({who['flow_run_id']})" if who["flow_run_id"] else ""
        return f"process {who['pid']} on {who['host']}{flow}, since {who['since_utc']}"
    return "somebody who left no name"


def _acquire(file: IO[str], paths: ModelPaths, deadline: float) -> None:
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                msg = f"{paths.model} is being changed by {holder(paths)}; nothing was changed here"
                raise Busy(msg) from error
        time.sleep(POLL_S)


def _sign(file: IO[str], run: Run) -> None:
    who = {"pid": os.getpid(), "host": socket.gethostname(), "since_utc": utc_stamp(), **run.model_dump()}
    with suppress(OSError):  # a full disk must not stop a recovery, and the name is information only
        file.truncate(0)
        file.write(json.dumps(who))
        file.flush()
