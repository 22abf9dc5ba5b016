"""
The connections of one listener: a fixed number at once. Whoever keeps it waiting longest makes room for a newcomer.

A server that answers 503 at its limit is shut for everybody by anyone who opens that many connections and sends
nothing. Here such connections close each other; one that has sent its request and waits for the answer is never closed.
"""

import logging
from typing import Protocol

from interlock.serving.seldom import Seldom

log = logging.getLogger(__name__)


class Guest(Protocol):
    """A connection, as a door sees it."""

    def cut(self) -> None:
        """Close at once, whatever is under way."""


class Door:
    """
    Who is connected, and who of them is waited for.

    Args:
        name: For the log.
        limit: Most connections at once.
    """

    def __init__(self, name: str, limit: int) -> None:
        """Nobody is connected."""
        self._limit = limit
        self._inside: set[Guest] = set()
        self._awaited: dict[Guest, None] = {}  # in the order in which the server began to wait for them
        self._closed = Seldom(
            log.warning, f"the {name} listener is full: %d connections that sent no request were closed"
        )

    def enter(self, guest: Guest) -> bool:
        """Let *guest* in, in place of whoever is awaited longest if it is full; False if nobody can be closed."""
        oldest = next(iter(self._awaited), None)
        full = len(self._inside) >= self._limit
        self._inside.add(guest)
        self._awaited[guest] = None
        if not full:
            return True
        if oldest is None:
            return False
        self.leave(oldest)
        oldest.cut()
        self._closed.happened()
        return True

    def awaits(self, guest: Guest) -> None:
        """Take note that the next move is the client's; it stays in its place if it was awaited before."""
        if guest in self._inside:
            self._awaited.setdefault(guest)

    def answers(self, guest: Guest) -> None:
        """Take note that the next move is the server's."""
        self._awaited.pop(guest, None)

    def leave(self, guest: Guest) -> None:
        """Forget *guest*."""
        self._inside.discard(guest)
        self._awaited.pop(guest, None)
