"""Labelled rows, from tables as people have them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from interlock.errors import InvalidRows, InvalidTraining
from interlock.model.cells import encoded_column
from interlock.model.manifest import Cells
from interlock.model.rows import Tensors, listed
from interlock.model.signature import MOST_COLUMNS, Column, Dtype, Input, Task
from interlock.training.columns import column_of, plain_cells
from interlock.training.target import (
    Label,
    classes_of,
    codes_of,
    flags_of,
    names_of,
    only,
    plain,
    task_named,
    task_of,
    truth_of,
    values_of,
)

INPUT = "input"
"""The one tensor of a model without texts."""


@dataclass(frozen=True)
class Dataset:
    """
    Labelled rows; made by `Dataset.of`.

    Args:
        frame: The features as a pipeline sees them: numbers and flags as float32 (float64, if float32 does not hold one
            of them), NaN for a missing one; texts as str, the empty one for a missing one.
        columns: What each of them takes.
        target: The truth. Of a classification shape (n,), the place of each row's class among the names; of multilabel
            shape (n, classes), 0 or 1; of a regression shape (n, targets), float64.
        class_names: Of a classification or multilabel.
        labels: What a client gets for each class in place of 0, 1, ..; None for these.
        targets: Names of what a regression predicts.
        given: The tensors of a model that was made elsewhere; None for those that follow from the columns.
    """

    frame: pd.DataFrame
    columns: list[Column]
    target: npt.NDArray[Any]
    task: Task
    class_names: list[str]
    labels: list[Label] | None
    targets: list[str]
    given: list[Input] | None = None

    @classmethod
    def of(
        cls,
        frame: Any,
        target: str | Sequence[str] | npt.ArrayLike,
        *,
        task: Task | str | None = None,
        class_names: Sequence[str] | None = None,
        columns: Sequence[Column] = (),
    ) -> Self:
        """
        Take a table: a pandas data frame, an Arrow table, or a mapping of column names to cells.

        Args:
            frame: Features, and the target among them if it is named.
            target: Name of the column to predict, or of several of them; or its values, one for each row.
            task: classification, regression or multilabel. Without it: texts, flags, categories and up to 20 different
                whole numbers are classes, other numbers a regression, several flags multilabel.
            class_names: Names of the classes 0, 1, .., where the target holds these numbers.
            columns: What some of the features take, where their values do not say it, such as all categories.

        Raises:
            InvalidTraining: It cannot be trained on; the message names the column.
        """
        table = _table(frame)
        features, truth = _apart(table, target)
        kind = task_named(task) or task_of(truth)
        encoded, taken = _encoded(features, {column.name: column for column in columns})
        made = cls(encoded, taken, np.empty(0), kind, [], None, [])
        if kind is Task.REGRESSION:
            return replace(made, target=values_of(truth), targets=[str(name) for name in truth.columns])
        if kind is Task.MULTILABEL:
            names = [str(name) for name in truth.columns]
            return replace(made, target=flags_of(truth), class_names=names, labels=list[Label](names))
        series = only(truth)
        if class_names is not None:
            return replace(made, target=codes_of(series, len(class_names)), class_names=[str(n) for n in class_names])
        found, codes = classes_of(series)
        return replace(made, target=codes, class_names=names_of(series, found), labels=found)

    @property
    def inputs(self) -> list[Input]:
        """The tensors of a model that is trained on it: one, or one for each column if there are texts."""
        if self.given is not None:
            return self.given
        if all(column.dtype is not Dtype.STRING for column in self.columns):
            return [Input(name=INPUT, dtype=self._float, columns=tuple(column.name for column in self.columns))]
        return [
            Input(name=c.name, dtype=Dtype.STRING if c.dtype is Dtype.STRING else self._float, columns=(c.name,))
            for c in self.columns
        ]

    @property
    def fitting_target(self) -> npt.NDArray[Any]:
        """The truth as a pipeline is fitted to it: one target as shape (n,)."""
        return self.target[:, 0] if self.target.ndim == 2 and self.target.shape[1] == 1 else self.target  # noqa: PLR2004

    def rows(self, places: npt.NDArray[np.int64]) -> Self:
        """Return the rows at *places*."""
        return replace(self, frame=self.frame.iloc[places].reset_index(drop=True), target=self.target[places])

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def _float(self) -> Dtype:
        return float_of(self.columns)


def float_of(columns: Sequence[Column]) -> Dtype:
    """Return the dtype of every number in a model's tensors: float64 as soon as one column needs it."""
    wide = any(column.dtype in {Dtype.FLOAT64, Dtype.INT64} for column in columns)
    return Dtype.FLOAT64 if wide else Dtype.FLOAT32


def encoded_frame(frame: Any, columns: Sequence[Column]) -> pd.DataFrame:
    """
    Return a table as a pipeline with *columns* sees it.

    Raises:
        InvalidTraining: A column is missing, or a cell is nothing that the column takes.
    """
    table = _table(frame)
    if missing := [column.name for column in columns if column.name not in table.columns]:
        msg = f"the table has no column {listed(missing)}; it has {listed(list(table.columns))}"
        raise InvalidTraining(msg)
    kind = float_of(columns).numpy
    cells = {column.name: _cells(table[column.name], column) for column in columns}
    return pd.DataFrame({name: array if array.dtype == object else array.astype(kind) for name, array in cells.items()})


def tensors_of(frame: pd.DataFrame, inputs: Sequence[Input]) -> Tensors:
    """Return the rows of an encoded frame as a model with *inputs* takes them."""
    return Tensors({one.name: frame[list(one.columns)].to_numpy(dtype=one.dtype.numpy) for one in inputs})


def cells_of(frame: pd.DataFrame, columns: Sequence[Column]) -> Cells:
    """Return the rows of an encoded frame as clients send them; None for a missing cell."""
    rows = [[_cell(cell, column) for cell in frame[column.name].tolist()] for column in columns]
    return [list(row) for row in zip(*rows, strict=True)]


def _cell(cell: Any, column: Column) -> Any:
    if cell in ("", None) or cell != cell:  # noqa: PLR0124 - only NaN differs from itself
        return None
    if column.dtype is Dtype.BOOL:
        return bool(cell)
    return int(cell) if column.dtype is Dtype.INT64 else cell


def _table(frame: Any) -> pd.DataFrame:
    table = frame.to_pandas() if hasattr(frame, "to_pandas") else pd.DataFrame(frame)
    names = list(table.columns)
    if not all(isinstance(name, str) and name.strip() for name in names):
        msg = "every column needs a name that is a text, and not an empty one"
        raise InvalidTraining(msg)
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        msg = f"column {listed(twice)} is there twice"
        raise InvalidTraining(msg)
    if not len(table):
        msg = "there are no rows"
        raise InvalidTraining(msg)
    return table


def _apart(table: pd.DataFrame, target: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return features and targets, each a frame."""
    names = [target] if isinstance(target, str) else target
    if not (isinstance(names, list | tuple) and names and all(isinstance(name, str) for name in names)) or (
        not isinstance(target, str) and len(names) == len(table) and names[0] not in table.columns
    ):
        return table, truth_of(target, len(table))
    if missing := [name for name in names if name not in table.columns]:
        msg = f"the table has no column {listed(missing)} to predict; it has {listed(list(table.columns))}"
        raise InvalidTraining(msg)
    features = table.drop(columns=list(names))
    if not len(features.columns):
        msg = "there is no column beside what is to be predicted"
        raise InvalidTraining(msg)
    return features, table[list(names)]


def _encoded(features: pd.DataFrame, declared: dict[str, Column]) -> tuple[pd.DataFrame, list[Column]]:
    if len(features.columns) > MOST_COLUMNS:
        msg = f"{len(features.columns)} columns; {MOST_COLUMNS} are taken"
        raise InvalidTraining(msg)
    if unknown := [name for name in declared if name not in features.columns]:
        msg = f"the table has no column {listed(unknown)}; it has {listed(list(features.columns))}"
        raise InvalidTraining(msg)
    columns = [declared.get(name) or column_of(features[name]) for name in features.columns]
    for name in declared:
        if features[name].isna().all():
            msg = f"column {name}: there is not a single value"
            raise InvalidTraining(msg)
    return encoded_frame(features, columns), columns


def _cells(series: pd.Series, column: Column) -> npt.NDArray[Any]:
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "iufb":
        cells = series.to_numpy()
    else:
        cells = np.empty(len(series), dtype=object)
        cells[:] = [plain(cell) for cell in plain_cells(series)]
    try:
        return encoded_column(cells, column)
    except InvalidRows as error:
        raise InvalidTraining(str(error)) from error
