"""How a child ended -> an error, or what it answered. `interlock.model.trial` has the table."""

import json
import signal
from typing import Any

from interlock.errors import Damaged, DeliveryError, Refused, SmokeFailed, TrialFailed, Unreadable
from interlock.model.confined.protocol import End
from interlock.model.trial.process import Cut, Ended

ENDS: dict[str, type[DeliveryError]] = {
    End.FORBIDDEN: TrialFailed,
    End.FAILED: TrialFailed,
    End.MISSHAPEN: SmokeFailed,
    End.CHANGED: Damaged,
    End.UNREADABLE: Unreadable,
    End.UNFIT: Refused,
}
OF_ITS_OWN = frozenset(
    {
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGSEGV,
        signal.SIGSYS,
        signal.SIGTRAP,
        signal.SIGXCPU,
        signal.SIGXFSZ,
    }
)
"""Signals by which a process ends itself, or a limit ends it; every other one was sent by somebody."""

Line = dict[str, Any]


def said_by(ended: Ended, *, wall_s: float, short: bool) -> Line:
    """
    Return what the child answered.

    Args:
        ended: How it ended.
        wall_s: How long it had.
        short: Whether it got less memory than a candidate may take: then running out of it is no verdict.

    Raises:
        TrialFailed: Forbidden content, or it could not be opened or computed within its limits.
        SmokeFailed: An answer of another shape than in training.
        Damaged: Other bytes than the manifest's.
        Unreadable: The file cannot be read.
        Refused: The trial did not work, or somebody else ended it.
    """
    lines: list[Line] = [json.loads(line) for line in ended.said.splitlines(keepends=True) if line.endswith(b"\n")]
    last = lines[-1] if lines else {}
    end = last.get("end")
    if end == End.ANSWERED:
        return last
    begun = [line["step"] for line in lines if "step" in line]
    kind = ENDS[end] if end else _kind_of_death(ended, wall_s=wall_s) if begun else Refused
    told = last["why"] if end else _told(ended)
    if short and kind is TrialFailed and end != End.FORBIDDEN:
        kind, told = (
            Refused,
            f"{told}; this machine has less memory left than a candidate may take, so that says nothing",
        )
    raise kind(f"the trial ended {f'while {begun[-1]}' if begun else 'before it began'}: {told}")


def _kind_of_death(ended: Ended, *, wall_s: float) -> type[DeliveryError]:
    """Return what it means that the child had begun and left no last word."""
    if ended.code is None:
        return Refused
    if ended.cut is Cut.LATE:
        return TrialFailed if ended.cpu_s >= wall_s / 2 else Refused
    by_somebody = ended.cut is None and ended.code < 0 and -ended.code not in OF_ITS_OWN
    return Refused if by_somebody else TrialFailed


def _told(ended: Ended) -> str:
    """Return how it died, for people."""
    if ended.code is None:
        return "the child does not even end when it is killed: it waits for a disk"
    how = ended.cut or (f"exit code {ended.code}" if ended.code >= 0 else _signal(-ended.code))
    return f"{how}, after {ended.cpu_s:.1f} s of processor time"


def _signal(number: int) -> str:
    name = signal.Signals(number).name
    if number == signal.SIGXCPU:
        return f"it took more processor time than it may ({name})"
    return f"it crashed ({name})" if number in OF_ITS_OWN else f"somebody ended it ({name}); a full machine does"
