"""Tables in a database, by SQLAlchemy URL: SQLite, PostgreSQL, MariaDB."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Column, Float, MetaData, Result, Row, String, Table, text

from interlock.adapters.database import bounded, connected
from interlock.model import rows as encoding

LONGEST_TEXT = 128


class FeatureStore:
    """
    The database at *url*.

    Args:
        url: SQLAlchemy's, such as `postgresql+psycopg://user:password@host/database`; its password is never shown.
        timeout_s: Seconds that connecting, and a statement, may take.
    """

    def __init__(self, url: str, timeout_s: float = 30.0) -> None:
        """Nothing is opened before the first question."""
        self._url = url
        self._timeout_s = timeout_s

    def read(self, query: str) -> encoding.Table:
        """
        Return the rows of *query*, column by column.

        Raises:
            NotFound: There is no such table, column or database.
            Refused: The URL or the query is not valid, or the database says no.
            Unreachable: The database does not answer.
        """
        with connected(self._url, self._timeout_s) as connection:
            result = connection.execute(text(query))
            return _columns(list(result.keys()), result.all())

    def stream(self, query: str, rows: int) -> Generator[encoding.Table, None, None]:
        """
        Yield the rows of *query*, *rows* at most at once, from a cursor of the server; one piece at least.

        Raises:
            NotFound: There is no such table, column or database.
            Refused: The URL or the query is not valid, or the database says no.
            Unreachable: The database does not answer.
        """
        with connected(self._url, self._timeout_s) as connection:
            in_time = partial(bounded, connection.connection.driver_connection, self._timeout_s)
            with in_time():
                result = connection.execution_options(yield_per=rows).execute(text(query))
            try:
                names, some = list(result.keys()), False
                for piece in _pieces(result, rows, in_time):
                    yield _columns(names, piece)
                    some = True
                if not some:
                    yield _columns(names, ())
            finally:
                with in_time():
                    result.close()

    def replace(self, name: str, table: encoding.Table) -> None:
        """
        Make *table* the table *name*, in place of one of that name.

        Raises:
            Refused: The URL is not valid, or the database says no.
            Unreachable: The database does not answer.
        """
        columns = [Column(key, String(LONGEST_TEXT) if _is_text(cells) else Float) for key, cells in table.items()]
        made = Table(name, MetaData(), *columns)
        cells = zip(*(_plain(column) for column in table.values()), strict=True)
        rows = [dict(zip(table, row, strict=True)) for row in cells]
        with connected(self._url, self._timeout_s, may_make=True) as connection:
            made.drop(connection, checkfirst=True)
            made.create(connection)
            if rows:
                connection.execute(made.insert(), rows)


def _pieces(
    result: Result[Any], rows: int, in_time: Callable[[], AbstractContextManager[None]]
) -> Iterator[Sequence[Row[Any]]]:
    pieces = result.partitions(rows)  # without the number, each is one row
    while True:
        with in_time():
            piece = next(pieces, None)
        if piece is None:
            return
        yield piece


def _columns(names: Sequence[str], rows: Sequence[Row[Any]]) -> encoding.Table:
    return {name: np.fromiter((row[i] for row in rows), dtype=object, count=len(rows)) for i, name in enumerate(names)}


def _is_text(cells: npt.NDArray[Any]) -> bool:
    return cells.dtype.kind in "OU"


def _plain(cells: npt.NDArray[Any]) -> list[Any]:
    if _is_text(cells):
        return list(cells.tolist())
    return [None if missing else cell for cell, missing in zip(cells.tolist(), np.isnan(cells), strict=True)]
