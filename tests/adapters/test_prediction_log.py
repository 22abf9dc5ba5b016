"""Retention: what is too old is deleted, and nothing else, while the app writes on."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, text
from world.postgres import DATABASES

from interlock.adapters import prediction_log
from interlock.adapters.prediction_log import PredictionLog
from interlock.errors import NotFound
from interlock.serving.prediction_log.database import Database

both = pytest.mark.parametrize("database", DATABASES, indirect=True)
NOW = datetime(2025, 12, 31, 3, 0, tzinfo=UTC)


def row(number, age_days):
    plain = {
        "id": f"{number:036d}",
        "request_id": "r",
        "customer_id": str(number),
        "model": "m",
        "alias": "A",
        "version": 1,
        "features": {},
        "prediction": "Good",
        "confidence": 0.5,
        "elapsed_ms": 1.0,
        "created_at": (NOW - timedelta(days=age_days)).isoformat(" ", "microseconds"),
    }
    return json.dumps(plain).encode()


@both
def test_what_is_older_is_deleted_some_at_a_time_and_the_rest_stays(database, monkeypatch):
    monkeypatch.setattr(prediction_log, "CHUNK", 2)
    written = Database(database, 5)
    written.insert([row(n, n) for n in range(1, 9)])
    written.close()
    log = PredictionLog(database)

    deleted = [log.forget(NOW - timedelta(days=3, hours=1)) for _ in range(4)]

    engine = create_engine(database)
    with engine.connect() as connection:
        left = connection.execute(text("SELECT customer_id FROM prediction_log ORDER BY id")).scalars().all()
    engine.dispose()
    assert deleted == [2, 2, 1, 0]
    assert left == ["1", "2", "3"]


@both
def test_a_database_without_the_table_is_told(database):
    engine = create_engine(database)
    engine.connect().close()
    engine.dispose()

    with pytest.raises(NotFound):
        PredictionLog(database).forget(NOW)
