"""What a column of a table holds, decided by its values: number, flag or text; everything else is refused by name."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from interlock.errors import InvalidTraining
from interlock.model.cells import EXACT
from interlock.model.signature import Column, Dtype

DIGITS = 1e-4
"""Most that the rounding of float32 may move a value, as a share of the column's standard deviation."""
WHOLE = (int, np.integer)
NUMBERS = (*WHOLE, float, np.floating, Decimal)
FLAGS = (bool, np.bool_)


def column_of(series: pd.Series) -> Column:
    """
    Return what the column *series* takes, decided by its values.

    Integers that float32 does not hold, and numbers whose spread is small beside them, such as seconds since 1970, get
    the dtype float64.

    Raises:
        InvalidTraining: It holds dates, lists, several kinds of values, or integers beyond 2^53; the message names it.
    """
    name = str(series.name)
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "iuf":
        return _column_of_numbers(name, series.to_numpy())
    cells = plain_cells(series)
    present = [cell for cell in cells if cell is not None]
    if not present:
        msg = f"column {name}: there is not a single value"
        raise InvalidTraining(msg)
    nullable = len(present) < len(cells)
    kinds = {_kind_of(cell) for cell in present}
    if len(kinds) > 1 or None in kinds:
        told = ", ".join(sorted({type(cell).__name__ for cell in present})[:5])
        msg = f"column {name}: holds {told}; make it numbers, flags or texts of one kind"
        raise InvalidTraining(msg)
    if kinds == {Dtype.STRING}:
        return Column(name=name, dtype=Dtype.STRING, nullable=nullable or not all(present))
    if kinds == {Dtype.BOOL}:
        return Column(name=name, dtype=Dtype.BOOL, nullable=nullable)
    return _column_of_objects(name, present, nullable=nullable)


def _column_of_objects(name: str, present: Sequence[Any], *, nullable: bool) -> Column:
    if any(isinstance(cell, WHOLE) and abs(int(cell)) > EXACT for cell in present):
        raise _too_large(name)
    return Column(name=name, dtype=_float_for(name, np.array([float(c) for c in present])), nullable=nullable)


def _kind_of(cell: Any) -> Dtype | None:
    """Return text, flag or number; None for what no column holds."""
    if isinstance(cell, str):
        return Dtype.STRING
    if isinstance(cell, FLAGS):
        return Dtype.BOOL
    return Dtype.FLOAT64 if isinstance(cell, NUMBERS) else None


def plain_cells(series: pd.Series) -> list[Any]:
    """
    Return the cells of a column, None where one is missing.

    Raises:
        InvalidTraining: It holds dates; the message names it and what to do.
    """
    values = series.astype(series.cat.categories.dtype) if isinstance(series.dtype, pd.CategoricalDtype) else series
    if pd.api.types.is_datetime64_any_dtype(values) or pd.api.types.is_timedelta64_dtype(values):
        msg = (
            f"column {series.name}: holds dates or durations; make numbers of them, such as the hour or the age in days"
        )
        raise InvalidTraining(msg)
    missing = values.isna().to_numpy()
    return [None if gone else cell for cell, gone in zip(values.tolist(), missing.tolist(), strict=True)]


def _column_of_numbers(name: str, cells: npt.NDArray[Any]) -> Column:
    missing = np.isnan(cells)
    if missing.all():
        msg = f"column {name}: there is not a single value"
        raise InvalidTraining(msg)
    if cells.dtype.kind != "f" and (int(cells.max()) > EXACT or int(cells.min()) < -EXACT):
        raise _too_large(name)
    return Column(name=name, dtype=_float_for(name, cells[~missing].astype(np.float64)), nullable=bool(missing.any()))


def _float_for(name: str, numbers: npt.NDArray[np.float64]) -> Dtype:
    if not np.isfinite(numbers).all():
        msg = f"column {name}: holds numbers that are not finite"
        raise InvalidTraining(msg)
    return Dtype.FLOAT32 if _fits_float32(numbers) else Dtype.FLOAT64


def _too_large(name: str) -> InvalidTraining:
    return InvalidTraining(
        f"column {name}: holds integers beyond 2^53, which no float tells apart; leave it out, or make it text"
    )


def _fits_float32(numbers: npt.NDArray[np.float64]) -> bool:
    with np.errstate(over="ignore"):
        moved = np.abs(numbers - numbers.astype(np.float32))
    if (numbers == np.round(numbers)).all():
        return not moved.any()
    spread = float(numbers.std())
    return spread == 0 or bool(moved.max() <= DIGITS * spread)
