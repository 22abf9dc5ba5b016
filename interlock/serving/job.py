"""Blocking work that nobody has to wait for: no request for longer than it wants, and no end of the process at all."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")
MOST_IDLE = 64
_idle: list[SimpleQueue[Callable[[], None]]] = []


class Job(Generic[T]):
    """
    *work* in a daemon thread; made and asked in the event loop.

    Neither onnxruntime nor a volume that hangs can be interrupted, and Python waits at its end for the threads of
    asyncio and of anyio. A job is left behind instead: whoever asked goes on, and the thread ends when it can.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        """Begin."""
        self.is_running = True
        self._ended: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._ended.add_done_callback(_look)
        _in_a_thread(partial(self._run, work))

    async def result(self, timeout_s: float | None = None) -> T:
        """
        Return what the work gives, or raise what it raises; whoever stops waiting for it does not end it.

        Raises:
            TimeoutError: It has not ended after *timeout_s*; it goes on, and may be asked again.
        """
        async with asyncio.timeout(timeout_s):
            return await asyncio.shield(self._ended)

    async def ended(self) -> None:
        """Wait until it has ended, in whichever way."""
        await asyncio.wait([self._ended])

    def when_ended(self, act: Callable[[], None]) -> None:
        """Call *act* when it has ended, in whichever way, though nobody waits any more."""
        self._ended.add_done_callback(lambda _: act())

    def give_up(self, why: Exception) -> None:
        """Let everybody who waits go on, by the error *why*; what the work gives later is thrown away."""
        if not self._ended.done():
            self._ended.set_exception(why)

    def _run(self, work: Callable[[], T]) -> None:
        try:
            end = partial(self._succeed, work())
        except BaseException as error:  # noqa: BLE001 - the one who asked gets it
            end = partial(self._fail, error)
        self.is_running = False
        with suppress(RuntimeError):  # the event loop is gone: nobody asks any more
            self._ended.get_loop().call_soon_threadsafe(end)

    def _succeed(self, result: T) -> None:
        if not self._ended.done():
            self._ended.set_result(result)

    def _fail(self, error: BaseException) -> None:
        if not self._ended.done():
            self._ended.set_exception(error)


def _in_a_thread(work: Callable[[], None]) -> None:
    try:
        queue = _idle.pop()
    except IndexError:
        queue = SimpleQueue()
        Thread(target=_work, args=(queue,), name="job", daemon=True).start()
    queue.put(work)


def _work(queue: SimpleQueue[Callable[[], None]]) -> None:
    """Work off what is put, one after the other; as many threads stay as were needed at once."""
    while True:
        queue.get()()
        if len(_idle) >= MOST_IDLE:
            return
        _idle.append(queue)


def _look(ended: "asyncio.Future[T]") -> None:
    """Look at the error, so that asyncio does not complain of one that nobody waited for."""
    if not ended.cancelled():
        ended.exception()
