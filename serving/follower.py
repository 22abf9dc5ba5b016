"""Follow current.json at start, on reload, and every 200 ms, so that a replica that missed a call converges."""

import asyncio
import logging
import time
from contextlib import suppress

from delivery.errors import CorruptRecord, DeliveryError
from delivery.records import Current
from serving.variants import Variants

PERIOD_S = 0.2
RETRY_S = 5.0
log = logging.getLogger(__name__)


class Follower:
    """Watches the decision for *variants*. It acts on a change of epoch only."""

    def __init__(self, variants: Variants) -> None:
        """Take what is to follow."""
        self.variants = variants
        self._read: tuple[int, int, int] | None = None
        self._try_again_at = 0.0

    def follow_now(self) -> Current:
        """
        Read the decision and follow it.

        Raises:
            DeliveryError: It cannot be read or not be followed; what was live goes on.
        """
        current = self.variants.store.current(self.variants.model)
        self.variants.follow(current)
        return current

    async def run(self) -> None:
        """Look every 200 ms, until cancelled."""
        while True:
            await asyncio.sleep(PERIOD_S)
            if self._changed() or (self.variants.failures and time.monotonic() >= self._try_again_at):
                self._try_again_at = time.monotonic() + RETRY_S
                await asyncio.to_thread(self._follow_change)

    def _changed(self) -> bool:
        with suppress(FileNotFoundError):
            stat = self.variants.store.paths(self.variants.model).current.stat()
            read = stat.st_ino, stat.st_mtime_ns, stat.st_size
            changed, self._read = read != self._read, read
            return changed
        return False

    def _follow_change(self) -> None:
        try:
            current = self.variants.store.current(self.variants.model)
        except (CorruptRecord, OSError) as error:
            log.error("the decision cannot be read, what is live goes on: %s", error)
            return
        if current.epoch != self.variants.epoch or self.variants.failures:
            with suppress(DeliveryError):  # logged and kept in `failures`, which /readyz shows
                self.variants.follow(current)
