"""One writer per model: an exclusive flock, which the kernel frees when its holder dies."""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple
from uuid import uuid4

from interlock.clock import utc_stamp
from interlock.errors import Busy, CorruptRecord, NoLocks, Unreadable, Unwritable
from interlock.records import Run, StopRequest, sealed
from interlock.store.contents import RECORD_BYTES, bytes_of, is_file, is_there, read
from interlock.store.durable import make_folder, remove, replace, writing
from interlock.store.odd import check_no_link, own_folders, room_for_file
from interlock.store.paths import ModelPaths
from interlock.waiting import waited_for

POLL_S = 0.05
LOCK_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
ADVICE = "Keep the model repository on a local disk, or on a shared one with working locks (NFSv4)"


class Holding(NamedTuple):
    """One time that somebody holds the lock: its name, and what was *set_aside* when it began."""

    name: str
    set_aside: list[str]


@contextmanager
def locked(paths: ModelPaths, run: Run, wait_s: float, *, interrupt: bool = False) -> Iterator[Holding]:
    """
    Hold the lock of one model, and yield this holding; the model's folders exist inside.

    Args:
        paths: The model's.
        run: Who asks.
        wait_s: Seconds to wait for another holder.
        interrupt: Ask that holder to stop: a release looks between its steps and before each retry.

    Raises:
        Busy: Somebody else held it for *wait_s* seconds; the message says who, and how to end that.
        Unwritable: The repository is read-only or full, or a folder of it is a link.
    """
    file = _open(paths)
    try:
        _acquire(file, paths, wait_s, run if interrupt else None)
        aside = own_folders(paths)
        yield Holding(_sign(file, run), aside)
    finally:
        with writing(paths.lock):
            file.close()


def check_locks(folder: Path) -> None:
    """
    Prove with two descriptors of one file in *folder* that whoever locks it second is kept out.

    Raises:
        NoLocks: The disk does not lock, or lets a second one in.
        Unwritable: A file cannot be made there.
    """
    with writing(folder):
        make_folder(folder)
        probe = folder / f".lock-{uuid4().hex}"
        with probe.open("x") as first, probe.open() as second:
            probe.unlink()
            if not (_lock(first, folder) and not _lock(second, folder)):
                msg = f"{folder} does not lock: a second writer is not kept out. {ADVICE}"
                raise NoLocks(msg)


def _lock(file: IO[str], folder: Path) -> bool:
    """Return whether the lock was free."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        msg = f"{folder} cannot lock: {error.strerror or error}. {ADVICE}"
        raise NoLocks(msg) from error
    return True


def stop_request(paths: ModelPaths, holder: str) -> StopRequest | None:
    """Return the request that *holder* stop, if there is one; one for an earlier holder is void."""
    request = _requested(paths)
    return request if request and request.holder == holder else None


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


def _open(paths: ModelPaths) -> IO[str]:
    """Open the lock without following a link, through which its signature would be written elsewhere."""
    check_no_link(paths.releases.parent, paths.versions.parent, paths.releases)
    if is_there(paths.lock) and not is_file(paths.lock):
        msg = f"{paths.lock} is no regular file: move it away, then repeat"
        raise Unwritable(msg)
    with writing(paths.releases):
        make_folder(paths.releases)
        return open(os.open(paths.lock, LOCK_FLAGS, 0o666), "r+")  # noqa: PTH123 - closed by `locked`


def _acquire(file: IO[str], paths: ModelPaths, wait_s: float, interrupter: Run | None) -> None:
    asked: StopRequest | None = None

    def is_ours() -> bool:
        nonlocal asked
        ours = _lock(file, paths.releases)
        if interrupter and not ours:
            asked = _ask_to_stop(paths, interrupter) or asked
        return ours

    try:
        if not waited_for(is_ours, longest_s=wait_s, pause_s=POLL_S):
            msg = f"{paths.model} is being changed by {holder(paths)}; nothing was changed here"
            raise Busy(msg)
    finally:
        if asked and _requested(paths) == asked:
            with writing(paths.releases):
                remove(paths.stop)


def _ask_to_stop(paths: ModelPaths, run: Run) -> StopRequest | None:
    """Ask whoever holds the lock now, unless somebody has; return what was asked."""
    holding = str((signature(paths) or {}).get("holder", ""))
    if not holding or stop_request(paths, holding):
        return None
    request = StopRequest(holder=holding, who=run.who, at_utc=utc_stamp())
    with writing(paths.releases):
        room_for_file(paths, paths.stop)
        replace(paths.stop, sealed(request.model_dump(mode="json")), paths.staging)
    return request


def _requested(paths: ModelPaths) -> StopRequest | None:
    with suppress(CorruptRecord):
        return read(paths.stop, StopRequest)
    return None


def signature(paths: ModelPaths) -> dict[str, Any] | None:
    """Return what the last holder wrote into the lock about itself, if that can be read."""
    with suppress(OSError, ValueError, RecursionError, CorruptRecord, Unreadable):
        content = json.loads(bytes_of(paths.lock, RECORD_BYTES))
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
