"""One writer per model: an exclusive flock, which the kernel frees when its holder dies."""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any
from uuid import uuid4

from delivery.clock import utc_stamp
from delivery.errors import Busy, CorruptRecord
from delivery.records import Run, StopRequest, sealed
from delivery.store.files import make_folder, read_sealed, remove, replace, writing
from delivery.store.paths import ModelPaths

POLL_S = 0.05


@contextmanager
def locked(paths: ModelPaths, run: Run, wait_s: float, *, interrupt: bool = False) -> Iterator[str]:
    """
    Hold the lock of one model, and yield the name of this holding; the model's folders exist inside.

    Args:
        paths: The model's.
        run: Who asks.
        wait_s: Seconds to wait for another holder.
        interrupt: Ask that holder to stop: a release looks between its steps and before each retry.

    Raises:
        Busy: Somebody else held it for *wait_s* seconds; the message says who, and how to end that.
        Unwritable: The repository is read-only or full.
    """
    with writing(paths.root):
        for folder in paths.folders:
            make_folder(folder)
        file = paths.lock.open("a+")
    try:
        try:
            _acquire(file, paths, time.monotonic() + wait_s, run if interrupt else None)
        finally:
            if interrupt:
                with writing(paths.releases):
                    remove(paths.stop)
        yield _sign(file, run)
    finally:
        with writing(paths.lock):
            file.close()


def stop_request(paths: ModelPaths, holder: str) -> StopRequest | None:
    """Return the request that *holder* stop, if there is one; one for an earlier holder is void."""
    with suppress(CorruptRecord):
        content = read_sealed(paths.stop)
        request = StopRequest.model_validate(content) if content else None
        return request if request and request.holder == holder else None
    return None


def holder(paths: ModelPaths) -> str:
    """Return who signed the lock last, as a person reads it, with the command that ends it."""
    who = signature(paths)
    if who is None:
        return "somebody who left no name"
    name = f"process {who['pid']} on {who['host']}"
    if who["flow_run_id"]:
        flow = f"flow run {who['flow_run_name']} ({who['flow_run_id']})"
        return f"{name} of {flow}, since {who['since_utc']} (`prefect flow-run cancel {who['flow_run_id']}` ends it)"
    return f"{name}, {who['who']}, since {who['since_utc']} (`kill {who['pid']}` there ends it)"


def _acquire(file: IO[str], paths: ModelPaths, deadline: float, interrupter: Run | None) -> None:
    asked = ""
    while True:
        try:
            with writing(paths.lock):
                return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                msg = f"{paths.model} is being changed by {holder(paths)}; nothing was changed here"
                raise Busy(msg) from error
        if interrupter:
            asked = _ask_to_stop(paths, interrupter, asked)
        time.sleep(POLL_S)


def _ask_to_stop(paths: ModelPaths, run: Run, asked: str) -> str:
    """Ask whoever holds the lock now, once; return whom."""
    holding = str((signature(paths) or {}).get("holder", ""))
    if holding and holding != asked:
        request = StopRequest(holder=holding, who=run.who, at_utc=utc_stamp())
        with writing(paths.releases):
            replace(paths.stop, sealed(request.model_dump(mode="json")), paths.staging)
    return holding


def signature(paths: ModelPaths) -> dict[str, Any] | None:
    """Return what the last holder wrote into the lock about itself, if that can be read."""
    with suppress(OSError, ValueError):
        content = json.loads(paths.lock.read_text())
        if isinstance(content, dict) and {"holder", "pid", "host", "since_utc", *Run.model_fields} <= set(content):
            return content
    return None


def _sign(file: IO[str], run: Run) -> str:
    holding = uuid4().hex
    who = {"holder": holding, "pid": os.getpid(), "host": socket.gethostname(), "since_utc": utc_stamp()}
    with suppress(OSError):  # a full disk must not stop a recovery, and the name is information only
        file.truncate(0)
        file.write(json.dumps(who | run.model_dump()))
        file.flush()
    return holding
