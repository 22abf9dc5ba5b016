"""
Rows as clients and tables have them -> the tensor that a model takes.

    lists      the tensor as it is: numbers, a category by its code          encode_rows
    records    typed: a category by its name                                 encode_rows
    tables     typed, column by column; for training and batches             encode_table

A missing cell (None) of a nullable column becomes NaN, which the model imputes. Everything else is refused, and the
message names row and column, never the value. The serving app and batches come through here: same rows, same tensor.
"""

import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from types import NoneType
from typing import Any

import numpy as np
import numpy.typing as npt

from interlock.errors import InvalidRows
from interlock.model.manifest import Column, Rows

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


def encode_table(table: Table, columns: Sequence[Column], first: int = 0) -> Rows:
    """
    Return a table as a tensor, shape (n, features); columns that the model does not take are left out.

    Args:
        table: Of which every column has n cells.
        columns: What the model takes.
        first: Position of the table's first row in what it is a piece of, for messages.

    Raises:
        InvalidRows: A column is missing, or a cell is nothing that the column takes.
    """
    check_columns(table, columns)
    tensor: Rows = np.empty((len(table[columns[0].name]), len(columns)), dtype=np.float32)
    for place, column in enumerate(columns):
        tensor[:, place] = _encoded(table[column.name], column, first)
    return tensor


def check_columns(names: Collection[str], columns: Sequence[Column]) -> None:
    """
    Look whether a table with the columns *names* has what the model takes.

    Raises:
        InvalidRows: A column is missing.
    """
    missing = [column.name for column in columns if column.name not in names]
    if missing:
        msg = f"the table has no column {listed(missing)}; it has {listed(names)}"
        raise InvalidRows(msg)


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


def _encoded(cells: npt.NDArray[Any], column: Column, first: int) -> Rows:
    """Return a column with NaN where a cell is missing; infinity stands for what is wrong."""
    if column.categories:
        numbers, otherwise = _codes(cells, column), f"not one of {', '.join(column.categories)}"
    else:
        numbers, otherwise = _numbers(cells, column, first), "not a finite float32"
    if np.isinf(numbers).any():
        raise _wrong(first + int(np.isinf(numbers).argmax()), column, otherwise)
    if not column.nullable and np.isnan(numbers).any():
        raise _wrong(first + int(np.isnan(numbers).argmax()), column, "null, and the column is not nullable")
    return numbers


def _numbers(cells: npt.NDArray[Any], column: Column, first: int) -> Rows:
    if cells.dtype.kind not in "fiuO":
        raise _wrong(first, column, "not a number")
    if cells.dtype.kind == "O" and not set(map(type, cells)) <= NUMBERS:
        raise _wrong(first + [type(cell) in NUMBERS for cell in cells].index(False), column, "not a number")
    with np.errstate(over="ignore"):
        return cells.astype(np.float64).astype(np.float32)


class _Codes(dict[object, float]):
    """The code of a category; NaN for what is missing, infinity for what is none."""

    def __missing__(self, cell: object) -> float:
        return math.nan if cell != cell else math.inf  # noqa: PLR0124 - only NaN differs from itself


def _codes(cells: npt.NDArray[Any], column: Column) -> Rows:
    codes = _Codes({None: math.nan} | {name: float(code) for code, name in enumerate(column.categories)})
    plain = cells.tolist()
    try:
        return np.fromiter(map(codes.__getitem__, plain), dtype=np.float32, count=len(plain))
    except TypeError:  # a list has no hash, and is no category
        found = (codes[cell] if isinstance(cell, Hashable) else math.inf for cell in plain)
        return np.fromiter(found, dtype=np.float32, count=len(plain))


def _wrong(row: int, column: Column, what: str) -> InvalidRows:
    return InvalidRows(f"row {row}, column {column.name}: {what}")
