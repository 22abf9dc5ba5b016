"""Log what clients can cause as often as they like: one line a second at most, with how often it happened so far."""

import time
from collections.abc import Callable

PERIOD_S = 1.0


class Seldom:
    """
    Counts something, and says so now and then.

    Args:
        say: What logs, such as `log.warning`.
        text: What is said; it has one place for the number, and one for each argument of `happened`.
    """

    def __init__(self, say: Callable[..., None], text: str) -> None:
        """Nothing has happened yet."""
        self.count = 0
        self._say = say
        self._text = text
        self._quiet_until = 0.0

    def happened(self, *why: object, times: int = 1) -> None:
        """Count it, and log the number unless that was done within the last second."""
        self.count += times
        now = time.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + PERIOD_S
            self._say(self._text, self.count, *why)
