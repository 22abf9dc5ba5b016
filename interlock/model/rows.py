"""
Rows as clients and tables have them -> the tensors that a model takes.

    lists      in the order of the columns; a category of a column of numbers by its code    encode_rows
    records    by the columns' names; a category by its name                                 encode_rows
    tables     column by column, as records; for training and batches                        encode_table

A missing cell (None) of a nullable column becomes NaN, or the empty text, which the model imputes. Everything else is
refused, and the message names row and column, never the value. Values count, not types: a flag may be true or 1, a
whole number 5 or 5.0. The serving app and batches come through here: same rows, same tensors.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from interlock.errors import InvalidRows
from interlock.model.cells import PLAIN, Array, array_of, encoded, encoded_column, numbers_at_once, wrong
from interlock.model.signature import Column, Dtype, Signature

Table = Mapping[str, Array]
"""Columns by their names, each of shape (n,); None or NaN where a cell is missing."""

MOST_NAMES = 5
LONGEST_NAME = 40


@dataclass(frozen=True)
class Tensors:
    """What an ONNX takes for n rows: by the name of each input an array of shape (n, columns); strings are objects."""

    arrays: dict[str, Array]

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def __getitem__(self, rows: slice | npt.NDArray[np.int64]) -> Self:
        return type(self)({name: array[rows] for name, array in self.arrays.items()})


def encode_rows(rows: Sequence[object], signature: Signature) -> Tensors:
    """
    Return lists or records as tensors.

    Raises:
        InvalidRows: The model does not take them.
    """
    if (at_once := _plain_numbers(rows, signature)) is not None:
        return at_once
    cells = list(zip(signature.columns, _cells(rows, signature), strict=True))
    columns = numbers_at_once(cells)
    for column, some in cells:
        if column.name not in columns:
            columns[column.name] = encoded(array_of(some), column, 0, nan_is_missing=False)
    return _tensors(signature, columns)


def encode_table(table: Table, signature: Signature, first: int = 0) -> Tensors:
    """
    Return a table as tensors; columns that the model does not take are left out.

    Args:
        table: Of which every column has n cells.
        signature: What the model takes.
        first: Position of the table's first row in what it is a piece of, for messages.

    Raises:
        InvalidRows: A column is missing, or a cell is nothing that the column takes.
    """
    check_columns(table, signature.columns)
    return _tensors(
        signature, {column.name: encoded_column(table[column.name], column, first) for column in signature.columns}
    )


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


def _plain_numbers(rows: Sequence[Any], signature: Signature) -> Tensors | None:
    """Return lists of finite numbers for one tensor of floats; None for whatever has to be looked at closely."""
    tensor, wide = signature.plain, len(signature.columns)
    if tensor is None or any(type(row) is not list or len(row) != wide for row in rows):
        return None
    if not set(map(type, chain.from_iterable(rows))) <= PLAIN:
        return None
    try:
        with np.errstate(over="ignore"):
            array = np.asarray(rows, dtype=np.float64).astype(tensor.dtype.numpy, copy=False)
    except OverflowError:
        return None
    return Tensors({tensor.name: array}) if np.isfinite(array).all() else None


def _cells(rows: Sequence[object], signature: Signature) -> list[list[Any]]:
    """Return the cells of each column; categories by their names."""
    columns = signature.columns
    names = [column.name for column in columns]
    known = frozenset(names)
    cells = [
        _of_record(row, number, names, known) if isinstance(row, dict) else _of_list(row, number, signature)
        for number, row in enumerate(rows)
    ]
    return [list(column) for column in zip(*cells, strict=True)]


def _of_record(record: dict[str, Any], row: int, names: Sequence[str], known: frozenset[str]) -> list[Any]:
    if record.keys() != known:
        unknown, missing = record.keys() - known, known - record.keys()
        what = f"no column {listed(sorted(missing))}" if missing else f"unknown column {listed(sorted(unknown))}"
        msg = f"row {row}: {what}; the columns are exactly {', '.join(names)}"
        raise InvalidRows(msg)
    return [record[name] for name in names]


def _of_list(cells: object, row: int, signature: Signature) -> list[Any]:
    columns = signature.columns
    if not isinstance(cells, list) or len(cells) != len(columns):
        kind = "values" if any(column.dtype is Dtype.STRING for column in columns) else "numbers"
        msg = f"row {row}: expected {len(columns)} {kind} ({', '.join(column.name for column in columns)})"
        raise InvalidRows(msg)
    if not signature.has_codes:
        return cells
    return [
        _category_of(cell, row, column) if column.is_coded else cell
        for cell, column in zip(cells, columns, strict=True)
    ]


def _category_of(code: object, row: int, column: Column) -> str | None:
    if code is None:
        return None
    if type(code) in PLAIN and code in range(len(column.categories)):
        return column.categories[int(code)]  # type: ignore[call-overload]
    raise wrong(row, column, f"not a code from 0 to {len(column.categories) - 1}")


def _tensors(signature: Signature, columns: Mapping[str, Array]) -> Tensors:
    arrays = {}
    for tensor in signature.inputs:
        dtype = tensor.dtype.numpy
        if len(tensor.columns) == 1:
            arrays[tensor.name] = columns[tensor.columns[0]].astype(dtype, copy=False).reshape(-1, 1)
        else:
            arrays[tensor.name] = np.stack(
                [columns[name] for name in tensor.columns], axis=1, dtype=dtype, casting="unsafe"
            )
    return Tensors(arrays)
