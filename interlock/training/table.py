"""A learner whose rows come from a feature store: a flow reads the table, the learner says what it takes from it."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from interlock.errors import InvalidRows, InvalidTraining
from interlock.model.manifest import Column, Labels
from interlock.model.rows import Table, encode_table, listed
from interlock.training.learner import Dataset, Learner


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
    """The column that holds the class."""
    class_names: ClassVar[list[str]]

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
        try:
            rows = encode_table(table, self.columns)
        except InvalidRows as error:
            raise InvalidTraining(str(error)) from error
        return Dataset(rows, self._labels(table), self.columns, self.class_names)

    def _labels(self, table: Table) -> Labels:
        if self.label not in table:
            msg = f"the table has no column {self.label}; it has {listed(table)}"
            raise InvalidTraining(msg)
        labels: Mapping[object, int] = {name: label for label, name in enumerate(self.class_names)}
        codes = np.array([labels.get(cell, -1) for cell in table[self.label]], dtype=np.int64)
        if (codes < 0).any():
            msg = f"column {self.label}: {int((codes < 0).sum())} rows are not one of {', '.join(self.class_names)}"
            raise InvalidTraining(msg)
        return codes
