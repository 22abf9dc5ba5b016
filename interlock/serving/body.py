"""
What clients may send.

    one record, or a list    {"customer_id": "C-1", "features": {column: value, ..}}
    a matrix                 [[5.1, 3.5, 1.4, 0.2], ..]
    both, with options       {"rows": [[..], ..] or [{column: value}, ..], "ids": [..], "probabilities": true}

Not JSON is 400; JSON that the model cannot take is 422 and names row and column, never the value; too large is 413.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from interlock.errors import InvalidRows
from interlock.model.manifest import Manifest
from interlock.model.rows import Tensors, encode_rows
from interlock.model.signature import Role
from interlock.serving.problem import Problem

KEYS = {"rows", "ids", "probabilities"}
RECORD = {"customer_id", "features"}
LONGEST_ID = 128
LARGEST_ID = 2**63


@dataclass(frozen=True)
class Question:
    """
    Rows to predict as JSON gave them, before the model that answers is known.

    Args:
        shape: How the answer looks: columns of a matrix, one record, or a list of them.
    """

    rows: list[Any]
    ids: list[str | int] | None = None
    probabilities: bool = False
    shape: Literal["columns", "record", "records"] = "columns"


class LimitBody:
    """
    ASGI middleware: no route takes more than *max_bytes* of a body, whatever length its header promises.

    FastAPI reads a body before it looks at the token, so a limit inside the routes would come too late for some.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        """Wrap *app*."""
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what arrives; one byte too many is a Problem, 413, in whatever reads it."""
        arrived = 0

        async def limited() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > self._max_bytes:
                raise Problem(413, "too_large", f"a body holds {self._max_bytes} bytes at most")
            return message

        await self._app(scope, limited if scope["type"] == "http" else receive, send)


async def read_json(request: Request) -> object:
    """
    Return the body of *request* as JSON gives it; None for an empty body.

    Raises:
        Problem: 413 for one that is too large, 400 for what is not JSON.
    """
    body = await request.body()
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
    if _is_record(content):
        return _records([content], "record")
    if isinstance(content, list) and content and _is_record(content[0]):
        return _records(_some_rows(content, max_rows), "records")
    return _matrix({"rows": content} if isinstance(content, list) else content, max_rows)


def _matrix(content: object, max_rows: int) -> Question:
    if not isinstance(content, dict) or not set(content) <= KEYS:
        raise _invalid("the body must be records, a list of rows, or an object with rows, ids and probabilities")
    rows = _some_rows(content.get("rows"), max_rows)
    ids, probabilities = content.get("ids"), content.get("probabilities", False)
    if not _fit(ids, rows):
        raise _invalid("ids must be a list of one string or whole number per row")
    if not isinstance(probabilities, bool):
        raise _invalid("probabilities must be true or false")
    return Question(rows, ids, probabilities)


def _is_record(content: object) -> bool:
    return isinstance(content, dict) and not RECORD.isdisjoint(content)


def _records(records: list[Any], shape: Literal["record", "records"]) -> Question:
    ids: dict[str | int, int] = {}
    for number, record in enumerate(records):
        if not isinstance(record, dict) or record.keys() != RECORD:
            raise _invalid(f"row {number}: a record has exactly customer_id and features")
        if not _is_id(record["customer_id"]):
            raise _invalid(f"row {number}, customer_id: not a whole number, or 1 to {LONGEST_ID} printable characters")
        if not isinstance(record["features"], dict):
            raise _invalid(f"row {number}, features: not an object of columns")
        first = ids.setdefault(record["customer_id"], number)
        if first != number:
            raise _invalid(f"row {number}, customer_id: the same as that of row {first}")
    return Question([record["features"] for record in records], list(ids), shape=shape)


def _some_rows(rows: object, max_rows: int) -> list[Any]:
    if not isinstance(rows, list) or not rows:
        raise _invalid("rows must be a list of at least one row")
    if len(rows) > max_rows:
        raise Problem(413, "too_large", f"a request holds {max_rows} rows at most")
    return rows


def tensors(question: Question, manifest: Manifest) -> Tensors:
    """
    Return the rows as the model takes them.

    Raises:
        Problem: 422; the message names the row and the column.
    """
    numbers = manifest.signature.numbers
    if question.probabilities and (numbers is None or numbers.role is Role.VALUE):
        raise _invalid("probabilities: this model gives neither probabilities nor scores")
    try:
        return encode_rows(question.rows, manifest.signature)
    except InvalidRows as error:
        raise _invalid(str(error)) from error


def _fit(ids: object, rows: list[Any]) -> bool:
    return ids is None or (isinstance(ids, list) and len(ids) == len(rows) and all(map(_is_id, ids)))


def _is_id(value: object) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= LONGEST_ID and value.isprintable()  # a lone surrogate is not
    return type(value) is int and abs(value) < LARGEST_ID


def _invalid(message: str) -> Problem:
    return Problem(422, "invalid", message)
