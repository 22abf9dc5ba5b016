"""Every answer reaches the database once, whatever happens to the database; and no request notices."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import httpx
import pytest
from sqlalchemy import create_engine, text
from starlette.testclient import TestClient
from support.ports import free_ports
from world.credit import FEATURES, credit
from world.models import AUTH, ROW, TOKEN, decide, put, settings_of
from world.postgres import DATABASES

from interlock.serving.app import create_app
from interlock.settings import LogSettings
from interlock.stack.processes import ROOT

both = pytest.mark.parametrize("database", DATABASES, indirect=True)
KEY = "k" * 32


@pytest.fixture
def log_folder(tmp_path):
    return tmp_path / "prediction-log"


@contextmanager
def app(store, folder, url, **change):
    settings = LogSettings(folder=folder, url=url, **change)
    with TestClient(create_app(settings_of(store, log=settings)), raise_server_exceptions=False) as client:
        yield client


def rows(url, query="SELECT * FROM prediction_log ORDER BY created_at, id"):
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(text(query))]
    finally:
        engine.dispose()


def change(url, *statements):
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def until(is_so, seconds=15.0):
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@both
def test_every_row_is_logged_with_what_was_asked_and_answered(store, log_folder, database):
    decide(store, "A", 1)
    with app(store, log_folder, database) as client:
        answer = client.post("/predict", json={"rows": [ROW, ROW], "ids": ["C-1", 7]}).json()
        client.post("/predict", json=[ROW], headers={"x-request-id": "mine"})

    logged = rows(database)
    first = logged[0]
    features = first["features"] if isinstance(first["features"], dict) else json.loads(first["features"])
    assert [row["customer_id"] for row in logged] == ["C-1", "7", None]
    assert (first["request_id"], logged[2]["request_id"]) == (answer["request_id"], "mine")
    assert (first["model"], first["alias"], first["version"], first["prediction"]) == ("best_model", "A", 1, "setosa")
    assert first["confidence"] == pytest.approx(answer["confidence"][0])
    assert features == dict(zip(["sepal_length", "sepal_width", "petal_length", "petal_width"], ROW, strict=True))
    assert 0 < first["elapsed_ms"] < 5000
    assert len({row["id"] for row in logged}) == 3


def test_a_typed_record_is_logged_as_it_was_sent(store, log_folder, tmp_path):
    put(store, 3, credit())
    decide(store, "A", 3)
    url = f"sqlite:///{tmp_path}/log.db"
    sent = FEATURES | {"annual_income": None}
    with app(store, log_folder, url) as client:
        answer = client.post("/predict", json={"customer_id": "C-1", "features": sent}).json()

    (row,) = rows(url)
    assert json.loads(row["features"]) == sent
    assert (row["customer_id"], row["prediction"]) == ("C-1", answer["predict"])


def test_what_answers_nobody_is_not_logged(store, log_folder, tmp_path):
    decide(store, "A", 1)
    url = f"sqlite:///{tmp_path}/log.db"
    with app(store, log_folder, url) as client:
        client.post("/variant/A/stage", json={"version": 2}, headers=AUTH)
        client.post("/predict", json=[ROW], headers={"x-version": "2"})
        client.post("/predict", json=[[1]])
        client.post("/predict", json=[ROW], headers={"x-version": "1"})

    assert [row["version"] for row in rows(url)] == [1]


def test_personal_columns_are_left_out_or_hashed_before_they_reach_a_disk(store, log_folder, tmp_path):
    decide(store, "A", 1)
    url = f"sqlite:///{tmp_path}/log.db"
    asked = {"rows": [[5.0, *ROW[1:]], [5, *ROW[1:]], [6.25, *ROW[1:]]], "ids": ["Ann", "Ann", "Bob"]}
    private = {"exclude": "petal_width", "hash": "customer_id sepal_length", "hash_key": KEY}
    with app(store, log_folder, url, **private) as client:
        client.post("/predict", json=asked)

    ann, again, bob = rows(url)
    features = [json.loads(row["features"]) for row in (ann, again, bob)]
    assert ann["customer_id"] == again["customer_id"] != bob["customer_id"]
    assert features[0] == features[1]
    assert features[0]["sepal_length"] != features[2]["sepal_length"]
    assert "petal_width" not in features[0]
    content = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "log" in str(path))
    assert b"Ann" not in content
    assert b"6.25" not in content


def test_a_private_column_that_the_model_does_not_have_is_warned_of_once(store, log_folder, caplog):
    decide(store, "A", 1)
    with app(store, log_folder, None, exclude="petal_widht") as client:
        for _ in range(3):
            client.post("/predict", json=[ROW])

    assert caplog.text.count("v1 has no column petal_widht to keep private") == 1


def test_a_hash_without_a_key_does_not_start(log_folder):
    with pytest.raises(ValueError, match="HASH_KEY of 32 bytes"):
        LogSettings(folder=log_folder, hash="customer_id")


@both
def test_rows_wait_on_disk_while_the_database_is_away_and_follow_in_order(store, log_folder, database, request):
    """The app starts and answers without its database; a restart in between loses nothing."""
    decide(store, "A", 1)
    away = f"postgresql+psycopg://postgres@127.0.0.1:{free_ports(1)[0]}/none"
    for part in range(2):
        with app(store, log_folder, away) as client:
            for n in range(10):
                body = {"rows": [ROW], "ids": [part * 10 + n]}
                assert client.post("/predict", json=body).status_code == 200
            until(lambda: "interlock_log_failing 1.0" in client.get("/metrics").text)
    with app(store, log_folder, database) as client:
        until(lambda: 'interlock_log_rows_total{outcome="written"} 20.0' in client.get("/metrics").text)
        assert "interlock_log_spooled_bytes 0.0" in client.get("/metrics").text

    assert [row["customer_id"] for row in rows(database)] == [str(n) for n in range(20)]


@pytest.mark.system
def test_a_database_that_stops_and_returns_gets_every_row_once(store, log_folder, pg):
    decide(store, "A", 1)
    database = pg.database()
    with app(store, log_folder, database, timeout_s=1) as client:

        def ask(first):
            for n in range(first, first + 20):
                assert client.post("/predict", json={"rows": [ROW], "ids": [n]}).status_code == 200

        ask(0)
        until(lambda: 'outcome="written"} 20.0' in client.get("/metrics").text)
        pg.stop()
        ask(20)
        until(lambda: "interlock_log_failing 1.0" in client.get("/metrics").text)
        ask(40)
        pg.start()
        until(lambda: 'outcome="written"} 60.0' in client.get("/metrics").text)

    assert [row["customer_id"] for row in rows(database)] == [str(n) for n in range(60)]


@both
def test_a_database_that_comes_back_with_a_half_applied_migration_gets_every_row_once(store, log_folder, database):
    """An operator restored a copy: the table is there, one index and the migration's version are not."""
    decide(store, "A", 1)
    with app(store, log_folder, database) as client:
        client.post("/predict", json={"rows": [ROW], "ids": [0]})
    away = f"postgresql+psycopg://postgres@127.0.0.1:{free_ports(1)[0]}/none"
    with app(store, log_folder, away) as client:
        client.post("/predict", json={"rows": [ROW], "ids": [1]})
        until(lambda: "interlock_log_failing 1.0" in client.get("/metrics").text)
    change(database, "DELETE FROM prediction_log_version", "DROP INDEX ix_prediction_log_customer_id")

    with app(store, log_folder, database) as client:
        client.post("/predict", json={"rows": [ROW], "ids": [2]})
        until(lambda: 'interlock_log_rows_total{outcome="written"} 2.0' in client.get("/metrics").text)

    assert [row["customer_id"] for row in rows(database)] == ["0", "1", "2"]
    assert rows(database, "SELECT version_num FROM prediction_log_version") == [{"version_num": "0002"}]


@pytest.mark.system
def test_a_database_that_hangs_costs_no_request_and_no_row(store, log_folder, pg):
    """Somebody locks the table; the statement times out, and is tried again."""
    decide(store, "A", 1)
    database = pg.database()
    engine = create_engine(database)
    with app(store, log_folder, database, timeout_s=0.5) as client:
        client.post("/predict", json=[ROW])
        until(lambda: 'outcome="written"} 1.0' in client.get("/metrics").text)
        with engine.begin() as connection:
            connection.execute(text("LOCK TABLE prediction_log IN ACCESS EXCLUSIVE MODE"))
            assert client.post("/predict", json=[ROW]).elapsed.total_seconds() < 1
            until(lambda: "interlock_log_failing 1.0" in client.get("/metrics").text)
        until(lambda: 'outcome="written"} 2.0' in client.get("/metrics").text)
    engine.dispose()


def serving(store, folder, url):
    port = free_ports(1)[0]
    environment = {
        "INTERLOCK_SERVING_PORT": str(port),
        "INTERLOCK_SERVING_REPOSITORY": str(store.root),
        "INTERLOCK_SERVING_TOKENS": TOKEN,
        "INTERLOCK_SERVING_LOG_URL": url,
        "INTERLOCK_SERVING_LOG_FOLDER": str(folder),
    }
    process = subprocess.Popen([sys.executable, "-m", "interlock.serving"], cwd=ROOT, env=os.environ | environment)

    def answers():
        try:
            return httpx.get(f"http://127.0.0.1:{port}/readyz").is_success
        except httpx.TransportError:
            return False

    until(answers, 30)
    return process, f"http://127.0.0.1:{port}"


def test_sigkill_loses_what_is_younger_than_a_tenth_of_a_second_and_nothing_else(store, log_folder, tmp_path):
    """The database is away; what was answered before the last 100 ms is there after the restart, once."""
    decide(store, "A", 1)
    away = f"postgresql+psycopg://postgres@127.0.0.1:{free_ports(1)[0]}/none"
    process, url = serving(store, log_folder, away)
    try:
        answered = []
        with httpx.Client() as client:
            for n in range(200):
                client.post(f"{url}/predict", json={"rows": [ROW], "ids": [n]}).raise_for_status()
                answered.append(time.monotonic())
    finally:
        process.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        process.wait()
    database = f"sqlite:///{tmp_path}/log.db"
    with app(store, log_folder, database) as client:
        until(lambda: "interlock_log_spooled_bytes 0.0" in client.get("/metrics").text)

    logged = [int(row["customer_id"]) for row in rows(database)]
    safe = [n for n, at in enumerate(answered) if killed - at > 0.2]
    assert logged == list(range(len(logged)))
    assert set(safe) <= set(logged)


def test_two_replicas_on_one_folder_keep_their_rows_apart(store, log_folder, tmp_path):
    decide(store, "A", 1)
    url = f"sqlite:///{tmp_path}/log.db"
    with app(store, log_folder, url) as one, app(store, log_folder, url) as other:
        for client in (one, other):
            client.post("/predict", json=[ROW] * 3)

    assert len(rows(url)) == 6
    assert sorted(path.name for path in (log_folder / "spool").iterdir()) == ["1", "2"]


def test_the_log_can_be_switched_off(store, log_folder):
    decide(store, "A", 1)
    with app(store, log_folder, None, enabled=False) as client:
        assert client.post("/predict", json=[ROW]).status_code == 200
        assert "interlock_log" not in client.get("/metrics").text
    assert not log_folder.exists()


def test_a_url_that_is_none_stops_the_start_and_shows_no_password(store, log_folder):
    with (
        pytest.raises(ValueError, match="no URL of a database") as refused,
        app(store, log_folder, "x://u:hunter2@h/d"),
    ):
        pass
    assert "hunter2" not in str(refused.value)
