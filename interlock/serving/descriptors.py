"""How many clients may be connected, so that the app can always open its files, whoever connects."""

import logging
from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit, setrlimit

FILES = 192
"""For the repository, the prediction log, the database, Triton and threads."""
FEWEST = 16
log = logging.getLogger(__name__)


def connections(wanted: int, reserved: int) -> int:
    """
    Return how many connections fit: *wanted*, or as many as the hard limit of open files leaves.

    The soft limit is raised as far as it is needed.

    Args:
        wanted: Most connections of the public listener.
        reserved: Connections of other listeners, and those that are not let in yet.

    Raises:
        ValueError: The limit leaves almost none.
    """
    soft, hard = getrlimit(RLIMIT_NOFILE)
    needed = wanted + reserved + FILES
    allowed = needed if hard == RLIM_INFINITY else min(needed, hard)
    if soft != RLIM_INFINITY and soft < allowed:
        setrlimit(RLIMIT_NOFILE, (allowed, hard))
    fitting = wanted - (needed - allowed)
    if fitting < min(wanted, FEWEST):
        raise ValueError(f"a process may open {hard} files (ulimit -Hn), this app needs {needed - wanted + FEWEST}")
    if fitting < wanted:
        log.warning(
            "a process may open %d files (ulimit -Hn): %d clients are connected at once, not %d", hard, fitting, wanted
        )
    return fitting
