"""
Follow current.json at start, on reload, and every 200 ms, so that a replica that missed a call converges.

The file is read in a thread, with a deadline: a volume that hangs or fails stops no answer, no probe and not this task.
"""

import asyncio
import logging
import time
from functools import partial

from interlock.errors import DeliveryError, Unreadable
from interlock.records import Current
from interlock.serving.job import Job
from interlock.serving.variants import Variants

PERIOD_S = 0.2
RETRY_S = 5.0
LOOK_S = 1.0
"""Longest that a look at the decision may take, and longest that this app is ready when looks fail."""
LONGEST_UNSEEN_S = 5.0
"""Longest that it is ready when nobody looks: the task ended and is begun again, or the machine is too busy."""
log = logging.getLogger(__name__)


class Follower:
    """Watches the decision for *variants*. It acts on a change of the decision only."""

    def __init__(self, variants: Variants) -> None:
        """Take what is to follow."""
        self.variants = variants
        self._seen_at = time.monotonic()
        self._unseen: str = ""
        self._on_disk: int | None = None
        self._turn = asyncio.Lock()
        self._look: Job[Current] | None = None
        self._following: set[asyncio.Task[None]] = set()
        self._try_again_at = 0.0

    @property
    def unseen_s(self) -> float:
        """For how long the decision could not be looked at."""
        return time.monotonic() - self._seen_at

    def blind(self) -> str:
        """Return why this app cannot know that it serves what is decided; empty if it can."""
        if self.unseen_s > (LOOK_S if self._unseen else LONGEST_UNSEEN_S):
            return f"the decision could not be looked at for {self.unseen_s:.0f} s: {self._unseen}"
        if self._on_disk is not None and self._on_disk < (self.variants.epoch or 0):
            return (
                f"the decision on disk is epoch {self._on_disk}, older than {self.variants.epoch}, which is followed: "
                "if the repository was restored from a backup, restart this app"
            )
        return ""

    async def follow_now(self) -> None:
        """
        Read the decision and follow it.

        Raises:
            DeliveryError: It cannot be read or not be followed; what was live goes on.
        """
        await self.variants.follow(await self.look())

    async def look(self) -> Current:
        """
        Read the decision.

        Raises:
            Unreadable: The disk does not let it be read, or not in time.
            CorruptRecord: It is damaged.
        """
        try:
            current = await self._read()
        except TimeoutError as error:
            raise self._failed(Unreadable(f"reading it takes more than {LOOK_S:g} s")) from error
        except DeliveryError as error:
            self._failed(error)
            raise
        except Exception as error:
            raise self._failed(Unreadable(f"reading it ended by {type(error).__name__}: {error}")) from error
        if self._unseen:
            log.warning("the decision can be looked at again")
        self._seen_at, self._unseen, self._on_disk = time.monotonic(), "", current.epoch
        return current

    async def run(self) -> None:
        """Look every 200 ms, until cancelled."""
        while True:
            await asyncio.sleep(PERIOD_S)
            try:
                current = await self.look()
            except DeliveryError:  # logged, and told by /readyz
                continue
            if current.epoch >= (self.variants.epoch or 0) and self._is_to_do(current):
                self._follow(current)

    async def stop(self) -> None:
        """Follow no more."""
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)

    def _is_to_do(self, current: Current) -> bool:
        if current != self.variants.current:
            return True
        return bool(self.variants.failures) and not self._following and time.monotonic() >= self._try_again_at

    def _follow(self, current: Current) -> None:
        """Begin to follow, and go on looking: while one decision loads, the next one may be made."""
        task = asyncio.create_task(self._try(current))
        self._following.add(task)
        task.add_done_callback(self._following.discard)

    async def _try(self, current: Current) -> None:
        try:
            await self.variants.follow(current)
        except DeliveryError:  # logged, and kept in `failures`, which /readyz shows
            self._try_again_at = time.monotonic() + RETRY_S

    async def _read(self) -> Current:
        """Read in a thread; one that hangs is waited for, not joined by a second one."""
        async with asyncio.timeout(LOOK_S), self._turn:
            if self._look and self._look.is_running:
                await self._look.ended()
            self._look = Job(partial(self.variants.store.current, self.variants.model))
            return await self._look.result(LOOK_S)

    def _failed(self, error: DeliveryError) -> DeliveryError:
        if str(error) != self._unseen:
            log.error("the decision cannot be looked at, what is live goes on: %s", error)
        self._unseen = str(error)
        return error
