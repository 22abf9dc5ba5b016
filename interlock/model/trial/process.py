"""Start the child of a trial, listen to it until a deadline, and end it."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

from interlock.errors import Refused
from interlock.waiting import waited_for

ROOT = Path(__file__).parents[3]
BOOT = """
import sys
*sys.path, handle = sys.argv[1:]
from interlock.model.confined.child import main
main(int(handle))
"""
COMMAND = (sys.executable, "-I", "-c", BOOT, str(ROOT), *filter(None, sys.path))
"""Isolated from the user's variables; imports what this process imports, *ROOT* first: this very package."""

ENVIRONMENT = {"ORT_DISABLE_TELEMETRY": "1", "OPENBLAS_NUM_THREADS": "1"}
"""All that the child has: no secret of the releasing process, no other host, no threads."""

GRACE_S = 2.0
PIECE = 65536


class Cut(StrEnum):
    """Why a child was ended from here."""

    LATE = "its time was over"
    FLOOD = "it said more than any trial says"


@dataclass(frozen=True)
class Ended:
    """
    A child that is gone.

    Args:
        said: Its lines, as bytes.
        code: Its exit code; negative for a signal. None when it did not even end when it was killed.
        cpu_s: Processor time that it took.
        cut: Why it was ended from here; None if it ended.
    """

    said: bytes
    code: int | None
    cpu_s: float
    cut: Cut | None


def run(question: bytes, wall_s: float, most_bytes: int, command: Sequence[str] = COMMAND) -> Ended:
    """
    Give *question* to a child and wait for its end, at most *wall_s*; nothing of it is left afterwards.

    Raises:
        Refused: It could not be started.
    """
    try:
        with TemporaryDirectory(prefix="interlock-trial-") as empty, TemporaryFile() as asked:
            asked.write(question)
            asked.seek(0)
            reading, writing = os.pipe()
            with os.fdopen(reading, "rb", buffering=0) as pipe:
                try:
                    child = _started([*command, str(writing)], asked.fileno(), writing, empty)
                finally:
                    os.close(writing)
                return _heard(child, pipe.fileno(), wall_s, most_bytes)
    except OSError as error:
        msg = f"a trial cannot be run on this machine: {error.strerror or error}"
        raise Refused(msg) from error


def _started(command: Sequence[str], asked: int, writing: int, folder: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own interpreter
        command,
        stdin=asked,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(writing,),
        cwd=folder,
        env=ENVIRONMENT,
        start_new_session=True,
    )


def _heard(child: subprocess.Popen[bytes], pipe: int, wall_s: float, most_bytes: int) -> Ended:
    """
    Listen, then end the child's whole group, whatever happens here: also when the release itself is told to stop.

    A pipe that is closed means that the child is dying already, so that SIGKILL does not change how it ended. It is
    sent before anything is reaped: until then the number is its own.
    """
    try:
        said, cut = _listen(pipe, time.monotonic() + wall_s, most_bytes)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        code, cpu_s = _reap(child)
    return Ended(said, code, cpu_s, cut)


def _listen(pipe: int, deadline: float, most_bytes: int) -> tuple[bytes, Cut | None]:
    """Return what is said until the pipe is closed, or why nobody listens any longer."""
    said = bytearray()
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    while poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        piece = os.read(pipe, PIECE)
        said += piece
        if not piece or len(said) > most_bytes:
            return bytes(said), Cut.FLOOD if piece else None
    return bytes(said), Cut.LATE


def _reap(child: subprocess.Popen[bytes]) -> tuple[int | None, float]:
    """Return exit code and processor time; no code if it outlives its kill, in a read of a disk that hangs."""

    def ended() -> tuple[int, float] | None:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        child.returncode = os.waitstatus_to_exitcode(status) if pid else -signal.SIGKILL
        return (child.returncode, usage.ru_utime + usage.ru_stime) if pid else None

    return waited_for(ended, longest_s=GRACE_S, pause_s=0.002) or (None, 0.0)
