"""How databases are reached by URL: none is waited for without end, and none shows its password."""

import re
from typing import Any

from interlock.extras import missing

DRIVERS = {"psycopg": "postgres", "pymysql": "mysql"}
"""The extra that brings a driver."""
CREDENTIALS = re.compile(r"(?<=://).*@", re.DOTALL)


def connect_args(url: str, timeout_s: float) -> dict[str, Any]:
    """Return what the driver of *url* must be told, so that nothing is waited for longer."""
    seconds, ms = max(1, round(timeout_s)), round(timeout_s * 1000)
    if url.startswith("postgresql"):
        return {
            "connect_timeout": seconds,
            "options": f"-c statement_timeout={ms}",
            "tcp_user_timeout": ms,
            "keepalives_idle": seconds,
            "keepalives_interval": 1,
            "keepalives_count": 3,
        }
    if url.startswith(("mysql", "mariadb")):
        return {"connect_timeout": seconds, "read_timeout": seconds, "write_timeout": seconds}
    return {"timeout": timeout_s} if url.startswith("sqlite") else {}


def shown(url: str) -> str:
    """Return *url* without user, password and options: for messages."""
    return CREDENTIALS.sub("", url).partition("?")[0]


def driver_missing(error: ModuleNotFoundError) -> str:
    """Return which driver is not installed, and the extra that brings it, if one of ours does."""
    module = str(error.name)
    return missing(module, DRIVERS[module]) if module in DRIVERS else f"the driver {module} is not installed"
