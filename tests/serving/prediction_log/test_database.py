"""The table of predictions: migrated whatever was there, each row written once, errors by their kind."""

import json
import subprocess
import sys
from contextlib import nullcontext
from importlib import import_module
from types import SimpleNamespace

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from inject.hanging_peers import drips_a_greeting, hostile, in_time, silence, through
from sqlalchemy import create_engine, event, inspect, text
from sqlalchemy.dialects import mysql
from world.postgres import DATABASES

from interlock.errors import Broken, Refused, Unreachable
from interlock.serving.prediction_log.database import Database, _engine, _refuse_what_does_not_fit
from interlock.serving.prediction_log.table import MARIADB, PREDICTIONS
from interlock.stack.processes import ROOT

both = pytest.mark.parametrize("database", DATABASES, indirect=True)


OLD_ROW = """
INSERT INTO prediction_log VALUES
    ('z', 'r', NULL, 'm', 'A', 1, '{}', 'Good', 0.5, 1.0, '2026-01-01 00:00:00+00')
"""


def row(number=1, **change):
    plain = {
        "id": f"{number:036d}",
        "request_id": "r",
        "customer_id": None,
        "model": "m",
        "alias": "A",
        "version": 1,
        "features": {"x": 1.5, "y": None},
        "prediction": "Good",
        "confidence": 0.5,
        "elapsed_ms": 1.0,
        "created_at": "2025-12-31 02:59:02.123456+00:00",
    }
    return json.dumps(plain | change).encode()


@pytest.fixture
def log(database):
    log = Database(database, timeout_s=5)
    yield log
    log.close()


def run(url, *statements):
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            results = [connection.execute(text(statement)) for statement in statements]
            return results[-1].all() if results[-1].returns_rows else None
    finally:
        engine.dispose()


@both
def test_the_last_migration_makes_the_table_that_the_app_writes(log, database):
    log.migrate()
    engine = create_engine(database)
    made = inspect(engine)

    columns = {
        column["name"]: (str(column["type"]), column["nullable"]) for column in made.get_columns("prediction_log")
    }
    wanted = {c.name: (c.type.compile(engine.dialect), c.nullable) for c in PREDICTIONS.columns}
    kinds = {"TIMESTAMP WITH TIME ZONE": "TIMESTAMP", "DOUBLE PRECISION": "DOUBLE"}
    assert {name: null for name, (_, null) in columns.items()} == {name: null for name, (_, null) in wanted.items()}
    for name, (kind, _) in wanted.items():
        assert kinds.get(kind, kind).split("(")[0] in columns[name][0]
    assert {index["name"] for index in made.get_indexes("prediction_log")} >= {
        index.name for index in PREDICTIONS.indexes
    }
    engine.dispose()


@both
def test_a_log_of_before_keeps_its_rows_and_takes_answers_without_a_confidence(log, database):
    """As the first migration left it."""
    log.migrate()
    is_sqlite = database.startswith("sqlite")
    run(database, "DROP TABLE prediction_log", "DELETE FROM prediction_log_version")
    first = import_module("interlock.serving.prediction_log.migrations.versions.v0001_prediction_log")
    engine = create_engine(database)
    with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        first.upgrade()
        connection.execute(text("INSERT INTO prediction_log_version VALUES ('0001')"))
        connection.execute(text(OLD_ROW))
    engine.dispose()

    again = Database(database, 5)
    again.insert([row(1, prediction="x" * 500, confidence=None)])
    again.close()

    assert run(database, "SELECT prediction, confidence FROM prediction_log ORDER BY id") == [
        ("x" * 500, None),
        ("Good", 0.5),
    ]
    if is_sqlite:
        assert run(database, "PRAGMA integrity_check") == [("ok",)]


@both
def test_a_row_that_is_there_already_is_left_as_it_is(log, database):
    log.insert([row(1), row(2)])
    log.insert([row(2, prediction="Poor"), row(3)])

    assert run(database, "SELECT prediction FROM prediction_log ORDER BY id") == [("Good",)] * 3


@both
def test_a_migration_that_was_interrupted_is_finished(log, database):
    """The table is there, its indices and the version are not: what MariaDB can leave."""
    log.migrate()
    run(database, "DELETE FROM prediction_log_version", "DROP INDEX ix_prediction_log_created_at")

    again = Database(database, 5)
    again.insert([row(1)])

    assert run(database, "SELECT version_num FROM prediction_log_version") == [("0002",)]
    assert run(database, "SELECT count(*) FROM prediction_log") == [(1,)]
    again.close()


@both
def test_somebody_elses_table_is_told_and_repaired_as_told(log, database):
    run(database, "CREATE TABLE prediction_log (id varchar(36), created_at varchar(30), customer_id varchar(9))")

    with pytest.raises(Broken, match="has no column alias.*rename it") as broken:
        log.insert([row(1)])
    assert "python -m interlock.serving.prediction_log" in str(broken.value)

    run(database, "DROP TABLE prediction_log")
    log.insert([row(1)])


@both
def test_a_table_of_a_newer_app_is_told(log, database):
    log.migrate()
    run(database, "UPDATE prediction_log_version SET version_num = '9999'")

    again = Database(database, 5)
    with pytest.raises(Broken, match="a version that this app does not know"):
        again.migrate()
    again.close()


@both
def test_a_table_that_vanishes_is_told_and_made_again_when_its_version_is_gone_too(log, database):
    log.insert([row(1)])
    run(database, "DROP TABLE prediction_log")

    with pytest.raises(Unreachable):
        log.insert([row(2)])
    with pytest.raises(Broken, match="empty prediction_log_version"):
        log.insert([row(2)])
    run(database, "DELETE FROM prediction_log_version")
    log.insert([row(2)])


@pytest.mark.system
def test_a_row_that_the_table_does_not_take_is_refused_without_its_values(pg):
    log = Database(pg.database(), 5)
    with pytest.raises(Refused) as refused:
        log.insert([row(1), row(2, customer_id="4111\x00")])
    assert "4111" not in str(refused.value)
    with pytest.raises(Refused):
        log.insert([row(1, alias="x" * 33)])
    log.close()


@both
def test_a_row_without_a_value_that_it_needs_is_refused_and_not_skipped(log, database):
    with pytest.raises(Refused):
        log.insert([row(1), row(2, model=None)])
    log.insert([row(1)])
    assert run(database, "SELECT count(*) FROM prediction_log") == [(1,)]


def test_mariadb_leaves_out_only_rows_that_are_there_and_cuts_none():
    """INSERT IGNORE would write what is too long, cut. There is no MariaDB here: this is what it is sent."""
    sent = " ".join(str(MARIADB.compile(dialect=mysql.dialect())).split())
    said = []
    cursor = SimpleNamespace(execute=said.append)
    _refuse_what_does_not_fit(SimpleNamespace(cursor=lambda: nullcontext(cursor)), None)

    assert sent.startswith("INSERT INTO prediction_log (id, ")
    assert sent.endswith("ON DUPLICATE KEY UPDATE id = prediction_log.id")
    assert said == ["SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')"]
    assert event.contains(_engine("mysql+pymysql://h/d", 1), "connect", _refuse_what_does_not_fit)


@both
def test_mlflows_and_prefects_migrations_in_the_same_database_are_left_alone(log, database):
    run(
        database,
        "CREATE TABLE alembic_version (version_num varchar(32))",
        "INSERT INTO alembic_version VALUES ('theirs')",
    )

    log.migrate()

    assert run(database, "SELECT * FROM alembic_version") == [("theirs",)]


def test_the_command_migrates_or_says_what_is_wrong(tmp_path):
    def command(url):
        environment = {"INTERLOCK_SERVING_LOG_URL": url, "INTERLOCK_SERVING_LOG_TIMEOUT_S": "1"}
        words = [sys.executable, "-m", "interlock.serving.prediction_log"]
        return subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert command(f"sqlite:///{tmp_path}/log.db").returncode == 0
    assert run(f"sqlite:///{tmp_path}/log.db", "SELECT count(*) FROM prediction_log") == [(0,)]
    away = command("postgresql+psycopg://user:hunter2@127.0.0.1:1/d")
    assert away.returncode == 1
    assert "127.0.0.1" in away.stderr.splitlines()[-1]
    assert "hunter2" not in away.stderr


@pytest.mark.parametrize("act", [silence, drips_a_greeting], ids=["silence", "a drip"])
@pytest.mark.parametrize("kind", ["postgresql+psycopg", "mysql+pymysql"])
def test_a_database_that_never_ends_an_answer_holds_the_log_no_longer_than_its_timeout(act, kind):
    with hostile(act) as port:
        log = Database(f"{kind}://u:p@127.0.0.1:{port}/d", timeout_s=1)
        for _ in range(2):
            with in_time(1), pytest.raises(Unreachable):
                log.insert([row()])
        log.close()


def test_a_statement_without_an_answer_ends_with_its_timeout_and_the_rows_are_written_afterwards(pg):
    """The network stops passing on and hangs up nobody: no timeout of a driver is about that."""
    url = pg.database()
    with through(url) as (between, stop):
        log = Database(between, timeout_s=1)
        log.insert([row(1)])
        stop()
        with in_time(2), pytest.raises(Unreachable):
            log.insert([row(2)])
        log.close()
    log = Database(url, timeout_s=5)
    log.insert([row(2)])
    assert run(url, "SELECT count(*) FROM prediction_log") == [(2,)]
    log.close()
