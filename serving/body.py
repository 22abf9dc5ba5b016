"""
What clients may send: `[[5.1, 3.5, 1.4, 0.2]]`, or `{"rows": [[...]] or [{column: value}], "ids": [...]}`.

Not JSON is 400; JSON that the model cannot take is 422 and names row and column, never the value; too large is 413.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from fastapi import Request

from delivery.manifest import Manifest, Rows
from serving.problem import Problem

KEYS = {"rows", "ids", "probabilities"}


@dataclass(frozen=True)
class Question:
    """Rows to predict as JSON gave them, before the model that answers is known."""

    rows: list[Any]
    ids: list[str | int] | None = None
    probabilities: bool = False


async def read_json(request: Request, max_bytes: int) -> object:
    """
    Return the body of *request* as JSON gives it; None for an empty body.

    Raises:
        Problem: 413 over *max_bytes*, 400 for what is not JSON.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise Problem(413, "too_large", f"a body holds {max_bytes} bytes at most")
    try:
        return json.loads(body) if body else None
    except (ValueError, RecursionError) as error:  # bad UTF-8 and numbers of 5,000 digits are ValueErrors too
        raise Problem(400, "not_json", "the body is not JSON") from error


def question(content: object, max_rows: int) -> Question:
    """
    Return what *content* asks.

    Raises:
        Problem: 422 for another shape, 413 over *max_rows*.
    """
    if isinstance(content, list):
        content = {"rows": content}
    if not isinstance(content, dict) or not set(content) <= KEYS:
        raise _invalid("the body must be a list of rows, or an object with rows, ids and probabilities")
    rows = _some_rows(content.get("rows"), max_rows)
    ids, probabilities = content.get("ids"), content.get("probabilities", False)
    if not _fit(ids, rows):
        raise _invalid("ids must be a list of one string or whole number per row")
    if not isinstance(probabilities, bool):
        raise _invalid("probabilities must be true or false")
    return Question(rows, ids, probabilities)


def _some_rows(rows: object, max_rows: int) -> list[Any]:
    if not isinstance(rows, list) or not rows:
        raise _invalid("rows must be a list of at least one row")
    if len(rows) > max_rows:
        raise Problem(413, "too_large", f"a request holds {max_rows} rows at most")
    return rows


def matrix(question: Question, manifest: Manifest) -> Rows:
    """
    Return the rows as the model takes them: shape (n, features), float32.

    Raises:
        Problem: 422; the message names the row and the column.
    """
    names = [column.name for column in manifest.columns]
    cells = [_cells(row, number, names) for number, row in enumerate(question.rows)]
    with np.errstate(over="ignore"):
        array = np.asarray(cells, dtype=np.float64).astype(np.float32)
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise _invalid(f"row {row}, column {names[column]}: not a finite float32")
    return array


def _cells(row: object, number: int, names: list[str]) -> list[float]:
    if isinstance(row, dict):
        if row.keys() != set(names):
            raise _invalid(f"row {number}: its columns must be exactly {', '.join(names)}")
        row = [row[name] for name in names]
    if not isinstance(row, list) or len(row) != len(names):
        raise _invalid(f"row {number}: expected {len(names)} numbers ({', '.join(names)})")
    return [_number(cell, number, name) for cell, name in zip(row, names, strict=True)]


def _number(cell: object, row: int, name: str) -> float:
    if type(cell) not in (int, float):
        raise _invalid(f"row {row}, column {name}: not a number")
    try:
        return float(cell)  # type: ignore[arg-type]
    except OverflowError:
        return math.inf


def _fit(ids: object, rows: list[Any]) -> bool:
    return ids is None or (isinstance(ids, list) and len(ids) == len(rows) and all(map(_is_id, ids)))


def _is_id(value: object) -> bool:
    if isinstance(value, str):
        return value.isprintable()  # a lone surrogate is not, and could not be sent back
    return type(value) is int


def _invalid(message: str) -> Problem:
    return Problem(422, "invalid", message)
