"""
Rows at the edges of the data, where conversions go wrong and held-out rows are rare or none.

A share of rows that may differ hides them: of a forest that was trained with one missing cell in 1,500, 99.94 % of the
held-out rows agreed, and every row with a missing cell was answered with the other class.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from interlock.model.manifest import Column, Rows

BASE = 16
"""Rows of the data that each edge is tried with."""
NEAR = 64
"""Rows beside one that is looked at closely, for each distance."""


@dataclass(frozen=True)
class Edge:
    """
    Rows with something of the data's edge.

    Args:
        what: What that is, as a person reads it.
        rows: shape (BASE or fewer, features), float32.
        step: shape (features,): how far the rounding of float32 may move each number; 0 for a category's code.
    """

    what: str
    rows: Rows
    step: Rows

    def beside(self, row: int) -> Rows:
        """Return rows, shape (n, features), that differ from one of these by the rounding of float32 only."""
        signs = np.random.default_rng(0).choice([-1, 1], size=(NEAR, len(self.step)))
        moved = np.concatenate([signs * self.step * factor for factor in (0.25, 1, 4)])
        return np.asarray(self.rows[row] + moved, dtype=np.float32)


def edges(rows: Rows, columns: Sequence[Column]) -> list[Edge]:
    """
    Return, made from *rows*, the edges of the data.

    Each nullable column missing alone, all of them together, each category, each number's smallest and largest value.

    Args:
        rows: shape (n, features), float32.
        columns: What each column takes.
    """
    base = rows[np.linspace(0, len(rows) - 1, min(BASE, len(rows)), dtype=int)]
    largest = np.nan_to_num(np.nanmax(np.abs(rows), axis=0))
    step = largest * np.float32(2**-22) * [not column.categories for column in columns]
    return [Edge(what, _with(base, values), step) for what, values in _values(rows, columns)]


def _values(rows: Rows, columns: Sequence[Column]) -> Iterator[tuple[str, dict[int, float]]]:
    nullable = {place: float("nan") for place, column in enumerate(columns) if column.nullable}
    for place in nullable:
        yield f"{columns[place].name} is missing", {place: float("nan")}
    if len(nullable) > 1:
        yield "every cell is missing that may be", nullable
    for place, column in enumerate(columns):
        for code, category in enumerate(column.categories):
            yield f"{column.name} is {category}", {place: float(code)}
        seen = rows[:, place][~np.isnan(rows[:, place])]
        if not column.categories and len(seen):
            yield f"{column.name} is smallest", {place: float(seen.min())}
            yield f"{column.name} is largest", {place: float(seen.max())}


def _with(base: Rows, values: dict[int, float]) -> Rows:
    changed = base.copy()
    for place, value in values.items():
        changed[:, place] = value
    return changed
