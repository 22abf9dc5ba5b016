"""
A total deadline for calls whose libraries know a timeout per read only: a peer that drips has no end there.

The call runs in a thread of its own, so that nothing that it waits for (a name, a handshake, a header line) holds its
caller any longer; `give_up` closes what it waits on, so that the thread ends too.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextvars import copy_context
from threading import Thread
from typing import TypeVar

T = TypeVar("T")
SLOWEST = 1 << 20
"""Bytes a second that a transfer must move, on the whole."""
SLICE_S = 1.0
"""Longest that the caller waits without a look around: Prefect ends a step in a thread between two of them."""


class Overdue(Exception):
    """A call did not end within its deadline."""


class Allowance:
    """Seconds that a call may take in all. A transfer earns more of them by the bytes that it moves."""

    def __init__(self, seconds: float) -> None:
        """Begin to count now."""
        self.seconds = seconds
        self._began = time.monotonic()

    def earn(self, moved: int) -> None:
        """Allow the time that *moved* bytes may take."""
        self.seconds += moved / SLOWEST

    def left(self) -> float:
        """Return how many seconds are left; none below zero."""
        return self._began + self.seconds - time.monotonic()

    def check(self) -> None:
        """
        Look whether any time is left.

        Raises:
            Overdue: There is none.
        """
        if self.left() <= 0:
            raise Overdue


def within(allowance: Allowance, act: Callable[[], T], give_up: Callable[[], None]) -> T:
    """
    Return what *act* returns, and raise what it raises.

    Raises:
        Overdue: It did neither within *allowance*; *give_up* was called.
    """
    future: Future[T] = Future()
    Thread(target=copy_context().run, args=(_settle, future, act), daemon=True).start()
    while not future.done():
        left = allowance.left()
        if left <= 0:
            give_up()
            raise Overdue
        wait([future], min(left, SLICE_S))
    return future.result()


def _settle(future: Future[T], act: Callable[[], T]) -> None:
    try:
        future.set_result(act())
    except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
        future.set_exception(error)
