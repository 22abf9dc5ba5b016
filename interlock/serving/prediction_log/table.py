"""The table `prediction_log`, and the statement that adds rows to it, those that are there already left as they are."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Connection, DateTime, Double, Integer, MetaData, String, Table, Text, text
from sqlalchemy.dialects import mysql

LONGEST = 128
PREDICTIONS = Table(
    "prediction_log",
    MetaData(),
    Column("id", String(36), primary_key=True),
    Column("request_id", String(64), nullable=False),
    Column("customer_id", String(LONGEST), index=True),
    Column("model", String(64), nullable=False),
    Column("alias", String(32), nullable=False),
    Column("version", Integer, nullable=False),
    Column("features", JSON, nullable=False),
    Column("prediction", Text, nullable=False),
    Column("confidence", Double),
    Column("elapsed_ms", Double, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, index=True),
)
"""As the last migration leaves it; a test holds the two together."""

POSTGRESQL = text("""
    INSERT INTO prediction_log
        (id, request_id, customer_id, model, alias, version, features, prediction, confidence, elapsed_ms, created_at)
    SELECT id, request_id, customer_id, model, alias, version, features, prediction, confidence, elapsed_ms, created_at
    FROM json_to_recordset(CAST(:rows AS json)) AS row (
        id text, request_id text, customer_id text, model text, alias text, version integer, features json,
        prediction text, confidence double precision, elapsed_ms double precision, created_at timestamptz)
    ON CONFLICT (id) DO NOTHING
""")
SQLITE = text("""
    INSERT INTO prediction_log
        (id, request_id, customer_id, model, alias, version, features, prediction, confidence, elapsed_ms, created_at)
    SELECT json_extract(value, '$.id'), json_extract(value, '$.request_id'), json_extract(value, '$.customer_id'),
        json_extract(value, '$.model'), json_extract(value, '$.alias'), json_extract(value, '$.version'),
        json_extract(value, '$.features'), json_extract(value, '$.prediction'), json_extract(value, '$.confidence'),
        json_extract(value, '$.elapsed_ms'), substr(json_extract(value, '$.created_at'), 1, 26)
    FROM json_each(:rows)
    WHERE true
    ON CONFLICT (id) DO NOTHING
""")
"""WHERE true: without it, SQLite takes ON for the beginning of a join. OR IGNORE would also skip rows without a value.

The database takes the rows apart: a batch costs this process next to nothing, and no request waits for the GIL.
"""
MARIADB = mysql.insert(PREDICTIONS).on_duplicate_key_update(id=PREDICTIONS.c.id)
"""Only a row that is there already is left out: INSERT IGNORE would also cut what is too long, and write it."""


def insert_new(connection: Connection, rows: Sequence[bytes]) -> None:
    """Add *rows*, each a JSON object."""
    statement = {"postgresql": POSTGRESQL, "sqlite": SQLITE}.get(connection.dialect.name)
    if statement is None:
        connection.execute(MARIADB, [_values(row) for row in rows])
    else:
        connection.execute(statement, {"rows": f"[{b','.join(rows).decode()}]"})


def _values(row: bytes) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(row)
    return values | {"created_at": datetime.fromisoformat(values["created_at"])}
