"""
The limits of the child: put on itself after its imports, so that they measure the candidate and not Python.

Memory is bounded by address space, on top of what the imports took: an allocation over it fails inside the child, where
it is a verdict, and long before the machine is short. Its peak is read from VmHWM, not from `ru_maxrss`: across
fork and exec that one starts at the size of the process which started the child.
"""

import ctypes
import os
import resource
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

OPEN_FILES = 64
STACK_BYTES = 4 * 1024 * 1024
"""Half of what threads of engines have: whatever recurses here without a crash does so there."""

PROC = Path("/proc/self")
PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
PATIENCE_S = 2
"""Processor seconds between SIGXCPU, which ends the child, and the kernel's SIGKILL."""


class Orphaned(Exception):
    """The process that waits for the answer is gone."""


def confine(parent: int, memory_bytes: int, cpu_s: int) -> None:
    """
    Limit what this process may take from now on.

    Raises:
        Orphaned: The parent is gone already.
        ValueError: A limit could not be set, because the process was started with a lower one.
    """
    os.nice(10)
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    if sys.platform == "linux":  # other systems bound the time and, afterwards, what was measured
        _die_with_the_parent()
        with suppress(OSError):  # should the machine run short all the same, its kernel takes this process first
            (PROC / "oom_score_adj").write_text("1000")
        _limit(resource.RLIMIT_AS, address_space() + memory_bytes)
    if os.getppid() != parent:
        raise Orphaned
    cpu = int(time.process_time()) + 1 + cpu_s
    _limit(resource.RLIMIT_CPU, cpu, cpu + PATIENCE_S)
    _limit(resource.RLIMIT_STACK, STACK_BYTES)
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    for nothing in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE, resource.RLIMIT_NPROC):
        _limit(nothing, 0)


def address_space() -> int:
    """Return the bytes of this process's address space."""
    return _status("VmSize")


def resident() -> int:
    """Return the bytes that this process holds in memory."""
    return _status("VmRSS") if sys.platform == "linux" else _peak_of_its_life()


def peak() -> int:
    """Return the most bytes that this process held in memory since `forget_the_peak`."""
    return _status("VmHWM") if sys.platform == "linux" else _peak_of_its_life()


def forget_the_peak() -> None:
    """Let `peak` begin at what is held now."""
    with suppress(OSError):  # where there is no such file, what came before counts too
        (PROC / "clear_refs").write_text("5")


def _limit(kind: int, soft: int, hard: int | None = None) -> None:
    resource.setrlimit(kind, (soft, soft if hard is None else hard))


def _status(key: str) -> int:
    lines = (PROC / "status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


def _peak_of_its_life() -> int:
    """Return it as macOS counts: in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _die_with_the_parent() -> None:
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    for option, value in ((PR_SET_PDEATHSIG, int(signal.SIGKILL)), (PR_SET_NO_NEW_PRIVS, 1)):
        if prctl(option, value, 0, 0, 0):
            raise OSError(ctypes.get_errno(), f"prctl {option} is not possible")
