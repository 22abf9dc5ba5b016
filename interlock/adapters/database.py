"""Connections to databases by SQLAlchemy URL, with what goes wrong told by its kind, and everything ended in time."""

import os
import re
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Timer
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
)
from sqlalchemy.pool import NullPool

from interlock.adapters.database_url import connect_args, driver_missing, shown
from interlock.adapters.deadline import Allowance, Overdue, within
from interlock.errors import DeliveryError, NotFound, NotInstalled, Refused, Unreachable, Unwritable

ABSENT = re.compile(r"no such (table|column)|does not exist|doesn't exist|Unknown (column|database)")
WRONG = re.compile("syntax error")
GRACE = 1.1
"""A server that keeps its own limit says so before the connection is cut."""
HOLDS_A_VALUE = (DataError, IntegrityError)
"""What a database says of a cell that it cannot take quotes the cell."""


@contextmanager
def connected(url: str, timeout_s: float, *, may_make: bool = False) -> Iterator[Connection]:
    """
    Yield a connection in a transaction that is committed at the end.

    Args:
        url: SQLAlchemy's, such as `postgresql+psycopg://user:password@host/database`; its password is never shown.
        timeout_s: Seconds that connecting, and then each statement, may take, however slowly the server sends.
        may_make: Make an SQLite file where there is none.

    Raises:
        NotFound: There is no such table, column or database.
        Refused: The URL or a statement is not valid, or the database says no.
        Unreachable: The database does not answer.
        Unwritable: No SQLite file can be made there.
    """
    engine = _engine(url, timeout_s, may_make=may_make)
    try:
        with begun(engine, timeout_s) as connection:
            yield connection
    except Overdue as error:
        msg = f"{shown(url)}: no connection within {timeout_s:g} s"
        raise Unreachable(msg) from error
    except HOLDS_A_VALUE as error:
        raise _failure(url, error) from None
    except DBAPIError as error:
        raise _failure(url, error) from error


@contextmanager
def begun(engine: Engine, timeout_s: float) -> Iterator[Connection]:
    """
    Yield a connection of *engine* in a transaction that is committed at the end; a statement takes *timeout_s* at most.

    Raises:
        Overdue: There is no connection within *timeout_s*.
        SQLAlchemyError: As SQLAlchemy raises.
    """
    connection = _opened(engine, timeout_s)
    with _watched(connection, timeout_s), connection, connection.begin():
        yield connection


@contextmanager
def bounded(driver: Any, seconds: float) -> Iterator[None]:
    """Cut the *driver*'s connection if the block takes longer: its own timeouts are for each read, if it has any."""
    timer = Timer(seconds * GRACE, _cut, [driver])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _engine(url: str, timeout_s: float, *, may_make: bool) -> Engine:
    try:
        engine = create_engine(url, connect_args=connect_args(url, timeout_s), poolclass=NullPool, hide_parameters=True)
    except ModuleNotFoundError as error:
        raise NotInstalled(f"{shown(url)}: {driver_missing(error)}") from None
    except (ArgumentError, NoSuchModuleError) as error:
        msg = f"{shown(url)} is no URL of a database that is known: {type(error).__name__}"
        raise Refused(msg) from None
    if engine.dialect.name == "sqlite" and engine.url.database:
        _check_file(Path(engine.url.database), may_make=may_make)
    return engine


def _opened(engine: Engine, timeout_s: float) -> Connection:
    """Connect in time, with the questions that SQLAlchemy asks of a new connection; a file asks nobody."""
    if engine.dialect.name == "sqlite":
        return engine.connect()
    return within(Allowance(timeout_s), engine.connect, lambda: None)


@contextmanager
def _watched(connection: Connection, seconds: float) -> Iterator[None]:
    """Cut the connection when one statement, or the end of the transaction, takes longer than *seconds*."""
    driver = connection.connection.driver_connection
    with ExitStack() as running:

        def end(*_: object) -> None:
            running.close()

        def begin(*_: object) -> None:
            end()
            running.enter_context(bounded(driver, seconds))

        for name in ("before_cursor_execute", "commit", "rollback"):
            event.listen(connection, name, begin)
        event.listen(connection, "after_cursor_execute", end)
        yield


def _cut(driver: Any) -> None:
    """End what a driver waits for: SQLite interrupts itself, of the others the socket is shut down."""
    if isinstance(driver, sqlite3.Connection):
        driver.interrupt()
        return
    with suppress(OSError, AttributeError):  # it is closed already
        number = driver._sock.fileno() if hasattr(driver, "_sock") else driver.fileno()  # noqa: SLF001 - PyMySQL has no other
        with socket.socket(fileno=os.dup(number)) as wire:
            wire.shutdown(socket.SHUT_RDWR)


def _check_file(file: Path, *, may_make: bool) -> None:
    """SQLite would make an empty database where there is none."""
    if may_make:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            msg = f"the folder {file.parent} cannot be written: {error.strerror}"
            raise Unwritable(msg) from error
    elif not file.is_file():
        msg = f"there is no database {file}"
        raise NotFound(msg)


def _failure(url: str, error: DBAPIError) -> DeliveryError:
    kind = type(error.orig).__name__
    what = kind if isinstance(error, HOLDS_A_VALUE) else (str(error.orig).splitlines() or [kind])[0]
    msg = f"{shown(url)}: {what}"
    if ABSENT.search(what):
        return NotFound(msg)
    away = isinstance(error, (OperationalError, InterfaceError)) and not WRONG.search(what)
    return Unreachable(msg) if away else Refused(msg)
