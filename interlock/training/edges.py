"""
Rows at the edges of the data, where conversions go wrong and held-out rows are rare or none.

    missing cells      each nullable column alone, and all of them
    categories         each that was seen, and one that never was, where the model takes it
    numbers            the smallest and the largest of each column
    decision boundary  rows just on both sides of it, found by halving the way between rows of two classes
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from interlock.model.signature import Column, Dtype
from interlock.training.dataset import Dataset

BASE = 16
"""Rows of the data that each edge is tried with."""
NEAR = 64
"""Rows beside one that is looked at closely, for each distance."""
MOST_CATEGORIES = 1000
"""Different texts of a column, up to which each is tried; beyond, so many of them."""
HALVINGS = 10
UNKNOWN = "interlock never saw this"
"""A text that is no category."""

Predict = Callable[[pd.DataFrame], npt.NDArray[Any]]


@dataclass(frozen=True)
class Edge:
    """
    Rows with something of the data's edge.

    Args:
        what: What that is, as a person reads it.
        rows: An encoded frame.
        step: How far the rounding of float32 may move the numbers of each column.
    """

    what: str
    rows: pd.DataFrame
    step: dict[str, float]

    def beside(self, row: int) -> pd.DataFrame:
        """Return rows that differ from one of these by the rounding of float32 only."""
        random = np.random.default_rng(0)
        near = self.rows.iloc[[row] * NEAR * 3].reset_index(drop=True)
        factors = np.repeat([0.25, 1, 4], NEAR)
        for name, step in self.step.items():
            moved = near[name].to_numpy() + random.choice([-1, 1], size=len(near)) * step * factors
            near[name] = moved.astype(near[name].dtype)
        return near


def edges(data: Dataset, predict: Predict | None = None) -> list[Edge]:
    """
    Return the edges of *data*, made from its rows.

    Args:
        data: All of it, so that no rare cell is missed.
        predict: Answers the class of each row of a frame, for the decision boundary; None for a model that has none.
    """
    base = data.frame.iloc[np.linspace(0, len(data) - 1, min(BASE, len(data)), dtype=int)].reset_index(drop=True)
    step = {
        column.name: float(np.nanmax(np.abs(data.frame[column.name].to_numpy()))) * 2**-22
        for column in data.columns
        if _is_number(column)
    }
    found = [Edge(what, rows, step) for what, rows in _values(data, base)]
    if predict and (boundary := _boundary(data, predict)) is not None:
        found.append(Edge("the row lies next to the decision boundary", boundary, step))
    return found


def unknown_text(data: Dataset, column: Column) -> pd.DataFrame:
    """Return rows whose cell of *column* is a text that was never seen."""
    base = data.frame.iloc[np.linspace(0, len(data) - 1, min(BASE, len(data)), dtype=int)].reset_index(drop=True)
    return base.assign(**{column.name: UNKNOWN})


def _is_number(column: Column) -> bool:
    return column.dtype not in {Dtype.STRING, Dtype.BOOL} and not column.is_coded


def _values(data: Dataset, base: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    nothing = {c.name: "" if c.dtype is Dtype.STRING else np.nan for c in data.columns if c.nullable}
    for name, cell in nothing.items():
        yield f"{name} is missing", _with(base, {name: cell})
    if len(nothing) > 1:
        yield "every cell is missing that may be", _with(base, nothing)
    for column in data.columns:
        yield from _values_of(column, data.frame[column.name], base)


def _values_of(column: Column, cells: pd.Series, base: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    if column.dtype is Dtype.STRING:
        yield from _each_text(column, cells, base)
    elif column.is_coded:
        for code, category in enumerate(column.categories):
            yield f"{column.name} is {category}", _with(base, {column.name: float(code)})
    else:
        seen = cells.to_numpy()[~np.isnan(cells.to_numpy())]
        yield f"{column.name} is smallest", _with(base, {column.name: seen.min()})
        yield f"{column.name} is largest", _with(base, {column.name: seen.max()})


def _each_text(column: Column, cells: pd.Series, base: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    texts = sorted({*cells, *column.categories} - {""})
    some = [texts[place] for place in np.linspace(0, len(texts) - 1, min(len(texts), MOST_CATEGORIES), dtype=int)]
    rows = base.iloc[np.resize(np.arange(len(base)), len(some))].reset_index(drop=True)
    yield f"{column.name} is each of its texts", rows.assign(**{column.name: some})
    if not column.categories:
        yield f"{column.name} is a text that was never seen", _with(base, {column.name: UNKNOWN})


def _boundary(data: Dataset, predict: Predict) -> pd.DataFrame | None:
    """Return rows on both sides of the boundary; None if all rows are answered alike, or there are no numbers."""
    numbers = [column.name for column in data.columns if _is_number(column)]
    some = data.frame.iloc[np.linspace(0, len(data) - 1, min(BASE * BASE, len(data)), dtype=int)].reset_index(drop=True)
    answers = predict(some)
    others = np.flatnonzero(answers != answers[0])
    if not numbers or not len(others):
        return None
    right = some.iloc[others[:BASE]].reset_index(drop=True)
    left = some.iloc[[_other(answers, place) for place in others[:BASE]]].reset_index(drop=True)
    left[_texts(data.columns)] = right[_texts(data.columns)]  # the way between two rows goes through numbers only
    first = predict(left)
    for _ in range(HALVINGS):
        middle = right.copy()
        middle[numbers] = ((left[numbers] + right[numbers]) / 2).astype(right[numbers].dtypes.to_dict())
        same = predict(middle) == first
        left.loc[same] = middle.loc[same]
        right.loc[~same] = middle.loc[~same]
    return pd.concat([left, right], ignore_index=True)


def _other(answers: npt.NDArray[Any], place: int) -> int:
    """Return a row that is answered otherwise than the one at *place*."""
    found = np.flatnonzero(answers != answers[place])
    return int(found[place % len(found)])


def _texts(columns: Sequence[Column]) -> list[str]:
    return [column.name for column in columns if not _is_number(column)]


def _with(base: pd.DataFrame, values: dict[str, Any]) -> pd.DataFrame:
    changed = base.copy()
    for name, value in values.items():
        changed[name] = pd.Series([value] * len(base), dtype=base[name].dtype)
    return changed
