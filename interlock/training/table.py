"""A learner whose rows come from a feature store: a flow reads the table, the learner says what it takes from it."""

from typing import ClassVar

import pandas as pd

from interlock.errors import InvalidTraining
from interlock.model.rows import Table, listed
from interlock.model.signature import Column, Task
from interlock.training.dataset import Dataset
from interlock.training.learner import Learner


class TableLearner(Learner):
    """
    A model that is trained on a table.

    A file `learners/<name>.py` holds one subclass, what it takes from the table, and its pipeline.
    """

    query: ClassVar[str]
    """SQL that reads the table, in an order that is always the same; a FeatureStore block may name another."""
    columns: ClassVar[list[Column]]
    """What the model takes; other columns of the table are left alone."""
    label: ClassVar[str]
    """The column that is predicted."""
    class_names: ClassVar[list[str] | None] = None
    """The classes in their order, so that they are the same when a table lacks one; None for a regression."""

    def data(self) -> Dataset:
        """Refuse: there is no table here."""
        msg = f"{type(self).__name__} reads a table: name a feature store"
        raise InvalidTraining(msg)

    def dataset(self, table: Table) -> Dataset:
        """
        Return the rows of *table*.

        Raises:
            InvalidTraining: It has no rows, a column is missing, or a cell is nothing that the column takes.
        """
        if not len(next(iter(table.values()), ())):
            msg = f"no rows: {self.query}"
            raise InvalidTraining(msg)
        wanted = [*(column.name for column in self.columns), self.label]
        if missing := [name for name in wanted if name not in table]:
            msg = f"the table has no column {listed(missing)}; it has {listed(table)}"
            raise InvalidTraining(msg)
        frame = pd.DataFrame({name: table[name] for name in wanted})
        if self.class_names is None:
            return Dataset.of(frame, self.label, task=Task.REGRESSION, columns=self.columns)
        frame[self.label] = self._codes(frame[self.label])
        return Dataset.of(frame, self.label, class_names=self.class_names, columns=self.columns)

    def _codes(self, labels: pd.Series) -> pd.Series:
        """Return classes by their places; a class is compared by its name, or by the number that its name says."""
        names = list(self.class_names or [])
        places = {name: place for place, name in enumerate(names)}
        codes = labels.map(lambda cell: places.get(_name(cell)), na_action="ignore")
        if strange := int(codes.isna().sum()):
            msg = f"column {self.label}: {strange} rows are not one of {', '.join(names)}"
            raise InvalidTraining(msg)
        return codes.astype("int64")


def _name(cell: object) -> str:
    """Return a cell as a class may be named: 1 for 1.0 and Decimal('1')."""
    if isinstance(cell, str | bool):
        return str(cell)
    number = float(cell)  # type: ignore[arg-type]
    return str(int(number)) if number.is_integer() else str(number)
