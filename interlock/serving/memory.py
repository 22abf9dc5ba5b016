"""
Memory for versions.

A process that takes more than it has is killed, and with it what it serves. So three things hold:

    before a load    there is room for it and for one request, beside what other versions may still take
    in use           no more requests of a version compute at once than its part of the room is good for
    whatever else    onnxruntime gets no more than was free at first: of a request for which that is too little, only
                     that request fails (a model may size its tensors by what a client sends)
"""

import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import onnxruntime
import psutil

from interlock.errors import Refused
from interlock.model.memory import free_memory

T = TypeVar("T")
AT_ONCE = 40
"""Most requests of a version that compute at once; the others wait for their turn."""
AT_REST = 3
"""Versions in memory at the end of a release: the live one, the one before, and the candidate."""
OURS = 0.9
"""The part of the free memory that onnxruntime may take; the rest is for requests and answers themselves."""
SAME_AS_REQUESTED = 1
DEFAULT = -1


@dataclass(frozen=True)
class Need:
    """
    The bytes that a version takes.

    Args:
        load: At most, to be loaded.
        request: At most, for each request that it computes.
    """

    load: int
    request: int


class Room:
    """
    The memory that this process may still take, shared by its versions; safe to use from several threads.

    Args:
        free: How many bytes may still be taken.
    """

    def __init__(self, free: Callable[[], int] | None = None) -> None:
        """Nothing is in it."""
        self._free = free or free_bytes
        self._spoken_for = 0
        self._lock = threading.RLock()  # a version may be collected, and give back, while another one takes

    def load(self, what: str, need: Need, opened: Callable[[], T]) -> tuple[T, int]:
        """
        Load by *opened* if there is room; return what it gives and how many of its requests may compute at once.

        The room for these requests is kept until what was loaded is garbage.

        Raises:
            Refused: There is no room.
            Exception: As *opened* raises.
        """
        turns = self._taken(what, need)
        try:
            made = opened()
        except BaseException:
            self._give_back(turns * need.request)
            raise
        finally:
            self._give_back(need.load)  # what is left of it is no longer free
        weakref.finalize(made, self._give_back, turns * need.request)
        return made, turns

    def _taken(self, what: str, need: Need) -> int:
        with self._lock:
            left = self._free() - self._spoken_for
            if need.load + need.request > left:
                msg = (
                    f"{what} needs {_mib(need.load)} of memory, and {_mib(need.request)} for a request, and "
                    f"{_mib(max(0, left))} are free: give this app more, or a smaller model"
                )
                raise Refused(msg)
            turns = (left // AT_REST - need.load) // max(1, need.request)
            turns = max(1, min(AT_ONCE, turns))
            self._spoken_for += need.load + turns * need.request
            return turns

    def _give_back(self, size: int) -> None:
        with self._lock:
            self._spoken_for -= size


def free_bytes() -> int:
    """Return how many bytes this process may still take: by its control groups, and of the machine."""
    free = free_memory()
    return psutil.virtual_memory().available if free is None else free


@cache
def bound_onnxruntime() -> None:
    """Let the sessions of this process that ask for its allocator take no more, together, than is free now."""
    kind = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    limits = {
        "max_mem": int(OURS * free_bytes()),
        "arena_extend_strategy": SAME_AS_REQUESTED,
        "initial_chunk_size_bytes": DEFAULT,
        "max_dead_bytes_per_chunk": DEFAULT,
    }
    onnxruntime.create_and_register_allocator(kind, onnxruntime.OrtArenaCfg(limits))


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
