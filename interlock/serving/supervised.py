"""Tasks that run for as long as the app does; none of them ends in silence."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

PAUSE_S = 1.0
log = logging.getLogger(__name__)


async def supervised(name: str, run: Callable[[], Awaitable[None]], failed: Callable[[str], None]) -> None:
    """
    Await *run* for ever, until cancelled: when it ends, tell why, once a reason, and begin again after a pause.

    Args:
        name: Of the task, for the log.
        run: The task.
        failed: Called with *name* whenever it ended.
    """
    told = ""
    while True:
        why = "without a reason"
        try:
            await run()
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            if why != told:
                log.error("%s ended and is begun again every %g s", name, PAUSE_S, exc_info=error)
        told = why
        failed(name)
        await asyncio.sleep(PAUSE_S)
