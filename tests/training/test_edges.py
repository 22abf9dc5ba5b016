"""Conversions are looked at where they go wrong: at the edges of the data, however rare those are in it."""

import numpy as np
import pytest
from pydantic import BaseModel
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from interlock.errors import InvalidTraining, ParityFailed
from interlock.model.manifest import Column
from interlock.training.edges import edges
from interlock.training.learner import Dataset, Learner
from interlock.training.train import Trained, train


class Nothing(BaseModel):
    """No parameters."""


def trained(data: Dataset, model) -> Trained:
    class Given(Learner):
        Params = Nothing

        def data(self):
            return data

        def pipeline(self, params):
            return model

    return train("given", Given(), Nothing())


def unbalanced() -> Dataset:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 2)).astype(np.float32)
    labels = ((rows[:, 0] + 0.9 * rng.normal(size=400)) > 1).astype(np.int64)
    return Dataset(rows, labels, ["a", "b"], ["no", "yes"])


def test_each_missing_cell_each_category_and_each_extreme_is_an_edge():
    columns = [
        Column(name="x", nullable=True),
        Column(name="job", nullable=True, categories=("a", "b")),
        Column(name="y"),
    ]
    rows = np.asarray([[1, 0, 5], [np.nan, 1, 7], [3, 0, 6]], dtype=np.float32)

    found = {edge.what: edge.rows for edge in edges(rows, columns)}

    assert list(found) == [
        "x is missing",
        "job is missing",
        "every cell is missing that may be",
        "x is smallest",
        "x is largest",
        "job is a",
        "job is b",
        "y is smallest",
        "y is largest",
    ]
    assert np.isnan(found["x is missing"][:, 0]).all()
    assert np.isnan(found["every cell is missing that may be"][:, :2]).all()
    assert found["y is largest"][:, 2].tolist() == [7, 7, 7]
    assert np.isnan(rows).sum() == 1, "the data itself is left alone"


def test_a_forest_whose_onnx_answers_missing_cells_otherwise_is_refused_however_rare_they_are():
    """99.94 % of the held-out rows agree: a share would let it pass."""
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(20_000, 3)).astype(np.float32)
    labels = (rows[:, 0] > 0).astype(np.int64)
    gone = rng.random(len(rows)) < 1 / 1500
    rows[gone, 0], labels[gone] = np.nan, 0
    columns = [Column(name="amount", nullable=True), Column(name="b"), Column(name="c")]
    forest = RandomForestClassifier(40, max_features=None, min_samples_leaf=2, random_state=0)

    with pytest.raises(ParityFailed, match="where amount is missing: 1?[0-9] of 16 rows"):
        trained(Dataset(rows, labels, columns, ["no", "yes"]), forest)


def test_a_model_that_takes_no_missing_cell_of_a_column_that_may_miss_is_refused_by_the_columns_name():
    data = unbalanced()
    nullable = Dataset(data.rows, data.labels, [Column(name="a", nullable=True), Column(name="b")], data.class_names)

    with pytest.raises(InvalidTraining, match="does not take rows in which a is missing"):
        trained(nullable, LogisticRegression())


def test_the_edges_join_the_golden_rows():
    made = trained(unbalanced(), LogisticRegression())

    largest = unbalanced().rows.max(axis=0)
    assert [row[0] for row in made.golden.rows].count(largest[0]) >= 1
    assert [row[1] for row in made.golden.rows].count(largest[1]) >= 1
    assert len(made.golden.rows) == 36
