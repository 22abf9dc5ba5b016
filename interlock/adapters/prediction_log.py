"""The prediction log's table, as its owner keeps it: what is too old is deleted. The serving app writes it."""

from datetime import datetime

from sqlalchemy import DateTime, column, delete, select, table

from interlock.adapters.database import connected

CHUNK = 10_000
ROWS = table("prediction_log", column("id"), column("created_at", DateTime(timezone=True)))


class PredictionLog:
    """
    The table `prediction_log` in the database at *url*.

    Args:
        url: SQLAlchemy's; its password is never shown.
        timeout_s: Seconds that connecting, and a statement, may take.
    """

    def __init__(self, url: str, timeout_s: float = 30.0) -> None:
        """Nothing is opened before the first call."""
        self._url = url
        self._timeout_s = timeout_s

    def forget(self, before: datetime) -> int:
        """
        Delete at most 10,000 rows that are older than *before*; return how many. The app writes on meanwhile.

        Raises:
            NotFound: There is no such table.
            Refused: The URL is not valid, or the database says no.
            Unreachable: The database does not answer.
        """
        old = select(ROWS.c.id).where(ROWS.c.created_at < before).limit(CHUNK).subquery()  # MariaDB wants it nested
        with connected(self._url, self._timeout_s) as connection:
            return connection.execute(delete(ROWS).where(ROWS.c.id.in_(select(old.c.id)))).rowcount
