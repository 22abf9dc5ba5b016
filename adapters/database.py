"""Connections to databases by SQLAlchemy URL, with what goes wrong told by its kind."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import NullPool

from delivery.database import connect_args, shown
from delivery.errors import DeliveryError, NotFound, Refused, Unreachable

ABSENT = re.compile(r"no such (table|column)|does not exist|doesn't exist|Unknown (column|database)")
WRONG = re.compile("syntax error")


@contextmanager
def connected(url: str, timeout_s: float, *, may_make: bool = False) -> Iterator[Connection]:
    """
    Yield a connection in a transaction that is committed at the end.

    Args:
        url: SQLAlchemy's, such as `postgresql+psycopg://user:password@host/database`; its password is never shown.
        timeout_s: Seconds that connecting, and a statement, may take.
        may_make: Make an SQLite file where there is none.

    Raises:
        NotFound: There is no such table, column or database.
        Refused: The URL or a statement is none, or the database says no.
        Unreachable: The database does not answer.
    """
    try:
        engine = create_engine(url, connect_args=connect_args(url, timeout_s), poolclass=NullPool, hide_parameters=True)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        msg = f"{shown(url)} is no URL of a database whose driver is installed: {type(error).__name__}"
        raise Refused(msg) from None
    if engine.dialect.name == "sqlite" and engine.url.database:
        _check_file(Path(engine.url.database), may_make=may_make)
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        raise _failure(url, error) from error


def _check_file(file: Path, *, may_make: bool) -> None:
    """SQLite would make an empty database where there is none."""
    if may_make:
        file.parent.mkdir(parents=True, exist_ok=True)
    elif not file.exists():
        msg = f"there is no database {file}"
        raise NotFound(msg)


def _failure(url: str, error: DBAPIError) -> DeliveryError:
    what = (str(error.orig).splitlines() or [type(error.orig).__name__])[0]
    msg = f"{shown(url)}: {what}"
    if ABSENT.search(what):
        return NotFound(msg)
    away = isinstance(error, (OperationalError, InterfaceError)) and not WRONG.search(what)
    return Unreachable(msg) if away else Refused(msg)
