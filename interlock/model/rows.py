"""
Rows as clients and tables have them -> the tensors that a model takes.

    lists      in the order of the columns; a category of a column of numbers by its code    encode_rows
    records    by the columns' names; a category by its name                                 encode_rows
    tables     column by column, as records; for training and batches                        encode_table

A missing cell (None) of a nullable column becomes NaN, or the empty text, which the model imputes. Everything else is
refused, and the message names row and column, never the value. Values count, not types: a flag may be true or 1, a
whole number 5 or 5.0. The serving app and batches come through here: same rows, same tensors.
"""

import math
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, islice
from types import NoneType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from interlock.errors import InvalidRows
from interlock.model.signature import Column, Dtype, Signature

Array = npt.NDArray[Any]
Table = Mapping[str, Array]
"""Columns by their names, each of shape (n,); None or NaN where a cell is missing."""

PLAIN = {int, float}
NUMBERS = {*PLAIN, Decimal, NoneType, np.float64, np.float32, np.int64, np.int32}
EXACT = 2**53
"""Up to here float64 holds every integer."""
FLAGS = {*NUMBERS, bool, np.bool_}
TEXTS = {str, NoneType}
MOST_NAMES = 5
MOST_CATEGORIES = 20
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
    encoded = _numbers_at_once(cells)
    for column, some in cells:
        if column.name not in encoded:
            encoded[column.name] = _encoded(_array(some), column, 0, nan_is_missing=False)
    return _tensors(signature, encoded)


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


def encoded_column(cells: Array, column: Column, first: int = 0) -> Array:
    """
    Return the cells of a table's column, shape (n,): float64, or objects for texts.

    Raises:
        InvalidRows: A cell is nothing that the column takes.
    """
    return _encoded(cells, column, first, nan_is_missing=True)


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


def _numbers_at_once(cells: Sequence[tuple[Column, list[Any]]]) -> dict[str, Array]:
    """Return the columns of finite numbers, by name; those that have to be looked at closely are left out."""
    plain = {
        column.name: some
        for column, some in cells
        if column.dtype.is_float and not column.is_coded and set(map(type, some)) <= PLAIN
    }
    if not plain:
        return {}
    try:
        array = np.array(list(plain.values()), dtype=np.float64)
        with np.errstate(over="ignore"):
            finite: Any = np.isfinite(array.astype(np.float32)).all(axis=1)
    except OverflowError:
        return {}
    return {name: numbers for name, numbers, good in zip(plain, array, finite, strict=True) if good}


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
    raise _wrong(row, column, f"not a code from 0 to {len(column.categories) - 1}")


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


def _encoded(cells: Array, column: Column, first: int, *, nan_is_missing: bool) -> Array:
    """Return a column's cells: numbers with NaN for a missing cell, or texts with the empty one for it."""
    if column.dtype is Dtype.STRING:
        return _texts(cells, column, first)
    missing = _missing(cells, nan_is_missing=nan_is_missing)
    if not column.nullable and missing.any():
        raise _wrong(first + int(missing.argmax()), column, "null, and the column is not nullable")
    numbers = _codes(cells, column) if column.is_coded else _numbers(cells, column, first)
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = numbers.astype(np.float32) if column.dtype is Dtype.FLOAT32 else numbers
    wrong = ~np.isfinite(narrow) & ~missing
    if wrong.any():
        raise _wrong(first + int(wrong.argmax()), column, _otherwise(column))
    return numbers


def _missing(cells: Array, *, nan_is_missing: bool) -> npt.NDArray[np.bool_]:
    if cells.dtype.kind == "f":
        return np.isnan(cells) if nan_is_missing else np.zeros(len(cells), dtype=bool)
    if cells.dtype.kind != "O":
        return np.zeros(len(cells), dtype=bool)
    found = (cell is None or (nan_is_missing and _is_nan(cell)) for cell in cells.tolist())
    return np.fromiter(found, dtype=bool, count=len(cells))


def _is_nan(cell: Any) -> bool:
    return bool(cell != cell)  # noqa: PLR0124 - only NaN differs from itself


def _numbers(cells: Array, column: Column, first: int) -> npt.NDArray[np.float64]:
    """Return numbers as float64; infinity for what is none of the column's."""
    flags = column.dtype is Dtype.BOOL
    known = FLAGS if flags else NUMBERS
    if cells.dtype.kind == "O":
        if not set(map(type, cells)) <= known:
            row = next(row for row, cell in enumerate(cells) if type(cell) not in known)
            raise _wrong(first + row, column, "neither true nor false" if flags else "not a number")
        numbers = _floats(cells)
    elif cells.dtype.kind in ("fiub" if flags else "fiu"):
        numbers = cells.astype(np.float64)
    else:
        raise _wrong(first, column, "neither true nor false" if flags else "not a number")
    if flags:
        return np.where(np.isnan(numbers) | (numbers == 0) | (numbers == 1), numbers, np.inf)
    if column.dtype is Dtype.INT64:
        return np.where(np.isnan(numbers) | _is_whole(numbers), numbers, np.inf)
    return numbers


def _is_whole(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Whether these are integers that float64 holds exactly."""
    return np.asarray((numbers == np.round(numbers)) & (np.abs(numbers) <= EXACT))


def _floats(cells: Array) -> npt.NDArray[np.float64]:
    """Return objects that are numbers or None; infinity for an integer that is too large."""
    try:
        return cells.astype(np.float64)
    except OverflowError:
        return np.array([_float(cell) for cell in cells], dtype=np.float64)


def _float(cell: Any) -> float:
    try:
        return math.nan if cell is None else float(cell)
    except OverflowError:
        return math.inf


class _Codes(dict[object, float]):
    """The code of a category; NaN for what is missing, infinity for what is none."""

    def __missing__(self, cell: object) -> float:
        return math.nan if _is_nan(cell) else math.inf


def _codes(cells: Array, column: Column) -> npt.NDArray[np.float64]:
    """Return the code of each category."""
    codes = _Codes({None: math.nan} | {name: float(code) for code, name in enumerate(column.categories)})
    plain = cells.tolist()
    try:
        return np.fromiter(map(codes.__getitem__, plain), dtype=np.float64, count=len(plain))
    except TypeError:  # a list has no hash, and is no category
        found = (codes[cell] if isinstance(cell, Hashable) else math.inf for cell in plain)
        return np.fromiter(found, dtype=np.float64, count=len(plain))


def _texts(cells: Array, column: Column, first: int) -> Array:
    texts = cells.astype(object).tolist()
    if not set(map(type, texts)) <= TEXTS:
        texts = [None if _is_nan(cell) else cell for cell in texts]
        _refuse(texts, lambda text: type(text) not in TEXTS, column, first, _otherwise(column))
    if not all(texts):
        if not column.nullable:
            _refuse(texts, lambda text: not text, column, first, "null or empty, and the column is not nullable")
        texts = [text or "" for text in texts]
    different = set(texts)  # millions of rows may share a long one
    if column.categories and not different <= {*column.categories, ""}:
        _refuse(texts, lambda text: text and text not in column.categories, column, first, _otherwise(column))
    if broken := set(filter(_is_broken, different)):
        _refuse(texts, broken.__contains__, column, first, "not a valid text")
    return _array(texts)


def _refuse(texts: list[Any], is_wrong: Callable[[Any], Any], column: Column, first: int, what: str) -> None:
    row = next((row for row, text in enumerate(texts) if is_wrong(text)), None)
    if row is not None:
        raise _wrong(first + row, column, what)


def _is_broken(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _array(cells: list[Any]) -> Array:
    """Return objects as an array of shape (n,), whatever they are."""
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array


def _otherwise(column: Column) -> str:
    """Return what a value is not, if it is wrong."""
    if column.categories:
        more = ", ..." if len(column.categories) > MOST_CATEGORIES else ""
        return f"not one of {', '.join(column.categories[:MOST_CATEGORIES])}{more}"
    kinds = {
        Dtype.BOOL: "neither true nor false",
        Dtype.INT64: "not a whole number up to 2^53",
        Dtype.STRING: "not a text",
    }
    return kinds.get(column.dtype, f"not a finite {column.dtype}")


def _wrong(row: int, column: Column, what: str) -> InvalidRows:
    return InvalidRows(f"row {row}, column {column.name}: {what}")
