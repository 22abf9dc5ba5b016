"""Answers of batches as a table in a database, by SQLAlchemy URL; a batch appears there whole or not at all."""

import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
from sqlalchemy import BigInteger, Column, Connection, Float, Integer, MetaData, String, Table, Text, inspect

from interlock.adapters.database import connected
from interlock.adapters.database_url import shown
from interlock.batch.answers_file import predicted
from interlock.batch.parts import CUSTOMER
from interlock.errors import Refused
from interlock.model.signature import Signature
from interlock.names import table_name


class AnswerTable:
    """
    The table *name* in the database at *url*, keyed by batch and position of the row.

    Args:
        url: SQLAlchemy's; its password is never shown.
        signature: Of the model that answers; it says what columns the answers have.
        timeout_s: Seconds that connecting, and a statement, may take.
    """

    def __init__(self, url: str, name: str, signature: Signature, timeout_s: float = 30.0) -> None:
        """
        Nothing is opened before the first call.

        Raises:
            InvalidName: *name* may name no table.
        """
        self._url = url
        self._timeout_s = timeout_s
        self._table = Table(
            table_name(name),
            MetaData(),
            Column("batch", String(64), primary_key=True),
            Column("position", BigInteger, primary_key=True, autoincrement=False),
            Column(CUSTOMER, Text),
            *(Column(name, _kind_of(kind), nullable=False) for name, kind in predicted(signature).items()),
            Column("confidence", Float(53)),
            Column("model", String(64), nullable=False),
            Column("version", Integer, nullable=False),
            Column("run_id", String(64), nullable=False),
        )

    def check(self) -> None:
        """
        Look whether answers can be written, before any is computed.

        Raises:
            Refused: There is a table of that name with other columns, or the database says no.
            Unreachable: The database does not answer.
        """
        with connected(self._url, self._timeout_s, may_make=True) as connection:
            self._check(connection)

    def fill(self, batch: str, pieces: Iterable[pa.RecordBatch]) -> int:
        """
        Write the answers of *batch* in one transaction, in place of those that are there; return how many.

        Raises:
            Refused: There is a table of that name with other columns, or the database says no.
            Unreachable: The database does not answer.
        """
        rows = 0
        with connected(self._url, self._timeout_s, may_make=True) as connection:
            self._check(connection)
            self._table.create(connection, checkfirst=True)
            connection.execute(self._table.delete().where(self._table.c.batch == batch))
            for piece in pieces:
                if piece.num_rows:
                    connection.execute(self._table.insert(), [_plain(row) for row in piece.to_pylist()])
                rows += piece.num_rows
        return rows

    def _check(self, connection: Connection) -> None:
        found = inspect(connection)
        name = self._table.name
        if not found.has_table(name):
            return
        missing = set(self._table.columns.keys()) - {column["name"] for column in found.get_columns(name)}
        if missing:
            msg = f"{shown(self._url)}: the table {name} is there, without {', '.join(sorted(missing))}; name another"
            raise Refused(msg)


def _kind_of(kind: pa.DataType) -> Any:
    return Float(53) if pa.types.is_floating(kind) else Text


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as databases take it: several labels as the text of a JSON list."""
    return {name: json.dumps(cell) if isinstance(cell, list) else cell for name, cell in row.items()}
