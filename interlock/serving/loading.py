"""
Loads, none of which holds up anything else.

    candidates          one after the other; who comes meanwhile waits for a moment, then is told Busy
    decided versions    beside them and beside each other: a restart, or a version that was fetched again

Each is a job with a deadline. At the deadline it is left behind, as onnxruntime cannot be interrupted.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from interlock.errors import Busy, Refused, TooSlow
from interlock.serving.job import Job
from interlock.serving.model import Model

Load = Callable[[], Model]
Key = tuple[str, int, str]
"""Alias, version and digest of a decided version."""
WAIT_S = 2.0
MOST_LEFT_BEHIND = 3


class Loading:
    """
    What this app is loading now; used in its event loop only.

    Args:
        timeout_s: For reading, loading and the golden rows together.
    """

    def __init__(self, timeout_s: float) -> None:
        """Nothing is loading."""
        self._timeout_s = timeout_s
        self._turn = asyncio.Lock()
        self._candidate: tuple[str, Job[Model]] | None = None
        self._decided: dict[Key, Job[Model]] = {}
        self._left_behind: list[Job[Model]] = []
        self._stopping = False

    async def candidate(self, alias: str, load: Load) -> Model:
        """
        Load a candidate, when it is its turn.

        Raises:
            Busy: Another one is being loaded, or too many were left behind.
            TooSlow: It is not loaded at its deadline.
            Refused: It was dropped meanwhile, or the app is being stopped.
            DeliveryError: As *load* raises.
        """
        async with self._one_at_a_time():
            job = self._started(load)
            self._candidate = alias, job
            try:
                return await self._result(job)
            finally:
                self._candidate = None
                if job.is_running:
                    self._left_behind.append(job)

    async def decided(self, key: Key, load: Load) -> Model:
        """
        Load a decided version at once; one that is still being loaded is waited for, not loaded a second time.

        Raises:
            TooSlow: It is not loaded at its deadline.
            Refused: The app is being stopped.
            DeliveryError: As *load* raises.
        """
        self._decided = {key: job for key, job in self._decided.items() if job.is_running}
        job = self._decided.get(key) or self._started(load)
        self._decided[key] = job
        return await self._result(job)

    def drop(self, alias: str) -> None:
        """Give up the candidate of *alias* that is being loaded, if there is one."""
        if self._candidate and self._candidate[0] == alias:
            self._candidate[1].give_up(Refused("the candidate was dropped while it was being loaded"))

    def stop(self) -> None:
        """Let nobody wait any more: the app is being stopped."""
        self._stopping = True
        for job in (*self._decided.values(), *([self._candidate[1]] if self._candidate else [])):
            job.give_up(_stopped())

    def _started(self, load: Load) -> Job[Model]:
        if self._stopping:
            raise _stopped()
        return Job(load)

    async def _result(self, job: Job[Model]) -> Model:
        try:
            return await job.result(self._timeout_s)
        except TimeoutError as error:
            msg = f"it is not loaded after {self._timeout_s:g} s (INTERLOCK_SERVING_LOAD_TIMEOUT_S)"
            raise TooSlow(msg) from error

    @asynccontextmanager
    async def _one_at_a_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(WAIT_S):
                await self._turn.acquire()
        except TimeoutError as error:
            msg = "another candidate is being loaded"
            raise Busy(msg) from error
        try:
            self._check_left_behind()
            yield
        finally:
            self._turn.release()

    def _check_left_behind(self) -> None:
        self._left_behind = [job for job in self._left_behind if job.is_running]
        if len(self._left_behind) >= MOST_LEFT_BEHIND:
            msg = f"{len(self._left_behind)} candidates that were given up still compute: restart this app"
            raise Busy(msg)


def _stopped() -> Refused:
    return Refused("this app is being stopped")
