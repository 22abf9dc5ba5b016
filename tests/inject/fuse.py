"""
Break something at the n-th call: the process dies there, a system call fails, or an answer gets lost.

    kill    from the n-th call on, of the system or over the wire, nothing has an effect any more
    io      the n-th system call fails, once
    full    from the n-th system call on, nothing can be written
    lost    the n-th call over the wire does its work, and nobody hears of it
    deaf    the n-th call over the wire reaches nobody
"""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from interlock.errors import Unreachable

SYSTEM = ("open", "write", "fsync", "close", "rename", "link", "unlink")
WRITES = ("write", "link")
ERRNOS = (errno.ENOSPC, errno.EIO, errno.EACCES)


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Fuse:
    """Counts calls and blows at call *at*; does nothing without a *kind*."""

    kind: str = ""
    at: int = 0
    error: int = errno.EIO
    count: int = 0
    blown: bool = False

    def system(self, name: str, real: Callable[..., object], *args: object, **named: object) -> object:
        """Make a system call."""
        if self.kind == "kill":
            self._burn()
        if self.kind == "io" and self._reached(once=True):
            return self._fails(self.error, **named)
        if self.kind == "full" and self._reached() and name in WRITES:
            return self._fails(errno.ENOSPC, **named)
        return None if name == "fsync" else real(*args, **named)  # nobody pulls the plug of this machine

    @staticmethod
    def _fails(error: int, *, ignore_errors: bool = False, **_: object) -> None:
        if not ignore_errors:
            raise OSError(error, os.strerror(error))

    def wire(self, real: Callable[..., object], *args: object, **named: object) -> object:
        """Make a call over the wire."""
        if self.kind == "kill":
            self._burn()
        blows = self.kind in ("lost", "deaf") and self._reached(once=True)
        if blows and self.kind == "deaf":
            raise Unreachable("nobody heard the call")
        answer = real(*args, **named)
        if blows:
            raise Unreachable("the answer got lost")
        return answer

    def _burn(self) -> None:
        if self._reached():
            raise Killed

    def _reached(self, *, once: bool = False) -> bool:
        self.count += 1
        reached = self.count == self.at if once else self.count >= self.at
        self.blown = self.blown or reached
        return reached


@dataclass
class Fused:
    """A module whose functions *names* are counted by whatever fuse is in the box."""

    module: object
    box: "FuseBox"
    names: tuple[str, ...] = SYSTEM

    def __getattr__(self, name: str) -> object:
        real = getattr(self.module, name)
        return partial(self.box.system, name, real) if name in self.names else real


@dataclass
class FuseBox:
    """Holds the fuse of the operation that is under way."""

    fuse: Fuse

    def system(self, name: str, real: Callable[..., object], *args: object, **named: object) -> object:
        return self.fuse.system(name, real, *args, **named)

    def over_the_wire(self, target: object) -> "OverTheWire":
        return OverTheWire(target, self)


class OverTheWire:
    """A replica or a registry whose every method is a call that may get lost."""

    def __init__(self, target: object, box: FuseBox) -> None:
        self._target = target
        self._box = box

    def __getattr__(self, name: str) -> object:
        found = getattr(self._target, name)
        return partial(self._box.fuse.wire, found) if callable(found) else found
