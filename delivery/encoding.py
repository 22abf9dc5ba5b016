"""
Rows as clients and tables have them -> the tensor that a model takes.

    lists      the tensor as it is: numbers, a category by its code          encode_rows
    records    typed: a category by its name                                 encode_rows
    tables     typed, column by column; for training and batches             encode_table

A missing cell (None) of a nullable column becomes NaN, which the model imputes. Everything else is refused, and the
message names row and column, never the value. The serving app and batches come through here: same rows, same tensor.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from types import NoneType
from typing import Any

import numpy as np
import numpy.typing as npt

from delivery.errors import InvalidRows
from delivery.manifest import Column, Rows

Table = Mapping[str, npt.NDArray[Any]]
"""Columns by their names, each of shape (n,); None or NaN where a cell is missing."""

NUMBERS = {int, float, Decimal, NoneType, np.float64, np.float32, np.int64}
MOST_NAMES = 5
LONGEST_NAME = 40


def encode_rows(rows: Sequence[object], columns: Sequence[Column]) -> Rows:
    """
    Return lists or records as a tensor, shape (n, features).

    Raises:
        InvalidRows: The model does not take them.
    """
    names = [column.name for column in columns]
    known = frozenset(names)
    cells = [
        _of_record(row, number, columns, known) if isinstance(row, dict) else _of_list(row, number, columns)
        for number, row in enumerate(rows)
    ]
    with np.errstate(over="ignore"):
        tensor = np.asarray(cells, dtype=np.float64).reshape(-1, len(columns)).astype(np.float32)
    if np.isinf(tensor).any():
        row, place = np.argwhere(np.isinf(tensor))[0]
        raise _wrong(int(row), columns[place], "not a finite float32")
    return tensor


def encode_table(table: Table, columns: Sequence[Column]) -> Rows:
    """
    Return a table as a tensor, shape (n, features); columns that the model does not take are left out.

    Raises:
        InvalidRows: A column is missing, or a cell is nothing that the column takes.
    """
    missing = [column.name for column in columns if column.name not in table]
    if missing:
        msg = f"the table has no column {listed(missing)}; it has {listed(table)}"
        raise InvalidRows(msg)
    return np.column_stack([_codes(table[c.name], c) if c.categories else _numbers(table[c.name], c) for c in columns])


def listed(names: Collection[str]) -> str:
    """Return names for a message: some of them, short, and printable, whoever sent them."""
    shown = [ascii(name[:LONGEST_NAME])[1:-1] for name in islice(names, MOST_NAMES)]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _of_record(record: dict[str, object], row: int, columns: Sequence[Column], known: frozenset[str]) -> list[float]:
    if record.keys() != known:
        unknown, missing = record.keys() - known, known - record.keys()
        what = f"no column {listed(sorted(missing))}" if missing else f"unknown column {listed(sorted(unknown))}"
        msg = f"row {row}: {what}; the columns are exactly {', '.join(column.name for column in columns)}"
        raise InvalidRows(msg)
    return [_typed(record[column.name], row, column) for column in columns]


def _of_list(cells: object, row: int, columns: Sequence[Column]) -> list[float]:
    if not isinstance(cells, list) or len(cells) != len(columns):
        msg = f"row {row}: expected {len(columns)} numbers ({', '.join(column.name for column in columns)})"
        raise InvalidRows(msg)
    return [_plain(cell, row, column) for cell, column in zip(cells, columns, strict=True)]


def _typed(cell: object, row: int, column: Column) -> float:
    if not column.categories or cell is None:
        return _number(cell, row, column)
    try:
        return float(column.categories.index(cell))
    except ValueError:
        raise _wrong(row, column, f"not one of {', '.join(column.categories)}") from None


def _plain(cell: object, row: int, column: Column) -> float:
    number = _number(cell, row, column)
    if column.categories and number not in range(len(column.categories)) and not math.isnan(number):
        raise _wrong(row, column, f"not a code from 0 to {len(column.categories) - 1}")
    return number


def _number(cell: object, row: int, column: Column) -> float:
    if cell is None and column.nullable:
        return math.nan
    if type(cell) not in (int, float):
        raise _wrong(row, column, "null, and the column is not nullable" if cell is None else "not a number")
    try:
        number = float(cell)  # type: ignore[arg-type]
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _wrong(row, column, "not a finite float32")
    return number


def _numbers(cells: npt.NDArray[Any], column: Column) -> Rows:
    if cells.dtype.kind not in "fiuO":
        raise _wrong(0, column, "not a number")
    if cells.dtype.kind == "O" and not set(map(type, cells)) <= NUMBERS:
        raise _wrong([type(cell) in NUMBERS for cell in cells].index(False), column, "not a number")
    with np.errstate(over="ignore"):
        numbers = cells.astype(np.float64).astype(np.float32)
    return _checked(numbers, column, "not a finite float32")


def _codes(cells: npt.NDArray[Any], column: Column) -> Rows:
    codes = {name: float(code) for code, name in enumerate(column.categories)}
    encoded = np.array([_code(cell, codes) for cell in cells], dtype=np.float32)
    return _checked(encoded, column, f"not one of {', '.join(column.categories)}")


def _code(cell: object, codes: Mapping[str, float]) -> float:
    """Return the code of a category, NaN where it is missing, and infinity for what is none."""
    if isinstance(cell, str):
        return codes.get(cell, math.inf)
    return math.nan if cell is None or cell != cell else math.inf  # noqa: PLR0124 - only NaN differs from itself


def _checked(numbers: Rows, column: Column, otherwise: str) -> Rows:
    """Refuse infinity, which stands for what is wrong, and NaN where the column is not nullable."""
    if np.isinf(numbers).any():
        raise _wrong(int(np.isinf(numbers).argmax()), column, otherwise)
    if not column.nullable and np.isnan(numbers).any():
        raise _wrong(int(np.isnan(numbers).argmax()), column, "null, and the column is not nullable")
    return numbers


def _wrong(row: int, column: Column, what: str) -> InvalidRows:
    return InvalidRows(f"row {row}, column {column.name}: {what}")
