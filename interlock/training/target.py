"""What a dataset's target means: the task that its values ask for, and the values as a pipeline is fitted to them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from interlock.errors import InvalidTraining
from interlock.model.rows import listed
from interlock.model.signature import Task
from interlock.training.columns import FLAGS, NUMBERS, plain_cells

FEW = 20
"""Most different whole numbers of a target that are taken for classes unless the task is said."""
Label = bool | int | str


def task_named(name: str | None) -> Task | None:
    """Return the task of that name. Raises InvalidTraining for a name that is none."""
    if not name:
        return None
    try:
        return Task(name)
    except ValueError:
        msg = f"task: {name!r} is none; say {', '.join(Task)}"
        raise InvalidTraining(msg) from None


def truth_of(values: Any, rows: int) -> pd.DataFrame:
    """Return the values of one target or of several, which may have names."""
    if isinstance(values, pd.DataFrame):
        truth = values
    elif isinstance(values, pd.Series) or np.ndim(values) == 1:
        name = getattr(values, "name", None)
        truth = pd.DataFrame({name if isinstance(name, str) and name else "target": values})
    else:
        array = np.asarray(values)
        truth = pd.DataFrame(array, columns=[f"target_{place}" for place in range(array.shape[-1])])
    if len(truth) != rows:
        msg = f"the target has {len(truth)} values for {rows} rows"
        raise InvalidTraining(msg)
    return truth.reset_index(drop=True)


def plain(cell: Any) -> Any:
    """Return a scalar of NumPy as Python has it."""
    return cell.item() if isinstance(cell, np.generic) else cell


def _present(series: pd.Series) -> list[Any]:
    cells = [plain(cell) for cell in plain_cells(series)]
    if gone := sum(cell is None for cell in cells):
        msg = f"column {series.name}, which is to be predicted: {gone} of {len(cells)} values are missing"
        raise InvalidTraining(msg)
    return cells


def task_of(truth: pd.DataFrame) -> Task:
    """
    Return the task that the values ask for.

    Raises:
        InvalidTraining: They could be either; the message asks for `task=`.
    """
    if len(truth.columns) > 1:
        flags = all(set(_present(truth[name])) <= {0, 1} for name in truth.columns)
        return Task.MULTILABEL if flags else Task.REGRESSION
    series = truth.iloc[:, 0]
    cells = _present(series)
    if isinstance(series.dtype, pd.CategoricalDtype) or not all(
        isinstance(cell, NUMBERS) and not isinstance(cell, FLAGS) for cell in cells
    ):
        return Task.CLASSIFICATION
    if any(cell != int(cell) if np.isfinite(float(cell)) else True for cell in cells):
        return Task.REGRESSION
    if len(set(cells)) <= FEW:
        return Task.CLASSIFICATION
    if all(isinstance(cell, float) for cell in cells):
        return Task.REGRESSION
    msg = f"column {series.name}: {len(set(cells))} different whole numbers; say task='classification' or 'regression'"
    raise InvalidTraining(msg)


def only(truth: pd.DataFrame) -> pd.Series:
    """Return the one column that a classification predicts. Raises InvalidTraining if there are several."""
    if len(truth.columns) != 1:
        msg = f"a classification predicts one column, not {listed([str(name) for name in truth.columns])}"
        raise InvalidTraining(msg)
    return truth.iloc[:, 0]


def values_of(truth: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return what a regression predicts, shape (n, targets). Raises InvalidTraining for what is no finite number."""
    columns = []
    for name in truth.columns:
        cells = _present(truth[name])
        if not all(isinstance(cell, (*NUMBERS, *FLAGS)) for cell in cells):
            msg = f"column {name}, which is to be predicted, holds something else than numbers"
            raise InvalidTraining(msg)
        numbers = np.array([float(cell) for cell in cells])
        if not np.isfinite(numbers).all():
            msg = f"column {name}, which is to be predicted: {int((~np.isfinite(numbers)).sum())} values are not finite"
            raise InvalidTraining(msg)
        if (numbers == numbers[0]).all():
            msg = f"column {name}, which is to be predicted, is always the same"
            raise InvalidTraining(msg)
        columns.append(numbers)
    return np.stack(columns, axis=1)


def flags_of(truth: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return what multilabel predicts, shape (n, labels), 0 or 1. Raises InvalidTraining for anything else."""
    columns = []
    for name in truth.columns:
        cells = _present(truth[name])
        if not all(isinstance(cell, (*NUMBERS, *FLAGS)) and cell in {0, 1} for cell in cells):
            msg = f"column {name}, which is to be predicted, holds something else than flags (true, false, 1, 0)"
            raise InvalidTraining(msg)
        columns.append(np.array([int(cell) for cell in cells], dtype=np.int64))
        if len(set(cells)) == 1:
            msg = f"column {name}, which is to be predicted, is always the same"
            raise InvalidTraining(msg)
    return np.stack(columns, axis=1)


def codes_of(series: pd.Series, classes: int) -> npt.NDArray[np.int64]:
    """Return the numbers 0, 1, .. of a target whose classes have names of their own."""
    cells = _present(series)
    if not all(isinstance(cell, (*NUMBERS, *FLAGS)) and cell in range(classes) for cell in cells):
        msg = f"column {series.name}, which is to be predicted, holds something else than 0 to {classes - 1}"
        raise InvalidTraining(msg)
    return np.array([int(cell) for cell in cells], dtype=np.int64)


def classes_of(series: pd.Series) -> tuple[list[Label], npt.NDArray[np.int64]]:
    """Return the classes in their order, and the place of each row's class."""
    cells = [_label(series, cell) for cell in _present(series)]
    if len({type(cell) for cell in cells}) > 1:
        kinds = ", ".join(sorted({type(cell).__name__ for cell in cells}))
        msg = f"column {series.name}, which is to be predicted, holds classes of several kinds: {kinds}"
        raise InvalidTraining(msg)
    found: list[Label] = sorted(set(cells))
    if isinstance(series.dtype, pd.CategoricalDtype):
        found = [_label(series, cell) for cell in series.cat.categories.tolist()]
    places = {label: place for place, label in enumerate(found)}
    return found, np.array([places[cell] for cell in cells], dtype=np.int64)


def _label(series: pd.Series, cell: Any) -> Label:
    """Return a class as clients get it: 1 for 1.0, whatever type the table has."""
    if isinstance(cell, FLAGS):
        return bool(cell)
    if isinstance(cell, str) and cell.strip():
        return cell
    if isinstance(cell, NUMBERS) and float(cell).is_integer():
        return int(cell)
    what = "an empty text" if isinstance(cell, str) else f"a {type(cell).__name__} that is no whole number"
    msg = f"column {series.name}, which is to be predicted: a class is {what}"
    raise InvalidTraining(msg)


def names_of(series: pd.Series, found: Sequence[Label]) -> list[str]:
    """Return the names of the classes. Raises InvalidTraining where two are the same."""
    names = [str(label) for label in found]
    if len(set(names)) < len(names):
        msg = f"column {series.name}: two classes have the same name"
        raise InvalidTraining(msg)
    return names
