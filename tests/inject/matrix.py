"""
Which faults hit which calls of an act.

    KILL                    before every call on a file that finds another world than the call before it found
    ENOSPC, EIO, EACCES     at every call that changes a file or makes it durable: each once; and one of them for good,
                            in turn. At every call that only reads: one of the six, in turn.
"""

from collections.abc import Iterator, Sequence
from itertools import cycle

from inject.cases import Case
from inject.strace import ASKING, Call, Fault

ERRORS = ("ENOSPC", "EIO", "EACCES")
POSITION = ("ioctl", "lseek", "fcntl")
"""Ask the kernel about an open file, not the disk."""


def kills(calls: Sequence[Call], root: str) -> Iterator[Fault]:
    changed = True
    for call in calls:
        if changed and on_a_file(call, root):
            yield Fault("KILL", call.name, call.number)
            changed = False
        changed = changed or call.changes


def errors(calls: Sequence[Call], root: str) -> Iterator[Fault]:
    lasting = cycle(ERRORS)
    any_of_them = cycle([(error, once) for once in (False, True) for error in ERRORS])
    for call in calls:
        if on_a_file(call, root) and call.writes:
            yield from (Fault(error, call.name, call.number) for error in ERRORS)
            yield Fault(next(lasting), call.name, call.number, lasting=True)
        elif on_a_file(call, root):
            error, once = next(any_of_them)
            yield Fault(error, call.name, call.number, lasting=once)


def on_a_file(call: Call, root: str) -> bool:
    return call.touches(root) and call.name not in (*ASKING, *POSITION)


def of(scene: str, calls: Sequence[Call], root: str) -> list[Case]:
    return [Case(scene, (fault,)) for fault in (*kills(calls, root), *errors(calls, root))]
