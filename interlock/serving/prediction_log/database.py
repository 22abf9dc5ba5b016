"""The table `prediction_log`: migrated, and written in batches, each row once."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError

from interlock.adapters.database import begun
from interlock.adapters.database_url import connect_args, driver_missing, shown
from interlock.adapters.deadline import Overdue
from interlock.errors import Broken, DeliveryError, Refused, Unreachable
from interlock.serving.prediction_log.table import PREDICTIONS, insert_new

MIGRATING = Lock()
"""Alembic keeps what it is doing in a module: one migration at a time in a process."""
VERSIONS = "prediction_log_version"
"""Alembic's own table, under a name that leaves MLflow's or Prefect's alone in the same database."""


class Database:
    """
    The database at *url*, used by one thread.

    Args:
        url: SQLAlchemy's; never shown with its password.
        timeout_s: Seconds that connecting, and a statement, may take.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        """
        Nothing is opened before the first batch.

        Raises:
            ValueError: It is no URL of a database whose driver is installed.
        """
        self.shown = shown(url)
        try:
            self._engine = _engine(url, timeout_s)
        except ModuleNotFoundError as error:
            msg = f"{self.shown}: {driver_missing(error)}"
            raise ValueError(msg) from None
        except (SQLAlchemyError, ImportError) as error:
            msg = f"{self.shown} is no URL of a database that is known: {type(error).__name__}"
            raise ValueError(msg) from None
        self._timeout_s = timeout_s
        self._migrated = False

    def prepare(self) -> None:
        """Migrate, unless that is done already. Raises as `migrate`."""
        if not self._migrated:
            self.migrate()

    def insert(self, rows: Sequence[bytes]) -> None:
        """
        Write *rows*, each a JSON object, in one transaction; those that are there already are left as they are.

        Raises:
            Unreachable: The database does not answer, or cannot write now.
            Broken: The table is not what this app writes.
            Refused: A row is nothing that the table takes.
        """
        self.prepare()
        with self._transaction() as connection:
            insert_new(connection, rows)

    def migrate(self) -> None:
        """
        Bring the table to its last version; a migration that was interrupted is finished.

        Raises:
            Unreachable: The database does not answer.
            Broken: The table, or its version, is nobody's that this app knows.
        """
        from alembic import command  # with its imports, 0.3 s
        from alembic.config import Config
        from alembic.util import CommandError

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
        with MIGRATING, self._transaction() as connection:
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError as error:
                msg = f"{self.shown}: {VERSIONS} names a version that this app does not know ({error}); update the app"
                raise Broken(msg) from error
            found = inspect(connection)
            there = found.get_columns(PREDICTIONS.name) if found.has_table(PREDICTIONS.name) else []
            self._check({column["name"] for column in there})
        self._migrated = True

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _check(self, found: set[str]) -> None:
        missing = set(PREDICTIONS.columns.keys()) - found
        if missing:
            msg = (
                f"{self.shown}: the table {PREDICTIONS.name} has no column {', '.join(sorted(missing))}; rename it, "
                f"empty {VERSIONS}, and `python -m interlock.serving.prediction_log` makes it anew"
            )
            raise Broken(msg)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with begun(self._engine, self._timeout_s) as connection:
                yield connection
        except Overdue as error:
            self._migrated = False
            self._engine.dispose()  # else the one connection of its pool would be waited for
            msg = f"{self.shown}: no connection within {self._timeout_s:g} s"
            raise Unreachable(msg) from error
        except DBAPIError as error:
            self._migrated = False
            raise self._failure(error) from error
        except SQLAlchemyError as error:  # the pool has no connection
            self._migrated = False
            msg = f"{self.shown}: {type(error).__name__}"
            raise Unreachable(msg) from error

    def _failure(self, error: DBAPIError) -> DeliveryError:
        """Tell what went wrong, without a row's values, which a database puts into some messages."""
        if isinstance(error, (DataError, IntegrityError)):
            return Refused(f"{self.shown}: {type(error.orig).__name__}")
        what = (str(error.orig).splitlines() or [""])[0]
        if what == "malformed JSON":  # SQLite's; it has no kind of its own for it
            return Refused(f"{self.shown}: {what}")
        return Unreachable(f"{self.shown}: {type(error.orig).__name__}: {what}")


def _engine(url: str, timeout_s: float) -> Engine:
    engine = create_engine(
        url, connect_args=connect_args(url, timeout_s), pool_size=1, max_overflow=0, hide_parameters=True
    )
    if engine.dialect.name == "sqlite":
        Path(engine.url.database or "").parent.mkdir(parents=True, exist_ok=True)
        event.listen(engine, "connect", _write_ahead)
    if engine.dialect.name in ("mysql", "mariadb"):
        event.listen(engine, "connect", _refuse_what_does_not_fit)
    return engine


def _write_ahead(connection: Any, _: object) -> None:
    """Let others read while this app writes; a commit survives a power cut."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def _refuse_what_does_not_fit(connection: Any, _: object) -> None:
    """Let MariaDB refuse a row that it would otherwise cut, whatever its own mode is."""
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')")
