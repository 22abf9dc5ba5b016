"""
The cells of one column, from JSON or from a table, checked against what the column takes.

Values count, not types: a flag may be true or 1, a whole number 5 or 5.0. What is wrong is named by row and column,
never by its value.
"""

import math
from collections.abc import Callable, Hashable, Sequence
from decimal import Decimal
from types import NoneType
from typing import Any

import numpy as np
import numpy.typing as npt

from interlock.errors import InvalidRows
from interlock.model.signature import Column, Dtype

Array = npt.NDArray[Any]
PLAIN = {int, float}
NUMBERS = {*PLAIN, Decimal, NoneType, np.float64, np.float32, np.int64, np.int32}
EXACT = 2**53
"""Up to here float64 holds every integer."""
FLAGS = {*NUMBERS, bool, np.bool_}
TEXTS = {str, NoneType}
MOST_CATEGORIES = 20


def encoded_column(cells: Array, column: Column, first: int = 0) -> Array:
    """
    Return the cells of a table's column, shape (n,): float64, or objects for texts.

    Raises:
        InvalidRows: A cell is nothing that the column takes.
    """
    return encoded(cells, column, first, nan_is_missing=True)


def numbers_at_once(cells: Sequence[tuple[Column, list[Any]]]) -> dict[str, Array]:
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


def encoded(cells: Array, column: Column, first: int, *, nan_is_missing: bool) -> Array:
    """Return a column's cells: numbers with NaN for a missing cell, or texts with the empty one for it."""
    if column.dtype is Dtype.STRING:
        return _texts(cells, column, first)
    missing = _missing(cells, nan_is_missing=nan_is_missing)
    if not column.nullable and missing.any():
        raise wrong(first + int(missing.argmax()), column, "null, and the column is not nullable")
    numbers = _codes(cells, column) if column.is_coded else _numbers(cells, column, first)
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = numbers.astype(np.float32) if column.dtype is Dtype.FLOAT32 else numbers
    bad = ~np.isfinite(narrow) & ~missing
    if bad.any():
        raise wrong(first + int(bad.argmax()), column, _otherwise(column))
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
            raise wrong(first + row, column, "neither true nor false" if flags else "not a number")
        numbers = _floats(cells)
    elif cells.dtype.kind in ("fiub" if flags else "fiu"):
        numbers = cells.astype(np.float64)
    else:
        raise wrong(first, column, "neither true nor false" if flags else "not a number")
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
    return array_of(texts)


def _refuse(texts: list[Any], is_wrong: Callable[[Any], Any], column: Column, first: int, what: str) -> None:
    row = next((row for row, text in enumerate(texts) if is_wrong(text)), None)
    if row is not None:
        raise wrong(first + row, column, what)


def _is_broken(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def array_of(cells: list[Any]) -> Array:
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


def wrong(row: int, column: Column, what: str) -> InvalidRows:
    """Return the error that names a row and a column; *what* says what is wrong, without the value."""
    return InvalidRows(f"row {row}, column {column.name}: {what}")
